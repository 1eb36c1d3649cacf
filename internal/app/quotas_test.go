package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/gateway/limit"
	"github.com/hubgate/hubgate/internal/natsd/natstest"
	"github.com/hubgate/hubgate/internal/store/memstore"
	"github.com/hubgate/hubgate/internal/testkit"
)

func TestQuotasOutliveTheNode(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	defer kept.Close()
	key := limit.Key{Kind: limit.Calls, Scope: "a policy", Value: "a subscription", Period: 30 * 24 * time.Hour}
	begin := func() *state {
		s := newState("node", nil, nil, limits{}, testkit.Logger(t))
		s.quotaStore = kept
		return s
	}
	s := begin()
	for range 3 {
		if err := s.countersOf("APIM1").Add(t.Context(), key, 1); err != nil {
			t.Fatal(err)
		}
	}
	s.closeCounters(t.Context())

	s = begin()
	defer s.closeCounters(context.Background())
	for i, want := range []bool{true, true, false} { // three of five are used
		usage, err := s.countersOf("apim1").Take(t.Context(), key, 5, 1)
		if err != nil {
			t.Fatal(err)
		}
		if usage.Allowed != want {
			t.Errorf("call %d after the restart is allowed: %v, want %v", i+1, usage.Allowed, want)
		}
	}
	if usage, err := s.countersOf("APIM2").Take(t.Context(), key, 5, 5); err != nil || !usage.Allowed {
		t.Errorf("another service shares the counts: %+v %v", usage, err)
	}
}

// limited is a service with a rate limit and a quota.
const limited = `
apiManagement:
  - name: APIM1
    apis:
      - name: limited
        path: limited
        serviceUrl: %s
        subscriptionRequired: false
        operations:
          - method: GET
            urlTemplate: /rate
            policy: |
              <policies>
                <inbound><base /><rate-limit-by-key calls="20" renewal-period="300" counter-key="everybody" /></inbound>
                <backend><base /></backend><outbound><base /></outbound>
              </policies>
          - method: GET
            urlTemplate: /quota
            policy: |
              <policies>
                <inbound><base /><quota-by-key calls="20" renewal-period="0" counter-key="everybody" /></inbound>
                <backend><base /></backend><outbound><base /></outbound>
              </policies>
`

// startLimited starts a node with the service limited. The test ends it, or end does before.
func startLimited(t *testing.T, nats, backend string) (gateway string, end func()) {
	t.Helper()
	c, err := config.Parse(fmt.Appendf(nil, limited, backend), "hubgate.yaml", func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan Addresses, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Config: c, NATSURL: nats, GatewayAddress: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)}, func(a Addresses) { ready <- a })
	}()
	done := false
	end = func() {
		if !done {
			done = true
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(end)
	select {
	case a := <-ready:
		return a.Gateway, end
	case err := <-ended:
		done = true
		t.Fatal(err)
	}
	return "", nil
}

// TestNodesCountTogether sends requests to two nodes over one NATS, and then starts all three anew.
func TestNodesCountTogether(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer backend.Close()
	dir := t.TempDir()
	nats, stop := natstest.Run(t, dir, 0)
	one, endOne := startLimited(t, nats, backend.URL)
	two, endTwo := startLimited(t, nats, backend.URL)

	get := func(url string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode
	}
	const calls, requests, gap = 20, 80, 20 * time.Millisecond
	// A node hears of the other's calls after limit.TellInterval and the way, and a few more pass meanwhile, the more the busier the machine is. Nodes
	// that counted each for itself would let twice as many pass.
	const most = 2*calls - 4
	for path, refused := range map[string]int{"/limited/rate": http.StatusTooManyRequests, "/limited/quota": http.StatusForbidden} {
		passed := map[string]int{}
		for i := range requests {
			node := []string{one, two}[i%2]
			switch code := get(node + path); code {
			case http.StatusOK:
				passed[node]++
			case refused:
			default:
				t.Fatalf("%s is answered with %d", path, code)
			}
			time.Sleep(gap)
		}
		t.Logf("%s: %d requests pass the first node and %d the second", path, passed[one], passed[two])
		if n := passed[one] + passed[two]; n < calls || n > most || passed[one] == 0 || passed[two] == 0 {
			t.Errorf("%s: of %d requests %d pass the first node and %d the second, want %d to %d in all", path, requests, passed[one], passed[two], calls, most)
		}
	}
	endOne()
	endTwo()
	stop()

	nats, _ = natstest.Run(t, dir, 0)
	one, _ = startLimited(t, nats, backend.URL)
	two, _ = startLimited(t, nats, backend.URL)
	for _, node := range []string{one, two} {
		if code := get(node + "/limited/quota"); code != http.StatusForbidden {
			t.Errorf("after a restart of all the quota is not used up: %d", code)
		}
		if code := get(node + "/limited/rate"); code != http.StatusOK {
			t.Errorf("after a restart of all the window of the rate limit is answered with %d", code)
		}
	}
}
