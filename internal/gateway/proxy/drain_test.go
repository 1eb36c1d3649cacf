package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// relayed is a relay between two ends that the test holds.
type relayed struct {
	proxy           *Proxy
	client, backend *net.TCPConn
	done            chan struct{} // closed when the relay is over
}

func startRelay(t *testing.T, o Options) *relayed {
	t.Helper()
	r := &relayed{proxy: New(o), done: make(chan struct{})}
	var clientSide, backendSide *net.TCPConn
	r.client, clientSide = tcpPair(t)
	backendSide, r.backend = tcpPair(t)
	place := reserve(t, r.proxy)
	go func() {
		place.Relay(clientSide, nil, backendSide)
		close(r.done)
	}()
	t.Cleanup(func() {
		r.proxy.Close()
		<-r.done
		_ = r.client.Close()
		_ = r.backend.Close()
	})
	return r
}

// begun makes sure that the relay runs both ways: a drain before would be another test.
func (r *relayed) begun(t *testing.T) {
	t.Helper()
	for _, way := range [][2]*net.TCPConn{{r.client, r.backend}, {r.backend, r.client}} {
		ping := ws.MustCompileFrame(ws.NewPingFrame(nil))
		_, _ = way[0].Write(ping)
		if _, err := io.ReadFull(way[1], ping); err != nil {
			t.Fatal(err)
		}
	}
}

// drain begins and returns a channel that is closed when it is over.
func (r *relayed) drain() <-chan struct{} {
	drained := make(chan struct{})
	go func() {
		r.proxy.Drain(context.Background())
		close(drained)
	}()
	return drained
}

// wantClose reads a close frame with the code.
func wantClose(t *testing.T, from io.Reader, code ws.StatusCode, masked bool) {
	t.Helper()
	f, err := readFrame(from)
	if err != nil {
		t.Fatal(err)
	}
	if f.Header.Masked != masked {
		t.Errorf("the frame is masked: %v", f.Header.Masked)
	}
	if masked {
		f = ws.UnmaskFrameInPlace(f)
	}
	if got, _ := ws.ParseCloseFrameData(f.Payload); f.Header.OpCode != ws.OpClose || !f.Header.Fin || got != code {
		t.Errorf("got a frame %+v with the code %d, want %d", f.Header, got, code)
	}
}

// wantEnd reads nothing but the end of the stream.
func wantEnd(t *testing.T, from *net.TCPConn) {
	t.Helper()
	rest, err := io.ReadAll(from)
	if len(rest) > 0 || err != nil && errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %x and the error %v, want the end", rest, err)
	}
}

func closeFrame(code ws.StatusCode, masked bool) []byte {
	f := ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))
	if masked {
		f = ws.MaskFrame(f)
	}
	return ws.MustCompileFrame(f)
}

func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal(what)
	}
}

// long is more than a test may take: what has to wait for it fails.
const long = time.Hour

// TestDrainWaitsForTheFrame drains in the middle of frames both ways: their ends come first, then the close frame, and nothing after it.
func TestDrainWaitsForTheFrame(t *testing.T) {
	t.Parallel()
	r := startRelay(t, Options{CloseTimeout: long})
	r.begun(t)
	message := ws.MustCompileFrame(ws.NewBinaryFrame(bytes.Repeat([]byte{0x88}, 300)))
	masked := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("hello"))))
	_, _ = r.backend.Write(message[:3]) // not even the head is whole
	_, _ = r.client.Write(masked[:8])
	got := make([]byte, len(message))
	if _, err := io.ReadFull(r.client, got[:3]); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r.backend, got[:8]); err != nil {
		t.Fatal(err)
	}
	drained := r.drain()
	r.wantDraining(t)
	_, _ = r.backend.Write(append(message[3:], message...))
	_, _ = r.client.Write(append(masked[8:], masked...))
	if _, err := io.ReadFull(r.client, got[3:]); err != nil || !bytes.Equal(got[3:], message[3:]) {
		t.Fatalf("the client got %x and the error %v", got, err)
	}
	wantClose(t, r.client, ws.StatusGoingAway, false)
	if _, err := io.ReadFull(r.backend, got[8:len(masked)]); err != nil || !bytes.Equal(got[8:len(masked)], masked[8:]) {
		t.Fatalf("the backend got %x and the error %v", got[:len(masked)], err)
	}
	wantClose(t, r.backend, ws.StatusGoingAway, true)
	_, _ = r.client.Write(closeFrame(ws.StatusGoingAway, true))
	wantEnd(t, r.client)
	select {
	case <-drained:
		t.Error("the backend has no time to answer")
	default:
	}
	_, _ = r.backend.Write(closeFrame(ws.StatusGoingAway, false))
	wantEnd(t, r.backend)
	within(t, "Drain waits for peers that have answered", drained)
}

