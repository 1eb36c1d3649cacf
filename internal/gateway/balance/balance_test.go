package balance

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

var service = resource.NewID(resource.ApiManagement, "service", "APIM1")

func backend(name string, rules ...resource.CircuitBreakerRule) *resource.Backend {
	b := &resource.Backend{ID: service.Child("backends", name), URL: "http://" + name}
	if len(rules) > 0 {
		b.CircuitBreaker = &resource.CircuitBreaker{Rules: rules}
	}
	return b
}

func poolOf(name string, members ...resource.PoolMember) *resource.Backend {
	return &resource.Backend{ID: service.Child("backends", name), Type: resource.BackendPooled, Pool: &resource.BackendPool{Services: members}}
}

func byName(list ...*resource.Backend) map[string]*resource.Backend {
	m := map[string]*resource.Backend{}
	for _, b := range list {
		m[Name(string(b.ID))] = b
	}
	return m
}

var threeIn10s = resource.CircuitBreakerRule{Name: "r", TripDuration: "PT30S", AcceptRetryAfter: true, FailureCondition: resource.FailureCondition{
	Count: 3, Interval: "PT10S", StatusCodeRanges: []resource.StatusCodeRange{{Min: 500, Max: 599}}, ErrorReasons: []string{"Timeout"}}}

var start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// outcome is one answer of a backend: its time, its status or reason, and whether the breaker lets the next one through.
type outcome struct {
	at         time.Duration
	status     int
	reason     string
	retryAfter time.Duration
	open       bool
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	half := threeIn10s
	half.FailureCondition.Count, half.FailureCondition.Percentage = 0, 50
	var mostlyGood, mostlyBad []outcome
	for i := range 20 {
		status := 200
		if i%4 == 3 {
			status = 500
		}
		mostlyGood = append(mostlyGood, outcome{at: time.Duration(i) * 100 * time.Millisecond, status: status})
	}
	for i := range 10 {
		mostlyBad = append(mostlyBad, outcome{at: time.Duration(i) * 100 * time.Millisecond, status: 200 + 300*(i%2), open: i == 9})
	}
	for name, c := range map[string]struct {
		rule     resource.CircuitBreakerRule
		outcomes []outcome
	}{
		"trips at the third":       {threeIn10s, []outcome{{0, 500, "", 0, false}, {time.Second, 503, "", 0, false}, {2 * time.Second, 500, "", 0, true}}},
		"success does not reset":   {threeIn10s, []outcome{{0, 500, "", 0, false}, {1, 500, "", 0, false}, {2, 200, "", 0, false}, {3, 500, "", 0, true}}},
		"old failures are gone":    {threeIn10s, []outcome{{0, 500, "", 0, false}, {6 * time.Second, 500, "", 0, false}, {11 * time.Second, 500, "", 0, false}, {12 * time.Second, 500, "", 0, true}}},
		"reasons count":            {threeIn10s, []outcome{{0, 0, "Timeout", 0, false}, {1, 0, "Timeout", 0, false}, {2, 0, "BackendConnectionFailure", 0, false}, {3, 0, "Timeout", 0, true}}},
		"half within the interval": {half, mostlyBad},
		"a quarter is not enough":  {half, mostlyGood},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := New()
			r := backend("one", c.rule)
			b.Configure(byName(r))
			for i, o := range c.outcomes {
				at := start.Add(o.at)
				choice, err := b.Choose(r, nil, at)
				if err != nil {
					t.Fatalf("outcome %d: %v", i, err)
				}
				choice.Done(o.status, o.reason, o.retryAfter, at)
				if _, err := b.Choose(r, nil, at); errors.Is(err, ErrOpen) != o.open {
					t.Fatalf("after outcome %d: %v, want open %v", i, err, o.open)
				}
			}
		})
	}
}

func TestBreakerCloses(t *testing.T) {
	t.Parallel()
	for retryAfter, want := range map[time.Duration]time.Duration{0: 30 * time.Second, 5 * time.Second: 5 * time.Second} {
		b := New()
		r := backend("one", threeIn10s)
		b.Configure(byName(r))
		for range 3 {
			choice, _ := b.Choose(r, nil, start)
			choice.Done(503, "", retryAfter, start)
		}
		if _, err := b.Choose(r, nil, start.Add(want-1)); !errors.Is(err, ErrOpen) {
			t.Errorf("Retry-After %v: closed too early: %v", retryAfter, err)
		}
		if _, err := b.Choose(r, nil, start.Add(want)); err != nil {
			t.Errorf("Retry-After %v: still open: %v", retryAfter, err)
		}
	}
}

