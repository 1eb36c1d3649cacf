package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// ErrTooManyWebSockets is returned when the limit of relayed WebSockets is reached, ErrClosed after [Proxy.Close].
var (
	ErrTooManyWebSockets = errors.New("the limit of relayed WebSockets is reached")
	ErrClosed            = errors.New("the proxy is closed")
)

// relay carries the bytes of one WebSocket both ways.
type relay struct {
	client  net.Conn
	backend io.ReadWriteCloser
	once    sync.Once
	active  atomic.Int64 // time of the last byte, in nanoseconds
}

// relayBuffers hold what is on its way; 8 KiB is what a read from a busy socket gives and little enough to be held while idle.
var relayBuffers = sync.Pool{New: func() any { b := make([]byte, 8<<10); return &b }}

// Place is one of the places for relayed WebSockets. It is taken until the relay is over or [Place.Release] is called.
type Place struct {
	proxy *Proxy
	relay relay
}

// Reserve takes a place before the handshake goes to the backend, so that one over the limit is refused with a response.
func (p *Proxy) Reserve() (*Place, error) {
	place := &Place{proxy: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return nil, ErrClosed
	}
	if p.options.MaxWebSockets > 0 && len(p.mu.relays) >= p.options.MaxWebSockets {
		return nil, ErrTooManyWebSockets
	}
	p.mu.relays[&place.relay] = struct{}{}
	return place, nil
}

// Release gives the place back. It may be called more than once.
func (l *Place) Release() {
	l.proxy.mu.Lock()
	defer l.proxy.mu.Unlock()
	delete(l.proxy.mu.relays, &l.relay)
}

// Relay carries bytes both ways until both directions have ended, one has ended for longer than the half-close timeout, or
// nothing came for the idle timeout. It closes both connections and gives the place back. What the client sent already is in
// buffered, which may be nil. It returns the bytes that went to the backend and to the client.
func (l *Place) Relay(client net.Conn, buffered *bufio.Reader, backend io.ReadWriteCloser) (sent, received int64) {
	p, r := l.proxy, &l.relay
	defer l.Release()
	p.mu.Lock()
	r.client, r.backend = client, backend
	closed := p.mu.closed
	p.mu.Unlock()
	if closed { // perhaps before the connections were known
		_ = client.Close()
		_ = backend.Close()
		return 0, 0
	}
	defer r.close()
	r.active.Store(time.Now().UnixNano())
	if idle := p.options.WebSocketIdle; idle > 0 {
		var timer *time.Timer
		ready := make(chan struct{})
		timer = time.AfterFunc(idle, func() {
			<-ready
			if left := idle - time.Duration(time.Now().UnixNano()-r.active.Load()); left > 0 {
				timer.Reset(left)
				return
			}
			r.close()
		})
		close(ready)
		defer timer.Stop()
	}
	done := make(chan int64, 1)
	go func() {
		n, err := r.copy(client, backend)
		r.end(client, err, p.options.HalfCloseTimeout)
		done <- n
	}()
	if buffered != nil && buffered.Buffered() > 0 {
		head, err := buffered.Peek(buffered.Buffered())
		if err == nil {
			_, err = backend.Write(head)
		}
		if err != nil {
			r.close()
		}
		sent = int64(len(head))
	}
	n, err := r.copy(backend, client)
	r.end(backend, err, p.options.HalfCloseTimeout)
	return sent + n, <-done
}

// copy carries bytes one way. The error is nil when the source ended its direction.
func (r *relay) copy(to io.Writer, from io.Reader) (total int64, err error) {
	buf := relayBuffers.Get().(*[]byte)
	defer relayBuffers.Put(buf)
	for {
		n, err := from.Read(*buf)
		if n > 0 {
			r.active.Store(time.Now().UnixNano())
			if _, err := to.Write((*buf)[:n]); err != nil {
				return total, err
			}
			total += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// end is called when nothing more goes to that side. After a regular end the other direction may go on for a while, for the
// peer may have something to say yet, such as its close frame.
func (r *relay) end(to io.Writer, err error, grace time.Duration) {
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		r.close()
		return
	}
	time.AfterFunc(grace, r.close)
}

func (r *relay) close() {
	r.once.Do(func() {
		// Both are given up whatever state they are in.
		_ = r.client.Close()
		_ = r.backend.Close()
	})
}
