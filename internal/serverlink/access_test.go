package serverlink_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/session"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// Every way to come without the right token is refused in the same way, for app servers and for clients, and nothing of it is logged.
func TestTokens(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	good := func(path string) string { return s.sign(accessKey, s.URL+path+"?hub=chat", soon) }
	for _, kind := range []string{"/client/", "/server/"} {
		other := map[string]string{"/client/": "/server/", "/server/": "/client/"}[kind]
		for name, token := range map[string]string{
			"none":                   "",
			"no token":               "abc",
			"three parts of nothing": "a.b.c",
			"another key":            s.sign("somebody else's key", s.URL+kind+"?hub=chat", soon),
			"expired":                s.sign(accessKey, s.URL+kind+"?hub=chat", past),
			"another hub's":          s.sign(accessKey, s.URL+kind+"?hub=alerts", soon),
			"no hub":                 s.sign(accessKey, s.URL+kind, soon),
			"two hubs":               s.sign(accessKey, s.URL+kind+"?hub=chat&hub=chat", soon),
			"the other's audience":   good(other),
			"another path":           s.sign(accessKey, s.URL+"/api/?hub=chat", soon),
			"no algorithm":           "eyJhbGciOiJub25lIn0." + strings.Split(good(kind), ".")[1] + ".",
			"a cut signature":        good(kind)[:len(good(kind))-4],
			"changed claims":         strings.Replace(good(kind), ".", ".e30", 1),
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				path := kind + "?hub=chat"
				if kind == "/client/" {
					path = "/client/negotiate?hub=chat"
				}
				status, body, header := s.do(http.MethodPost, path, token, "")
				if status != http.StatusUnauthorized {
					t.Errorf("status %d, want 401", status)
				}
				if !strings.HasPrefix(header.Get("WWW-Authenticate"), "Bearer") {
					t.Errorf("WWW-Authenticate is %q", header.Get("WWW-Authenticate"))
				}
				if token != "" && (strings.Contains(body, token) || strings.Contains(header.Get("WWW-Authenticate"), token)) {
					t.Error("the answer repeats the token")
				}
			})
		}
	}
}

func TestHubParameter(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	client, server := s.clientToken("chat"), s.serverToken("chat")
	for _, test := range []struct {
		query string
		want  int
	}{
		{"", http.StatusBadRequest},
		{"?hub=", http.StatusBadRequest},
		{"?hub=chat&hub=chat", http.StatusBadRequest},
		{"?hub=1chat", http.StatusBadRequest},
		{"?hub=ch%2Fat", http.StatusBadRequest},
		{"?hub=" + strings.Repeat("x", 129), http.StatusBadRequest},
		{"?hub=chat", http.StatusOK},
		{"?hub=CHAT", http.StatusOK},
		{"?hub=alerts", http.StatusUnauthorized},
	} {
		if status, body, _ := s.do(http.MethodPost, "/client/negotiate"+test.query, client, ""); status != test.want {
			t.Errorf("negotiate %q: status %d %s, want %d", test.query, status, body, test.want)
		}
	}
	for query, want := range map[string]int{
		"": http.StatusBadRequest, "?hub=": http.StatusBadRequest, "?hub=chat&hub=chat": http.StatusBadRequest,
		"?hub=chat":  http.StatusBadRequest, // no WebSocket
		"?hub=other": http.StatusUnauthorized,
	} {
		if status, body, _ := s.do(http.MethodGet, "/server/"+query, server, ""); status != want {
			t.Errorf("server connection %q: status %d %s, want %d", query, status, body, want)
		}
	}
}

// negotiated is an answer of negotiate.
type negotiated struct {
	Version    int    `json:"negotiateVersion"`
	ID         string `json:"connectionId"`
	Token      string `json:"connectionToken"`
	Error      string `json:"error"`
	Transports []struct {
		Name    string   `json:"transport"`
		Formats []string `json:"transferFormats"`
	} `json:"availableTransports"`
}

