package limit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hubgate/hubgate/internal/bus"
	"github.com/hubgate/hubgate/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }

// link is a node's way to a bus. It can be cut, and can lose what arrives.
type link struct {
	bus  *bus.Memory
	cut  atomic.Bool
	deaf atomic.Bool
	sent atomic.Int64
}

func (k *link) Publish(body []byte) error {
	if k.cut.Load() {
		return errors.New("the network is away")
	}
	k.sent.Add(1)
	return k.bus.Publish("limits", body)
}

func (k *link) Subscribe(receive func([]byte)) (func(), error) {
	return k.bus.Subscribe("limits", func(body []byte) {
		if !k.cut.Load() && !k.deaf.Load() {
			receive(body)
		}
	})
}

// shelf keeps records in memory. It can do a write and lose the answer.
type shelf struct {
	mu       sync.Mutex
	changed  sync.Cond
	values   [Parts][]byte
	revision [Parts]uint64
	last     uint64
	writes   int
	silent   bool // writes are done and not answered
	away     bool // nothing is written; what is known can be read, as from a store that keeps a copy
}

func newShelf() *shelf {
	s := &shelf{}
	s.changed.L = &s.mu
	return s
}

func (s *shelf) be(silent, away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent, s.away = silent, away
}

func (s *shelf) Read(_ context.Context, part int) ([]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[part], s.revision[part], nil
}

func (s *shelf) Write(_ context.Context, part int, value []byte, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return 0, errors.New("the records are away")
	}
	if s.revision[part] != revision {
		return 0, ErrChanged
	}
	s.last++
	s.writes++
	s.values[part], s.revision[part] = value, s.last
	s.changed.Broadcast()
	if s.silent {
		return 0, context.DeadlineExceeded
	}
	return s.last, nil
}

func (s *shelf) Watch(ctx context.Context, changed func(int, []byte, uint64)) error {
	defer context.AfterFunc(ctx, func() { s.mu.Lock(); s.changed.Broadcast(); s.mu.Unlock() })()
	var seen [Parts]uint64
	for {
		s.mu.Lock()
		values, revision := s.values, s.revision
		for revision == seen && ctx.Err() == nil {
			s.changed.Wait()
			values, revision = s.values, s.revision
		}
		s.mu.Unlock()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for part := range values {
			if revision[part] != seen[part] {
				changed(part, values[part], revision[part])
			}
		}
		seen = revision
	}
}

func open(t *testing.T, o Options) *Local {
	t.Helper()
	o.Logger = testkit.Logger(t)
	l, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeAll(t *testing.T, nodes ...*Local) {
	t.Helper()
	for _, l := range nodes {
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// toldSoon is when a node that hears others knows their counts.
const toldSoon = 2 * TellInterval

func TestTwoNodesShareARate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewMemory()
		one, two := open(t, Options{Peers: &link{bus: b}}), open(t, Options{Peers: &link{bus: b}})
		defer closeAll(t, one, two)
		time.Sleep(time.Second)
		key := Key{Kind: Rate, Value: "a", Period: time.Minute}
		start := time.Now()
		for range 3 {
			take(t, one, key, 5, 1)
			time.Sleep(10 * time.Second)
		}
		// At 30 s: one has counted at 0, 10 and 20 s.
		for i, want := range []bool{true, true, false} {
			if u := take(t, two, key, 5, 1); u.Allowed != want || want && u.Used != int64(4+i) {
				t.Fatalf("call %d of the second node: %+v", i, u)
			}
		}
		time.Sleep(toldSoon)
		for _, l := range []*Local{one, two} {
			u := take(t, l, key, 5, 1)
			if off := time.Since(start) + u.Retry - time.Minute; u.Allowed || u.Used != 5 || off < 0 || off > toldSoon {
				t.Errorf("the first call leaves after a minute: %+v", u)
			}
		}
		if u := take(t, two, key, 5, 5); time.Since(start)+u.Retry != 90*time.Second {
			t.Errorf("five places are free when the own two calls of 30 s have left, too: %+v", u)
		}
		time.Sleep(time.Minute - time.Since(start) + toldSoon)
		if u := take(t, two, key, 5, 0); !u.Allowed || u.Used != 4 {
			t.Errorf("after the first call has left: %+v", u)
		}
		time.Sleep(time.Minute)
		if u := take(t, one, key, 5, 5); !u.Allowed || u.Used != 5 {
			t.Errorf("in a new window: %+v", u)
		}
		if u := take(t, two, Key{Kind: Rate, Value: "b", Period: time.Minute}, 1, 1); !u.Allowed {
			t.Error("another key shares the count")
		}
	})
}

