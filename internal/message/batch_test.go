package message

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/hubgate/hubgate/internal/testkit"
)

// counted counts how often it was flushed.
type counted struct {
	flushed atomic.Int64
	last    chan struct{} // gets a value when all of a batch have been flushed
	left    *atomic.Int64
}

func (c *counted) Flush() {
	c.flushed.Add(1)
	if c.left.Add(-1) == 0 {
		c.last <- struct{}{}
	}
}

func TestBatchFlushesEachOnce(t *testing.T) {
	t.Parallel()
	pool := NewPool()
	t.Cleanup(pool.Close)
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 3*chunk + 7, 10_000} {
		for _, p := range []*Pool{nil, pool} {
			t.Run(fmt.Sprintf("%d, pool %t", size, p != nil), func(t *testing.T) {
				t.Parallel()
				b := Batch{Pool: p}
				var left atomic.Int64
				last := make(chan struct{}, 1)
				all := make([]counted, size)
				for round := range int64(3) { // a batch is used again and again
					left.Store(int64(size))
					for i := range all {
						all[i].left, all[i].last = &left, last
						b.Add(&all[i])
					}
					b.Flush()
					if size > 0 {
						testkit.Receive(t, last, "the last flush")
					}
					for i := range all {
						if got := all[i].flushed.Load(); got != round+1 {
							t.Fatalf("round %d: connection %d was flushed %d times in all, want %d", round, i, got, round+1)
						}
					}
				}
			})
		}
	}
}

// blocked keeps whoever flushes it until it is let go.
type blocked struct{ began, release chan struct{} }

func (f *blocked) Flush() {
	f.began <- struct{}{}
	<-f.release
}

type flushFunc func()

func (f flushFunc) Flush() { f() }

func TestBatchWhilePoolIsBusy(t *testing.T) {
	t.Parallel()
	pool := NewPool()
	t.Cleanup(pool.Close)
	workers := runtime.GOMAXPROCS(0)
	b := blocked{began: make(chan struct{}, workers), release: make(chan struct{})}
	nothing := flushFunc(func() {})
	full := func(first Flusher) []Flusher {
		part := make([]Flusher, chunk)
		for i := range part {
			part[i] = nothing
		}
		part[0] = first
		return part
	}
	for range workers {
		if !pool.take(full(&b)) {
			t.Fatal("an idle pool refuses work")
		}
	}
	for range workers {
		testkit.Receive(t, b.began, "a worker that is held up")
	}
	for pool.take(full(nothing)) { // until no more is taken
	}
	// Now the caller has to do all of it, at once.
	var flushed atomic.Int64
	one := flushFunc(func() { flushed.Add(1) })
	batch := Batch{Pool: pool}
	for range 5 * chunk {
		batch.Add(one)
	}
	batch.Flush()
	if got := flushed.Load(); got != 5*chunk {
		t.Errorf("%d were flushed while the pool was busy, want %d", got, 5*chunk)
	}
	close(b.release)
}

func TestPoolCloseFlushesWhatItTook(t *testing.T) {
	t.Parallel()
	pool := NewPool()
	var flushed atomic.Int64
	one := flushFunc(func() { flushed.Add(1) })
	b := Batch{Pool: pool}
	for range 20 * chunk {
		b.Add(one)
	}
	b.Flush()
	pool.Close()
	if got := flushed.Load(); got != 20*chunk {
		t.Errorf("%d were flushed when Close returned, want %d", got, 20*chunk)
	}
}

func TestBatchForgets(t *testing.T) {
	t.Parallel()
	var b Batch
	for range 100 {
		b.Add(flushFunc(func() {}))
	}
	b.Flush()
	for i, f := range b.waiting[:cap(b.waiting)] {
		if f != nil {
			t.Fatalf("place %d still holds a connection after the flush, which keeps it in memory", i)
		}
	}
	for range 1<<16 + 1 {
		b.Add(flushFunc(func() {}))
	}
	b.Flush()
	if b.waiting != nil {
		t.Error("the memory of a huge broadcast is kept")
	}
}

func TestBatchAllocations(t *testing.T) { // not parallel: it counts the allocations of the process
	if raceEnabled {
		t.Skip("allocations cannot be counted under the race detector")
	}
	nothing := flushFunc(func() {})
	var b Batch
	turn := func() {
		for range 1000 {
			b.Add(nothing)
		}
		b.Flush()
	}
	turn()
	if n := testing.AllocsPerRun(100, turn); n > 0 {
		t.Errorf("a batch that is used again allocates %v times", n)
	}
}
