package limit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// SaveInterval is how often what is counted of quotas is saved. What a node that dies has counted since is lost.
	SaveInterval = 10 * time.Second
	// saveTimeout bounds the answer to one read or write of a record.
	saveTimeout = 10 * time.Second
	// saveTries is how often a record is written when other nodes are faster.
	saveTries = 10
	// saveGap is how long a node waits until it sees what another one has written.
	saveGap = 20 * time.Millisecond
)

// Parts is how many records [Records] have.
const Parts = parts

// Records are where quotas outlive processes: a fixed number of records, which all nodes of a cluster read and write.
type Records interface {
	// Read gives a record and its revision; one that was never written has no bytes and the revision 0.
	Read(ctx context.Context, part int) (value []byte, revision uint64, err error)
	// Write replaces the record of that revision and gives the new one. The error is [ErrChanged] when it has another revision.
	Write(ctx context.Context, part int, value []byte, revision uint64) (uint64, error)
	// Watch calls changed with what is written from now on, one after the other, until ctx ends. Records that are there may come first.
	Watch(ctx context.Context, changed func(part int, value []byte, revision uint64)) error
}

// ErrChanged says that a record has another revision than the expected one.
var ErrChanged = errors.New("the record was changed meanwhile")

// saves is what this node adds to a record.
type saves struct {
	settled atomic.Uint64 // the last save that is in the record and off the counters

	mu       sync.Mutex
	revision uint64 // of the record that was merged last
	number   uint64 // of the last save
	pending  []increase
	waiting  []increase
	broken   bool // the record was written by a later version
}

// increase is what a counter has counted since it was saved last.
type increase struct {
	shard   *shard
	counter *counter
	id      id
	end     int64
	n       int64
	left    bool // there was no room in the record; the counter keeps it
}

// merge takes over a record, unless one that is as new is known.
func (c *cluster) merge(part int, value []byte, revision uint64) {
	if part < 0 || part >= parts {
		return
	}
	s := &c.saves[part]
	s.mu.Lock()
	defer s.mu.Unlock()
	if revision <= s.revision {
		return
	}
	s.revision = revision
	r, err := parseRecord(value)
	if s.broken = errors.Is(err, errNewer); err != nil {
		c.log.Error("a record of the kept counts of quotas cannot be read; what it holds does not count", "part", part, "reason", err)
		return
	}
	c.settle(s, r)
	known := &c.parts[part]
	known.mu.Lock()
	defer known.mu.Unlock()
	now := time.Now().Unix()
	known.saved = make(map[nodeID]uint64, len(r.writers))
	for _, w := range r.writers {
		known.saved[w.node] = w.saves
	}
	for _, k := range r.kept {
		if k.end != 0 && k.end <= now-int64(lateness/time.Second) {
			continue
		}
		e := known.get(k.id, c.most)
		if e == nil || e.rate {
			continue
		}
		e.keep(k)
	}
}

// settle takes what was to be saved off the counters, when the record has it.
func (c *cluster) settle(s *saves, r *record) {
	if len(s.pending) == 0 || !slices.Contains(r.writers, writer{c.self, s.number}) {
		return
	}
	for _, p := range s.pending {
		p.shard.mu.Lock()
		if endOf(p.counter) == p.end && p.counter.saving >= p.n && !p.left {
			p.counter.total -= p.n
			p.counter.saving -= p.n
			p.counter.saves = s.number
			c.note(p.shard, p.counter) // others learn that it is less
		}
		p.shard.mu.Unlock()
	}
	s.pending = nil
	s.settled.Store(s.number)
}

// save saves quotas until ctx ends.
func (c *cluster) save(ctx context.Context) {
	ticker := time.NewTicker(SaveInterval)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := c.saveAll(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			c.log.Error("the counts of quotas cannot be saved; they are kept in memory until they can", "reason", err)
		}
		failing = err != nil
		if c.peers == nil {
			now := time.Now()
			for i := range c.parts {
				c.parts[i].sweep(now.Sub(c.local.base), now)
			}
		}
	}
}

// saveAll adds to the records what they do not have.
func (c *cluster) saveAll(ctx context.Context) error {
	if err := c.saveParts(ctx); err != nil {
		c.tidy()
		return err // what else there is stays in the counters, where it takes no more room
	}
	c.gather()
	return c.saveParts(ctx)
}

