package auth

import (
	"net/http"
	"strings"
)

// TokenFrom reads the token of a request: that of the Authorization header with the scheme Bearer, else the query
// parameter access_token, which browsers use where they cannot set a header.
func TokenFrom(r *http.Request) (string, bool) {
	const scheme = "Bearer "
	for _, value := range r.Header.Values("Authorization") {
		if len(value) > len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) {
			if token := strings.TrimSpace(value[len(scheme):]); token != "" {
				return token, true
			}
		}
	}
	if !strings.Contains(r.URL.RawQuery, "access_token") {
		return "", false
	}
	token := r.URL.Query().Get("access_token")
	return token, token != ""
}
