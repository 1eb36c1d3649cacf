package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/message"
)

const noLimit = 1 << 30

func newQueue(limit int) *Queue {
	q := new(Queue)
	q.SetLimit(limit)
	return q
}

func text(s string) *message.Message { return message.New([]byte(s), false) }

// takeAll takes until the queue is empty.
func takeAll(t *testing.T, q *Queue) (all []string, ended bool) {
	t.Helper()
	var run Run
	for {
		n, end := q.Take(&run)
		if n == 0 {
			return all, end
		}
		for _, m := range run[:n] {
			all = append(all, string(m.Payload()))
		}
	}
}

func push(t *testing.T, q *Queue, s string) (schedule bool) {
	t.Helper()
	schedule, err := q.Push(text(s))
	if err != nil {
		t.Fatalf("pushing %q: %v", s, err)
	}
	return schedule
}

func TestQueueOrder(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 2, 15, 16, 17, 18, 100, 5000} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			t.Parallel()
			q := newQueue(noLimit)
			var want []string
			for i := range count {
				s := fmt.Sprint(i)
				want = append(want, s)
				if schedule := push(t, q, s); schedule != (i == 0) {
					t.Fatalf("push %d: schedule is %t", i, schedule)
				}
			}
			got, ended := takeAll(t, q)
			if diff := cmp.Diff(want, got); diff != "" || ended {
				t.Errorf("ended %t, difference %s", ended, diff)
			}
			if q.Bytes() != 0 || q.Scheduled() {
				t.Errorf("an empty queue holds %d bytes, scheduled %t", q.Bytes(), q.Scheduled())
			}
		})
	}
}

func TestQueueOrderWhileTaking(t *testing.T) {
	t.Parallel()
	q := newQueue(noLimit)
	var run Run
	next, got := 0, 0
	for round := range 200 {
		for range round % 40 {
			push(t, q, fmt.Sprint(next))
			next++
		}
		n, _ := q.Take(&run)
		for _, m := range run[:n] {
			if string(m.Payload()) != fmt.Sprint(got) {
				t.Fatalf("round %d: got %s, want %d", round, m.Payload(), got)
			}
			got++
		}
	}
	rest, _ := takeAll(t, q)
	if got += len(rest); got != next {
		t.Errorf("%d came out of %d", got, next)
	}
}

func TestQueueLimit(t *testing.T) {
	t.Parallel()
	one := text(strings.Repeat("x", 1000))
	q := newQueue(3 * one.Cost())
	for i := range 3 {
		if _, err := q.Push(one); err != nil {
			t.Fatalf("message %d fits: %v", i, err)
		}
	}
	if _, err := q.Push(one); !errors.Is(err, ErrSlowClient) {
		t.Fatalf("a message too many: got %v", err)
	}
	if schedule, err := q.Push(one); schedule || err != nil {
		t.Errorf("after the end: schedule %t, error %v", schedule, err)
	}
	if _, ok := q.End(nil); ok {
		t.Error("it can be ended twice")
	}
}