// TestOvershootIsBounded holds what the manual says: at most what the other nodes let through before they heard of each other.
func TestOvershootIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewMemory()
		var nodes []*Local
		for range 3 {
			nodes = append(nodes, open(t, Options{Peers: &link{bus: b}}))
		}
		defer closeAll(t, nodes...)
		time.Sleep(3 * time.Second)
		const limit = 100
		run := func(key Key, calls int, gap time.Duration) (allowed int) {
			for i := range calls {
				if take(t, nodes[i%len(nodes)], key, limit, 1).Allowed {
					allowed++
				}
				time.Sleep(gap)
			}
			return allowed
		}
		if n := run(Key{Kind: Rate, Value: "burst", Period: time.Minute}, 600, 0); n < limit || n > len(nodes)*limit {
			t.Errorf("of 600 calls at once %d are let through", n)
		}
		// With a call every 10 ms, the others have let through 2/3 of those of an interval.
		bound := limit + int(TellInterval/(10*time.Millisecond))
		if n := run(Key{Kind: Rate, Value: "stream", Period: time.Minute}, 600, 10*time.Millisecond); n < limit || n > bound {
			t.Errorf("of 600 calls in 6 s %d are let through, want %d to %d", n, limit, bound)
		}
	})
}

func TestNodeThatComesLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewMemory()
		first := &link{bus: b}
		one := open(t, Options{Peers: first})
		defer closeAll(t, one)
		rate := func(i int) Key { return Key{Kind: Rate, Value: fmt.Sprint(i), Period: 5 * time.Minute} }
		quota := Key{Kind: Calls, Value: "q"}
		const keys = 5000 // more than one message
		for i := range keys {
			take(t, one, rate(i), 10, 3)
		}
		take(t, one, quota, 10, 7)
		time.Sleep(20 * time.Second)
		if n := first.sent.Load(); n > 15 {
			t.Errorf("a node without others sends %d messages in 20 s", n)
		}
		two := open(t, Options{Peers: &link{bus: b}})
		defer closeAll(t, two)
		time.Sleep(toldSoon)
		for i := range keys {
			if u := take(t, two, rate(i), 10, 8); u.Allowed || u.Used != 3 {
				t.Fatalf("key %d: the late node knows of %d calls, want 3", i, u.Used)
			}
		}
		if u := take(t, two, quota, 10, 4); u.Allowed || u.Used != 7 {
			t.Errorf("of a quota the late node knows %+v", u)
		}
	})
}

// TestNodesMeetAtOnce has two nodes that have nothing to tell each other when the second one comes.
func TestNodesMeetAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewMemory()
		way := &link{bus: b}
		one := open(t, Options{Peers: way})
		defer closeAll(t, one)
		time.Sleep(time.Second)
		two := open(t, Options{Peers: &link{bus: b}})
		time.Sleep(toldSoon)
		key := Key{Kind: Rate, Value: "a", Period: time.Minute}
		take(t, two, key, 10, 3)
		time.Sleep(toldSoon)
		if u := take(t, one, key, 10, 0); u.Used != 3 {
			t.Errorf("the first node counts %d calls, want the 3 of the second", u.Used)
		}

		closeAll(t, two)
		time.Sleep(2 * silence)
		before := way.sent.Load()
		for range 100 {
			take(t, one, key, 1000, 1)
			time.Sleep(TellInterval)
		}
		if n := way.sent.Load() - before; n > 10 {
			t.Errorf("when the other one is gone %d messages are sent in 10 s", n)
		}
	})
}

func TestNodeThatIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewMemory()
		first, second := &link{bus: b}, &link{bus: b}
		one, two := open(t, Options{Peers: first}), open(t, Options{Peers: second})
		defer closeAll(t, one, two)
		time.Sleep(3 * time.Second)
		key := Key{Kind: Rate, Value: "a", Period: 5 * time.Minute}
		take(t, one, key, 100, 1)
		time.Sleep(toldSoon)
		second.cut.Store(true)
		for range 10 {
			take(t, one, key, 100, 1)
			take(t, two, key, 100, 2)
			time.Sleep(5 * time.Second)
		}
		if u := take(t, two, key, 100, 0); u.Used != 21 {
			t.Errorf("a node that is cut off counts %d, want its own 20 and the one it has heard of", u.Used)
		}
		if u := take(t, one, key, 100, 0); u.Used != 11 {
			t.Errorf("the other one counts %d, want 11", u.Used)
		}
		second.cut.Store(false)
		time.Sleep(2*heartbeat + time.Second)
		for _, l := range []*Local{one, two} {
			if u := take(t, l, key, 100, 0); u.Used != 31 {
				t.Errorf("after the node is back %d are counted, want 31", u.Used)
			}
		}

		second.deaf.Store(true) // messages are lost
		take(t, one, key, 100, 1)
		time.Sleep(toldSoon)
		second.deaf.Store(false)
		time.Sleep(2*heartbeat + time.Second)
		if u := take(t, two, key, 100, 0); u.Used != 32 {
			t.Errorf("after a message was lost %d are counted, want 32", u.Used)
		}

		second.deaf.Store(true) // until the second node takes itself for alone
		time.Sleep(2 * silence)
		take(t, two, key, 100, 1)
		time.Sleep(silence)
		second.deaf.Store(false)
		time.Sleep(2*heartbeat + time.Second)
		if u := take(t, one, key, 100, 0); u.Used != 33 {
			t.Errorf("what a node counted while it heard nobody: %d, want 33", u.Used)
		}
	})
}

func TestQuotaIsSharedAndKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, records := bus.NewMemory(), newShelf()
		start := func() (*Local, *Local) {
			return open(t, Options{Peers: &link{bus: b}, Records: records}), open(t, Options{Peers: &link{bus: b}, Records: records})
		}
		one, two := start()
		time.Sleep(time.Second)
		anchor := time.Now().Unix()
		key := Key{Kind: Bytes, Value: "a", Period: time.Hour, Anchor: anchor}
		want := int64(0)
		// Both save now and then; nobody ever counts anything twice, or forgets it.
		for i := range 200 {
			if err := one.Add(t.Context(), key, 10); err != nil {
				t.Fatal(err)
			}
			if err := two.Add(t.Context(), key, 1); err != nil {
				t.Fatal(err)
			}
			want += 11
			time.Sleep(toldSoon)
			for name, l := range map[string]*Local{"one": one, "two": two} {
				if u := take(t, l, key, 1<<40, 0); u.Used != want {
					t.Fatalf("round %d: node %s counts %d, want %d", i, name, u.Used, want)
				}
			}
		}
		if records.writes == 0 || records.writes > 20 {
			t.Errorf("%d writes in 40 s", records.writes)
		}
		closeAll(t, one, two)

		one, two = start()
		if u := take(t, two, key, want+1, 1); !u.Allowed || u.Used != want+1 {
			t.Errorf("after a restart of all %+v", u)
		}
		if u := take(t, two, key, want+1, 1); u.Allowed || u.Retry <= 0 {
			t.Errorf("over the limit %+v", u)
		}
		time.Sleep(toldSoon)
		if u := take(t, one, key, want+1, 1); u.Allowed {
			t.Errorf("the other node, over the limit: %+v", u)
		}
		time.Sleep(time.Hour)
		if u := take(t, one, key, want, 1); !u.Allowed || u.Used != 1 {
			t.Errorf("in a new period: %+v", u)
		}
		time.Sleep(2 * lateness)
		take(t, one, key, want, 1)
		closeAll(t, one, two)
		r, err := parseRecord(records.values[key.id().part()])
		if err != nil || len(r.kept) != 1 || r.kept[0].n != 1 {
			t.Errorf("the record keeps periods that are over: %+v %v", r, err)
		}
	})
}

func TestWriteWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		records := newShelf()
		l := open(t, Options{Records: records})
		key := Key{Kind: Calls, Value: "a"}
		used := func() int64 { return take(t, l, key, 1<<40, 0).Used }
		take(t, l, key, 100, 5)
		records.be(true, false)
		time.Sleep(SaveInterval + time.Second)
		if used() != 5 {
			t.Errorf("%d, want 5", used())
		}
		take(t, l, key, 100, 2)
		records.be(false, true)
		time.Sleep(3 * SaveInterval)
		if used() != 7 {
			t.Errorf("while the records are away %d, want 7", used())
		}
		// Another node writes: what this one could not write is still not in the record.
		part := key.id().part()
		r, err := parseRecord(records.values[part])
		if err != nil {
			t.Fatal(err)
		}
		r.add(writer{nodeID{1}, 1}, []increase{{id: key.id(), n: 3}}, time.Now())
		records.be(false, false)
		if _, err := records.Write(t.Context(), part, r.encode(), records.revision[part]); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if used() != 10 {
			t.Errorf("after another node has written %d, want 10", used())
		}
		time.Sleep(SaveInterval + time.Second)
		closeAll(t, l)
		l = open(t, Options{Records: records})
		defer closeAll(t, l)
		if used() != 10 {
			t.Errorf("after a restart %d, want 10: what was written without an answer counts once", used())
		}
	})
}

func TestManyNodesSaveAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		records, b := newShelf(), bus.NewMemory()
		key := Key{Kind: Calls, Value: "a"}
		var nodes []*Local
		for range 8 {
			nodes = append(nodes, open(t, Options{Records: records, Peers: &link{bus: b}}))
		}
		for _, l := range nodes {
			take(t, l, key, 1000, 3)
		}
		time.Sleep(SaveInterval + time.Second)
		for i, l := range nodes {
			if u := take(t, l, key, 1000, 0); u.Used != 24 {
				t.Errorf("node %d counts %d of 24 calls", i, u.Used)
			}
		}
		// A counter that is not used goes, and comes back with the next call.
		s := nodes[0].shard(key)
		s.mu.Lock()
		s.sweep(time.Now(), time.Since(nodes[0].base))
		there := s.counters[key] != nil
		s.mu.Unlock()
		take(t, nodes[0], key, 1000, 2)
		time.Sleep(toldSoon)
		for i, l := range nodes {
			if u := take(t, l, key, 1000, 0); u.Used != 26 || there {
				t.Errorf("node %d counts %d of 26 calls; the counter stayed: %v", i, u.Used, there)
			}
		}
		closeAll(t, nodes...)
		l := open(t, Options{Records: records})
		defer closeAll(t, l)
		if u := take(t, l, key, 1000, 0); u.Used != 26 {
			t.Errorf("%d of 26 calls are kept", u.Used)
		}
	})
}

func TestRecordOfALaterVersionStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		records := newShelf()
		key := Key{Kind: Calls, Value: "a"}
		part := key.id().part()
		later := []byte{recordVersion + 1, 1, 2, 3}
		records.values[part], records.revision[part], records.last = later, 1, 1
		l, err := Open(t.Context(), Options{Records: records})
		if err != nil {
			t.Fatal(err)
		}
		take(t, l, key, 10, 1)
		if err := l.Close(t.Context()); !errors.Is(err, errNewer) {
			t.Errorf("Close: %v", err)
		}
		if string(records.values[part]) != string(later) {
			t.Error("the record of a later version is overwritten")
		}

		records.values[part] = []byte{recordVersion, 200}
		records.revision[part] = 2
		l, err = Open(t.Context(), Options{Records: records})
		if err != nil {
			t.Fatal(err)
		}
		take(t, l, key, 10, 1)
		closeAll(t, l)
		if r, err := parseRecord(records.values[part]); err != nil || len(r.kept) != 1 {
			t.Errorf("a broken record is not replaced: %+v %v", r, err)
		}
	})
}

