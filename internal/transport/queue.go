package transport

import (
	"sync"

	"github.com/hubgate/hubgate/internal/message"
)

// Queue holds the messages that wait for one client. The first one has a place of its own, so that a connection with
// nothing or one message to write holds no slice.
//
// A queue is scheduled from the first Push until a Take finds it empty: whoever schedules it sees to it that one
// goroutine takes from it at a time.
type Queue struct {
	limit int // of the cost of what waits

	mu        sync.Mutex
	first     *message.Message
	more      *[]*message.Message
	next      int // in more
	bytes     int // cost of what waits or is being written
	taken     int // of what is being written
	scheduled bool
	ended     bool
}

// Run is what one Take can hold: enough to fill a write with small messages.
type Run [16]*message.Message

var slices = sync.Pool{New: func() any { s := make([]*message.Message, 0, 16); return &s }}

// SetLimit bounds what may wait, in bytes as [message.Message.Cost] counts them; it is called before the first Push.
func (q *Queue) SetLimit(bytes int) { q.limit = bytes }

// Push appends m. It reports whether the caller has to schedule the queue, or ErrSlowClient when m does not fit. After
// the end it does nothing.
func (q *Queue) Push(m *message.Message) (schedule bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return false, nil
	}
	if q.bytes > 0 && q.bytes+m.Cost() > q.limit {
		q.ended = true
		return false, ErrSlowClient
	}
	q.append(m)
	return q.schedule(), nil
}

// End appends last, unless it is nil, and lets nothing follow it. Limits do not apply. It reports whether the caller has to schedule the
// queue; ok is false when it had already ended.
func (q *Queue) End(last *message.Message) (schedule, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return false, false
	}
	q.ended = true
	if last != nil {
		q.append(last)
	}
	return q.schedule(), true
}

// Drop ends the queue and forgets what waits.
func (q *Queue) Drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.first = nil
	q.release()
}

func (q *Queue) append(m *message.Message) {
	q.bytes += m.Cost()
	if q.first == nil && q.more == nil {
		q.first = m
		return
	}
	if q.more == nil {
		q.more = slices.Get().(*[]*message.Message)
	}
	// A client that is always a little behind never empties its queue: what was taken must not stay in front for ever.
	if s := *q.more; len(s) == cap(s) && q.next > len(s)/2 {
		n := copy(s, s[q.next:])
		clear(s[n:])
		*q.more, q.next = s[:n], 0
	}
	*q.more = append(*q.more, m)
}

func (q *Queue) schedule() bool {
	if q.scheduled {
		return false
	}
	q.scheduled = true
	return true
}

// Take moves waiting messages, in order, into run; what the Take before it took counts as written. When nothing waits it
// returns 0: the queue is then no longer scheduled, and ended says that nothing will ever follow.
func (q *Queue) Take(run *Run) (n int, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= q.taken
	q.taken = 0
	if q.first != nil {
		run[0], q.first = q.first, nil
		n = 1
	}
	if q.more != nil {
		took := copy(run[n:], (*q.more)[q.next:])
		clear((*q.more)[q.next : q.next+took]) // what is written should not wait for the rest to be forgotten
		q.next += took
		n += took
		if q.next == len(*q.more) {
			q.release()
		}
	}
	for _, m := range run[:n] {
		q.taken += m.Cost()
	}
	if n == 0 {
		q.scheduled = false
	}
	return n, q.ended
}

// release gives the slice back, unless it grew so much that keeping it would waste memory.
func (q *Queue) release() {
	if q.more == nil {
		return
	}
	clear(*q.more)
	if cap(*q.more) <= 1024 {
		*q.more = (*q.more)[:0]
		slices.Put(q.more)
	}
	q.more, q.next = nil, 0
}

// Bytes is what the messages that wait or are being written cost, see [message.Message.Cost].
func (q *Queue) Bytes() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

// Scheduled reports whether somebody has yet to find the queue empty.
func (q *Queue) Scheduled() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.scheduled
}
