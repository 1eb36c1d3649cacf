package policy

import (
	"math"
	"net/http"
)

// limitConcurrency is the limit-concurrency policy (limit-concurrency-policy): its statements run for so many requests at once.
type limitConcurrency struct {
	runtime *Runtime
	key     Value[string]
	most    int
	steps   []Step
}

func newLimitConcurrency(b *Builder) Policy {
	most := b.Int("max-count", 0, 1, math.MaxInt32, Required|LiteralOnly)
	l := &limitConcurrency{runtime: b.runtime(), key: b.String("key", Required), steps: b.Steps()}
	l.most, _ = most.Known()
	return l
}

// Run runs the statements, or refuses the request when too many others are at them.
func (l *limitConcurrency) Run(x *Exchange) (Outcome, error) {
	key, err := l.key.Get(x)
	if err != nil {
		return End, err
	}
	if !l.runtime.Concurrency.Acquire(key, l.most) {
		return End, &Failure{Status: http.StatusTooManyRequests, Public: "Too many requests", Reason: "ConcurrencyLimitExceeded", Message: "Concurrency limit is exceeded"}
	}
	defer l.runtime.Concurrency.Release(key)
	x.Tail = false // The place is given back after the statements, not after the response is out.
	return Run(x, l.steps)
}