// TestSavesAndMessagesCross tells a node what another one has counted and saved in every order in which it may hear of it.
func TestSavesAndMessagesCross(t *testing.T) {
	t.Parallel()
	l := NewLocal()
	c := &cluster{local: l, log: testkit.Logger(t), most: 10}
	for i := range c.parts {
		c.parts[i].byID = map[id]*elsewhere{}
	}
	l.cluster = c
	key := Key{Kind: Calls, Value: "a"}
	c.records = newShelf()
	i := key.id()
	a, b := nodeID{1}, nodeID{2}
	tell := func(node nodeID, n int64, saves uint64) func() {
		return func() {
			in := intake{cluster: c, node: node}
			in.quota(i, 0, n, saves)
		}
	}
	revision := uint64(0)
	record := func(n int64, last writer, writers ...writer) func() {
		return func() {
			revision++
			r := record{writers: writers, kept: []kept{{id: i, n: n, node: last.node, saves: last.saves}}}
			c.merge(i.part(), r.encode(), revision)
		}
	}
	for step, s := range []struct {
		what string
		do   func()
		want int64
	}{
		{"a has counted 10", tell(a, 10, 0), 10},
		{"it has saved them and 2 more are there", tell(a, 2, 1), 12},
		{"the record arrives", record(10, writer{a, 1}, writer{a, 1}), 12},
		{"an old message arrives", tell(a, 10, 0), 12},
		{"the next record arrives before the message", record(12, writer{a, 2}, writer{a, 2}), 12},
		{"and now the message", tell(a, 0, 2), 12},
		{"a has counted 4 more", tell(a, 4, 2), 16},
		{"it has saved them and counted 1", tell(a, 1, 3), 17},
		{"b has overwritten the record with 2 of its own", record(18, writer{b, 1}, writer{a, 3}, writer{b, 1}), 19},
		{"a has counted 5", tell(a, 5, 3), 23},
		{"both have saved", record(24, writer{b, 2}, writer{a, 4}, writer{b, 2}), 29}, // until a tells
		{"a tells", tell(a, 0, 4), 24},
	} {
		s.do()
		if u := take(t, l, key, 1000, 0); u.Used != s.want {
			t.Errorf("step %d, %s: %d are counted, want %d", step, s.what, u.Used, s.want)
		}
	}
}

// TestClocksDiffer tells a node of a period that begins for itself only later.
func TestClocksDiffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewMemory()
		l := open(t, Options{Peers: &link{bus: b}})
		defer closeAll(t, l)
		key := Key{Kind: Calls, Value: "a", Period: 5 * time.Minute, Anchor: time.Now().Unix()}
		take(t, l, key, 100, 1)
		end := key.Anchor + 300
		tell := func(number uint64, end, n int64) {
			other := counter{total: n, end: time.Unix(end, 0), elsewhere: &elsewhere{id: key.id()}}
			m := message{kind: messageCounts, node: nodeID{1}, number: number}
			if err := b.Publish("limits", other.appendCount(m.begin(nil))); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		tell(1, end, 10)
		tell(2, end+300, 20) // that node's clock is ahead
		if u := take(t, l, key, 100, 0); u.Used != 11 {
			t.Errorf("%d are counted, want 11", u.Used)
		}
		time.Sleep(5 * time.Minute)
		if u := take(t, l, key, 100, 0); u.Used != 20 {
			t.Errorf("in the next period %d are counted, want 20", u.Used)
		}
		tell(3, end, 30) // and that one's is behind
		if u := take(t, l, key, 100, 0); u.Used != 20 {
			t.Errorf("after a message about the period before %d are counted, want 20", u.Used)
		}
		time.Sleep(5 * time.Minute)
		if u := take(t, l, key, 100, 0); u.Used != 0 {
			t.Errorf("in the third period %d are counted", u.Used)
		}
		if e := l.shard(key).counters[key].elsewhere; len(e.counts) != 0 {
			t.Errorf("periods that are over stay: %+v", e.counts)
		}
	})
}

func TestWhatOthersTellIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bus.NewMemory()
		l := open(t, Options{Peers: &link{bus: b}})
		defer closeAll(t, l)
		l.cluster.most = 8
		key := Key{Kind: Rate, Value: "own", Period: time.Minute}
		take(t, l, key, 10, 1)
		number := uint64(0)
		tell := func(node byte, c counter) {
			number++
			m := message{kind: messageCounts, node: nodeID{node}, number: number}
			c.kind, c.length = Rate, time.Minute
			if err := b.Publish("limits", c.appendRuns(m.begin(nil), 0)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 2000 {
			k := Key{Kind: Rate, Value: fmt.Sprint(i), Period: time.Minute}
			tell(1, counter{runs: []run{{n: 1}}, elsewhere: &elsewhere{id: k.id()}})
		}
		for i := range 100 {
			var runs []run
			for k := range slots {
				runs = append(runs, run{first: time.Duration(k) * time.Millisecond, n: 1})
			}
			tell(byte(i+1), counter{runs: runs, elsewhere: &elsewhere{id: key.id()}})
		}
		number++
		m := message{kind: messageCounts, node: nodeID{1}, number: number}
		quota := counter{total: 1000, elsewhere: &elsewhere{id: key.id()}}
		if err := b.Publish("limits", quota.appendCount(m.begin(nil))); err != nil { // of another kind than the counter
			t.Fatal(err)
		}
		synctest.Wait()
		count := func() (n int) {
			for i := range l.cluster.parts {
				l.cluster.parts[i].mu.Lock()
				n += len(l.cluster.parts[i].byID)
				l.cluster.parts[i].mu.Unlock()
			}
			return n
		}
		if n := count(); n > 9*parts || n < 500 {
			t.Errorf("%d counters of others are known", n)
		}
		if u := take(t, l, key, 1<<40, 0); u.Used != maxElsewhere+1 {
			t.Errorf("%d are counted, want all for which there is room", u.Used)
		}
		time.Sleep(2 * time.Minute)
		if n := count(); n != 1 {
			t.Errorf("%d counters are left when all windows are over", n)
		}
	})
}

// TestDroppedCounters drops counters for want of room while they are on the lists of those to tell and to save.
func TestDroppedCounters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, records := bus.NewMemory(), newShelf()
		one, two := open(t, Options{Peers: &link{bus: b}, Records: records}), open(t, Options{Peers: &link{bus: b}, Records: records})
		one.most = 1
		time.Sleep(time.Second)
		const keys = 10 * shards
		for i := range keys {
			take(t, one, Key{Kind: Calls, Value: fmt.Sprint(i)}, 10, 1)
			take(t, one, Key{Kind: Rate, Value: fmt.Sprint(i), Period: time.Minute}, 10, 1)
		}
		time.Sleep(SaveInterval + toldSoon)
		for i := range keys {
			take(t, one, Key{Kind: Calls, Value: fmt.Sprint(i)}, 10, 1)
		}
		n := 0
		for i := range one.shards {
			n += len(one.shards[i].counters)
		}
		if n > shards {
			t.Errorf("%d counters", n)
		}
		closeAll(t, one, two)
	})
}

func TestTakeOfASharedCounterAllocatesNothing(t *testing.T) {
	b := bus.NewMemory() // Not parallel: it counts allocations.
	l := open(t, Options{Peers: &link{bus: b}, Records: newShelf()})
	defer closeAll(t, l)
	ctx := t.Context()
	for _, key := range []Key{{Kind: Rate, Value: "a", Period: time.Hour}, {Kind: Calls, Value: "a"}} {
		if n := testing.AllocsPerRun(1000, func() { _, _ = l.Take(ctx, key, 1<<40, 1) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

func BenchmarkTakeShared(b *testing.B) {
	shared := bus.NewMemory()
	one, err := Open(b.Context(), Options{Peers: &link{bus: shared}})
	if err != nil {
		b.Fatal(err)
	}
	two, err := Open(b.Context(), Options{Peers: &link{bus: shared}})
	if err != nil {
		b.Fatal(err)
	}
	key := Key{Kind: Rate, Value: "a", Period: time.Minute}
	ctx := b.Context()
	_, _ = two.Take(ctx, key, 1<<40, 1)
	time.Sleep(toldSoon)
	for b.Loop() {
		_, _ = one.Take(ctx, key, 1<<40, 1)
	}
	b.StopTimer()
	_, _ = one.Close(ctx), two.Close(ctx)
}
