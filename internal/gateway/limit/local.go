package limit

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

const (
	shards = 32
	// MaxCounters is how many counters a [Local] keeps. Keys come from requests, so there must be an end to them; when it is
	// reached, the counters that ran out go first and then any.
	MaxCounters = 1 << 20
	// slots is into how many parts a sliding window is cut at most. Calls of one part leave the window together, when the
	// last of them does, so that no window ever holds more than its limit.
	slots = 64
	// sweepInterval is how often a shard drops counters that ran out.
	sweepInterval = 30 * time.Second
)

// Local counts on this node, in memory. Made by [Open] it also knows what other nodes count.
type Local struct {
	seed   maphash.Seed
	base   time.Time // from which sliding windows measure, so that a clock that is set does not move them
	most   int       // counters in a shard
	shards [shards]shard

	cluster *cluster // nil for one node that keeps nothing
}

type shard struct {
	mu       sync.Mutex
	counters map[Key]*counter
	swept    time.Duration // since Local.base

	// Counters that have counted since they were told to other nodes, and since they were saved.
	untold, unsaved []*counter
}

// counter is a sliding window or the current period of a quota, as far as this node has counted. Its shard's lock guards it.
type counter struct {
	total int64

	runs []run // of a sliding window, oldest first
	head int   // index of the oldest one

	period int64 // number of a quota's period since its anchor
	end    time.Time

	// Of a node that shares its counts; see [cluster].
	elsewhere *elsewhere
	kind      Kind
	length    time.Duration // of the window
	told      time.Duration // the beginning of the last run that others know
	saving    int64         // of total, what is about to be saved
	saves     uint64        // the last save that took something off total
	listed    listed
}

// run is calls that came close after each other.
type run struct {
	first, last time.Duration // since Local.base
	n           int64
}

// NewLocal makes counters without any count.
func NewLocal() *Local {
	l := &Local{seed: maphash.MakeSeed(), base: time.Now(), most: MaxCounters / shards}
	for i := range l.shards {
		l.shards[i].counters = map[Key]*counter{}
	}
	return l
}

// Take counts n when the count stays within limit; the error is always nil.
func (l *Local) Take(_ context.Context, key Key, limit, n int64) (Usage, error) {
	now := time.Now()
	s := l.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := l.counter(s, key, now)
	since := now.Sub(l.base)
	others := int64(0)
	if c.elsewhere != nil {
		others = c.elsewhere.count(c, since)
	}
	wanted := max(n, 1)
	if c.total+others+wanted <= limit {
		l.add(s, c, key, since, n)
		return Usage{Allowed: true, Used: c.total + others}, nil
	}
	return Usage{Used: c.total + others, Retry: c.retry(key, now, since, limit, wanted, others)}, nil
}

// Add counts n; the error is always nil.
func (l *Local) Add(_ context.Context, key Key, n int64) error {
	now := time.Now()
	s := l.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	l.add(s, l.counter(s, key, now), key, now.Sub(l.base), n)
	return nil
}

// add counts n, and notes that other nodes and the records do not know it yet.
func (l *Local) add(s *shard, c *counter, key Key, since time.Duration, n int64) {
	if n <= 0 {
		return
	}
	c.add(key, since, n)
	if c.elsewhere != nil {
		l.cluster.note(s, c)
	}
}

func (l *Local) shard(key Key) *shard {
	return &l.shards[maphash.String(l.seed, key.Value)%shards]
}

// counter is the counter of the key with what ran out taken off.
func (l *Local) counter(s *shard, key Key, now time.Time) *counter {
	since := now.Sub(l.base)
	c := s.counters[key]
	if c == nil {
		if since-s.swept >= sweepInterval || len(s.counters) >= l.most && since-s.swept >= time.Second {
			s.sweep(now, since)
		}
		if len(s.counters) >= l.most {
			for victim, c := range s.counters {
				s.drop(victim, c)
				break
			}
		}
		c = &counter{}
		if l.cluster != nil && l.cluster.shares(key.Kind) {
			l.cluster.attach(c, key)
		}
		s.counters[key] = c
	}
	c.expire(key, now, since)
	return c
}

func (s *shard) sweep(now time.Time, since time.Duration) {
	s.swept = since
	for key, c := range s.counters {
		if c.expire(key, now, since); c.total == 0 {
			s.drop(key, c)
		}
	}
}

func (s *shard) drop(key Key, c *counter) {
	delete(s.counters, key)
	if c.elsewhere != nil {
		c.elsewhere.detach()
		c.elsewhere = nil // lists may still have the counter
	}
}

// expire takes off what has left the window, or begins a new period.
func (c *counter) expire(key Key, now time.Time, since time.Duration) {
	if key.Kind != Rate {
		if number, end := period(key, now); number != c.period {
			c.period, c.end, c.total, c.saving = number, end, 0, 0
		}
		return
	}
	for c.head < len(c.runs) && c.runs[c.head].last+key.Period <= since {
		c.total -= c.runs[c.head].n
		c.head++
	}
	if c.head > 0 && c.head*2 >= len(c.runs) {
		c.runs = c.runs[:copy(c.runs, c.runs[c.head:])]
		c.head = 0
	}
}

// period is the number of a quota's period, from 1 for the first after the anchor, and its end. A quota without a period has one
// that never ends.
func period(key Key, now time.Time) (number int64, end time.Time) {
	length := int64(key.Period / time.Second)
	if length <= 0 {
		return 1, time.Time{}
	}
	seconds := now.Unix() - key.Anchor
	number = seconds / length
	if seconds < 0 && seconds%length != 0 {
		number--
	}
	end = time.Unix(key.Anchor+(number+1)*length, 0)
	if number >= 0 {
		number++ // 0 is a counter that has no period yet.
	}
	return number, end
}

func (c *counter) add(key Key, since time.Duration, n int64) {
	c.total += n
	if key.Kind != Rate {
		return
	}
	if last := len(c.runs) - 1; last >= c.head && since-c.runs[last].first < key.Period/slots {
		c.runs[last].last = since
		c.runs[last].n += n
		return
	}
	c.runs = append(c.runs, run{first: since, last: since, n: n})
}

// retry is how long it takes until n more fit; others is what is counted elsewhere.
func (c *counter) retry(key Key, now time.Time, since time.Duration, limit, n, others int64) time.Duration {
	if n > limit {
		return -1
	}
	if key.Kind != Rate {
		if c.end.IsZero() {
			return -1
		}
		return c.end.Sub(now)
	}
	excess := c.total + others + n - limit
	if others > 0 {
		return c.elsewhere.retry(c, key, since, excess)
	}
	for _, r := range c.runs[c.head:] {
		if excess -= r.n; excess <= 0 {
			return r.last + key.Period - since
		}
	}
	return key.Period
}

var _ Counters = (*Local)(nil)
