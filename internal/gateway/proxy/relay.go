package proxy

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// ErrTooManyWebSockets is returned when the limit of relayed WebSockets is reached, ErrClosed after [Proxy.Close] and once
// [Proxy.Drain] was called.
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

	toBackend, toClient direction
	draining            atomic.Bool // the peers are told that it ends
}

// direction is one way of a relay. A goroutine copies it; what is guarded another one needs that says goodbye.
type direction struct {
	relay *relay
	from  io.Reader
	to    io.Writer
	mask  bool // of frames that go to a server

	mu      sync.Mutex // held while bytes are written
	frames  frames     // guarded: what has been read
	goodbye bool       // guarded: a close frame goes out as soon as a frame has ended
	over    bool       // guarded: a close frame of the relay's own is out, so nothing follows it
	ended   bool       // guarded: nothing more will be read
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
	if p.mu.closed || p.mu.drained != nil {
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
	p := l.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, there := p.mu.relays[&l.relay]; !there {
		return
	}
	delete(p.mu.relays, &l.relay)
	if p.mu.drained != nil && len(p.mu.relays) == 0 {
		close(p.mu.drained)
	}
}

// Drain ends the relayed WebSockets gracefully: client and backend get a close frame with the code 1001 as soon as a frame has
// ended, and are cut once they have answered, after [Options].CloseTimeout, or when ctx ends. It returns when none is left, and
// none begins any more.
func (p *Proxy) Drain(ctx context.Context) {
	p.mu.Lock()
	if p.mu.closed || p.mu.drained != nil {
		p.mu.Unlock()
		return
	}
	drained := make(chan struct{})
	p.mu.drained = drained
	if len(p.mu.relays) == 0 {
		close(drained)
	}
	relays := p.relaying()
	p.mu.Unlock()
	for _, r := range relays {
		r.drain()
	}
	timer := time.NewTimer(p.options.CloseTimeout)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
	case <-ctx.Done():
	}
	p.Close()
}

// relaying are the relays that have their connections. The caller holds the lock.
func (p *Proxy) relaying() []*relay {
	relays := make([]*relay, 0, len(p.mu.relays))
	for r := range p.mu.relays {
		if r.client != nil { // else its place is only reserved
			relays = append(relays, r)
		}
	}
	return relays
}

// Relay carries bytes both ways until both directions have ended, one has ended for longer than the half-close timeout, or
// nothing came for the idle timeout. It closes both connections and gives the place back. What the client sent already is in
// buffered, which may be nil. It returns the bytes that went to the backend and to the client.
func (l *Place) Relay(client net.Conn, buffered *bufio.Reader, backend io.ReadWriteCloser) (sent, received int64) {
	p, r := l.proxy, &l.relay
	defer l.Release()
	r.toBackend = direction{relay: r, from: client, to: backend, mask: true}
	r.toClient = direction{relay: r, from: backend, to: client}
	p.mu.Lock()
	r.client, r.backend = client, backend
	closed, draining := p.mu.closed, p.mu.drained != nil
	p.mu.Unlock()
	if closed { // perhaps before the connections were known
		_ = client.Close()
		_ = backend.Close()
		return 0, 0
	}
	defer r.close()
	if draining {
		r.drain()
	}
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
		n, err := r.toClient.copy()
		r.toClient.end(err, p.options.HalfCloseTimeout)
		done <- n
	}()
	if buffered != nil && buffered.Buffered() > 0 {
		if head, err := buffered.Peek(buffered.Buffered()); err == nil {
			n, err := r.toBackend.pass(head)
			sent = int64(n)
			if err != nil && !errors.Is(err, errAnswered) {
				r.close()
			}
		}
	}
	n, err := r.toBackend.copy()
	r.toBackend.end(err, p.options.HalfCloseTimeout)
	return sent + n, <-done
}

// errAnswered ends a direction whose source has answered the close frame that it got from the relay.
var errAnswered = errors.New("the close frame has been answered")

// copy carries bytes one way. The error is nil when the source ended its direction.
func (d *direction) copy() (total int64, err error) {
	buf := relayBuffers.Get().(*[]byte)
	defer relayBuffers.Put(buf)
	for {
		n, err := d.from.Read(*buf)
		if n > 0 {
			d.relay.active.Store(time.Now().UnixNano())
			passed, err := d.pass((*buf)[:n])
			total += int64(passed)
			if err != nil {
				return total, err
			}
			if d.relay.draining.Load() {
				d.relay.settle()
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// pass writes what was read and returns how much of it.
func (d *direction) pass(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.goodbye {
		return d.passLast(p)
	}
	d.frames.pass(p)
	return d.to.Write(p)
}

// passLast writes the rest of a frame that had begun when the relay wanted to say goodbye, and then does. What the source sends after
// that is only read for its own close frame.
func (d *direction) passLast(p []byte) (n int, err error) {
	if !d.over {
		if n = d.frames.finish(p); n > 0 {
			_, err = d.to.Write(p[:n])
		}
		d.sayGoodbye()
	}
	d.frames.pass(p[n:])
	if err == nil && d.frames.closed() {
		err = errAnswered
	}
	return n, err
}

// goingAway is the close frame of the relay, unmasked.
var goingAway = ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusGoingAway, "the gateway shuts down"))

// sayGoodbye sends the close frame unless one has gone or a frame has not ended. The caller holds the lock.
func (d *direction) sayGoodbye() {
	if d.over || d.frames.closing || !d.frames.between() {
		return
	}
	d.over = true
	frame := goingAway
	if d.mask {
		var key [4]byte
		_, _ = rand.Read(key[:]) // It never fails.
		frame = ws.MaskFrameWith(frame, key)
	}
	// A peer that cannot be told is gone already, which its own direction shows.
	_, _ = d.to.Write(ws.MustCompileFrame(frame))
}

// end is called when nothing more is read. After a regular end the other direction may go on for a while, for the peer may have
// something to say yet, such as its close frame.
func (d *direction) end(err error, grace time.Duration) {
	r := d.relay
	d.mu.Lock()
	d.ended = true
	d.mu.Unlock()
	if r.draining.Load() {
		r.settle() // and whoever is left has its time until the end of Drain
		return
	}
	half, ok := d.to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		r.close()
		return
	}
	time.AfterFunc(grace, r.close)
}

// drain says goodbye both ways. It does not wait: a peer that takes nothing holds up its own direction alone.
func (r *relay) drain() {
	if r.draining.Swap(true) {
		return
	}
	for _, d := range []*direction{&r.toClient, &r.toBackend} {
		go func() {
			d.mu.Lock()
			d.goodbye = true
			d.sayGoodbye()
			d.mu.Unlock()
			r.settle()
		}()
	}
}

// settle closes the connections on which all is said, and those that can be told nothing because a frame will not end.
func (r *relay) settle() {
	toldBackend, heardClient, lostBackend := r.toBackend.state()
	toldClient, heardBackend, lostClient := r.toClient.state()
	// Both are given up whatever state they are in.
	if toldClient && heardClient || lostClient {
		_ = r.client.Close()
	}
	if toldBackend && heardBackend || lostBackend {
		_ = r.backend.Close()
	}
}

// state says whether a close frame went to the direction's receiver, whether its source will say no more, and whether the receiver waits
// for the rest of a frame that does not come.
func (d *direction) state() (told, heard, lost bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over || d.frames.closed(), d.ended || d.frames.closed(), d.ended && !d.over && !d.frames.between()
}

func (r *relay) close() {
	r.once.Do(func() {
		// Both are given up whatever state they are in.
		_ = r.client.Close()
		_ = r.backend.Close()
	})
}
