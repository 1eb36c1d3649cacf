package limit

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// parts is into how many parts what is known of elsewhere is cut. Each has a lock, and a record for its quotas.
	parts = 64
	// maxElsewhere is how many runs of other nodes a window holds at most: those of sixty-four nodes.
	maxElsewhere = 64 * (slots + 1)
	// maxNodesOfQuota is from how many nodes a quota knows what is not saved yet.
	maxNodesOfQuota = 256
	// maxCount is the largest count that a node is believed, so that sums never overflow.
	maxCount = 1 << 44
)

// id names a counter among nodes: keys come from requests, are of any length and may be secrets, so that they stay on their node.
type id [16]byte

func (k Key) id() id {
	var space [256]byte
	b := append(space[:0], byte(k.Kind))
	b = binary.AppendVarint(b, int64(k.Period))
	b = binary.AppendVarint(b, k.Anchor)
	b = binary.AppendUvarint(b, uint64(len(k.Scope)))
	b = append(b, k.Scope...)
	b = append(b, k.Value...)
	sum := sha256.Sum256(b)
	return id(sum[:16])
}

// part is the part that the counter belongs to.
func (i id) part() int { return int(i[0]) % parts }

// nodeID names a process, from its start to its end.
type nodeID [8]byte

// known is what is known of elsewhere about the counters of a part.
type known struct {
	mu   sync.Mutex
	byID map[id]*elsewhere
	// saved is the last save of each node that the record of the part has, as far as this node has seen it.
	saved map[nodeID]uint64
}

// elsewhere is what a counter does not count itself: what other nodes tell, and of a quota what is saved. Its counter reads only the
// two numbers, unless time has changed them.
type elsewhere struct {
	sum atomic.Int64
	// until is from when on sum is wrong. For a rate it is the time since [Local.base] at which the first run leaves. For a quota it is the end
	// of the period that sum is of, in seconds since 1970, 0 for one that never ends.
	until atomic.Int64

	id   id
	part *known

	// Guarded by part.mu.
	attached bool       // this node has the counter
	rate     bool       // of a rate limit, not of a quota
	runs     []otherRun // of a rate: the ones that leave first come first
	counts   []otherCount
}

// otherRun is a run of another node.
type otherRun struct {
	node   nodeID
	first  uint64        // by the node's clock: a name, no time
	leaves time.Duration // since Local.base
	n      int64
}

// otherCount is what a node has counted of a quota's period and not saved, or what all have saved, under the name of no node.
type otherCount struct {
	node  nodeID
	end   int64 // of the period, in seconds since 1970; 0 is never
	n     int64
	saves uint64 // the node's saves that n has no part of
	moved int64  // what has gone from n into a save that this node has not seen yet
}

// count is the number of calls or bytes that belong to the window of c. The lock of c's shard is held.
func (e *elsewhere) count(c *counter, since time.Duration) int64 {
	if c.kind == Rate {
		if int64(since) >= e.until.Load() {
			e.part.mu.Lock()
			e.expire(since)
			e.part.mu.Unlock()
		}
	} else if end := endOf(c); end != e.until.Load() {
		e.part.mu.Lock()
		e.until.Store(end)
		e.expireCounts(end)
		e.part.mu.Unlock()
	}
	return e.sum.Load()
}

// endOf is the end of the period of a quota's counter in seconds since 1970.
func endOf(c *counter) int64 {
	if c.end.IsZero() {
		return 0
	}
	return c.end.Unix()
}

func (e *elsewhere) detach() {
	e.part.mu.Lock()
	defer e.part.mu.Unlock()
	e.attached = false
	if len(e.runs) == 0 && len(e.counts) == 0 {
		delete(e.part.byID, e.id)
	}
}

// expire takes off the runs that have left the window.
func (e *elsewhere) expire(since time.Duration) {
	gone := 0
	for gone < len(e.runs) && e.runs[gone].leaves <= since {
		gone++
	}
	e.runs = slices.Delete(e.runs, 0, gone)
	e.sumRuns()
}

// sumRuns makes sum and until anew.
func (e *elsewhere) sumRuns() {
	sum, until := int64(0), int64(math.MaxInt64)
	for i := range e.runs {
		sum += e.runs[i].n
	}
	if len(e.runs) > 0 {
		until = int64(e.runs[0].leaves)
	}
	e.sum.Store(sum)
	e.until.Store(until)
}

// expireCounts takes off what periods before the one that ends at end have.
func (e *elsewhere) expireCounts(end int64) {
	e.counts = slices.DeleteFunc(e.counts, func(c otherCount) bool { return c.end != 0 && c.end < end })
	e.sumCounts()
}

// sumCounts makes sum anew. A period that other nodes are in already, because their clocks are ahead, waits for its time.
func (e *elsewhere) sumCounts() {
	sum, end := int64(0), e.until.Load()
	for i := range e.counts {
		if e.counts[i].end == end {
			sum += e.counts[i].n + e.counts[i].moved
		}
	}
	e.sum.Store(sum)
}

