package policy

import (
	"math"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/limit"
)

// increment says whether and how much a call counts. What depends on the response is known only afterwards.
type increment struct {
	condition     Value[bool]
	count         Value[int]
	afterResponse bool
}

func (b *Builder) increment() increment {
	later := b.later
	b.later = true // Both may look at the response.
	i := increment{condition: b.Bool("increment-condition", true, 0), count: b.Int("increment-count", 1, 0, math.MaxInt32, 0)}
	b.later = later
	_, known := i.condition.Known()
	i.afterResponse = !known
	return i
}

// amount is how much the call counts. It is asked once the response is there when afterResponse is set.
func (i *increment) amount(x *Exchange) (int64, error) {
	counts, err := i.condition.Get(x)
	if err != nil || !counts {
		return 0, err
	}
	n, err := i.count.Get(x)
	return int64(n), err
}

// before is how much is counted at once.
func (i *increment) before(x *Exchange) (int64, error) {
	if i.afterResponse {
		return 0, nil
	}
	return i.amount(x)
}

// counted says whether this request has counted in the counter already, and notes that it has.
func (x *Exchange) countedIn(key limit.Key) bool {
	for _, k := range x.counted {
		if k == key {
			return true
		}
	}
	x.counted = append(x.counted, key)
	return false
}

// lateCount counts a call once its response is known.
type lateCount struct {
	runtime   *Runtime
	increment *increment
	key       limit.Key
}

// Afterwards counts.
func (l *lateCount) Afterwards(x *Exchange) {
	n, err := l.increment.amount(x)
	if err == nil && n > 0 {
		err = l.runtime.Counters.Add(x.Context, l.key, n)
	}
	if err != nil {
		l.runtime.warn(x, "a call could not be counted", err)
		x.trace("rate-limit-by-key", "error", "The call is not counted: "+err.Error())
	}
}

// rateLimitByKey is the rate-limit-by-key policy (rate-limit-by-key-policy): so many calls with the same key. All statements
// of a service that come to the same key count together.
type rateLimitByKey struct {
	runtime   *Runtime
	report    report
	calls     Value[int]
	period    Value[int] // seconds
	key       Value[string]
	increment increment
}

func newRateLimitByKey(b *Builder) Policy {
	r := &rateLimitByKey{
		runtime: b.runtime(), report: b.report(),
		calls:     b.Int("calls", 0, 1, math.MaxInt32, Required),
		period:    b.Int("renewal-period", 0, 1, maxRenewal, Required),
		key:       b.String("counter-key", Required),
		increment: b.increment(),
	}
	after := b.Bool("increment-after-response", false, LiteralOnly)
	if late, _ := after.Known(); late {
		r.increment.afterResponse = true
	}
	b.Bool("flexible-retry-window", false, LiteralOnly) // Of the token bucket of other tiers; a sliding window has no other way.
	return r
}

// Run counts the call, or refuses it.
func (r *rateLimitByKey) Run(x *Exchange) (Outcome, error) {
	calls, err := r.calls.Get(x)
	if err != nil {
		return End, err
	}
	seconds, err := r.period.Get(x)
	if err != nil {
		return End, err
	}
	value, err := r.key.Get(x)
	if err != nil {
		return End, err
	}
	n, err := r.increment.before(x)
	if err != nil {
		return End, err
	}
	key := limit.Key{Kind: limit.Rate, Value: value, Period: time.Duration(seconds) * time.Second}
	repeated := x.countedIn(key)
	if repeated {
		n = 0
	}
	u, err := r.runtime.Counters.Take(x.Context, key, r.within(calls, repeated), n)
	if err != nil {
		r.runtime.warn(x, "a rate limit could not be counted; the call was let through", err)
		return Continue, nil
	}
	r.report.note(x, int64(calls), u)
	if !u.Allowed {
		return End, r.report.exceeded(x, key.Period, u)
	}
	if r.increment.afterResponse && !repeated {
		x.responded = append(x.responded, &lateCount{runtime: r.runtime, increment: &r.increment, key: key})
	}
	return Continue, nil
}

// within is the limit of a look at the counter. A request that is in it already needs no place more.
func (r *rateLimitByKey) within(calls int, repeated bool) int64 {
	if repeated {
		return int64(calls) + 1
	}
	return int64(calls)
}
