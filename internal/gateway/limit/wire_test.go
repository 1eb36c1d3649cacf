package limit

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"
)

// list writes down what a message holds.
type list struct {
	runs   []otherRun
	counts []otherCount
	ids    []id
}

func (l *list) rate(i id) { l.ids = append(l.ids, i) }
func (l *list) run(first uint64, leaves time.Duration, n int64) {
	l.runs = append(l.runs, otherRun{first: first, leaves: leaves, n: n})
}
func (l *list) quota(i id, end, n int64, saves uint64) {
	l.ids = append(l.ids, i)
	l.counts = append(l.counts, otherCount{end: end, n: n, saves: saves})
}

func example() []byte {
	rate := counter{kind: Rate, length: time.Minute, runs: []run{{time.Second, 2 * time.Second, 3}, {4 * time.Second, 5 * time.Second, 1 << 30}}, elsewhere: &elsewhere{id: id{1, 2, 3}}}
	quota := counter{kind: Calls, total: 42, saves: 7, end: time.Unix(1800000000, 0), elsewhere: &elsewhere{id: id{4, 5, 6}}}
	m := message{kind: messageCounts, node: nodeID{9}, number: 5, clock: 10_000_000}
	return quota.appendCount(rate.appendRuns(m.begin(nil), 10*time.Second))
}

