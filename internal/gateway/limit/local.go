package limit

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
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

// Local counts on this node, in memory.
type Local struct {
	seed   maphash.Seed
	base   time.Time // from which sliding windows measure, so that a clock that is set does not move them
	most   int       // counters in a shard
	shards [shards]shard
}

type shard struct {
	mu       sync.Mutex
	counters map[Key]*counter
	swept    time.Duration // since Local.base
}

// counter is a sliding window or the current period of a quota.
type counter struct {
	total int64

	runs []run // of a sliding window, oldest first
	head int   // index of the oldest one

	period int64 // number of a quota's period since its anchor
	end    time.Time
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
	wanted := max(n, 1)
	if c.total+wanted <= limit {
		c.add(key, now.Sub(l.base), n)
		return Usage{Allowed: true, Used: c.total}, nil
	}
	return Usage{Used: c.total, Retry: c.retry(key, now, now.Sub(l.base), limit, wanted)}, nil
}

// Add counts n; the error is always nil.
func (l *Local) Add(_ context.Context, key Key, n int64) error {
	now := time.Now()
	s := l.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	l.counter(s, key, now).add(key, now.Sub(l.base), n)
	return nil
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
			for victim := range s.counters {
				delete(s.counters, victim)
				break
			}
		}
		c = &counter{}
		s.counters[key] = c
	}
	c.expire(key, now, since)
	return c
}

func (s *shard) sweep(now time.Time, since time.Duration) {
	s.swept = since
	for key, c := range s.counters {
		if c.expire(key, now, since); c.total == 0 {
			delete(s.counters, key)
		}
	}
}

// expire takes off what has left the window, or begins a new period.
func (c *counter) expire(key Key, now time.Time, since time.Duration) {
	if key.Kind != Rate {
		if number, end := period(key, now); number != c.period {
			c.period, c.end, c.total = number, end, 0
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
	if n <= 0 {
		return
	}
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

// retry is how long it takes until n more fit.
func (c *counter) retry(key Key, now time.Time, since time.Duration, limit, n int64) time.Duration {
	if n > limit {
		return -1
	}
	if key.Kind != Rate {
		if c.end.IsZero() {
			return -1
		}
		return c.end.Sub(now)
	}
	excess := c.total + n - limit
	for _, r := range c.runs[c.head:] {
		if excess -= r.n; excess <= 0 {
			return r.last + key.Period - since
		}
	}
	return key.Period
}

// saved is a quota's counter in the form of [Local.Save].
type saved struct {
	Kind   Kind   `json:"kind"`
	Scope  string `json:"scope,omitempty"`
	Value  string `json:"value"`
	Period int64  `json:"period"` // seconds
	Anchor int64  `json:"anchor"`
	Number int64  `json:"number"`
	Total  int64  `json:"total"`
}

// Save writes the counts of quotas, one JSON object a line, for [Local.Load] after a restart. Rates are not worth it: their
// windows are shorter than most restarts.
func (l *Local) Save(w io.Writer) error {
	now := time.Now()
	encoder := json.NewEncoder(w)
	for i := range l.shards {
		s := &l.shards[i]
		var list []saved
		s.mu.Lock()
		for key, c := range s.counters {
			if key.Kind == Rate {
				continue
			}
			if c.expire(key, now, now.Sub(l.base)); c.total > 0 {
				list = append(list, saved{Kind: key.Kind, Scope: key.Scope, Value: key.Value, Period: int64(key.Period / time.Second), Anchor: key.Anchor, Number: c.period, Total: c.total})
			}
		}
		s.mu.Unlock()
		for _, one := range list {
			if err := encoder.Encode(one); err != nil {
				return err
			}
		}
	}
	return nil
}

// Load adds the counts that [Local.Save] wrote. Those of periods that are over do not count.
func (l *Local) Load(r io.Reader) error {
	now := time.Now()
	decoder := json.NewDecoder(r)
	for number := 1; decoder.More(); number++ {
		var one saved
		if err := decoder.Decode(&one); err != nil {
			return fmt.Errorf("quota counter %d: %w", number, err)
		}
		key := Key{Kind: one.Kind, Scope: one.Scope, Value: one.Value, Period: time.Duration(one.Period) * time.Second, Anchor: one.Anchor}
		if one.Kind != Calls && one.Kind != Bytes || one.Period < 0 || one.Total < 0 {
			return fmt.Errorf("quota counter %d: the kind, the period or the total is wrong", number)
		}
		s := l.shard(key)
		s.mu.Lock()
		if c := l.counter(s, key, now); c.period == one.Number {
			c.total += one.Total
		}
		s.mu.Unlock()
	}
	return nil
}

var _ Counters = (*Local)(nil)
