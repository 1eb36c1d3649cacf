package cache

import (
	"context"
	"time"
)

// MaxValue is the most bytes that one entry may have: 2 MiB and what a response's head takes (service limits, "Maximum cached response size").
const MaxValue = 2<<20 + 64<<10

// Cache keeps bytes under keys for a time. It may be used by any number of goroutines.
type Cache interface {
	// Get returns the value of a key; ok is false when there is none or its time is over. The value must not be changed.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)
	// Set keeps the value for a time, which must be positive. The value must not change afterwards.
	Set(ctx context.Context, key string, value []byte, keep time.Duration) error
	// Delete forgets a key; one that is not there is no error.
	Delete(ctx context.Context, key string) error
}