// wantDraining waits until both directions know that they have to end.
func (r *relayed) wantDraining(t *testing.T) {
	t.Helper()
	r.proxy.mu.Lock()
	all := r.proxy.relaying()
	r.proxy.mu.Unlock()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		ready := true
		for _, relay := range all {
			for _, d := range []*direction{&relay.toBackend, &relay.toClient} {
				d.mu.Lock()
				ready = ready && d.goodbye
				d.mu.Unlock()
			}
		}
		if ready {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the relay does not drain")
		}
	}
}

// TestDrainCutsWhoDoesNotAnswer shows that the wait is bounded, also for the end of a frame that does not come.
func TestDrainCutsWhoDoesNotAnswer(t *testing.T) {
	t.Parallel()
	r := startRelay(t, Options{CloseTimeout: 200 * time.Millisecond})
	r.begun(t)
	_, _ = r.backend.Write([]byte{0x82, 5, 'h'})
	if _, err := io.ReadFull(r.client, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	drained := r.drain()
	wantClose(t, r.backend, ws.StatusGoingAway, true)
	within(t, "Drain waits for peers that do not answer", drained)
	wantEnd(t, r.client) // In the middle of a frame a close frame would be a part of it.
	wantEnd(t, r.backend)
}

// TestDrainEndsWithItsContext shows that the caller's bound counts too.
func TestDrainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := startRelay(t, Options{CloseTimeout: long})
	r.begun(t)
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	r.proxy.Drain(ctx)
	wantClose(t, r.client, ws.StatusGoingAway, false)
	wantEnd(t, r.client)
}

// TestDrainAfterACloseFrame shows that nobody gets two close frames: the backend said goodbye itself.
func TestDrainAfterACloseFrame(t *testing.T) {
	t.Parallel()
	r := startRelay(t, Options{CloseTimeout: long})
	r.begun(t)
	_, _ = r.backend.Write(closeFrame(4001, false))
	wantClose(t, r.client, 4001, false)
	drained := r.drain()
	wantClose(t, r.backend, ws.StatusGoingAway, true) // which answers its own
	wantEnd(t, r.backend)
	_, _ = r.client.Write(closeFrame(4001, true))
	wantEnd(t, r.client)
	within(t, "Drain waits although all is said", drained)
}

// TestDrainWithoutAPeer shows that a side which is gone holds up nothing.
func TestDrainWithoutAPeer(t *testing.T) {
	t.Parallel()
	r := startRelay(t, Options{CloseTimeout: long, HalfCloseTimeout: long})
	r.begun(t)
	_ = r.backend.CloseWrite()
	wantEndOfHalf(t, r.client)
	drained := r.drain()
	wantClose(t, r.backend, ws.StatusGoingAway, true)
	_, _ = r.client.Write(closeFrame(ws.StatusGoingAway, true))
	within(t, "Drain waits for a backend that is gone", drained)
}

// wantEndOfHalf reads the end of one direction.
func wantEndOfHalf(t *testing.T, from io.Reader) {
	t.Helper()
	if n, err := from.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("got %d bytes and the error %v", n, err)
	}
}

// TestDrainOfAHandshake drains while the handshake is on its way: the peers are told as soon as they are known, and none comes after.
func TestDrainOfAHandshake(t *testing.T) {
	t.Parallel()
	p := New(Options{CloseTimeout: long})
	place := reserve(t, p)
	drained := make(chan struct{})
	go func() {
		p.Drain(context.Background())
		close(drained)
	}()
	for {
		other, err := p.Reserve()
		if errors.Is(err, ErrClosed) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		other.Release()
	}
	client, clientSide := tcpPair(t)
	backendSide, backend := tcpPair(t)
	go place.Relay(clientSide, nil, backendSide)
	wantClose(t, client, ws.StatusGoingAway, false)
	wantClose(t, backend, ws.StatusGoingAway, true)
	_, _ = client.Write(closeFrame(ws.StatusGoingAway, true))
	_, _ = backend.Write(closeFrame(ws.StatusGoingAway, false))
	within(t, "Drain does not end", drained)
}

// readFrame reads a frame, which a test bounds by what it sends.
func readFrame(from io.Reader) (ws.Frame, error) {
	h, err := ws.ReadHeader(from)
	if err != nil {
		return ws.Frame{}, err
	}
	f := ws.Frame{Header: h, Payload: make([]byte, min(h.Length, 1<<20))}
	_, err = io.ReadFull(from, f.Payload)
	return f, err
}
