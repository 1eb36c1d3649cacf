// Package longpoll is the long-polling transport: messages wait here until the client comes and asks.
package longpoll

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/transport"
)

// Conn is a client that polls.
type Conn struct {
	timeout time.Duration
	limit   int
	handler transport.Handler

	mu      sync.Mutex
	waiting []*message.Message
	bytes   int
	ended   bool      // nothing will follow what waits
	reason  error     // why, unless it ended properly
	gone    bool      // the handler has been told
	poll    *held     // the poll that is being held, or nil
	polled  bool      // the first poll has been answered
	since   time.Time // when the last poll ended
}

// held is a poll that waits for something to say.
type held struct {
	woken    chan struct{}
	replaced bool // by a newer poll, which gets the messages; guarded by Conn.mu
	waking   bool // a batch is going to wake it; guarded by Conn.mu
}

// Config is what a connection needs to know.
type Config struct {
	Limits transport.Limits
	// Timeout is how long a poll without messages is held; ASP.NET Core's LongPolling PollTimeout is 90 s.
	Timeout time.Duration
}

// New makes a connection that has not been polled yet.
func New(c Config, h transport.Handler) *Conn {
	return &Conn{timeout: c.Timeout, limit: c.Limits.WithDefaults().QueueBytes, handler: h, since: time.Now()}
}

// Push keeps m for the next poll, or lets one that is being held have it.
func (c *Conn) Push(m *message.Message, b *message.Batch) {
	if m.Size() == 0 {
		return
	}
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	if c.bytes > 0 && c.bytes+m.Cost() > c.limit {
		c.mu.Unlock()
		c.Abort(transport.ErrSlowClient)
		return
	}
	c.waiting = append(c.waiting, m)
	c.bytes += m.Cost()
	wake := c.poll != nil && !c.poll.waking
	if wake {
		c.poll.waking = true
	}
	c.mu.Unlock()
	if wake {
		b.Add(c)
	}
}

// Flush wakes the poll that is being held.
func (c *Conn) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wake()
}

func (c *Conn) wake() {
	if c.poll != nil {
		close(c.poll.woken)
		c.poll = nil
		c.since = time.Now() // not when the poll began to be held, which may be longer ago than a client may stay away
	}
}

// End lets the client fetch what waits; the poll after that is told that the connection is over.
func (c *Conn) End(*message.Batch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.wake()
}

// Abort ends the connection; what waits is lost.
func (c *Conn) Abort(reason error) {
	c.mu.Lock()
	c.ended = true
	if c.reason == nil {
		c.reason = reason
	}
	c.waiting, c.bytes = nil, 0
	c.wake()
	c.mu.Unlock()
	go c.over() // whoever aborts must not wait for what the handler does about it
}

// over tells the handler, once.
func (c *Conn) over() {
	c.mu.Lock()
	first, reason := !c.gone, c.reason
	c.gone = true
	c.mu.Unlock()
	if first {
		c.handler.Gone(reason)
	}
}

// Kind is LongPolling.
func (c *Conn) Kind() transport.Kind { return transport.LongPolling }

// Idle is how long no poll has been held; 0 while one is.
func (c *Conn) Idle(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.poll != nil {
		return 0
	}
	return now.Sub(c.since)
}

// ServePoll answers one poll. It returns when there is something to say, another poll has come, or the time is up.
func (c *Conn) ServePoll(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	if c.poll != nil { // an older one is still held
		c.poll.replaced = true
		c.wake()
	}
	if !c.polled {
		// The first poll only opens the transport: the client's start() waits for it.
		c.polled = true
		c.since = time.Now()
		c.mu.Unlock()
		answer(w, http.StatusOK, "application/octet-stream", nil)
		return
	}
	if len(c.waiting) == 0 && !c.ended {
		poll := &held{woken: make(chan struct{})}
		c.poll = poll
		c.mu.Unlock()
		if !c.hold(w, r, poll) {
			return
		}
		c.mu.Lock()
		if r.Context().Err() != nil { // its client went away in the same moment: the next poll shall have the messages
			c.mu.Unlock()
			return
		}
		if poll.replaced {
			c.mu.Unlock()
			answer(w, http.StatusNoContent, "text/plain", nil)
			return
		}
	}
	waiting, ended := c.waiting, c.ended
	c.waiting, c.bytes = nil, 0
	c.since = time.Now()
	c.mu.Unlock()
	if len(waiting) > 0 || !ended {
		answer(w, http.StatusOK, "application/octet-stream", waiting)
		return
	}
	answer(w, http.StatusNoContent, "text/plain", nil)
	c.over()
}

// hold waits; false means that the poll has been answered, or that its client is no longer there.
func (c *Conn) hold(w http.ResponseWriter, r *http.Request, poll *held) bool {
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	select {
	case <-poll.woken:
		return true
	case <-timer.C:
		if !c.let(poll) {
			return true
		}
		answer(w, http.StatusOK, "text/plain", nil)
	case <-r.Context().Done():
		if !c.let(poll) {
			return true
		}
	}
	return false
}

// let gives up a held poll; false means that it was woken in the same moment.
func (c *Conn) let(poll *held) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.poll != poll {
		return false
	}
	c.poll = nil
	c.since = time.Now()
	return true
}

func answer(w http.ResponseWriter, status int, contentType string, messages []*message.Message) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
	size := 0
	for _, m := range messages {
		size += m.Size()
	}
	if status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(size))
	}
	w.WriteHeader(status)
	for _, m := range messages {
		if _, err := w.Write(m.Payload()); err != nil {
			return // the client is gone; it will not miss what it did not wait for
		}
	}
}

var _ transport.Conn = (*Conn)(nil)