func TestConfigureKeepsState(t *testing.T) {
	t.Parallel()
	b := New()
	r := backend("one", threeIn10s)
	b.Configure(byName(r))
	for range 3 {
		choice, _ := b.Choose(r, nil, start)
		choice.Done(500, "", 0, start)
	}
	moved := backend("one", threeIn10s)
	moved.URL = "http://elsewhere"
	b.Configure(byName(moved))
	if _, err := b.Choose(moved, nil, start); !errors.Is(err, ErrOpen) {
		t.Error("a change of something else closed the breaker")
	}
	rule := threeIn10s
	rule.TripDuration = "PT1S"
	b.Configure(byName(backend("one", rule)))
	if _, err := b.Choose(r, nil, start); err != nil {
		t.Error("a new rule begins anew:", err)
	}
}

func sequence(t *testing.T, b *Balancer, r *resource.Backend, n int) string {
	t.Helper()
	var names []string
	for range n {
		c, err := b.Choose(r, nil, start)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, c.Backend.ID.Name())
	}
	return strings.Join(names, "")
}

func TestPool(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		members []resource.PoolMember
		want    string
	}{
		"round robin":   {[]resource.PoolMember{{ID: "/backends/a"}, {ID: "/backends/b"}, {ID: "/backends/c"}}, "abcabc"},
		"weights":       {[]resource.PoolMember{{ID: string(service.Child("backends", "A")), Weight: 3}, {ID: "b", Weight: 1}}, "aabaaaba"},
		"priorities":    {[]resource.PoolMember{{ID: "a", Priority: 2}, {ID: "b", Priority: 1}}, "bbbb"},
		"one member":    {[]resource.PoolMember{{ID: "c"}}, "cc"},
		"same priority": {[]resource.PoolMember{{ID: "a", Priority: 1}, {ID: "b", Priority: 1, Weight: 2}, {ID: "c", Priority: 2}}, "babbab"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := New()
			p := poolOf("p", c.members...)
			b.Configure(byName(backend("a"), backend("b"), backend("c"), p))
			if got := sequence(t, b, p, len(c.want)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestPoolFailsOver(t *testing.T) {
	t.Parallel()
	b := New()
	p := poolOf("p", resource.PoolMember{ID: "a", Priority: 1}, resource.PoolMember{ID: "b", Priority: 2})
	b.Configure(byName(backend("a", threeIn10s), backend("b", threeIn10s), p))
	trip := func(want string) {
		t.Helper()
		for range 3 {
			c, err := b.Choose(p, nil, start)
			if err != nil || c.Backend.ID.Name() != want {
				t.Fatal(c, err)
			}
			c.Done(503, "", 0, start)
		}
	}
	trip("a")
	trip("b")
	if _, err := b.Choose(p, nil, start); !errors.Is(err, ErrOpen) {
		t.Errorf("both are open, but %v", err)
	}
	if c, err := b.Choose(p, nil, start.Add(31*time.Second)); err != nil || c.Backend.ID.Name() != "a" {
		t.Error("the first group does not come back:", err)
	}
}

func TestSessionAffinity(t *testing.T) {
	t.Parallel()
	b := New()
	p := poolOf("p", resource.PoolMember{ID: "a"}, resource.PoolMember{ID: "b"})
	p.Pool.SessionAffinity = &resource.SessionAffinity{}
	p.Pool.SessionAffinity.SessionID.Source, p.Pool.SessionAffinity.SessionID.Name = "cookie", "sid"
	b.Configure(byName(backend("a", threeIn10s), backend("b"), p))
	first, err := b.Choose(p, func(string) string { return "" }, start)
	if err != nil || first.CookieName != "sid" || first.CookieValue == "" {
		t.Fatal(first, err)
	}
	cookie := func(name string) string {
		if name != "sid" {
			t.Error(name)
		}
		return first.CookieValue
	}
	for range 4 {
		again, err := b.Choose(p, cookie, start)
		if err != nil || again.Backend != first.Backend || again.CookieName != "" {
			t.Fatal(again, err)
		}
	}
	for range 3 {
		first.Done(500, "", 0, start)
	}
	other, err := b.Choose(p, cookie, start)
	if err != nil || other.Backend == first.Backend || other.CookieValue == first.CookieValue {
		t.Error("a client stays at a member that is out of order", other, err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	errs := Check(byName(backend("a"), poolOf("p", resource.PoolMember{ID: "a"}, resource.PoolMember{ID: "nobody"}, resource.PoolMember{ID: "q"}), poolOf("q", resource.PoolMember{ID: "a"})))
	text := errors.Join(errs...).Error()
	for _, want := range []string{`there is no backend "nobody"`, `the backend "q" is a pool`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %q", text, want)
		}
	}
	if len(errs) != 2 {
		t.Error(text)
	}
}

func TestChooseAllocatesNothing(t *testing.T) {
	b := New()
	p := poolOf("p", resource.PoolMember{ID: "a"}, resource.PoolMember{ID: "b"})
	b.Configure(byName(backend("a", threeIn10s), backend("b"), p))
	// Only the backend's name in lower case is made anew when it is not in that form already.
	if n := testing.AllocsPerRun(100, func() {
		c, err := b.Choose(p, nil, start)
		if err != nil {
			t.Fatal(err)
		}
		c.Done(200, "", 0, start)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
