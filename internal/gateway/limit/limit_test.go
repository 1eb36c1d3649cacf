package limit

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func take(t *testing.T, c Counters, key Key, limit, n int64) Usage {
	t.Helper()
	u, err := c.Take(t.Context(), key, limit, n)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestSlidingWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLocal()
		key := Key{Kind: Rate, Value: "a", Period: time.Minute}
		for i := range 3 {
			if u := take(t, l, key, 3, 1); !u.Allowed || u.Used != int64(i+1) {
				t.Fatalf("call %d: %+v", i, u)
			}
			time.Sleep(10 * time.Second)
		}
		// At 30 s: the first call, of 0 s, leaves at 60 s.
		if u := take(t, l, key, 3, 1); u.Allowed || u.Retry != 30*time.Second || u.Used != 3 {
			t.Fatalf("over the limit: %+v", u)
		}
		if u := take(t, l, Key{Kind: Rate, Value: "b", Period: time.Minute}, 3, 1); !u.Allowed {
			t.Fatal("another key is refused")
		}
		if u := take(t, l, key, 3, 2); u.Allowed || u.Retry != 40*time.Second {
			t.Fatalf("two at once: %+v", u)
		}
		time.Sleep(30 * time.Second)
		if u := take(t, l, key, 3, 1); !u.Allowed || u.Used != 3 {
			t.Fatalf("after the wait that it named: %+v", u)
		}
		if u := take(t, l, key, 3, 1); u.Allowed || u.Retry != 10*time.Second {
			t.Fatalf("the second call leaves 10 s after the first: %+v", u)
		}
		if u := take(t, l, key, 3, 4); u.Allowed || u.Retry >= 0 {
			t.Fatalf("more than the limit at once never fits: %+v", u)
		}
	})
}

func TestSlidingWindowNeverHoldsMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLocal()
		key := Key{Kind: Rate, Value: "a", Period: time.Second}
		var allowed []time.Time
		for range 5000 {
			if u := take(t, l, key, 100, 1); u.Allowed {
				allowed = append(allowed, time.Now())
			}
			time.Sleep(time.Millisecond)
		}
		for i := 100; i < len(allowed); i++ {
			if d := allowed[i].Sub(allowed[i-100]); d < time.Second {
				t.Fatalf("101 calls within %s", d)
			}
		}
		// In 5 s at most 500 fit; coarse slots may cost a little, never much.
		if len(allowed) < 480 || len(allowed) > 500 {
			t.Errorf("%d of at most 500 calls were allowed", len(allowed))
		}
		if n := len(l.shard(key).counters[key].runs); n > 2*slots+2 {
			t.Errorf("the window has %d parts", n)
		}
	})
}

func TestCheckThenAdd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLocal()
		key := Key{Kind: Rate, Value: "a", Period: time.Minute}
		for range 5 {
			if u := take(t, l, key, 1, 0); !u.Allowed || u.Used != 0 {
				t.Fatalf("a look counts nothing: %+v", u)
			}
		}
		if err := l.Add(t.Context(), key, 7); err != nil {
			t.Fatal(err)
		}
		if u := take(t, l, key, 1, 0); u.Allowed || u.Used != 7 {
			t.Fatalf("what is added counts over the limit: %+v", u)
		}
	})
}

func TestQuotaPeriods(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // The clock begins at 2000-01-01T00:00:00Z.
		l := NewLocal()
		anchor := time.Now().Add(-100 * time.Second).Unix()
		key := Key{Kind: Calls, Value: "a", Period: 300 * time.Second, Anchor: anchor}
		if u := take(t, l, key, 1, 1); !u.Allowed {
			t.Fatal("the first call is refused")
		}
		if u := take(t, l, key, 1, 1); u.Allowed || u.Retry != 200*time.Second {
			t.Fatalf("the period ends 300 s after the anchor: %+v", u)
		}
		time.Sleep(200 * time.Second)
		if u := take(t, l, key, 1, 1); !u.Allowed {
			t.Fatalf("a new period: %+v", u)
		}
	})
}

func TestQuotaAnchors(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, anchor := range []time.Time{{}, now.Add(-time.Hour), now.Add(90 * time.Minute), now} {
		key := Key{Kind: Calls, Period: time.Hour, Anchor: anchor.Unix()}
		number, end := period(key, now)
		if number == 0 || !end.After(now) || end.Sub(now) > time.Hour || (end.Unix()-anchor.Unix())%3600 != 0 {
			t.Errorf("anchor %s: period %d ends %s", anchor, number, end)
		}
		if next, _ := period(key, end); next == number {
			t.Errorf("anchor %s: the period does not end", anchor)
		}
	}
}

func TestEndlessQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLocal()
		key := Key{Kind: Calls, Value: "a"}
		take(t, l, key, 1, 1)
		time.Sleep(1000 * time.Hour)
		if u := take(t, l, key, 1, 1); u.Allowed || u.Retry >= 0 {
			t.Fatalf("%+v", u)
		}
	})
}

func TestCountersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLocal()
		l.most = 4
		for i := range 1000 {
			take(t, l, Key{Kind: Rate, Value: fmt.Sprint(i), Period: time.Second}, 1, 1)
		}
		count := func() (n int) {
			for i := range l.shards {
				n += len(l.shards[i].counters)
			}
			return n
		}
		if n := count(); n > 4*shards {
			t.Errorf("%d counters", n)
		}
		time.Sleep(sweepInterval)
		for i := range shards * 20 {
			take(t, l, Key{Kind: Rate, Value: fmt.Sprint(i), Period: time.Nanosecond}, 1, 0)
		}
		for i := range l.shards {
			for key, c := range l.shards[i].counters {
				if c.total != 0 {
					t.Errorf("%v is still there", key)
				}
			}
		}
	})
}

func TestTakeAllocatesNothing(t *testing.T) {
	l := NewLocal() // Not parallel: it counts allocations.
	key := Key{Kind: Rate, Value: "a", Period: time.Hour}
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { _, _ = l.Take(ctx, key, 1<<40, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	var c Concurrency
	for i, want := range []bool{true, true, false} {
		if got := c.Acquire("a", 2); got != want {
			t.Fatalf("place %d of two is given: %v", i+1, got)
		}
	}
	if !c.Acquire("b", 1) {
		t.Fatal("the place of another key is not given")
	}
	c.Release("a")
	if !c.Acquire("a", 2) {
		t.Fatal("a place that was given back is not there")
	}
	var wait sync.WaitGroup
	for range 100 {
		wait.Go(func() {
			if c.Acquire("c", 50) {
				c.Release("c")
			}
		})
	}
	wait.Wait()
	c.Release("a")
	c.Release("a")
	c.Release("b")
	if len(c.running) != 0 {
		t.Errorf("left over: %v", c.running)
	}
}

func BenchmarkTake(b *testing.B) {
	l := NewLocal()
	key := Key{Kind: Rate, Value: "a", Period: time.Minute}
	ctx := b.Context()
	for b.Loop() {
		_, _ = l.Take(ctx, key, 1<<40, 1)
	}
}
