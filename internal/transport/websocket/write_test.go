package websocket

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/testkit"
	"github.com/hubgate/hubgate/internal/transport"
)

func TestPush(t *testing.T) {
	t.Parallel()
	p := open(t, transport.Limits{}, newHandler())
	var b message.Batch
	const count = 500
	go func() {
		var b message.Batch
		for i := range count {
			p.conn.Push(message.New(fmt.Append(nil, i), i%2 == 0), &b)
			if i%7 == 0 {
				b.Flush()
			}
		}
		b.Flush()
	}()
	for i := range count {
		f := p.read()
		want := ws.OpText
		if i%2 == 0 {
			want = ws.OpBinary
		}
		if string(f.Payload) != fmt.Sprint(i) || f.Header.OpCode != want || !f.Header.Fin {
			t.Fatalf("message %d: got %q with opcode %d, fin %t", i, f.Payload, f.Header.OpCode, f.Header.Fin)
		}
	}
	p.conn.Push(message.New(nil, false), &b) // an empty message is one, too
	b.Flush()
	if f := p.read(); len(f.Payload) != 0 || f.Header.OpCode != ws.OpText {
		t.Errorf("got %q with opcode %d", f.Payload, f.Header.OpCode)
	}
}

func TestPushFromMany(t *testing.T) {
	t.Parallel()
	p := open(t, transport.Limits{}, newHandler())
	const pushers, each = 6, 300
	for from := range pushers {
		go func() {
			var b message.Batch
			for i := range each {
				p.conn.Push(message.New([]byte{byte(from), byte(i), byte(i >> 8)}, true), &b)
				b.Flush()
			}
		}()
	}
	next := make([]int, pushers)
	for range pushers * each {
		f := p.read()
		from := f.Payload[0]
		if got := int(f.Payload[1]) | int(f.Payload[2])<<8; got != next[from] {
			t.Fatalf("pusher %d: got its message %d, want %d", from, got, next[from])
		}
		next[from]++
	}
}

func TestEnd(t *testing.T) {
	t.Parallel()
	p := open(t, transport.Limits{}, newHandler())
	var b message.Batch
	p.conn.Push(message.New([]byte("last words"), false), &b)
	p.conn.End(&b)
	p.conn.Push(message.New([]byte("too late"), false), &b)
	b.Flush()
	if f := p.read(); string(f.Payload) != "last words" {
		t.Errorf("got %q", f.Payload)
	}
	if code := p.readClose(); code != ws.StatusNormalClosure {
		t.Errorf("closed with %d", code)
	}
	// Until the client has answered, what it still sends is taken.
	p.write(frameOf(textFrame, []byte("on its way")))
	p.h.wait(t, len("on its way"))
	p.write(closeOf(1000))
	p.readEnd()
	if reason := p.gone(); reason != nil {
		t.Errorf("it ended with %v", reason)
	}
}

// deadlines notes when the reader has to give up, and then lets it wait no longer than the test wants to.
type deadlines struct {
	net.Conn
	read chan time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.read <- at
	return d.Conn.SetReadDeadline(time.Now())
}

// A client that never answers the close frame does not keep the connection.
func TestEndWithoutAnswer(t *testing.T) {
	t.Parallel()
	server, client := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	d := &deadlines{Conn: server, read: make(chan time.Time, 4)}
	h := newHandler()
	c := New(d, transport.Limits{})
	go c.Serve(nil, h)
	var b message.Batch
	before := time.Now()
	c.End(&b)
	b.Flush()
	//lint:ignore SA1019 the frames of this test come from our own writer, which bounds them.
	if f, err := ws.ReadFrame(client); err != nil || f.Header.OpCode != ws.OpClose {
		t.Fatalf("got opcode %d, error %v", f.Header.OpCode, err)
	}
	at := testkit.Receive(t, d.read, "the deadline")
	if at.Before(before.Add(closeTimeout)) || at.After(time.Now().Add(closeTimeout)) {
		t.Errorf("the client has until %v, want %s from %v on", at, closeTimeout, before)
	}
	if reason := testkit.Receive(t, h.gone, "the end"); !errors.Is(reason, transport.ErrConnectionLost) {
		t.Errorf("it ended with %v", reason)
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	p := open(t, transport.Limits{}, newHandler())
	reason := errors.New("because")
	p.conn.Abort(reason)
	p.conn.Abort(errors.New("later"))
	p.readEnd()
	if got := p.gone(); !errors.Is(got, reason) {
		t.Errorf("it ended with %v, want the first reason", got)
	}
	var b message.Batch
	p.conn.Push(message.New([]byte("x"), false), &b)
	p.conn.End(&b)
	b.Flush()
	select {
	case again := <-p.h.gone:
		t.Errorf("the handler was told twice: %v", again)
	default:
	}
}

func TestSlowClient(t *testing.T) {
	t.Parallel()
	p := open(t, transport.Limits{QueueBytes: 1 << 20}, newHandler())
	m := message.New(make([]byte, 64<<10), true)
	var b message.Batch
	for range 1000 { // far more than the buffers of the system hold
		p.conn.Push(m, &b)
		b.Flush()
	}
	if reason := p.gone(); !errors.Is(reason, transport.ErrSlowClient) {
		t.Errorf("it ended with %v", reason)
	}
}

// stuck is a stream whose writes run into their deadline at once.
type stuck struct{ net.Conn }

func (s *stuck) SetWriteDeadline(at time.Time) error {
	if !at.IsZero() {
		at = time.Now().Add(-time.Second)
	}
	return s.Conn.SetWriteDeadline(at)
}

func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	server, client := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	h := newHandler()
	c := New(&stuck{server}, transport.Limits{})
	go c.Serve(nil, h)
	var b message.Batch
	c.Push(message.New([]byte("x"), false), &b)
	b.Flush()
	if reason := testkit.Receive(t, h.gone, "the end"); !errors.Is(reason, transport.ErrWriteTimeout) {
		t.Errorf("it ended with %v", reason)
	}
}

// Whoever ends a connection, and however many do at once, the handler is told once.
func TestEndsRace(t *testing.T) {
	t.Parallel()
	for range 50 {
		p := open(t, transport.Limits{}, newHandler())
		var all sync.WaitGroup
		all.Go(func() { p.conn.Abort(transport.ErrSlowClient) })
		all.Go(func() {
			var b message.Batch
			p.conn.Push(message.New(bytes.Repeat([]byte("x"), 1000), false), &b)
			p.conn.End(&b)
			b.Flush()
		})
		all.Go(func() { _, _ = p.Write(closeOf(1000)); _ = p.Close() })
		all.Wait()
		p.gone()
		select {
		case again := <-p.h.gone:
			t.Fatalf("the handler was told twice: %v", again)
		default:
		}
	}
}

func TestKind(t *testing.T) {
	t.Parallel()
	if k := new(Conn).Kind(); k != transport.WebSockets {
		t.Errorf("it is %v", k)
	}
}
