package limit

import "sync"

// Concurrency counts what runs at once on this node, by key. The zero value is ready for use.
type Concurrency struct {
	mu      sync.Mutex
	running map[string]int
}

// Acquire takes a place unless most are taken. Each place that it gave is given back by Release.
func (c *Concurrency) Acquire(key string, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[key] >= most {
		return false
	}
	if c.running == nil {
		c.running = map[string]int{}
	}
	c.running[key]++
	return true
}

// Release gives a place back.
func (c *Concurrency) Release(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running[key]--; c.running[key] <= 0 {
		delete(c.running, key)
	}
}
