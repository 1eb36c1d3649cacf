package policy

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/limit"
)

// ReasonRateLimitExceeded is the reason of the failures of rate-limit and rate-limit-by-key.
const ReasonRateLimitExceeded = "RateLimitExceeded"

// maxRenewal is the longest renewal period of a rate limit in seconds (rate-limit-policy, "Attributes").
const maxRenewal = 300

// report says where a rate limit tells what is left. Header names are canonical.
type report struct {
	retryHeader, retryVariable         string
	remainingHeader, remainingVariable string
	totalHeader                        string
}

func (b *Builder) report() report {
	return report{
		retryHeader:       b.headerName("retry-after-header-name", "Retry-After"),
		retryVariable:     b.Literal("retry-after-variable-name", "", 0),
		remainingHeader:   b.headerName("remaining-calls-header-name", ""),
		remainingVariable: b.Literal("remaining-calls-variable-name", "", 0),
		totalHeader:       b.headerName("total-calls-header-name", ""),
	}
}

// headerName is an attribute that names a header of the response, in canonical form.
func (b *Builder) headerName(attribute, fallback string) string {
	name := http.CanonicalHeaderKey(strings.TrimSpace(b.Literal(attribute, fallback, 0)))
	switch {
	case name == "":
	case !validHeaderName(name):
		b.Errorf("The attribute '%s': %q is not a header name", attribute, name)
	case immutableHeader(name):
		b.Errorf("The attribute '%s': the header '%s' belongs to the connection", attribute, name)
	}
	return name
}

// note tells what is left after a call, or after one that was refused.
func (r *report) note(x *Exchange, most int64, u limit.Usage) {
	remaining := max(most-u.Used, 0)
	if !u.Allowed {
		remaining = 0
	}
	if r.remainingHeader != "" {
		x.promise(r.remainingHeader, strconv.FormatInt(remaining, 10))
	}
	if r.remainingVariable != "" {
		x.SetVariable(r.remainingVariable, int32(min(remaining, math.MaxInt32)))
	}
	if r.totalHeader != "" {
		x.promise(r.totalHeader, strconv.FormatInt(most, 10))
	}
}

// exceeded is the failure of a call over the limit.
func (r *report) exceeded(x *Exchange, period time.Duration, u limit.Usage) error {
	wait := u.Retry
	if wait <= 0 {
		wait = period
	}
	seconds := strconv.FormatInt(wholeSeconds(wait), 10)
	if r.retryVariable != "" {
		x.SetVariable(r.retryVariable, int32(wholeSeconds(wait)))
	}
	return &Failure{
		Status: http.StatusTooManyRequests, Public: "Rate limit is exceeded. Try again in " + seconds + " seconds.",
		Reason: ReasonRateLimitExceeded, Message: "Rate limit is exceeded", Header: http.Header{r.retryHeader: {seconds}},
	}
}

// wholeSeconds rounds up, so that who waits so long is let through.
func wholeSeconds(d time.Duration) int64 { return max(int64((d+time.Second-1)/time.Second), 1) }

// rateLimit is the rate-limit policy (rate-limit-policy): so many calls of a subscription.
type rateLimit struct {
	runtime *Runtime
	report  report
	calls   int64
	key     limit.Key // without the subscription
	apis    []nestedLimit
}

// nestedLimit is a limit of an API or an operation within the policy of a product or an API.
type nestedLimit struct {
	id, name   string
	operation  bool
	calls      int64
	bandwidth  int64 // bytes; quotas only
	key        limit.Key
	operations []nestedLimit
}

func newRateLimit(b *Builder) Policy {
	r := &rateLimit{runtime: b.runtime(), report: b.report()}
	r.calls, r.key.Period = b.rate()
	r.key.Kind, r.key.Scope = limit.Rate, b.counterScope("")
	r.apis = b.nested("api", func(child *Builder, n *nestedLimit) {
		n.calls, n.key.Period = child.rate()
		n.key.Kind = limit.Rate
	})
	return r
}

// rate reads calls and renewal-period without expressions.
func (b *Builder) rate() (calls int64, period time.Duration) {
	c := b.Int("calls", 0, 1, math.MaxInt32, Required|LiteralOnly)
	p := b.Int("renewal-period", 1, 1, maxRenewal, Required|LiteralOnly)
	n, _ := c.Known()
	seconds, _ := p.Known()
	return int64(n), time.Duration(seconds) * time.Second
}

// counterScope names the counters of this statement, so that a new configuration goes on with them.
func (b *Builder) counterScope(inner string) string {
	return b.c.owner.Key() + "#" + b.e.name + inner
}

// nested reads the elements api and, within them, operation.
func (b *Builder) nested(element string, read func(child *Builder, n *nestedLimit)) []nestedLimit {
	var list []nestedLimit
	for _, child := range b.Children(element) {
		n := nestedLimit{id: child.Literal("id", "", 0), name: child.Literal("name", "", 0), operation: element == "operation"}
		if n.id == "" && n.name == "" {
			child.Errorf("One of the attributes 'id' and 'name' is required")
		}
		read(child, &n)
		// What is counted for the nested element has a name of its own.
		n.key.Scope = b.counterScope("/" + child.path + "/" + strings.ToLower(n.id+"|"+n.name))
		if element == "api" {
			n.operations = child.nested("operation", read)
		}
		child.Done()
		list = append(list, n)
	}
	return list
}

// matches says whether the request is for the API or the operation. An id wins over a name.
func (n *nestedLimit) matches(x *Exchange) bool {
	if n.operation {
		return x.Operation != nil && named(n, x.Operation.ID.Name(), x.Operation.DisplayName)
	}
	return x.API != nil && named(n, x.API.BaseName(), x.API.DisplayName)
}

func named(n *nestedLimit, id, displayName string) bool {
	if n.id != "" {
		return strings.EqualFold(n.id, id)
	}
	return n.name == displayName || strings.EqualFold(n.name, id)
}

// Run counts the call, or refuses it. Without a subscription there is nobody whose calls would be counted.
func (r *rateLimit) Run(x *Exchange) (Outcome, error) {
	if x.Subscription == nil {
		return Continue, nil
	}
	subscription := x.Subscription.ID.Name()
	if err := r.take(x, r.key, subscription, r.calls); err != nil {
		return End, err
	}
	for i := range r.apis {
		api := &r.apis[i]
		if !api.matches(x) {
			continue
		}
		if err := r.take(x, api.key, subscription, api.calls); err != nil {
			return End, err
		}
		for j := range api.operations {
			if o := &api.operations[j]; o.matches(x) {
				if err := r.take(x, o.key, subscription, o.calls); err != nil {
					return End, err
				}
			}
		}
	}
	return Continue, nil
}

func (r *rateLimit) take(x *Exchange, key limit.Key, subscription string, calls int64) error {
	key.Value = subscription
	u, err := r.runtime.Counters.Take(x.Context, key, calls, 1)
	if err != nil {
		r.runtime.warn(x, "a rate limit could not be counted; the call was let through", err)
		return nil
	}
	r.report.note(x, calls, u)
	if !u.Allowed {
		return r.report.exceeded(x, key.Period, u)
	}
	return nil
}
