package message

import (
	"runtime"
	"sync"
)

// Flusher is a connection with messages that wait to be written.
type Flusher interface {
	// Flush writes what waits. It never blocks on a slow peer.
	Flush()
}

// Batch collects the connections that got messages during one turn of a reader, so that each is written once at the
// end of the turn however many messages it got. The zero Batch works; it flushes everything itself. A Batch is used
// by one goroutine at a time.
type Batch struct {
	Pool    *Pool // shares large batches between cores; nil flushes in place
	waiting []Flusher
}

// Add notes that f has messages waiting. A connection adds itself once until it is flushed.
func (b *Batch) Add(f Flusher) { b.waiting = append(b.waiting, f) }

// chunk is how many connections one worker takes at once: enough to pay for the hand-over, few enough to spread.
const chunk = 64

// Flush writes all that was added, on this goroutine or on those of the pool. It may return before a pool has written.
func (b *Batch) Flush() {
	waiting := b.waiting
	if b.Pool != nil {
		for len(waiting) > chunk {
			part := waiting[:chunk]
			waiting = waiting[chunk:]
			if !b.Pool.take(part) {
				flush(part)
			}
		}
	}
	flush(waiting)
	clear(b.waiting)
	b.waiting = b.waiting[:0]
	if cap(b.waiting) > 1<<16 {
		b.waiting = nil // one huge broadcast should not be remembered for ever
	}
}

func flush(part []Flusher) {
	for _, f := range part {
		f.Flush()
	}
}

// Pool is a few goroutines that flush parts of large batches, one a core.
type Pool struct {
	parts chan *[chunk]Flusher
	free  sync.Pool
	done  sync.WaitGroup
}

// NewPool starts one goroutine a core; Close ends them.
func NewPool() *Pool {
	n := runtime.GOMAXPROCS(0)
	p := &Pool{parts: make(chan *[chunk]Flusher, 64*n)}
	p.free.New = func() any { return new([chunk]Flusher) }
	p.done.Add(n)
	for range n {
		go p.work()
	}
	return p
}

func (p *Pool) work() {
	defer p.done.Done()
	for part := range p.parts {
		flush(part[:])
		clear(part[:])
		p.free.Put(part)
	}
}

// take hands a full part to a worker. It refuses when all are busy, so that the caller works too instead of waiting.
func (p *Pool) take(part []Flusher) bool {
	c := p.free.Get().(*[chunk]Flusher)
	copy(c[:], part)
	select {
	case p.parts <- c:
		return true
	default:
		clear(c[:])
		p.free.Put(c)
		return false
	}
}

// Close ends the workers once they have flushed what they took. No Batch may use the pool any more.
func (p *Pool) Close() {
	close(p.parts)
	p.done.Wait()
}