func TestMessages(t *testing.T) {
	t.Parallel()
	m, err := parseMessage(example())
	if err != nil || m.kind != messageCounts || m.node != (nodeID{9}) || m.number != 5 || m.clock != 10_000_000 {
		t.Fatalf("%+v %v", m, err)
	}
	var got list
	if err := m.entries(&got); err != nil {
		t.Fatal(err)
	}
	want := list{
		runs:   []otherRun{{first: 1_000_000, leaves: 52 * time.Second, n: 3}, {first: 4_000_000, leaves: 55 * time.Second, n: 1 << 30}},
		counts: []otherCount{{end: 1800000000, n: 42, saves: 7}},
		ids:    []id{{1, 2, 3}, {4, 5, 6}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	ask := message{kind: messageAsk, node: nodeID{9}, number: 1, asked: nodeID{8}}
	if got, err := parseMessage(ask.begin(nil)); err != nil || !reflect.DeepEqual(got, ask) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestOnlyWhatIsNewIsTold(t *testing.T) {
	t.Parallel()
	c := counter{kind: Rate, length: time.Minute, runs: []run{{1, 2, 3}, {4, 5, 6}}, elsewhere: &elsewhere{}}
	if all := c.appendRuns(nil, 10); all[17] != 2 {
		t.Errorf("%d runs are told at first, want 2", all[17])
	}
	c.runs[1].n++
	c.runs = append(c.runs, run{7, 8, 9})
	if some := c.appendRuns(nil, 10); some[17] != 2 {
		t.Errorf("%d runs are told, want the one that has grown and the new one", some[17])
	}
}

// TestGarbage gives messages and records that are cut off, of other versions and beyond all bounds.
func TestGarbage(t *testing.T) {
	t.Parallel()
	whole := example()
	sound, _ := parseMessage(whole)
	for n := range whole {
		m, err := parseMessage(whole[:n])
		if err == nil {
			err = m.entries(new(list))
		}
		// It may end where an entry does.
		if err == nil && n != len(whole)-len(sound.body) && n != bytes.Index(whole, []byte{entryQuota, 4, 5, 6}) {
			t.Errorf("the first %d bytes are taken for a message", n)
		}
	}
	head := func(m message) []byte { return m.begin(nil) }
	counts := func(entry ...byte) []byte {
		return append(head(message{kind: messageCounts, node: nodeID{9}, number: 1}), entry...)
	}
	anID := string(make([]byte, 16))
	huge := "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
	for name, b := range map[string][]byte{
		"nothing":             nil,
		"another version":     append([]byte{wireVersion + 1}, whole[1:]...),
		"another kind":        head(message{kind: 9, node: nodeID{9}, number: 1}),
		"no node":             head(message{kind: messageCounts, number: 1}),
		"no number":           head(message{kind: messageCounts, node: nodeID{9}}),
		"a clock of the end":  head(message{kind: messageCounts, node: nodeID{9}, number: 1, clock: math.MaxUint64}),
		"a question and more": append(head(message{kind: messageAsk, node: nodeID{9}, number: 1}), 1),
		"too large":           make([]byte, maxMessage+1),
		"another entry":       counts(append([]byte{9}, anID...)...),
		"many runs":           counts([]byte("\x01" + anID + huge)...),
		"a huge count":        counts([]byte("\x01" + anID + "\x01\x00\x00" + huge)...),
		"a far end":           counts([]byte("\x01" + anID + "\x01\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01")...),
		"a huge quota":        counts([]byte("\x02" + anID + "\x00" + huge + "\x00")...),
	} {
		m, err := parseMessage(b)
		if err == nil {
			err = m.entries(new(list))
		}
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, b := range map[string][]byte{
		"another version": {recordVersion + 1}, "version 0": {0}, "many writers": {recordVersion, maxWriters + 1}, "cut off": {recordVersion, 1, 2, 3},
		"an unknown writer": []byte("\x01\x00" + anID + "\x00\x01\x01\x00"), "a huge count": []byte("\x01\x00" + anID + "\x00" + huge + "\x00"),
	} {
		if r, err := parseRecord(b); err == nil {
			t.Errorf("record: %s is taken for %+v", name, r)
		}
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	r := &record{kept: []kept{{id: id{1}, end: now.Unix() - int64(lateness/time.Second), n: 5}, {id: id{2}, end: 0, n: 5}}}
	r.add(writer{nodeID{7}, 3}, []increase{{id: id{2}, n: 4}, {id: id{3}, end: now.Unix() + 5, n: 1}}, now)
	want := &record{writers: []writer{{nodeID{7}, 3}}, kept: []kept{
		{id: id{2}, n: 9, node: nodeID{7}, saves: 3}, {id: id{3}, end: now.Unix() + 5, n: 1, node: nodeID{7}, saves: 3},
	}}
	got, err := parseRecord(r.encode())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v %v, want %+v", got, err, want)
	}
	for i := range 2 * maxWriters {
		r.add(writer{nodeID{8, byte(i)}, 1}, nil, now)
	}
	if got, err := parseRecord(r.encode()); err != nil || len(got.writers) != maxWriters || got.kept[0].n != 9 || got.kept[0].saves != 0 {
		t.Errorf("after many writers: %+v %v", got, err)
	}

	full := &record{}
	list := make([]increase, maxKept+1)
	for i := range list {
		list[i] = increase{id: id{byte(i), byte(i >> 8), byte(i >> 16)}, end: math.MaxInt64, n: maxCount}
	}
	full.add(writer{nodeID{7}, math.MaxUint64}, list, now)
	if n := len(full.encode()); !list[maxKept].left || list[0].left || n > 1<<20 {
		t.Errorf("a full record has %d bytes", n)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(example())
	ask := message{kind: messageAsk, node: nodeID{9}, number: 1, asked: nodeID{8}}
	f.Add(ask.begin(nil))
	f.Add([]byte{})
	f.Add(example()[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		l := NewLocal()
		c := &cluster{local: l, others: map[nodeID]*peer{}, wake: make(chan struct{}, 1), most: 4}
		for i := range c.parts {
			c.parts[i].byID = map[id]*elsewhere{}
		}
		m, err := parseMessage(b)
		if err != nil {
			return
		}
		if again, err := parseMessage(append(m.begin(nil), m.body...)); err != nil || !reflect.DeepEqual(normal(again), normal(m)) {
			t.Fatalf("%+v is read as %+v, %v", m, again, err)
		}
		in := intake{cluster: c, node: m.node}
		_ = m.entries(&in)
		in.end()
		for i := range c.parts {
			part := &c.parts[i]
			if !part.mu.TryLock() {
				t.Fatal("a part stays locked")
			}
			for _, e := range part.byID {
				if e.sum.Load() < 0 || len(e.runs) > maxElsewhere || len(e.counts) > maxNodesOfQuota {
					t.Fatalf("%+v", e)
				}
				for k := 1; k < len(e.runs); k++ {
					if e.runs[k-1].leaves > e.runs[k].leaves {
						t.Fatal("runs are not in order")
					}
				}
			}
			part.mu.Unlock()
		}
	})
}

// normal makes an empty body of a message none.
func normal(m message) message {
	if len(m.body) == 0 {
		m.body = nil
	}
	return m
}

func FuzzRecord(f *testing.F) {
	r := &record{}
	r.add(writer{nodeID{7}, 3}, []increase{{id: id{2}, n: 4}, {id: id{3}, end: 1 << 40, n: 1}}, time.Unix(0, 0))
	f.Add(r.encode())
	f.Add([]byte{recordVersion, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b)
		if err != nil {
			return
		}
		again, err := parseRecord(r.encode())
		if err != nil || len(again.kept) != len(r.kept) {
			t.Fatalf("%+v is read as %+v, %v", r, again, err)
		}
		for i := range r.kept {
			if again.kept[i].n != r.kept[i].n || again.kept[i].end != r.kept[i].end || again.kept[i].id != r.kept[i].id {
				t.Fatalf("%+v is read as %+v", r.kept[i], again.kept[i])
			}
		}
	})
}
