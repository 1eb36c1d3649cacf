package policy

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// setBackendService is the set-backend-service policy (set-backend-service-policy).
type setBackendService struct {
	baseURL   Value[string]
	parsed    *url.URL // of a literal baseURL
	backendID Value[string]
	backends  map[string]backendTarget
}

type backendTarget struct {
	url      *url.URL
	resource *resource.Backend
}

func newSetBackendService(b *Builder) Policy {
	s := &setBackendService{baseURL: b.String("base-url", 0), backendID: b.String("backend-id", 0)}
	if s.baseURL.IsSet() == s.backendID.IsSet() {
		b.Errorf("Exactly one of the attributes 'base-url' and 'backend-id' is required")
		return s
	}
	if s.baseURL.IsSet() {
		if text, known := s.baseURL.Known(); known {
			u, err := parseBackend(text)
			if err != nil {
				b.Errorf("The attribute 'base-url': %s", err)
			}
			s.parsed = u
		}
		return s
	}
	s.backends = make(map[string]backendTarget, len(b.c.environment.Backends))
	for name, backend := range b.c.environment.Backends {
		if u, err := parseBackend(poolURL(backend, b.c.environment.Backends)); err == nil {
			s.backends[name] = backendTarget{url: u, resource: backend}
		}
	}
	if id, known := s.backendID.Known(); known {
		if _, ok := s.backends[strings.ToLower(id)]; !ok && !b.c.environment.Offline {
			b.Errorf("Backend with id '%s' could not be found.", id)
		}
	}
	return s
}

// poolURL is the base URL of a backend, of a pool that of its first member: a forwarder chooses the one that the request goes to.
func poolURL(b *resource.Backend, all map[string]*resource.Backend) string {
	if b.Pool == nil {
		return b.URL
	}
	for _, m := range b.Pool.Services {
		if member := all[strings.ToLower(m.ID[strings.LastIndexByte(m.ID, '/')+1:])]; member != nil {
			return member.URL
		}
	}
	return ""
}

// parseBackend parses the base URL of a backend.
func parseBackend(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil, &backendURLError{"it cannot be parsed"}
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https", "ws", "wss":
	default:
		return nil, &backendURLError{"it must be an absolute URL with the scheme http, https, ws or wss"}
	}
	if u.Host == "" {
		return nil, &backendURLError{"it has no host"}
	}
	if u.User != nil || u.Fragment != "" {
		return nil, &backendURLError{"it must not hold a user, a password or a fragment"}
	}
	return u, nil
}

// backendURLError says what is wrong with a URL without showing it: it may hold a secret named value.
type backendURLError struct{ what string }

func (e *backendURLError) Error() string { return e.what }

// Run chooses the backend.
func (s *setBackendService) Run(x *Exchange) (Outcome, error) {
	if s.backendID.IsSet() {
		id, err := s.backendID.Get(x)
		if err != nil {
			return End, err
		}
		target, ok := s.backends[strings.ToLower(id)]
		if !ok {
			return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "Backend with id '" + id + "' could not be found."}
		}
		x.Request.Backend, x.Request.Credentials = target.url, target.resource
		return Continue, nil
	}
	if x.Request.Credentials != nil {
		return Continue, nil // A backend chosen by id gives way only to another one chosen by id.
	}
	u := s.parsed
	if u == nil {
		text, err := s.baseURL.Get(x)
		if err != nil {
			return End, err
		}
		if u, err = parseBackend(text); err != nil {
			return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "The base-url that an expression gave: " + err.Error()}
		}
	}
	x.Request.Backend = u
	return Continue, nil
}
