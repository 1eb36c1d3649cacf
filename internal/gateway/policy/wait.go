package policy

import (
	"context"
	"slices"
	"sync"
)

// waitPolicy is the wait policy (wait-policy): its statements run at the same time.
type waitPolicy struct {
	any   bool // go on when the first is done
	steps []Step
}

// waitable are the policies that wait takes (wait-policy, "Elements", and the schema of the editor).
var waitable = []string{"send-request", "cache-lookup-value", "cache-store-value", "choose"}

func newWait(b *Builder) Policy {
	which := b.OneOf("for", 0, "all", "any")
	w := &waitPolicy{}
	if value, known := which.Known(); known {
		w.any = value == "any"
	} else {
		b.Errorf("The attribute 'for' does not take an expression")
	}
	for _, e := range b.e.children {
		if !slices.Contains(waitable, e.name) {
			b.c.report(errorf(e.name, e.line, e.column, "The element is not allowed in 'wait'; allowed are: send-request, cache-lookup-value, cache-store-value, choose"))
		}
	}
	w.steps = b.Steps()
	if len(w.steps) == 0 {
		b.Errorf("At least one policy is required in 'wait'")
	}
	return w
}

// Run runs each statement in a goroutine of its own. Only one of them has the exchange at a time: the others wait for the
// network, which is what the policy is for. Within another wait they run one after the other.
func (w *waitPolicy) Run(x *Exchange) (Outcome, error) {
	x.Tail = false
	if x.baton != nil {
		if w.any {
			return Run(x, w.steps[:1])
		}
		return Run(x, w.steps)
	}
	outer := x.Context
	ctx, cancel := context.WithCancel(outer)
	defer cancel()
	baton := &sync.Mutex{}
	x.baton, x.Context = baton, ctx
	results := make([]result, len(w.steps))
	var wait sync.WaitGroup
	first := -1
	for i := range w.steps {
		wait.Go(func() {
			baton.Lock()
			defer baton.Unlock()
			if ctx.Err() != nil {
				return // Another has won before this one began.
			}
			outcome, err := Run(x, w.steps[i:i+1])
			results[i] = result{outcome: outcome, err: err}
			if first < 0 {
				if first = i; w.any {
					cancel()
				}
			}
		})
	}
	wait.Wait()
	x.Context, x.baton = outer, nil
	if w.any && first >= 0 {
		return w.take(x, results[first])
	}
	for _, r := range results {
		if r.err != nil || r.outcome != Continue {
			return w.take(x, r)
		}
	}
	return Continue, nil
}

// result is how one of the statements ended.
type result struct {
	outcome Outcome
	err     error
}

// take makes the result of one statement that of all. The last error is that of the one that counts.
func (w *waitPolicy) take(x *Exchange, r result) (Outcome, error) {
	if r.err == nil {
		x.LastError = nil
		return r.outcome, nil
	}
	if x.LastError != nil && x.LastError.failure != r.err {
		x.LastError = nil
	}
	return r.outcome, r.err
}
