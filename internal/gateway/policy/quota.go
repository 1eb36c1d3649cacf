package policy

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/limit"
)

// ReasonQuotaExceeded is the reason of the failures of quota and quota-by-key.
const ReasonQuotaExceeded = "QuotaExceeded"

// leastQuotaByKeyPeriod is the shortest renewal period of quota-by-key in seconds (quota-by-key-policy, "Attributes").
const leastQuotaByKeyPeriod = 300

// quotaExceeded is the failure of a call over a quota.
func quotaExceeded(kind limit.Kind, u limit.Usage) error {
	what := "call volume"
	if kind == limit.Bytes {
		what = "bandwidth"
	}
	f := &Failure{Status: http.StatusForbidden, Reason: ReasonQuotaExceeded}
	if u.Retry > 0 {
		seconds := wholeSeconds(u.Retry)
		f.Public = "Out of " + what + " quota. Quota will be replenished in " + clock(seconds) + "."
		f.Header = http.Header{"Retry-After": {strconv.FormatInt(seconds, 10)}}
	} else {
		f.Public = "Out of " + what + " quota."
	}
	f.Message = f.Public
	return f
}

// clock is a number of seconds as .NET prints a TimeSpan: hh:mm:ss, with days before when there are any.
func clock(seconds int64) string {
	days := ""
	if d := seconds / 86400; d > 0 {
		days = strconv.FormatInt(d, 10) + "."
	}
	return days + fmt.Sprintf("%02d:%02d:%02d", seconds/3600%24, seconds/60%60, seconds%60)
}

// bandwidthCount counts the bytes of a request and its response once they have gone through.
type bandwidthCount struct {
	runtime   *Runtime
	increment *increment // nil counts always
	key       limit.Key
}

// Afterwards counts.
func (c *bandwidthCount) Afterwards(x *Exchange) {
	if c.increment != nil {
		if n, err := c.increment.amount(x); err != nil || n == 0 {
			return
		}
	}
	if err := c.runtime.Counters.Add(x.Context, c.key, x.RequestSize+x.ResponseSize); err != nil {
		c.runtime.warn(x, "bandwidth could not be counted", err)
	}
}

// quota is the quota policy (quota-policy): so many calls and bytes of a subscription to a product.
type quota struct {
	runtime *Runtime
	own     nestedLimit
	apis    []nestedLimit
}

func newQuota(b *Builder) Policy {
	q := &quota{runtime: b.runtime()}
	b.quota(&q.own)
	q.own.key.Scope = b.counterScope("")
	q.apis = b.nested("api", func(child *Builder, n *nestedLimit) { child.quota(n) })
	return q
}

// quota reads the attributes that say how much is allowed.
func (b *Builder) quota(n *nestedLimit) {
	calls := b.Int("calls", 0, 1, math.MaxInt32, LiteralOnly)
	bandwidth := b.Int("bandwidth", 0, 1, math.MaxInt32, LiteralOnly)
	period := b.Int("renewal-period", 0, 0, math.MaxInt32, Required|LiteralOnly)
	if !calls.IsSet() && !bandwidth.IsSet() {
		b.Errorf("One of the attributes 'calls' and 'bandwidth' is required")
	}
	c, _ := calls.Known()
	kilobytes, _ := bandwidth.Known()
	seconds, _ := period.Known()
	n.calls, n.bandwidth = int64(c), int64(kilobytes)<<10
	n.key.Period = time.Duration(seconds) * time.Second
}

// Run counts the call, or refuses it. Periods begin with the subscription.
func (q *quota) Run(x *Exchange) (Outcome, error) {
	if x.Subscription == nil {
		return Continue, nil
	}
	if err := q.take(x, &q.own); err != nil {
		return End, err
	}
	for i := range q.apis {
		api := &q.apis[i]
		if !api.matches(x) {
			continue
		}
		if err := q.take(x, api); err != nil {
			return End, err
		}
		for j := range api.operations {
			if o := &api.operations[j]; o.matches(x) {
				if err := q.take(x, o); err != nil {
					return End, err
				}
			}
		}
	}
	return Continue, nil
}

func (q *quota) take(x *Exchange, n *nestedLimit) error {
	s := x.Subscription
	begin := s.StartDate
	if begin.IsZero() {
		begin = s.CreatedDate
	}
	key := n.key
	key.Value, key.Anchor = s.ID.Name(), begin.Unix()
	return takeQuota(x, q.runtime, key, n.calls, n.bandwidth, 1, nil)
}

// takeQuota counts n calls and, later, the bytes, or says which of the two is used up. A limit of 0 is none.
func takeQuota(x *Exchange, r *Runtime, key limit.Key, calls, bandwidth, n int64, i *increment) error {
	if bandwidth > 0 {
		key.Kind = limit.Bytes
		u, err := r.Counters.Take(x.Context, key, bandwidth, 0)
		if err != nil {
			r.warn(x, "a quota could not be looked at; the call was let through", err)
		} else if !u.Allowed {
			return quotaExceeded(key.Kind, u)
		}
	}
	if calls > 0 {
		key.Kind = limit.Calls
		u, err := r.Counters.Take(x.Context, key, calls, n)
		if err != nil {
			r.warn(x, "a quota could not be counted; the call was let through", err)
		} else if !u.Allowed {
			return quotaExceeded(key.Kind, u)
		}
		if i != nil && i.afterResponse {
			x.responded = append(x.responded, &lateCount{runtime: r, increment: i, key: key})
		}
	}
	if bandwidth > 0 {
		key.Kind = limit.Bytes
		x.finished = append(x.finished, &bandwidthCount{runtime: r, increment: i, key: key})
	}
	return nil
}
