package policy

import (
	"math"
	"math/rand/v2"
	"time"
)

// retry is the retry policy (retry-policy).
type retry struct {
	condition          Value[bool]
	count              Value[int]
	interval           Value[int] // seconds, as are the next two
	delta, maxInterval Value[int]
	firstFast          Value[bool]
	steps              []Step
}

// maxRetries is the largest count (retry-policy, "Attributes").
const maxRetries = 50

func newRetry(b *Builder) Policy {
	r := &retry{
		count:       b.Int("count", 1, 1, maxRetries, Required),
		interval:    b.Int("interval", 0, 0, math.MaxInt32, Required),
		delta:       b.Int("delta", 0, 0, math.MaxInt32, 0),
		maxInterval: b.Int("max-interval", 0, 0, math.MaxInt32, 0),
		firstFast:   b.Bool("first-fast-retry", false, 0),
	}
	later := b.later
	b.later = true
	r.condition = b.Bool("condition", false, Required)
	b.later = later
	r.steps = b.Steps()
	if r.maxInterval.IsSet() && !r.delta.IsSet() {
		b.Errorf("The attribute 'max-interval' needs a 'delta'")
	}
	return r
}

// Run runs the statements, which may be none when waiting is all that is wanted, and again while the condition holds.
func (r *retry) Run(x *Exchange) (Outcome, error) {
	count, err := r.count.Get(x)
	if err != nil {
		return End, err
	}
	for attempt := 0; ; attempt++ {
		x.Tail = false // The response is looked at before it may go out.
		outcome, failure := Run(x, r.steps)
		if failure == nil && outcome != Continue || x.completed || x.Context.Err() != nil || attempt >= count {
			return outcome, failure
		}
		again, err := r.condition.Get(x)
		if failure != nil && (err != nil || !again) {
			return End, failure // What went wrong first says more than a condition that did not expect it.
		}
		if err != nil {
			return End, err
		}
		if !again {
			return Continue, nil
		}
		wait, err := r.wait(x, attempt+1)
		if err != nil {
			return End, err
		}
		if err := sleep(x, wait); err != nil {
			return End, err
		}
		x.LastError = nil
	}
}

// wait is how long to wait before the n-th retry, n from 1 (retry-policy, "Attributes").
func (r *retry) wait(x *Exchange, n int) (time.Duration, error) {
	fast, err := r.firstFast.Get(x)
	if err != nil || fast && n == 1 {
		return 0, err
	}
	interval, err := r.interval.Get(x)
	if err != nil {
		return 0, err
	}
	delta, err := r.delta.Get(x)
	if err != nil {
		return 0, err
	}
	longest, err := r.maxInterval.Get(x)
	if err != nil {
		return 0, err
	}
	return retryWait(n, interval, delta, longest, rand.Float64()), nil
}

// retryWait is the wait before the n-th retry. All but n are seconds; chance is between 0 and 1.
func retryWait(n, interval, delta, longest int, chance float64) time.Duration {
	seconds := float64(interval)
	switch {
	case delta == 0:
	case longest == 0:
		seconds += float64(n-1) * float64(delta)
	default:
		step := (0.8 + 0.4*chance) * float64(delta)
		seconds = min(seconds+(math.Exp2(float64(n))-1)*step, float64(longest))
	}
	return time.Duration(min(seconds, 24*3600) * float64(time.Second))
}

// sleep waits, or fails when the client goes first.
func sleep(x *Exchange, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	var err error
	x.blocking(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-x.Context.Done():
			err = x.Context.Err()
		}
	})
	return err
}
