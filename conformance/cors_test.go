//go:build conformance

package conformance

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// TestCORS has a browser try the cors policy: which requests it lets a page make, and what of the answers it shows to it.
func TestCORS(t *testing.T) {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<!doctype html><title>a page of another origin</title>")
	}))
	t.Cleanup(page.Close)
	var calls atomic.Int64 // that reached the backend
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/calls" {
			_, _ = fmt.Fprint(w, calls.Load())
			return
		}
		calls.Add(1)
		w.Header().Set("X-Shown", "shown")
		w.Header().Set("X-Hidden", "hidden")
		_, _ = io.WriteString(w, r.Method+" "+r.Header.Get("X-One")+" "+r.Header.Get("Cookie"))
	}))
	t.Cleanup(backend.Close)
	s := &stage{topology: topology{"cors", "all"}, appURL: page.URL, more: map[string]string{"BACKEND": backend.URL}}
	ready := s.newService(t).run(t)
	s.browser(t, "cors in a browser", "browser/cors.test.mjs", "GATEWAY="+ready.Gateway, "BACKEND="+backend.URL)
}
