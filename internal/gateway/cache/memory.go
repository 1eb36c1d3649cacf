package cache

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

// DefaultMemory is how many bytes a [Memory] holds unless told otherwise: 64 MiB.
const DefaultMemory = 64 << 20

// Memory is a cache in this process. It is volatile: what is asked for least goes first when it is full.
type Memory struct {
	size int

	mu     sync.Mutex
	cache  *otter.Cache[string, entry] // made when the first value comes, for it runs a goroutine
	closed bool
}

type entry struct {
	value   []byte
	expires time.Time
}

// entryOverhead is about what an entry costs beside its key and value.
const entryOverhead = 160

// NewMemory makes a cache of at most size bytes, 0 for [DefaultMemory].
func NewMemory(size int) *Memory {
	if size <= 0 {
		size = DefaultMemory
	}
	return &Memory{size: size}
}

func (m *Memory) open() (*otter.Cache[string, entry], error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cache == nil && !m.closed {
		c, err := otter.New(&otter.Options[string, entry]{
			MaximumWeight: uint64(m.size),
			Weigher:       func(key string, e entry) uint32 { return uint32(len(key) + len(e.value) + entryOverhead) },
			ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, entry]) time.Duration {
				return max(time.Until(e.Value.expires), 1)
			}),
		})
		if err != nil {
			return nil, fmt.Errorf("cache in memory: %w", err)
		}
		m.cache = c
	}
	return m.cache, nil
}

// Get returns the value of a key; the error is always nil.
func (m *Memory) Get(_ context.Context, key string) ([]byte, bool, error) {
	m.mu.Lock()
	c := m.cache
	m.mu.Unlock()
	if c == nil {
		return nil, false, nil
	}
	e, ok := c.GetIfPresent(key)
	if !ok || !time.Now().Before(e.expires) {
		return nil, false, nil
	}
	return e.value, true, nil
}

// Set keeps the value. One that is larger than [MaxValue] is an error.
func (m *Memory) Set(_ context.Context, key string, value []byte, keep time.Duration) error {
	if err := checkSize(value); err != nil {
		return err
	}
	c, err := m.open()
	if c != nil {
		c.Set(key, entry{value: value, expires: time.Now().Add(keep)})
	}
	return err
}

func checkSize(value []byte) error {
	if len(value) > MaxValue {
		return fmt.Errorf("a value of %d bytes is too large for the cache; at most %d are kept", len(value), MaxValue)
	}
	return nil
}

// Delete forgets a key; the error is always nil.
func (m *Memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	c := m.cache
	m.mu.Unlock()
	if c != nil {
		c.Invalidate(key)
	}
	return nil
}

// Close drops everything. The cache stays empty from then on.
func (m *Memory) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.cache != nil {
		m.cache.StopAllGoroutines()
		m.cache.InvalidateAll()
		m.cache = nil
	}
}

var _ Cache = (*Memory)(nil)
