package appserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// standInREST answers requests as a test says, without a network, so that synctest sees who waits.
type standInREST struct {
	answer func(r *http.Request) (status int, code, body string, err error)

	mu       sync.Mutex
	requests []string // method and URL
	bodies   []string
	times    []time.Time
}

func (s *standInREST) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body) // It is in memory.
	}
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.String())
	s.bodies = append(s.bodies, string(body))
	s.times = append(s.times, time.Now())
	s.mu.Unlock()
	status, code, text, err := s.answer(r)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	if code != "" {
		header.Set("X-Ms-Error-Code", code)
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

// newStandInREST makes a hub whose requests are answered with a status.
func newStandInREST(t *testing.T, options ServiceManagerOptions, status int, code string) (*standInREST, *ServiceManager, *ServiceHub) {
	t.Helper()
	s := &standInREST{answer: func(*http.Request) (int, string, string, error) { return status, code, "what is wrong", nil }}
	options.HTTPClient = &http.Client{Transport: s}
	m, err := NewServiceManager(testConnectionString, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	h, err := m.Hub("Chat")
	if err != nil {
		t.Fatal(err)
	}
	return s, m, h
}

// restOperations are all calls that a hub has over REST.
func restOperations(h *ServiceHub) map[string]func(ctx context.Context) (bool, error) {
	only := func(f func(ctx context.Context) error) func(ctx context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) { return false, f(ctx) }
	}
	return map[string]func(ctx context.Context) (bool, error){
		"send to all":       only(func(ctx context.Context) error { return h.Clients().AllExcept("x y").Send(ctx, "m", 1) }),
		"send to one":       only(func(ctx context.Context) error { return h.Clients().Client("c").Send(ctx, "m") }),
		"send to a group":   only(func(ctx context.Context) error { return h.Clients().GroupExcept("g/ä", "x").Send(ctx, "m") }),
		"send to a user":    only(func(ctx context.Context) error { return h.Clients().User("u").Send(ctx, "m") }),
		"join":              only(func(ctx context.Context) error { return h.Groups().Add(ctx, "c", "g") }),
		"leave":             only(func(ctx context.Context) error { return h.Groups().Remove(ctx, "c", "g") }),
		"leave all":         only(func(ctx context.Context) error { return h.Groups().RemoveFromAll(ctx, "c") }),
		"user joins":        only(func(ctx context.Context) error { return h.UserGroups().AddFor(ctx, "u", "g", 90900*time.Millisecond) }),
		"user leaves":       only(func(ctx context.Context) error { return h.UserGroups().Remove(ctx, "u", "g") }),
		"user leaves all":   only(func(ctx context.Context) error { return h.UserGroups().RemoveFromAll(ctx, "u") }),
		"close":             only(func(ctx context.Context) error { return h.CloseConnection(ctx, "c", "why not") }),
		"close all":         only(func(ctx context.Context) error { return h.CloseConnections(ctx, "", "x", "y") }),
		"close group":       only(func(ctx context.Context) error { return h.CloseGroupConnections(ctx, "g", "r") }),
		"close user":        only(func(ctx context.Context) error { return h.CloseUserConnections(ctx, "u", "r") }),
		"group exists":      func(ctx context.Context) (bool, error) { return h.Groups().Exists(ctx, "g") },
		"connection exists": func(ctx context.Context) (bool, error) { return h.ConnectionExists(ctx, "c") },
		"user exists":       func(ctx context.Context) (bool, error) { return h.UserExists(ctx, "u") },
		"user in group":     func(ctx context.Context) (bool, error) { return h.UserGroups().Contains(ctx, "u", "g") },
	}
}

// The requests are those of the .NET Management SDK, but for bodies, which are already encoded.
func TestRESTRequests(t *testing.T) {
	t.Parallel()
	s, _, h := newStandInREST(t, ServiceManagerOptions{ApplicationName: "App1"}, http.StatusOK, "")
	got := map[string]string{}
	for name, do := range restOperations(h) {
		if yes, err := do(t.Context()); err != nil || strings.Contains(name, "exists") && !yes {
			t.Errorf("%s: %v %v", name, yes, err)
		}
		got[name] = s.requests[len(s.requests)-1]
	}
	const base, common = "http://localhost:8888/api/hubs/chat/", "?application=app1&api-version=2022-06-01"
	want := map[string]string{
		"send to all":       "POST " + base + ":send" + common + "&excluded=x%20y",
		"send to one":       "POST " + base + "connections/c/:send" + common,
		"send to a group":   "POST " + base + "groups/g%2F%C3%A4/:send" + common + "&excluded=x",
		"send to a user":    "POST " + base + "users/u/:send" + common,
		"join":              "PUT " + base + "groups/g/connections/c" + common,
		"leave":             "DELETE " + base + "groups/g/connections/c" + common,
		"leave all":         "DELETE " + base + "connections/c/groups" + common,
		"user joins":        "PUT " + base + "users/u/groups/g" + common + "&ttl=90",
		"user leaves":       "DELETE " + base + "users/u/groups/g" + common,
		"user leaves all":   "DELETE " + base + "users/u/groups" + common,
		"close":             "DELETE " + base + "connections/c" + common + "&reason=why%20not",
		"close all":         "POST " + base + ":closeConnections" + common + "&excluded=x&excluded=y",
		"close group":       "POST " + base + "groups/g/:closeConnections" + common + "&reason=r",
		"close user":        "POST " + base + "users/u/:closeConnections" + common + "&reason=r",
		"group exists":      "HEAD " + base + "groups/g" + common,
		"connection exists": "HEAD " + base + "connections/c" + common,
		"user exists":       "HEAD " + base + "users/u" + common,
		"user in group":     "GET " + base + "users/u/groups/g" + common,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What each status becomes is what the .NET Management SDK makes of it.
func TestRESTStatuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		kind   ServiceErrorKind
	}{
		{304, RuntimeError}, {307, RuntimeError}, {400, InvalidArgument}, {401, UnauthorizedRequest}, {403, RuntimeError}, {404, InaccessibleEndpoint},
		{408, RuntimeError}, {409, RuntimeError}, {413, RuntimeError}, {429, RuntimeError}, {500, RuntimeError}, {502, RuntimeError}, {503, RuntimeError},
	} {
		_, m, h := newStandInREST(t, ServiceManagerOptions{}, c.status, "")
		for name, do := range restOperations(h) {
			_, err := do(t.Context())
			var e *ServiceError
			if !errors.As(err, &e) || e.Kind != c.kind || e.StatusCode != c.status {
				t.Errorf("%d: %s: %v", c.status, name, err)
			}
			if shown := strings.Contains(err.Error(), "what is wrong"); shown != (c.status == 400) {
				t.Errorf("%d: the body is shown: %v; %v", c.status, shown, err)
			}
		}
		healthy, err := m.Healthy(t.Context())
		if healthy || (err == nil) != (c.status >= 500) {
			t.Errorf("%d: health: %v %v", c.status, healthy, err)
		}
	}
	for _, status := range []int{200, 201, 202, 204} {
		_, m, h := newStandInREST(t, ServiceManagerOptions{}, status, "")
		for name, do := range restOperations(h) {
			yes, err := do(t.Context())
			check := strings.Contains(name, "exists") || name == "user in group"
			if err != nil || yes != (check && status == 200) {
				t.Errorf("%d: %s: %v %v", status, name, yes, err)
			}
		}
		if healthy, err := m.Healthy(t.Context()); !healthy || err != nil {
			t.Errorf("%d: health: %v %v", status, healthy, err)
		}
	}
}

// A 404 is "no" only when the service says of what, and then in any case of letters.
func TestRESTNotFound(t *testing.T) {
	t.Parallel()
	no := map[string]string{
		"join": codeNoConnectionToAdd, "leave": codeNoConnectionToAdd, "close": codeNoConnection, "group exists": codeNoGroup,
		"connection exists": codeNoConnection, "user exists": codeNoUser, "user in group": codeNotInGroup,
	}
	for _, code := range []string{codeNoConnection, codeNoConnectionToAdd, codeNoUser, codeNoGroup, codeNotInGroup} {
		_, _, h := newStandInREST(t, ServiceManagerOptions{}, http.StatusNotFound, strings.ToLower(code))
		for name, do := range restOperations(h) {
			yes, err := do(t.Context())
			var e *ServiceError
			switch {
			case yes:
				t.Errorf("%s: %s: yes", code, name)
			case no[name] != code:
				if !errors.As(err, &e) || e.Kind != InaccessibleEndpoint {
					t.Errorf("%s: %s: %v", code, name, err)
				}
			case name == "join" || name == "leave":
				if !errors.Is(err, ErrNotFound) {
					t.Errorf("%s: %s: %v", code, name, err)
				}
			case err != nil:
				t.Errorf("%s: %s: %v", code, name, err)
			}
		}
	}
}

func TestRESTRetries(t *testing.T) {
	t.Parallel()
	exponential := &RetryOptions{MaxRetries: 4, Delay: 300 * time.Millisecond, MaxDelay: time.Second, Exponential: true}
	ms := func(numbers ...int) []time.Duration {
		var all []time.Duration
		for _, n := range numbers {
			all = append(all, time.Duration(n)*time.Millisecond)
		}
		return all
	}
	three := ms(800, 800, 800)
	for _, c := range []struct {
		status     int
		retry      *RetryOptions
		send, join []time.Duration
	}{
		{503, nil, nil, nil}, {503, &RetryOptions{}, three, three}, {500, &RetryOptions{}, nil, three}, {408, &RetryOptions{}, nil, three},
		{400, &RetryOptions{}, nil, nil}, {401, &RetryOptions{}, nil, nil}, {403, &RetryOptions{}, nil, nil}, {404, &RetryOptions{}, nil, nil},
		{413, &RetryOptions{}, nil, nil}, {429, &RetryOptions{}, nil, nil},
		{503, exponential, ms(300, 600, 1000, 1000), ms(300, 600, 1000, 1000)},
	} {
		for _, name := range []string{"send to all", "join"} {
			synctest.Test(t, func(t *testing.T) {
				s, m, h := newStandInREST(t, ServiceManagerOptions{Retry: c.retry}, c.status, "")
				if _, err := restOperations(h)[name](t.Context()); err == nil {
					t.Errorf("%d: %s: no error", c.status, name)
				}
				want := c.send
				if name == "join" {
					want = c.join
				}
				var got []time.Duration
				for i := 1; i < len(s.times); i++ {
					got = append(got, s.times[i].Sub(s.times[i-1]))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%d: %s: %s", c.status, name, diff)
				}
				if s.bodies[0] != s.bodies[len(s.bodies)-1] {
					t.Errorf("the last try sent %q, the first %q", s.bodies[len(s.bodies)-1], s.bodies[0])
				}
				before := len(s.times)
				if _, _ = m.Healthy(t.Context()); len(s.times) != before+1 {
					t.Errorf("health was asked %d times", len(s.times)-before)
				}
				if h.Clients().Client("c").Invoke(t.Context(), nil, "m") == nil || len(s.times) != before+2 {
					t.Errorf("a client was asked %d times", len(s.times)-before-1)
				}
			})
		}
	}
}

// A call ends with its context while it waits for its next try.
func TestRESTRetriesEndWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, h := newStandInREST(t, ServiceManagerOptions{Retry: &RetryOptions{Delay: time.Hour, MaxDelay: time.Hour}}, http.StatusServiceUnavailable, "")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := h.Groups().Add(ctx, "c", "g")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second || len(s.times) != 1 {
			t.Errorf("%v after %v and %d tries", err, time.Since(start), len(s.times))
		}
	})
}

