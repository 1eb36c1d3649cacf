package appserver

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/hubgate/hubgate/internal/auth"
)

// maxTokenLength is the longest access token that a client can carry through proxies, and that the .NET SDK issues.
const maxTokenLength = auth.MaxIssuedBytes

// negotiateAnswer redirects a client to the service.
type negotiateAnswer struct {
	NegotiateVersion    int      `json:"negotiateVersion"`
	URL                 string   `json:"url"`
	AccessToken         string   `json:"accessToken"`
	AvailableTransports []string `json:"availableTransports"`
}

// Negotiator answers the negotiate requests of the hub's clients: POST {path}/negotiate gives the URL of the service and a
// token for it. Requests to any other path get 404, so it can be mounted at {path}/ too. Cross-origin requests are the
// application's matter.
//
// Refusals: 401 and 500 as HubOptions.Authenticate says, 413 when the user's claims do not fit into a token, 500 while no
// server connection is up.
func (h *Hub) Negotiator() http.Handler { return http.HandlerFunc(h.negotiate) }

func (h *Hub) negotiate(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutSuffix(strings.TrimSuffix(r.URL.Path, "/"), "/negotiate")
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "negotiate requests are POST requests", http.StatusMethodNotAllowed)
		return
	}
	var user *User
	if h.options.Authenticate != nil {
		var err error
		if user, err = h.options.Authenticate(r); errors.Is(err, ErrUnauthorized) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "sign in to connect to this hub", http.StatusUnauthorized)
			return
		} else if err != nil {
			h.log.Error("authentication of a negotiate request failed", "error", err)
			http.Error(w, "authentication failed", http.StatusInternalServerError)
			return
		}
	}
	if h.app.connection.Credential == CredentialEntra {
		http.Error(w, ErrEntraUnsupported.Error(), http.StatusInternalServerError)
		return
	}
	if !h.Connected() {
		http.Error(w, "the app server is not connected to the SignalR service yet; try again later", http.StatusInternalServerError)
		return
	}
	token, err := h.accessToken(user)
	if err != nil {
		h.log.Error("an access token could not be made", "error", err)
		http.Error(w, "the access token could not be made", http.StatusInternalServerError)
		return
	}
	if len(token) > maxTokenLength {
		http.Error(w, "the access token with the user's claims has more than 4096 characters; give the user fewer claims", http.StatusRequestEntityTooLarge)
		return
	}
	answer, err := json.Marshal(negotiateAnswer{URL: h.clientURL(path, r.URL.RawQuery), AccessToken: token, AvailableTransports: []string{}})
	if err != nil {
		http.Error(w, "the answer could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store") // It holds a token.
	_, _ = w.Write(answer)                      // A client that went is nobody's error.
}

// accessToken is the token that lets a user connect to the service.
func (h *Hub) accessToken(user *User) (string, error) {
	var claims []auth.Claim
	for _, c := range tokenClaims(user, h.options.DetailedErrors) {
		claims = append(claims, auth.Claim{Type: c.Type, Value: c.Value})
	}
	return h.app.sign(h.app.connection.audience+"client/?hub="+h.wireName, claims)
}

// clientURL is where clients are redirected to. The service hands the query on, so the hub sees the path that the client
// asked for and the application's own parameters.
func (h *Hub) clientURL(path, query string) string {
	var b strings.Builder
	b.WriteString(h.app.connection.ClientEndpoint + "client/?hub=" + url.QueryEscape(h.wireName))
	if path != "" {
		b.WriteString("&asrs.op=" + url.QueryEscape(path))
	}
	if query != "" {
		b.WriteString("&" + query)
	}
	var id [8]byte
	rand.Read(id[:]) // It never returns an error (crypto/rand).
	b.WriteString("&asrs_request_id=" + url.QueryEscape(base64.StdEncoding.EncodeToString(id[:])))
	return b.String()
}
