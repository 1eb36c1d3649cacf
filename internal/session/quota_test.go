package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/resource"
)

// tokenOf is a verified token with some claims.
func tokenOf(t *testing.T, claims ...auth.Claim) *auth.Token {
	t.Helper()
	const key = "a key for this test only"
	text, err := auth.Sign(key, "HS256", append(auth.Lifetime(time.Now(), time.Hour), claims...)...)
	if err != nil {
		t.Fatal(err)
	}
	token, err := auth.NewVerifier([]string{key}).Verify(text, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func user(id string) auth.Claim { return auth.Claim{Type: "asrs.s.uid", Value: id} }

func TestQuotaConnectionCount(t *testing.T) {
	t.Parallel()
	var q quotas
	q.configure(resource.Quotas{ConnectionCount: []resource.ConnectionCountRule{
		{By: resource.ByUser, MaxCount: 2},
		{By: resource.ByIP, MaxCount: 3},
		{By: resource.ByClaim, Claim: "tenant", MaxCount: 1},
	}})
	enter := func(address string, claims ...auth.Claim) (client, bool) {
		c, refusal := q.enter(tokenOf(t, claims...), "bearer", address)
		return c, refusal == ""
	}
	first, ok := enter("192.0.2.1", user("ann"))
	if !ok {
		t.Fatal("the first client of a user is refused")
	}
	if _, ok := enter("192.0.2.2", user("ann")); !ok {
		t.Fatal("the second client of a user is refused")
	}
	if _, ok := enter("192.0.2.3", user("ann")); ok {
		t.Fatal("the third client of a user is let in")
	}
	if _, ok := enter("192.0.2.3", user("bob")); !ok {
		t.Fatal("another user is refused; a refusal must count nothing")
	}
	q.leave(first)
	if _, ok := enter("192.0.2.4", user("ann")); !ok {
		t.Fatal("a user whose client left is refused")
	}
	for range 3 {
		if _, ok := enter("192.0.2.9"); !ok {
			t.Fatal("clients without a user must not count as one")
		}
	}
	if _, ok := enter("192.0.2.9"); ok {
		t.Fatal("the fourth client of an address is let in")
	}
	tenant := auth.Claim{Type: "tenant", Value: "blue"}
	if _, ok := enter("192.0.2.20", tenant); !ok {
		t.Fatal("the first client with a claim is refused")
	}
	if _, ok := enter("192.0.2.21", tenant); ok {
		t.Fatal("the second client with a claim is let in")
	}
}

func TestQuotaDefaults(t *testing.T) {
	t.Parallel()
	var q quotas
	q.configure(resource.Quotas{ConnectionCount: []resource.ConnectionCountRule{{By: resource.ByTokenSignature}}})
	token := tokenOf(t)
	for i := range 21 {
		if _, refusal := q.enter(token, "one token", "192.0.2.1"); (refusal == "") != (i < 20) {
			t.Fatalf("client %d: refusal %q", i+1, refusal)
		}
	}
	if _, refusal := q.enter(token, "another token", "192.0.2.1"); refusal != "" {
		t.Fatal("another token shares the count of the first")
	}
}

func TestQuotaDiagnosticClients(t *testing.T) {
	t.Parallel()
	var q quotas
	q.configure(resource.Quotas{})
	token := tokenOf(t, auth.Claim{Type: "asrs.s.dc", Value: "true"})
	var last client
	for range maxDiagnostic {
		c, refusal := q.enter(token, "", "")
		if refusal != "" {
			t.Fatal(refusal)
		}
		last = c
	}
	if _, refusal := q.enter(token, "", ""); refusal == "" {
		t.Fatal("one diagnostic client too many is let in")
	}
	q.leave(last)
	if _, refusal := q.enter(token, "", ""); refusal != "" {
		t.Fatal("a place that was given back is not given out again")
	}
}

func TestQuotaTraffic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q quotas
		q.configure(resource.Quotas{Traffic: []resource.TrafficRule{{By: resource.ByUser, MaxBytes: 100, WindowSeconds: 10}}})
		one, _ := q.enter(tokenOf(t, user("ann")), "", "")
		two, _ := q.enter(tokenOf(t, user("ann")), "", "")
		other, _ := q.enter(tokenOf(t, user("bob")), "", "")
		if !q.received(one, 60, time.Now()) || !q.received(two, 40, time.Now()) {
			t.Fatal("what the rule allows is refused")
		}
		if q.received(two, 1, time.Now()) {
			t.Fatal("more than the rule allows is taken")
		}
		if !q.received(other, 100, time.Now()) {
			t.Fatal("another user is counted together with the first")
		}
		time.Sleep(11 * time.Second)
		q.tick(time.Now())
		if len(q.traffic) != 0 {
			t.Errorf("%d windows that are over are remembered", len(q.traffic))
		}
		if !q.received(one, 100, time.Now()) {
			t.Fatal("the next window is not a new one")
		}
	})
}

func TestQuotaMessagesPerDay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s Service
		s.quotas.configure(resource.Quotas{MessagesPerDay: 10})
		if !s.Sent(10) {
			t.Fatal("the day's messages are refused")
		}
		if s.Sent(0) {
			t.Fatal("more than the day's messages are let through")
		}
		time.Sleep(24 * time.Hour)
		if !s.Sent(0) {
			t.Fatal("the next day is not a new one")
		}
		s.quotas.configure(resource.Quotas{})
		if !s.Sent(1 << 40) {
			t.Fatal("without a quota messages are refused")
		}
	})
}

func TestQuotaNegotiate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var q quotas
		q.configure(resource.Quotas{NegotiatePerSecond: 5})
		allowed := 0
		for range 100 {
			if q.mayNegotiate() {
				allowed++
			}
		}
		if allowed != 10 {
			t.Errorf("a burst of %d is let through, want 10", allowed)
		}
		time.Sleep(time.Second)
		if !q.mayNegotiate() {
			t.Error("after a second nobody is let in")
		}
	})
}