func (s *service) negotiate(query, token string) negotiated {
	s.t.Helper()
	status, body, header := s.do(http.MethodPost, "/client/negotiate?hub=chat"+query, token, "")
	if status != http.StatusOK || header.Get("Content-Type") != "application/json" {
		s.t.Fatalf("negotiate: status %d, %s, %s", status, header.Get("Content-Type"), body)
	}
	var n negotiated
	if err := json.Unmarshal([]byte(body), &n); err != nil {
		s.t.Fatalf("negotiate answered %s: %v", body, err)
	}
	return n
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	token := s.clientToken("chat")
	t.Run("version 0 has one id", func(t *testing.T) {
		n := s.negotiate("", token)
		if n.Version != 0 || n.ID == "" || n.Token != "" {
			t.Errorf("got %+v", n)
		}
	})
	for query, version := range map[string]int{"&negotiateVersion=1": 1, "&negotiateVersion=7": 1, "&NEGOTIATEVERSION=1": 1} {
		t.Run("version 1 has two: "+query, func(t *testing.T) {
			n := s.negotiate(query, token)
			if n.Version != version || n.ID == "" || n.Token == "" || n.ID == n.Token {
				t.Errorf("got %+v", n)
			}
		})
	}
	t.Run("versions that there are not", func(t *testing.T) {
		if n := s.negotiate("&negotiateVersion=x", token); n.Error != "The client requested a non-integer protocol version." {
			t.Errorf("got %+v", n)
		}
		if n := s.negotiate("&negotiateVersion=-1", token); n.Error != "The client requested version '-1', but the server does not support this version." {
			t.Errorf("got %+v", n)
		}
	})
	t.Run("transports", func(t *testing.T) {
		names := func(claims ...string) (all []string) {
			token := s.clientToken("chat")
			if len(claims) > 0 {
				token = s.clientToken("chat", claim("asrs.s.htt", claims[0]))
			}
			for _, t := range s.negotiate("&negotiateVersion=1", token).Transports {
				all = append(all, t.Name+" "+strings.Join(t.Formats, ","))
			}
			return all
		}
		const ws, events, polling = "WebSockets Text,Binary", "ServerSentEvents Text", "LongPolling Text,Binary"
		for mask, want := range map[string][]string{"1": {ws}, "2": {events}, "5": {ws, polling}, "7": {ws, events, polling}} {
			if diff := cmp.Diff(want, names(mask)); diff != "" {
				t.Errorf("mask %s: %s", mask, diff)
			}
		}
		if diff := cmp.Diff([]string{ws, events, polling}, names()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("by GET", func(t *testing.T) {
		if status, _, _ := s.do(http.MethodGet, "/client/negotiate?hub=chat", token, ""); status != http.StatusMethodNotAllowed {
			t.Errorf("status %d", status)
		}
	})
}

func TestConnectionIDs(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	ann := s.clientToken("chat", claim("asrs.s.uid", "ann"))
	bob := s.clientToken("chat", claim("asrs.s.uid", "bob"))
	n := s.negotiate("&negotiateVersion=1", ann)
	if _, status := s.tryDial("chat", n.ID, ann); status != http.StatusNotFound {
		t.Errorf("the id that others may see opens the connection: status %d", status)
	}
	if _, status := s.tryDial("chat", "guessed", ann); status != http.StatusNotFound {
		t.Errorf("an id that was never given: status %d", status)
	}
	if _, status := s.tryDial("chat", n.Token, bob); status != http.StatusForbidden {
		t.Errorf("another user: status %d", status)
	}
	if _, status := s.tryDial("other", n.Token, s.clientToken("other", claim("asrs.s.uid", "ann"))); status != http.StatusNotFound {
		t.Errorf("another hub: status %d", status)
	}
	c := s.dial("chat", n.Token, ann)
	c.send(hello)
	if open := a.accept(); open.ConnectionID != n.ID {
		t.Errorf("the app server knows it as %q, negotiate said %q", open.ConnectionID, n.ID)
	}
	c.expect("{}\x1e")
	if _, status := s.tryDial("chat", n.Token, ann); status != http.StatusConflict {
		t.Errorf("the same id once more: status %d", status)
	}
	if status, _, _ := s.do(http.MethodPost, "/client/?hub=chat&id="+n.Token, ann, "x"); status != http.StatusMethodNotAllowed {
		t.Errorf("a POST to a WebSocket: status %d", status)
	}
	if status, _, _ := s.do(http.MethodGet, "/client/?hub=chat&id="+n.Token, ann, ""); status != http.StatusBadRequest {
		t.Errorf("another transport: status %d", status)
	}
	if status, _, _ := s.do(http.MethodPut, "/client/?hub=chat&id="+n.Token, ann, ""); status != http.StatusMethodNotAllowed {
		t.Errorf("PUT: status %d", status)
	}
	if status, _, _ := s.do(http.MethodGet, "/client/?hub=chat", ann, ""); status != http.StatusBadRequest {
		t.Errorf("no id: status %d", status)
	}
	_ = c.conn.Close(1000, "")
	s.endOf(session.Normal)
	if _, status := s.tryDial("chat", n.Token, ann); status != http.StatusNotFound {
		t.Errorf("an id whose connection is over: status %d", status)
	}
}

// What an app server is told of a client holds what it needs, and no secret.
func TestOpenConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	token := s.clientToken("chat", claim("asrs.s.uid", "ann"), claim("color", "blue"), claim("asrs.s.svn", "x"))
	c := s.dial("chat", "", token)
	c.send(`{"protocol":"JSON","version":1}` + "\x1e")
	open := receive[*svcproto.OpenConnection](a)
	if open.Protocol != "json" {
		t.Errorf("the protocol is %q", open.Protocol)
	}
	seen := open.Query
	for _, h := range open.Headers {
		seen += h.Name + strings.Join(h.Values, "")
		if h.Name == "Asrs-Instance-Id" && h.Values[0] != "node1" {
			t.Errorf("the instance is %q", h.Values)
		}
	}
	if strings.Contains(seen, token) || strings.Contains(seen, accessKey) || strings.Contains(seen, "access_token") {
		t.Errorf("the app server is told a secret: %s", seen)
	}
	if !strings.HasPrefix(open.Query, "?hub=chat") {
		t.Errorf("the query is %q", open.Query)
	}
	has := func(value string) bool {
		for _, c := range open.Claims {
			if c.Value == value {
				return true
			}
		}
		return false
	}
	if !has("ann") || !has("blue") {
		t.Errorf("the claims are %v", open.Claims)
	}
}

func TestConnectionLimit(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{clients: session.Limits{Connections: 2}})
	a := s.server("chat", "server1")
	first, _ := s.connect(a, "")
	s.connect(a, "")
	status, body, header := s.do(http.MethodPost, "/client/negotiate?hub=chat", s.clientToken("chat"), "")
	if status != http.StatusTooManyRequests || header.Get("Retry-After") == "" {
		t.Errorf("negotiate: status %d %s, Retry-After %q", status, body, header.Get("Retry-After"))
	}
	if _, status := s.tryDial("chat", "", s.clientToken("chat")); status != http.StatusTooManyRequests {
		t.Errorf("a WebSocket: status %d", status)
	}
	_ = first.conn.Close(1000, "")
	s.endOf(session.Normal)
	receive[*svcproto.CloseConnection](a)
	s.connect(a, "") // there is room again
}
