package policy

import (
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/limit"
)

// quotaByKey is the quota-by-key policy (quota-by-key-policy): so many calls and bytes with the same key.
type quotaByKey struct {
	runtime          *Runtime
	calls, bandwidth int64 // bandwidth in bytes; 0 is no limit
	period           time.Duration
	anchor           int64
	key              Value[string]
	increment        increment
}

func newQuotaByKey(b *Builder) Policy {
	q := &quotaByKey{runtime: b.runtime(), key: b.String("counter-key", Required), increment: b.increment()}
	var n nestedLimit
	b.quota(&n)
	q.calls, q.bandwidth, q.period = n.calls, n.bandwidth, n.key.Period
	if seconds := q.period / time.Second; seconds != 0 && seconds < leastQuotaByKeyPeriod {
		b.Errorf("The attribute 'renewal-period': %d is less than %d", seconds, leastQuotaByKeyPeriod)
	}
	first := b.Literal("first-period-start", "0001-01-01T00:00:00Z", 0)
	begin, err := parseISODate(first)
	if err != nil {
		b.Errorf("The attribute 'first-period-start': %q is no ISO 8601 date and time like 2026-01-31T00:00:00Z", first)
	}
	q.anchor = begin.Unix()
	return q
}

// parseISODate reads a date with or without time and zone; without a zone it is UTC.
func parseISODate(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	var err error
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		var t time.Time
		if t, err = time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, err
}

// Run counts the call, or refuses it.
func (q *quotaByKey) Run(x *Exchange) (Outcome, error) {
	value, err := q.key.Get(x)
	if err != nil {
		return End, err
	}
	n, err := q.increment.before(x)
	if err != nil {
		return End, err
	}
	key := limit.Key{Kind: limit.Calls, Value: value, Period: q.period, Anchor: q.anchor}
	if x.countedIn(key) {
		// A request counts once for a key, however many statements name it: with this one it may only be refused.
		return Continue, q.refuse(x, key)
	}
	if err := takeQuota(x, q.runtime, key, q.calls, q.bandwidth, n, &q.increment); err != nil {
		return End, err
	}
	return Continue, nil
}

// refuse is the failure when a limit is passed already.
func (q *quotaByKey) refuse(x *Exchange, key limit.Key) error {
	for kind, most := range map[limit.Kind]int64{limit.Calls: q.calls + 1, limit.Bytes: q.bandwidth + 1} {
		if most == 1 {
			continue
		}
		key.Kind = kind
		if u, err := q.runtime.Counters.Take(x.Context, key, most, 0); err == nil && !u.Allowed {
			return quotaExceeded(kind, u)
		}
	}
	return nil
}
