package session

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/resource"
)

// quotas count what an instance's clients use, against the rules of its resource. They go on counting when the rules change.
type quotas struct {
	mu        sync.Mutex
	rules     resource.Quotas
	negotiate *rate.Limiter     // nil: as many as come
	holders   map[holder]int    // clients that share a value, by connection count rule
	traffic   map[holder]*usage // bytes of clients that share a value, by traffic rule

	day      int64 // of messages, in days since 1970
	messages int64

	diagnostic int // clients that are traced
}

// holder is one value of what a rule counts by.
type holder struct{ by, claim, value string }

// usage is what one value has used of a window.
type usage struct {
	until time.Time
	bytes int64
}

// maxDiagnostic is how many clients may be traced at once (signalr-service §1.3).
const maxDiagnostic = 100

// defaultMaxCount, defaultMaxBytes and defaultWindow are Azure's.
const (
	defaultMaxCount = 20
	defaultMaxBytes = 1 << 30
	defaultWindow   = 60 * time.Second
)

func (q *quotas) configure(r resource.Quotas) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.NegotiatePerSecond != q.rules.NegotiatePerSecond || q.negotiate == nil && r.NegotiatePerSecond > 0 {
		q.negotiate = nil
		if r.NegotiatePerSecond > 0 {
			q.negotiate = rate.NewLimiter(rate.Limit(r.NegotiatePerSecond), 2*r.NegotiatePerSecond)
		}
	}
	q.rules = r
	if q.holders == nil {
		q.holders, q.traffic = make(map[holder]int), make(map[holder]*usage)
	}
}

// mayNegotiate counts one more client that comes.
func (q *quotas) mayNegotiate() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.negotiate == nil || q.negotiate.Allow()
}

// client is what is counted for one client, so that exactly that is given back.
type client struct {
	held       []holder
	traffic    []holder
	diagnostic bool
}

// enter counts a client that opens its transport. When a rule is full it counts nothing and says which text to refuse with.
func (q *quotas) enter(token *auth.Token, bearer, address string) (c client, refusal string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if token.Settings().Diagnostic {
		if q.diagnostic >= maxDiagnostic {
			return c, "Too many diagnostic clients."
		}
		c.diagnostic = true
	}
	for _, r := range q.rules.ConnectionCount {
		h, ok := holderOf(r.By, r.Claim, token, bearer, address)
		if !ok {
			continue
		}
		limit := r.MaxCount
		if limit == 0 {
			limit = defaultMaxCount
		}
		if q.holders[h] >= limit {
			return client{}, "Connection count reaches limit."
		}
		c.held = append(c.held, h)
	}
	for _, r := range q.rules.Traffic {
		if h, ok := holderOf(r.By, r.Claim, token, bearer, address); ok {
			c.traffic = append(c.traffic, h)
		}
	}
	for _, h := range c.held {
		q.holders[h]++
	}
	if c.diagnostic {
		q.diagnostic++
	}
	return c, ""
}

// leave gives back what enter counted.
func (q *quotas) leave(c client) {
	if c.held == nil && !c.diagnostic {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, h := range c.held {
		if q.holders[h]--; q.holders[h] <= 0 {
			delete(q.holders, h)
		}
	}
	if c.diagnostic {
		q.diagnostic--
	}
}

// holderOf is the value that a rule counts by; false when the client has none.
func holderOf(by, claim string, token *auth.Token, bearer, address string) (holder, bool) {
	h := holder{by: by, claim: claim}
	ok := true
	switch by {
	case resource.ByUser:
		h.value, ok = token.UserID()
	case resource.ByIP:
		h.value = address
	case resource.ByTokenSignature:
		sum := sha256.Sum256([]byte(bearer)) // the token itself must not lie around
		h.value = hex.EncodeToString(sum[:])
	case resource.ByClaim:
		h.value, ok = token.First(claim)
	}
	return h, ok && h.value != ""
}

// received counts bytes of a client; false means that it has sent too much and must go.
func (q *quotas) received(c client, bytes int, now time.Time) bool {
	if c.traffic == nil {
		return true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	ok := true
	for _, h := range c.traffic {
		limit, window := q.trafficRule(h)
		if limit == 0 {
			continue // the rule is gone
		}
		u := q.traffic[h]
		if u == nil || now.After(u.until) {
			u = &usage{until: now.Add(window)}
			q.traffic[h] = u
		}
		u.bytes += int64(bytes)
		ok = ok && u.bytes <= limit
	}
	return ok
}

func (q *quotas) trafficRule(h holder) (limit int64, window time.Duration) {
	for _, r := range q.rules.Traffic {
		if r.By != h.by || r.Claim != h.claim {
			continue
		}
		limit, window = r.MaxBytes, time.Duration(r.WindowSeconds)*time.Second
		if limit == 0 {
			limit = defaultMaxBytes
		}
		if window == 0 {
			window = defaultWindow
		}
		return limit, window
	}
	return 0, 0
}

// tick forgets windows that are over.
func (q *quotas) tick(now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for h, u := range q.traffic {
		if now.After(u.until) {
			delete(q.traffic, h)
		}
	}
}

// lifetime is how long a client may stay; 0 means for ever.
func (q *quotas) lifetime() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Duration(q.rules.MaxConnectionLifetimeSeconds) * time.Second
}

// connections is how many clients may be there at once; 0 means any number.
func (q *quotas) connections() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.rules.Connections
}

// Sent counts messages to clients and reports whether the day's quota allows them. The day is one of Coordinated Universal Time.
func (s *Service) Sent(messages int) bool {
	q := &s.quotas
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.rules.MessagesPerDay == 0 {
		return true
	}
	if day := time.Now().Unix() / 86400; day != q.day {
		q.day, q.messages = day, 0
	}
	if q.messages >= q.rules.MessagesPerDay {
		return false
	}
	q.messages += int64(messages)
	return true
}
