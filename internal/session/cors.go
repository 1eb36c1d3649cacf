package session

import (
	"net/http"
	"slices"
)

// allowOrigin answers what browsers ask across origins (Fetch standard, "CORS protocol"). It returns true when the
// request was a preflight and is answered.
//
// SignalR's clients send credentials, with which "*" is refused, so the origin is echoed.
func allowOrigin(w http.ResponseWriter, r *http.Request, allowed []string) (done bool) {
	origin := r.Header.Get("Origin")
	preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
	if origin == "" {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	if len(allowed) == 0 || slices.Contains(allowed, "*") || slices.Contains(allowed, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
		if preflight {
			h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS")
			if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
				h.Set("Access-Control-Allow-Headers", asked)
			}
		}
	}
	if preflight {
		w.WriteHeader(http.StatusNoContent)
	}
	return preflight
}