// tellRun takes over a run that a node tells. The counts of a run only grow, so an old message changes nothing.
func (e *elsewhere) tellRun(r otherRun) {
	i := len(e.runs) - 1
	for i >= 0 && (e.runs[i].first != r.first || e.runs[i].node != r.node) {
		i--
	}
	switch {
	case i >= 0:
		old := &e.runs[i]
		old.n, old.leaves = max(old.n, r.n), max(old.leaves, r.leaves)
	case len(e.runs) < maxElsewhere:
		e.runs = append(e.runs, r)
		i = len(e.runs) - 1
	default:
		return
	}
	// Runs come nearly in order, so each is close to its place.
	for ; i+1 < len(e.runs) && e.runs[i].leaves > e.runs[i+1].leaves; i++ {
		e.runs[i], e.runs[i+1] = e.runs[i+1], e.runs[i]
	}
	for ; i > 0 && e.runs[i-1].leaves > e.runs[i].leaves; i-- {
		e.runs[i], e.runs[i-1] = e.runs[i-1], e.runs[i]
	}
}

// tellCount takes over what a node tells about its part of a quota. Messages of a node come in order, but one may have been sent before a
// save that this node knows already, and may arrive before the record with the save.
func (e *elsewhere) tellCount(c otherCount) {
	i := slices.IndexFunc(e.counts, func(o otherCount) bool { return o.node == c.node && o.end == c.end })
	switch {
	case i >= 0 && c.saves < e.counts[i].saves:
	case i >= 0:
		c.moved = e.counts[i].moved
		if e.counts[i].saves < c.saves && e.part.saved[c.node] < c.saves {
			c.moved = min(c.moved+e.counts[i].n, maxCount)
		}
		e.counts[i] = c
	case e.room():
		e.counts = append(e.counts, c)
	}
	e.sumCounts()
}

// room makes room for one more node, if need be by forgetting those that have nothing to say.
func (e *elsewhere) room() bool {
	if len(e.counts) >= maxNodesOfQuota {
		e.counts = slices.DeleteFunc(e.counts, func(c otherCount) bool { return c.n == 0 })
	}
	return len(e.counts) < maxNodesOfQuota
}

// keep takes over what all nodes have saved of a period, with who did so last: what that one told before is in it.
func (e *elsewhere) keep(k kept) {
	all := otherCount{end: k.end, n: k.n}
	i := slices.IndexFunc(e.counts, func(o otherCount) bool { return o.node == all.node && o.end == k.end })
	if i >= 0 {
		e.counts[i] = all
	} else {
		e.counts = append(e.counts, all)
	}
	if k.node != (nodeID{}) {
		i = slices.IndexFunc(e.counts, func(o otherCount) bool { return o.node == k.node && o.end == k.end })
		switch {
		case i >= 0 && e.counts[i].saves < k.saves:
			e.counts[i].n, e.counts[i].moved, e.counts[i].saves = 0, 0, k.saves
		case i < 0 && e.room(): // it remembers the save, for messages that are still on their way
			e.counts = append(e.counts, otherCount{node: k.node, end: k.end, saves: k.saves})
		}
	}
	for i := range e.counts {
		if o := &e.counts[i]; o.moved > 0 && o.end == k.end && e.part.saved[o.node] >= o.saves {
			o.moved = 0
		}
	}
	e.sumCounts()
}

// retry is how long it takes until excess calls have left the window of c, whoever counted them.
func (e *elsewhere) retry(c *counter, key Key, since time.Duration, excess int64) time.Duration {
	e.part.mu.Lock()
	defer e.part.mu.Unlock()
	own, others := c.runs[c.head:], e.runs
	for len(own) > 0 || len(others) > 0 {
		var leaves time.Duration
		var n int64
		if len(others) == 0 || len(own) > 0 && own[0].last+key.Period <= others[0].leaves {
			leaves, n, own = own[0].last+key.Period, own[0].n, own[1:]
		} else {
			leaves, n, others = others[0].leaves, others[0].n, others[1:]
		}
		if excess -= n; excess <= 0 {
			return leaves - since
		}
	}
	return key.Period
}

// sweep drops what is over, at the time that is given in both clocks.
func (k *known) sweep(since time.Duration, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.byID {
		if e.attached {
			continue // its counter does so
		}
		e.runs = slices.DeleteFunc(e.runs, func(r otherRun) bool { return r.leaves <= since })
		e.counts = slices.DeleteFunc(e.counts, func(c otherCount) bool { return c.end != 0 && c.end <= now.Unix() })
		if len(e.runs) == 0 && len(e.counts) == 0 {
			delete(k.byID, e.id)
		}
	}
}

// get is the counter's entry, made when there is room; nil when there is none. The lock is held.
func (k *known) get(i id, most int) *elsewhere {
	e := k.byID[i]
	if e == nil && len(k.byID) < most {
		e = &elsewhere{id: i, part: k}
		k.byID[i] = e
	}
	return e
}
