// Package balance keeps requests from backends that fail, and spreads them over the members of pools.
//
// It knows names, statuses and times, and sends nothing. What it remembers about a backend is this node's alone and outlives
// configurations as long as the backend's settings stay.
package balance

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

// ErrOpen is returned for a backend whose circuit breaker is open, and for a pool none of whose members takes requests.
var ErrOpen = errors.New("the circuit breaker of the backend is open")

// Balancer holds the breakers and pools of one gateway. It may be used by any number of goroutines.
type Balancer struct {
	current atomic.Pointer[state]

	mu sync.Mutex // held by Configure
}

// state is the backends of one configuration, by name in lower case. It is immutable; what its entries point to is not.
type state struct {
	single map[string]*single
	pools  map[string]*pool
}

// single is a backend with one address.
type single struct {
	resource *resource.Backend
	url      *url.URL
	breaker  *breaker // nil without rules
}

// New makes a balancer that knows no backend.
func New() *Balancer {
	b := &Balancer{}
	b.current.Store(&state{})
	return b
}

// Name is the name of a backend in an id of any form, in lower case.
func Name(id string) string { return strings.ToLower(id[strings.LastIndexByte(id, '/')+1:]) }

// Check reports what is wrong between backends: pools whose members are not there or are pools themselves.
func Check(backends map[string]*resource.Backend) []error {
	var errs []error
	for _, b := range backends {
		if b.Pool == nil {
			continue
		}
		for i, m := range b.Pool.Services {
			switch member := backends[Name(m.ID)]; {
			case member == nil:
				errs = append(errs, resource.Invalidf(b.ID, "pool.services", "service %d: there is no backend %q", i, Name(m.ID)))
			case member.Pool != nil:
				errs = append(errs, resource.Invalidf(b.ID, "pool.services", "service %d: the backend %q is a pool, and a pool cannot be in another", i, Name(m.ID)))
			}
		}
	}
	return errs
}

// Configure takes over the backends, by name in lower case, as they are now. Breakers whose rules have not changed keep their state.
func (b *Balancer) Configure(backends map[string]*resource.Backend) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.current.Load()
	next := &state{single: make(map[string]*single, len(backends)), pools: map[string]*pool{}}
	for name, r := range backends {
		if r.Pool != nil {
			continue
		}
		s := &single{resource: r}
		// Validate has parsed it; a backend of no use is not asked for.
		s.url, _ = url.Parse(r.URL)
		if r.CircuitBreaker != nil && len(r.CircuitBreaker.Rules) > 0 {
			s.breaker = newBreaker(r.CircuitBreaker.Rules[0])
			if before := old.single[name]; before != nil && before.breaker != nil && before.breaker.same(s.breaker) {
				s.breaker = before.breaker
			}
		}
		next.single[name] = s
	}
	for name, r := range backends {
		if r.Pool != nil {
			next.pools[name] = newPool(r, next.single)
		}
	}
	b.current.Store(next)
}

// Choice is the backend that a request goes to.
type Choice struct {
	// Backend is the one with an address. When a pool was asked for it is one of its members.
	Backend *resource.Backend
	URL     *url.URL // of the backend; shared, not to be changed
	// CookieName and CookieValue are the cookie that keeps the client at the member; "" when there is none to set.
	CookieName, CookieValue string

	single *single
}

// Choose finds where a request for the backend goes. cookie gives the value of a cookie of the client's; it may be nil. The error is [ErrOpen].
func (b *Balancer) Choose(r *resource.Backend, cookie func(name string) string, now time.Time) (Choice, error) {
	s := b.current.Load()
	name := Name(string(r.ID))
	if p := s.pools[name]; p != nil {
		return p.choose(cookie, now)
	}
	one := s.single[name]
	if one == nil { // A request that began before the backend was deleted.
		if r.Pool != nil {
			return Choice{}, ErrOpen
		}
		return Choice{Backend: r}, nil
	}
	if one.breaker != nil && !one.breaker.allows(now) {
		return Choice{}, ErrOpen
	}
	return Choice{Backend: one.resource, URL: one.url, single: one}, nil
}

// Done tells how a request that went to the choice ended: with a status, or with the reason why there is none. retryAfter is what the
// backend's Retry-After asks for, 0 for nothing.
func (c *Choice) Done(status int, reason string, retryAfter time.Duration, now time.Time) {
	if c.single != nil && c.single.breaker != nil {
		c.single.breaker.done(status, reason, retryAfter, now)
	}
}

// pool is a backend of the type Pool.
type pool struct {
	cookie  string    // "" without session affinity
	groups  [][]*slot // by priority, the lowest number first
	members map[string]*slot
}

// slot is a member of a pool.
type slot struct {
	single *single
	weight int
	token  string // stands for the member in cookies

	current int // of the smooth weighted round robin; guarded by group's lock in mu
	mu      *sync.Mutex
}

func newPool(r *resource.Backend, all map[string]*single) *pool {
	p := &pool{members: map[string]*slot{}}
	if a := r.Pool.SessionAffinity; a != nil {
		p.cookie = a.SessionID.Name
	}
	byPriority := map[int][]*slot{}
	locks := map[int]*sync.Mutex{}
	for _, m := range r.Pool.Services {
		one := all[Name(m.ID)]
		if one == nil {
			continue
		}
		if locks[m.Priority] == nil {
			locks[m.Priority] = &sync.Mutex{}
		}
		sum := sha256.Sum256([]byte(one.resource.ID.Key()))
		s := &slot{single: one, weight: max(m.Weight, 1), token: hex.EncodeToString(sum[:8]), mu: locks[m.Priority]}
		p.members[s.token] = s
		byPriority[m.Priority] = append(byPriority[m.Priority], s)
	}
	for priority := 0; priority <= 100; priority++ {
		if g := byPriority[priority]; g != nil {
			p.groups = append(p.groups, g)
		}
	}
	return p
}

func (s *slot) allows(now time.Time) bool {
	return s.single.breaker == nil || s.single.breaker.allows(now)
}

// choose picks a member: the one that the client's cookie names while it takes requests, else the next by weight of the first
// group that has one that does.
func (p *pool) choose(cookie func(string) string, now time.Time) (Choice, error) {
	if p.cookie != "" && cookie != nil {
		if s := p.members[cookie(p.cookie)]; s != nil && s.allows(now) {
			return Choice{Backend: s.single.resource, URL: s.single.url, single: s.single}, nil
		}
	}
	for _, g := range p.groups {
		if s := next(g, now); s != nil {
			c := Choice{Backend: s.single.resource, URL: s.single.url, single: s.single}
			if p.cookie != "" {
				c.CookieName, c.CookieValue = p.cookie, s.token
			}
			return c, nil
		}
	}
	return Choice{}, ErrOpen
}

// next is smooth weighted round robin over the members that take requests: each turn every one of them gains its weight, and the
// richest pays the sum.
func next(group []*slot, now time.Time) *slot {
	group[0].mu.Lock()
	defer group[0].mu.Unlock()
	var best *slot
	total := 0
	for _, s := range group {
		if !s.allows(now) {
			continue
		}
		s.current += s.weight
		total += s.weight
		if best == nil || s.current > best.current {
			best = s
		}
	}
	if best != nil {
		best.current -= total
	}
	return best
}
