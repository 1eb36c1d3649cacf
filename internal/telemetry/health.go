package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// CheckTimeout bounds each readiness check.
const CheckTimeout = 3 * time.Second

// Health knows whether a node lives and whether it is ready for requests. The zero value is ready.
type Health struct {
	mu       sync.Mutex
	checks   []check
	draining bool
}

type check struct {
	name string
	run  func(context.Context) error
}

// Add adds a readiness check; run returns why the part of that name is not ready, in words that may be shown to anybody, or nil.
func (h *Health) Add(name string, run func(context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, check{name, run})
}

// Drain says that the node is about to end: from now on it is not ready, so that load balancers send it nothing new.
func (h *Health) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// Live answers 200 as long as the process answers at all.
func (h *Health) Live(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, "ok\n")
}

// Ready runs all checks at the same time and answers 200, or 503 when one has failed or the node drains. The body has a line for each.
func (h *Health) Ready(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	checks, draining := slices.Clone(h.checks), h.draining
	h.mu.Unlock()
	if draining {
		answer(w, http.StatusServiceUnavailable, "draining\n")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), CheckTimeout)
	defer cancel()
	results := make([]chan error, len(checks))
	for i, c := range checks {
		results[i] = make(chan error, 1)
		go func() { results[i] <- runCheck(ctx, c) }()
	}
	status := http.StatusOK
	var body strings.Builder
	for i, c := range checks {
		var err error
		select {
		case err = <-results[i]:
		case <-ctx.Done():
			err = fmt.Errorf("did not answer within %s", CheckTimeout)
		}
		if err == nil {
			fmt.Fprintf(&body, "%s: ok\n", c.name)
			continue
		}
		status = http.StatusServiceUnavailable
		fmt.Fprintf(&body, "%s: %s\n", c.name, RedactText(err.Error()))
	}
	if len(checks) == 0 {
		body.WriteString("ok\n")
	}
	answer(w, status, body.String())
}

// runCheck runs a check; one that panics has failed.
func runCheck(ctx context.Context, c check) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the check itself failed")
		}
	}()
	return c.run(ctx)
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // a client that has gone needs no answer
}
