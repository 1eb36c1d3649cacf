package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/limit"
)

func TestQuotasOutliveTheNode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	key := limit.Key{Kind: limit.Calls, Scope: "a policy", Value: "a subscription", Period: 30 * 24 * time.Hour}
	begin := func() *state {
		s := newState("node", nil, nil, limits{}, log)
		s.dataDir = dir
		return s
	}
	s := begin()
	for range 3 {
		if err := s.quotasOf("APIM1").Add(t.Context(), key, 1); err != nil {
			t.Fatal(err)
		}
	}
	s.saveQuotas()

	s = begin()
	for i, want := range []bool{true, true, false} { // three of five are used
		usage, err := s.quotasOf("apim1").Take(t.Context(), key, 5, 1)
		if err != nil {
			t.Fatal(err)
		}
		if usage.Allowed != want {
			t.Errorf("call %d after the restart is allowed: %v, want %v", i+1, usage.Allowed, want)
		}
	}
	if usage, err := s.quotasOf("APIM2").Take(t.Context(), key, 5, 5); err != nil || !usage.Allowed {
		t.Errorf("another service shares the counts: %+v %v", usage, err)
	}

	var out strings.Builder
	if err := os.WriteFile(filepath.Join(dir, "quotas-broken.jsonl"), []byte("{this is not it"), 0o600); err != nil {
		t.Fatal(err)
	}
	q := openQuotas(dir, "Broken", slog.New(slog.NewTextHandler(&out, nil)))
	if usage, err := q.counters.Take(t.Context(), key, 1, 1); err != nil || !usage.Allowed {
		t.Errorf("after a broken file nothing is counted: %+v %v", usage, err)
	}
	if !strings.Contains(out.String(), "quotas-broken.jsonl") {
		t.Errorf("the log does not say which file is broken: %s", &out)
	}
}
