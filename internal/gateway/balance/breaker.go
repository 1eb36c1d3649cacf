package balance

import (
	"reflect"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

// defaultTrip is how long a breaker stays open when its rule does not say: one minute.
const defaultTrip = time.Minute

// buckets is into how many parts the interval of a percentage is divided: failures leave the count part by part.
const buckets = 10

// breaker is the circuit breaker of one backend.
type breaker struct {
	rule     resource.CircuitBreakerRule
	interval time.Duration
	trip     time.Duration

	mu struct {
		sync.Mutex
		openUntil time.Time
		failures  []time.Time // the last of them, at most rule's count, oldest first
		parts     [buckets]part
	}
}

// part counts requests of a tenth of the interval.
type part struct {
	number        int64 // of the part since the zero time
	total, failed int64
}

func newBreaker(r resource.CircuitBreakerRule) *breaker {
	b := &breaker{rule: r, trip: defaultTrip}
	// Validate has parsed both.
	b.interval, _ = resource.ParseDuration(r.FailureCondition.Interval)
	if d, err := resource.ParseDuration(r.TripDuration); err == nil {
		b.trip = d
	}
	return b
}

func (b *breaker) same(other *breaker) bool { return reflect.DeepEqual(b.rule, other.rule) }

// allows says whether the breaker is closed.
func (b *breaker) allows(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !now.Before(b.mu.openUntil)
}

// failed says whether an answer counts as a failure.
func (b *breaker) failed(status int, reason string) bool {
	c := &b.rule.FailureCondition
	if reason != "" {
		for _, r := range c.ErrorReasons {
			if r == reason {
				return true
			}
		}
		return false
	}
	for _, r := range c.StatusCodeRanges {
		if status >= r.Min && status <= r.Max {
			return true
		}
	}
	return false
}

// done counts an answer and opens the breaker when there were too many failures.
func (b *breaker) done(status int, reason string, retryAfter time.Duration, now time.Time) {
	failed := b.failed(status, reason)
	b.mu.Lock()
	defer b.mu.Unlock()
	tripped := false
	if b.rule.FailureCondition.Count > 0 {
		if !failed {
			return
		}
		tripped = b.countLocked(now)
	} else {
		tripped = b.shareLocked(failed, now) && failed
	}
	if !tripped {
		return
	}
	trip := b.trip
	if b.rule.AcceptRetryAfter && retryAfter > 0 {
		trip = retryAfter
	}
	b.mu.openUntil = now.Add(trip)
	b.mu.failures = b.mu.failures[:0]
	clear(b.mu.parts[:])
}

// countLocked notes a failure and says whether there were as many within the interval as the rule allows.
func (b *breaker) countLocked(now time.Time) bool {
	most := int(b.rule.FailureCondition.Count)
	if len(b.mu.failures) == most {
		copy(b.mu.failures, b.mu.failures[1:])
		b.mu.failures = b.mu.failures[:most-1]
	}
	b.mu.failures = append(b.mu.failures, now)
	return len(b.mu.failures) == most && now.Sub(b.mu.failures[0]) <= b.interval
}

// leastRequests is how many requests an interval must have before a percentage of them says anything.
const leastRequests = 10

// shareLocked counts a request and says whether too large a part of those within the interval failed.
func (b *breaker) shareLocked(failed bool, now time.Time) bool {
	width := max(b.interval/buckets, 1)
	number := now.UnixNano() / int64(width)
	p := &b.mu.parts[number%buckets]
	if p.number != number {
		*p = part{number: number}
	}
	p.total++
	if failed {
		p.failed++
	}
	var total, failures int64
	for i := range b.mu.parts {
		if number-b.mu.parts[i].number < buckets {
			total += b.mu.parts[i].total
			failures += b.mu.parts[i].failed
		}
	}
	return total >= leastRequests && failures*100 >= total*b.rule.FailureCondition.Percentage
}