func (c *cluster) saveParts(ctx context.Context) error {
	for part := range c.saves {
		if err := c.savePart(ctx, part); err != nil {
			return fmt.Errorf("record %d: %w", part, err) // the others would wait as long for nothing
		}
	}
	return nil
}

// tidy takes counters that were dropped off the lists of those to save.
func (c *cluster) tidy() {
	for i := range c.local.shards {
		s := &c.local.shards[i]
		s.mu.Lock()
		s.unsaved = slices.DeleteFunc(s.unsaved, func(counter *counter) bool { return counter.elsewhere == nil })
		s.mu.Unlock()
	}
}

// gather sorts what the counters have not saved by records.
func (c *cluster) gather() {
	for i := range c.local.shards {
		s := &c.local.shards[i]
		s.mu.Lock()
		list := s.unsaved
		s.unsaved = nil
		s.mu.Unlock()
		for begin := 0; begin < len(list); begin += bite {
			some := list[begin:min(begin+bite, len(list))]
			found := make([]increase, 0, len(some))
			now := time.Now()
			s.mu.Lock()
			for _, counter := range some {
				counter.listed &^= isUnsaved
				if counter.elsewhere == nil {
					continue // it was dropped
				}
				if n := counter.total - counter.saving; n > 0 && (counter.end.IsZero() || counter.end.After(now.Add(-lateness))) {
					counter.saving += n
					found = append(found, increase{shard: s, counter: counter, id: counter.elsewhere.id, end: endOf(counter), n: n})
				}
			}
			s.mu.Unlock()
			for _, f := range found {
				into := &c.saves[f.id.part()]
				into.mu.Lock()
				into.waiting = append(into.waiting, f)
				into.mu.Unlock()
			}
		}
	}
}

// savePart writes a record when there is something to add. A write whose answer is lost is found in the record later, by its number.
func (c *cluster) savePart(ctx context.Context, part int) error {
	s := &c.saves[part]
	for range saveTries {
		s.mu.Lock()
		nothing := len(s.pending) == 0 && len(s.waiting) == 0
		s.mu.Unlock()
		if nothing {
			return nil
		}
		err := c.tryPart(ctx, part, s)
		if err == nil || !errors.Is(err, ErrChanged) {
			if err != nil {
				return err
			}
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(saveGap):
		}
	}
	return ErrChanged
}

func (c *cluster) tryPart(ctx context.Context, part int, s *saves) error {
	ctx, cancel := context.WithTimeout(ctx, saveTimeout)
	defer cancel()
	value, revision, err := c.records.Read(ctx, part)
	if err != nil {
		return err
	}
	c.merge(part, value, revision)
	r, err := parseRecord(value)
	if errors.Is(err, errNewer) {
		return err
	}
	if err != nil {
		r = &record{} // merge has said so; the counts begin anew
	}
	s.mu.Lock()
	if len(s.pending) == 0 {
		if len(s.waiting) == 0 {
			s.mu.Unlock()
			return nil
		}
		s.number++
		s.pending, s.waiting = s.waiting, nil
	}
	r.add(writer{c.self, s.number}, s.pending, time.Now())
	s.mu.Unlock()
	value = r.encode()
	if revision, err = c.records.Write(ctx, part, value, revision); err != nil {
		return err
	}
	c.merge(part, value, revision)
	return nil
}

// add adds what a node has counted, and drops what is over.
func (r *record) add(by writer, list []increase, now time.Time) {
	over := now.Add(-lateness).Unix()
	r.kept = slices.DeleteFunc(r.kept, func(k kept) bool { return k.end != 0 && k.end <= over })
	type name struct {
		id  id
		end int64
	}
	index := make(map[name]int, len(r.kept))
	for i, k := range r.kept {
		index[name{k.id, k.end}] = i
	}
	for i := range list {
		in := &list[i]
		at, there := index[name{in.id, in.end}]
		if in.left = !there && len(r.kept) >= maxKept; in.left {
			continue
		}
		if !there {
			at = len(r.kept)
			index[name{in.id, in.end}] = at
			r.kept = append(r.kept, kept{id: in.id, end: in.end})
		}
		k := &r.kept[at]
		k.n, k.node, k.saves = min(k.n+in.n, maxCount), by.node, by.saves
	}
	r.writers = slices.DeleteFunc(r.writers, func(w writer) bool { return w.node == by.node })
	if len(r.writers) >= maxWriters {
		r.writers = slices.Delete(r.writers, 0, len(r.writers)-maxWriters+1)
	}
	r.writers = append(r.writers, by)
}