// A send has a time for all its tries, any other call for each of them.
func TestRESTTimeouts(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		tries int
		after time.Duration
	}{"send to all": {1, time.Second}, "join": {4, 4*time.Second + 3*800*time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			s, _, h := newStandInREST(t, ServiceManagerOptions{Timeout: time.Second, Retry: &RetryOptions{}}, 0, "")
			s.answer = func(r *http.Request) (int, string, string, error) {
				<-r.Context().Done()
				return 0, "", "", r.Context().Err()
			}
			start := time.Now()
			_, err := restOperations(h)[name](t.Context())
			var e *ServiceError
			if !errors.As(err, &e) || e.Kind != NoAnswer || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			if len(s.times) != want.tries || time.Since(start) != want.after {
				t.Errorf("%s: %d tries in %v", name, len(s.times), time.Since(start))
			}
		})
	}
	// A connection that is refused is not tried again.
	s, m, h := newStandInREST(t, ServiceManagerOptions{Retry: &RetryOptions{}}, 0, "")
	s.answer = func(*http.Request) (int, string, string, error) { return 0, "", "", errRefused }
	if err := h.Groups().Add(t.Context(), "c", "g"); !errors.Is(err, errRefused) || len(s.times) != 1 {
		t.Errorf("%v after %d tries", err, len(s.times))
	}
	if healthy, err := m.Healthy(t.Context()); healthy || !errors.Is(err, errRefused) {
		t.Errorf("health: %v %v", healthy, err)
	}
}

