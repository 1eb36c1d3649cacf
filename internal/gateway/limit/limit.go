package limit

import (
	"context"
	"time"
)

// Kind says what a counter counts.
type Kind uint8

// The kinds of counter.
const (
	Rate  Kind = iota + 1 // calls in a window that slides
	Calls                 // calls in a period of a quota
	Bytes                 // bytes in a period of a quota
)

// Key names a counter. Two policies with equal keys share it.
type Key struct {
	Kind Kind
	// Scope is the resource and the place of a policy that counts for itself; "" is shared by all policies that name a key.
	Scope string
	// Value is the key itself: a subscription, or what a policy's counter-key gives.
	Value string
	// Period is the length of the window; 0 is a quota that is never replenished.
	Period time.Duration
	// Anchor is a beginning of a quota's period, in seconds since 1970. Rates have none.
	Anchor int64
}

// Usage is what a counter shows.
type Usage struct {
	// Allowed says that the limit was kept.
	Allowed bool
	// Used is the count of the window, what was just taken included.
	Used int64
	// Retry is how long it takes until the same would be allowed; 0 when it is allowed, negative when that is never.
	Retry time.Duration
}

// Counters keep counts, for this node alone or for all nodes of a cluster. They may be used by any number of goroutines.
type Counters interface {
	// Take counts n when the count stays within limit. With n = 0 nothing is counted, and one more must fit.
	Take(ctx context.Context, key Key, limit, n int64) (Usage, error)
	// Add counts n whatever the limit is, for what is known only afterwards.
	Add(ctx context.Context, key Key, n int64) error
}
