package resource

import "time"

// StatusCodeRange is a range of HTTP status codes, both ends included.
type StatusCodeRange struct {
	Min int `json:"min"` // 200 to 599
	Max int `json:"max"` // 200 to 599
}

// FailureCondition says when a circuit breaker trips.
type FailureCondition struct {
	Count            int64             `json:"count,omitempty"`      // failures within the interval
	Percentage       int64             `json:"percentage,omitempty"` // of the requests within the interval that failed, 1 to 100
	Interval         string            `json:"interval,omitempty"`   // ISO 8601, like PT1M
	StatusCodeRanges []StatusCodeRange `json:"statusCodeRanges,omitempty"`
	// ErrorReasons are the reasons of context.LastError that count as failures: BackendConnectionFailure, Timeout and their like.
	ErrorReasons []string `json:"errorReasons,omitempty"`
}

// CircuitBreakerRule is a rule of a backend's circuit breaker.
type CircuitBreakerRule struct {
	Name             string           `json:"name"`
	FailureCondition FailureCondition `json:"failureCondition"`
	TripDuration     string           `json:"tripDuration,omitempty"` // ISO 8601: how long no request goes to the backend; "" means PT1M
	AcceptRetryAfter bool             `json:"acceptRetryAfter,omitempty"`
}

// CircuitBreaker keeps requests from a backend that fails.
type CircuitBreaker struct {
	Rules []CircuitBreakerRule `json:"rules"`
}

// PoolMember is a backend of a pool.
type PoolMember struct {
	ID       string `json:"id"`                 // the id of the backend; its short form /backends/NAME is taken too
	Weight   int    `json:"weight,omitempty"`   // 0 to 100; 0 means 1
	Priority int    `json:"priority,omitempty"` // 0 to 100; members with a lower number come first
}

// SessionAffinity keeps a client at one member of a pool.
type SessionAffinity struct {
	SessionID struct {
		Source string `json:"source"` // cookie
		Name   string `json:"name"`
	} `json:"sessionId"`
}

// BackendPool spreads requests over backends.
type BackendPool struct {
	Services        []PoolMember     `json:"services"`
	SessionAffinity *SessionAffinity `json:"sessionAffinity,omitempty"`
}

// BackendProxy is the HTTP proxy on the way to a backend.
type BackendProxy struct {
	URL      string `json:"url"`
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"` // secret
}

// The types of backend.
const (
	BackendSingle = "Single"
	BackendPooled = "Pool"
)

// maxPoolMembers is how many backends a pool may have (API Management, "Backends").
const maxPoolMembers = 30

func (b *Backend) validatePool() error {
	if b.Pool == nil || len(b.Pool.Services) == 0 {
		return Invalidf(b.ID, "pool.services", "a backend of the type Pool needs at least one service")
	}
	if len(b.Pool.Services) > maxPoolMembers {
		return Invalidf(b.ID, "pool.services", "has %d services; at most %d are allowed", len(b.Pool.Services), maxPoolMembers)
	}
	if b.URL != "" || b.CircuitBreaker != nil || b.Credentials != nil || b.Proxy != nil {
		return Invalidf(b.ID, "type", "a backend of the type Pool has no url, credentials, proxy or circuit breaker of its own; its services have")
	}
	for i, m := range b.Pool.Services {
		if m.ID == "" {
			return Invalidf(b.ID, "pool.services", "service %d has no id", i)
		}
		if m.Weight < 0 || m.Weight > 100 || m.Priority < 0 || m.Priority > 100 {
			return Invalidf(b.ID, "pool.services", "service %d: weight and priority are from 0 to 100", i)
		}
	}
	if a := b.Pool.SessionAffinity; a != nil && (a.SessionID.Source != "cookie" && a.SessionID.Source != "Cookie" || !httpToken.MatchString(a.SessionID.Name)) {
		return Invalidf(b.ID, "pool.sessionAffinity", "the session id has the source cookie and the name of one")
	}
	return nil
}

func (b *Backend) validateBreaker() error {
	if b.CircuitBreaker == nil {
		return nil
	}
	if len(b.CircuitBreaker.Rules) != 1 {
		return Invalidf(b.ID, "circuitBreaker.rules", "a circuit breaker has one rule, not %d", len(b.CircuitBreaker.Rules))
	}
	r := &b.CircuitBreaker.Rules[0]
	c := &r.FailureCondition
	switch {
	case (c.Count > 0) == (c.Percentage > 0):
		return Invalidf(b.ID, "circuitBreaker.rules.failureCondition", "either count or percentage must be 1 or more")
	case c.Count < 0 || c.Percentage < 0 || c.Percentage > 100 || c.Count > 10000:
		return Invalidf(b.ID, "circuitBreaker.rules.failureCondition", "count is 1 to 10000, percentage 1 to 100")
	case len(c.StatusCodeRanges) == 0 && len(c.ErrorReasons) == 0:
		return Invalidf(b.ID, "circuitBreaker.rules.failureCondition", "statusCodeRanges or errorReasons must say what a failure is")
	case len(c.StatusCodeRanges) > 10 || len(c.ErrorReasons) > 10:
		return Invalidf(b.ID, "circuitBreaker.rules.failureCondition", "at most 10 statusCodeRanges and 10 errorReasons")
	}
	for _, s := range c.StatusCodeRanges {
		if s.Min < 200 || s.Max > 599 || s.Min > s.Max {
			return Invalidf(b.ID, "circuitBreaker.rules.failureCondition.statusCodeRanges", "%d to %d is no range within 200 to 599", s.Min, s.Max)
		}
	}
	interval, err := ParseDuration(c.Interval)
	if err != nil || interval <= 0 || interval > 24*time.Hour {
		return Invalidf(b.ID, "circuitBreaker.rules.failureCondition.interval", "%q is no duration of ISO 8601 of up to a day, like PT1M", c.Interval)
	}
	if r.TripDuration != "" {
		if trip, err := ParseDuration(r.TripDuration); err != nil || trip <= 0 || trip > 24*time.Hour {
			return Invalidf(b.ID, "circuitBreaker.rules.tripDuration", "%q is no duration of ISO 8601 of up to a day, like PT1M", r.TripDuration)
		}
	}
	return nil
}