// Sends to many are one request for each, side by side but not all at once, and every error is told.
func TestRESTSendsToMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, h := newStandInREST(t, ServiceManagerOptions{}, http.StatusAccepted, "")
		var mu sync.Mutex
		running, most := 0, 0
		s.answer = func(r *http.Request) (int, string, string, error) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			if strings.Contains(r.URL.Path, "/users/bad") {
				return http.StatusTooManyRequests, "", "", nil
			}
			return http.StatusAccepted, "", "", nil
		}
		users := []string{"bad1"}
		for range 40 {
			users = append(users, "good")
		}
		users = append(users, "bad2")
		err := h.Clients().Users(users...).Send(t.Context(), "m")
		if err == nil || !strings.Contains(err.Error(), "users/bad1") || !strings.Contains(err.Error(), "users/bad2") {
			t.Errorf("%v", err)
		}
		if most != maxParallelCalls || len(s.requests) != 42 {
			t.Errorf("%d requests, %d at once", len(s.requests), most)
		}
	})
}

// Answers that no service should give are errors, and lead nowhere else.
func TestRESTStrangeAnswers(t *testing.T) {
	t.Parallel()
	s, _, h := newStandInREST(t, ServiceManagerOptions{}, http.StatusOK, "")
	for _, body := range []string{"", "nonsense", `{"value":[{"connectionId":"c"}],"nextLink":"http://elsewhere/x?continuationToken=t"}`, `{"nextLink":"%zz"}`} {
		s.answer = func(*http.Request) (int, string, string, error) { return http.StatusOK, "", body, nil }
		var err error
		members := 0
		for m, e := range h.Groups().Members(t.Context(), "g", 10) {
			if e == nil && m.ConnectionID == "c" {
				members++
			}
			err = e
		}
		if err == nil || members > 2 {
			t.Errorf("%q: %d members, %v", body, members, err)
		}
	}
	for _, request := range s.requests {
		if !strings.Contains(request, " http://localhost:8888/") {
			t.Errorf("a request went to %s", request)
		}
	}
	for _, body := range []string{"", "[]", `{"result":{}}`, `{"result":"x","protocol":"own"}`} {
		s.answer = func(*http.Request) (int, string, string, error) { return http.StatusOK, "", body, nil }
		var n int
		if err := h.Clients().Client("c").Invoke(t.Context(), &n, "m"); err == nil {
			t.Errorf("%q became a number", body)
		}
	}
}

func TestServiceManagerOptionsThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]ServiceManagerOptions{
		"timeout": {Timeout: -1}, "transport": {Transport: 7}, "application": {ApplicationName: "7"}, "connections": {ServerConnections: -1},
		"algorithm": {TokenAlgorithm: "none"}, "retries": {Retry: &RetryOptions{MaxRetries: -1}},
	} {
		if _, err := NewServiceManager(testConnectionString, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewServiceManager("Endpoint=https://x;AuthType=azure;", ServiceManagerOptions{}); !errors.Is(err, ErrEntraUnsupported) {
		t.Errorf("%v", err)
	}
	m, err := NewServiceManager(testConnectionString, ServiceManagerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Hub("7"); err == nil {
		t.Error("a hub named 7 was made")
	}
}