func TestQueueLimitCountsWhatIsBeingWritten(t *testing.T) {
	t.Parallel()
	one := text("12345")
	q := newQueue(2 * one.Cost())
	var run Run
	for range 2 {
		if _, err := q.Push(one); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := q.Take(&run); n != 2 {
		t.Fatalf("took %d", n)
	}
	if got := q.Bytes(); got != 2*one.Cost() {
		t.Errorf("%d bytes count while two messages are being written, want %d", got, 2*one.Cost())
	}
	if _, err := q.Push(one); !errors.Is(err, ErrSlowClient) {
		t.Errorf("what is being written does not count: %v", err)
	}
}

func TestQueueTakesOneOfAnySize(t *testing.T) {
	t.Parallel()
	q := newQueue(10)
	if _, err := q.Push(text(strings.Repeat("x", 1000))); err != nil {
		t.Fatalf("an empty queue takes any message: %v", err)
	}
	takeAll(t, q)
	if _, err := q.Push(text(strings.Repeat("x", 1000))); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// Control frames have no payload, but a client that pings and does not read must not fill the memory with answers.
func TestQueueLimitCountsControlFrames(t *testing.T) {
	t.Parallel()
	q := newQueue(64 << 10)
	for i := range 64 << 10 {
		if _, err := q.Push(message.Control(10, nil)); err != nil {
			if !errors.Is(err, ErrSlowClient) || i == 0 {
				t.Fatalf("after %d: %v", i, err)
			}
			return
		}
	}
	t.Errorf("65536 control frames fit into a queue of 64 KiB")
}

func TestQueueEnd(t *testing.T) {
	t.Parallel()
	last := text("last")
	t.Run("with something waiting", func(t *testing.T) {
		t.Parallel()
		q := newQueue(1)
		push(t, q, "first")
		if schedule, ok := q.End(last); schedule || !ok {
			t.Errorf("schedule %t, ok %t", schedule, ok)
		}
		push(t, q, "too late")
		got, ended := takeAll(t, q)
		if diff := cmp.Diff([]string{"first", "last"}, got); diff != "" || !ended {
			t.Errorf("ended %t, difference %s", ended, diff)
		}
	})
	t.Run("with nothing waiting", func(t *testing.T) {
		t.Parallel()
		q := newQueue(1)
		if schedule, ok := q.End(nil); !schedule || !ok {
			t.Errorf("schedule %t, ok %t: somebody has to see the end", schedule, ok)
		}
		if got, ended := takeAll(t, q); len(got) > 0 || !ended {
			t.Errorf("got %q, ended %t", got, ended)
		}
		if _, ok := q.End(last); ok {
			t.Error("it can be ended twice")
		}
	})
}

func TestQueueDrop(t *testing.T) {
	t.Parallel()
	q := newQueue(noLimit)
	for i := range 50 {
		push(t, q, fmt.Sprint(i))
	}
	var run Run
	q.Take(&run)
	q.Drop()
	push(t, q, "too late")
	if got, ended := takeAll(t, q); len(got) > 0 || !ended {
		t.Errorf("got %q, ended %t", got, ended)
	}
}

// A client that is always a little behind never empties its queue. What it has must be forgotten all the same.
func TestQueueForgetsWhatWasTaken(t *testing.T) {
	t.Parallel()
	q := newQueue(noLimit)
	var run Run
	for range 2 * len(run) {
		push(t, q, "behind")
	}
	for range 1000 {
		for range run {
			push(t, q, "next")
		}
		if n, _ := q.Take(&run); n != len(run) {
			t.Fatalf("took %d", n)
		}
	}
	if got := cap(*q.more); got > 1024 {
		t.Errorf("with %d messages waiting there is room for %d", len(*q.more)-q.next, got)
	}
	for i, m := range (*q.more)[:q.next] {
		if m != nil {
			t.Fatalf("message %d was taken and is still held", i)
		}
	}
}

func TestQueueReleasesItsSlice(t *testing.T) {
	t.Parallel()
	q := newQueue(noLimit)
	for range 3000 {
		push(t, q, "x")
	}
	takeAll(t, q)
	if q.more != nil || q.first != nil {
		t.Error("an empty queue holds memory")
	}
}

// One goroutine takes at a time though many push: whoever is told to schedule takes until the queue is empty.
func TestQueueIsTakenByOne(t *testing.T) {
	t.Parallel()
	const pushers, each = 8, 2000
	q := newQueue(noLimit)
	got := make([][]string, pushers) // no lock: the queue's schedule is what keeps the takers apart, and the race detector watches
	var done sync.WaitGroup
	take := func() {
		var run Run
		for {
			n, _ := q.Take(&run)
			if n == 0 {
				return
			}
			for _, m := range run[:n] {
				var from int
				var rest string
				_, _ = fmt.Sscan(string(m.Payload()), &from, &rest)
				got[from] = append(got[from], rest)
			}
		}
	}
	for p := range pushers {
		done.Go(func() {
			for i := range each {
				if push(t, q, fmt.Sprintf("%d %d", p, i)) {
					take()
				}
			}
		})
	}
	done.Wait()
	if rest, _ := takeAll(t, q); len(rest) > 0 {
		t.Fatalf("%d were left: nobody had been told", len(rest))
	}
	for p, all := range got {
		if len(all) != each {
			t.Errorf("pusher %d: %d of %d came out", p, len(all), each)
		}
		for i, s := range all {
			if s != fmt.Sprint(i) {
				t.Fatalf("pusher %d: %s came at place %d", p, s, i)
			}
		}
	}
}

func TestQueueAllocations(t *testing.T) { // not parallel: it counts the allocations of the process
	if raceEnabled {
		t.Skip("allocations cannot be counted under the race detector")
	}
	q := newQueue(noLimit)
	m := text("hello")
	var run Run
	for _, count := range []int{1, 16, 200} {
		turn := func() {
			for range count {
				_, _ = q.Push(m)
			}
			for {
				if n, _ := q.Take(&run); n == 0 {
					return
				}
			}
		}
		turn()
		if n := testing.AllocsPerRun(100, turn); n >= 1 { // the pool may be emptied by a collection
			t.Errorf("%d messages through a queue: %v allocations", count, n)
		}
	}
}

func BenchmarkQueue(b *testing.B) {
	for _, burst := range []int{1, 16} {
		b.Run(fmt.Sprintf("burst=%d", burst), func(b *testing.B) {
			q := newQueue(noLimit)
			m := message.New(binary.BigEndian.AppendUint64(nil, 1), true)
			var run Run
			b.ReportAllocs()
			for b.Loop() {
				for range burst {
					_, _ = q.Push(m)
				}
				for {
					if n, _ := q.Take(&run); n == 0 {
						break
					}
				}
			}
		})
	}
}
