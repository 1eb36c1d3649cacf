package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/hubgate/hubgate/internal/testkit"
	"github.com/hubgate/hubgate/internal/transport"
)

// handler remembers what a connection tells it.
type handler struct {
	refuse error // what Receive answers

	mu       sync.Mutex
	received []byte
	grew     chan struct{} // gets a value after bytes came, at most one waits
	gone     chan error
}

func newHandler() *handler {
	return &handler{grew: make(chan struct{}, 1), gone: make(chan error, 2)}
}

func (h *handler) Receive(b []byte) error {
	h.mu.Lock()
	h.received = append(h.received, b...)
	h.mu.Unlock()
	select {
	case h.grew <- struct{}{}:
	default:
	}
	return h.refuse
}

func (h *handler) Gone(reason error) { h.gone <- reason }

func (h *handler) bytes() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Clone(h.received)
}

// wait returns what came once it is so many bytes.
func (h *handler) wait(t *testing.T, size int) []byte {
	t.Helper()
	for {
		if got := h.bytes(); len(got) >= size {
			return got
		}
		testkit.Receive(t, h.grew, "bytes of the client")
	}
}

// peer is the client's end of a connection, down to single bytes.
type peer struct {
	*net.TCPConn
	t    *testing.T
	conn *Conn
	h    *handler
}

// tcpPair is two ends of a real loopback stream.
func tcpPair(t testing.TB) (server, client *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	accepted := make(chan net.Conn, 1)
	go func() {
		if c, err := l.Accept(); err == nil {
			accepted <- c
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, client = testkit.Receive(t, accepted, "the connection").(*net.TCPConn), c.(*net.TCPConn)
	t.Cleanup(func() { _, _ = server.Close(), client.Close() })
	return server, client
}

// open starts a connection over a real loopback stream.
func open(t *testing.T, limits transport.Limits, h *handler, rest ...byte) *peer {
	t.Helper()
	server, client := tcpPair(t)
	p := &peer{TCPConn: client, t: t, h: h, conn: New(server, limits)}
	_ = p.SetDeadline(time.Now().Add(testkit.Patience))
	served := make(chan struct{})
	go func() {
		defer close(served)
		p.conn.Serve(rest, h)
	}()
	t.Cleanup(func() {
		_ = p.Close()
		testkit.Closed(t, served, "the reader")
	})
	return p
}

// write sends bytes as they are.
func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// frame is one masked frame.
func frameOf(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

const (
	fin          = 0x80
	continuation = fin
	textFrame    = fin | 1
	binaryFrame  = fin | 2
	closeFrame   = fin | 8
	pingFrame    = fin | 9
	pongFrame    = fin | 10
)

func closeOf(code uint16) []byte {
	return frameOf(closeFrame, binary.BigEndian.AppendUint16(nil, code))
}

// read is the next frame from the service.
func (p *peer) read() ws.Frame {
	p.t.Helper()
	//lint:ignore SA1019 the frames of this test come from our own writer, which bounds them.
	f, err := ws.ReadFrame(p)
	if err != nil {
		p.t.Fatalf("reading a frame: %v", err)
	}
	if f.Header.Masked {
		p.t.Error("the service masks its frames")
	}
	return f
}

// readClose reads a close frame and returns its code.
func (p *peer) readClose() ws.StatusCode {
	p.t.Helper()
	f := p.read()
	if f.Header.OpCode != ws.OpClose || len(f.Payload) < 2 {
		p.t.Fatalf("got opcode %d with %d bytes, want a close frame", f.Header.OpCode, len(f.Payload))
	}
	return ws.StatusCode(binary.BigEndian.Uint16(f.Payload))
}

// readEnd expects the stream to end with nothing more in it.
func (p *peer) readEnd() {
	p.t.Helper()
	b := make([]byte, 100)
	if n, err := p.Read(b); !errors.Is(err, io.EOF) {
		p.t.Errorf("the stream goes on with % x, error %v", b[:n], err)
	}
}

func (p *peer) gone() error { p.t.Helper(); return testkit.Receive(p.t, p.h.gone, "the end") }
