package appserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/svcproto"
)

func TestNegotiator(t *testing.T) {
	t.Parallel()
	authenticate := func(r *http.Request) (*User, error) {
		switch name := r.URL.Query().Get("user"); name {
		case "":
			return nil, nil
		case "nobody":
			return nil, ErrUnauthorized
		case "broken":
			return nil, errors.New("secret")
		case "big":
			return &User{ID: name, Claims: []Claim{{Type: "x", Value: strings.Repeat("y", 4000)}}}, nil
		default:
			return &User{ID: name, AuthenticationType: "Cookies", RoleClaimType: "my-role", Claims: []Claim{
				{ClaimNameIdentifier, name}, {ClaimRole, "a"}, {ClaimRole, "b"}, {"sub", "s-1"}, {"exp", "mine"}, {"level", "3"},
			}}, nil
		}
	}
	for _, c := range []struct {
		name, method, target string
		status               int
		url                  string // up to the request id
		claims               map[string]any
	}{
		{"anonymous", "POST", "/my%20chat/negotiate?negotiateVersion=1", 200,
			"http://gateway:8080/suffix/client/?hub=app1_test&asrs.op=%2Fmy+chat&negotiateVersion=1&asrs_request_id=",
			map[string]any{"aud": "http://localhost/client/?hub=app1_test", "iss": "azure-signalr"}},
		{"no path", "POST", "/negotiate", 200, "http://gateway:8080/suffix/client/?hub=app1_test&asrs_request_id=", nil},
		{"trailing slash", "POST", "/chat/negotiate/", 200, "http://gateway:8080/suffix/client/?hub=app1_test&asrs.op=%2Fchat&asrs_request_id=", nil},
		{"user", "POST", "/chat/negotiate?user=ann", 200, "http://gateway:8080/suffix/client/?hub=app1_test&asrs.op=%2Fchat&user=ann&asrs_request_id=",
			map[string]any{
				"aud": "http://localhost/client/?hub=app1_test", "iss": "azure-signalr", "asrs.s.uid": "ann", "asrs.s.aut": "Cookies", "asrs.s.rt": "my-role",
				"nameid": "ann", "role": []any{"a", "b"}, "asrs.u.sub": "s-1", "asrs.u.exp": "mine", "level": "3",
			}},
		{"refused", "POST", "/chat/negotiate?user=nobody", 401, "", nil},
		{"error", "POST", "/chat/negotiate?user=broken", 500, "", nil},
		{"too large", "POST", "/chat/negotiate?user=big", 413, "", nil},
		{"GET", "GET", "/chat/negotiate", 405, "", nil},
		{"another path", "POST", "/chat/", 404, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, probeHub{}, HubOptions{Authenticate: authenticate}, Options{ApplicationName: "App1", TokenLifetime: time.Minute})
				b.app.connection.ClientEndpoint = "http://gateway:8080/suffix/"
				response := httptest.NewRecorder()
				b.hub.Negotiator().ServeHTTP(response, httptest.NewRequest(c.method, c.target, nil))
				if response.Code != c.status {
					t.Fatalf("status %d, want %d", response.Code, c.status)
				}
				if c.status != 200 {
					if strings.Contains(response.Body.String(), "secret") {
						t.Error("the answer holds the error")
					}
					return
				}
				var answer struct {
					NegotiateVersion    *int
					URL, AccessToken    string
					AvailableTransports []string
				}
				if err := json.Unmarshal(response.Body.Bytes(), &answer); err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(answer.URL, c.url) || answer.AvailableTransports == nil || *answer.NegotiateVersion != 0 {
					t.Errorf("answer %s\nwant a URL that begins with %s", response.Body, c.url)
				}
				claims := tokenPayload(t, answer.AccessToken)
				if now := float64(time.Now().Unix()); claims["exp"] != now+60 || claims["iat"] != now || claims["nbf"] != now {
					t.Errorf("times %v %v %v", claims["exp"], claims["iat"], claims["nbf"])
				}
				for _, name := range []string{"exp", "iat", "nbf"} {
					delete(claims, name)
				}
				if diff := cmp.Diff(c.claims, claims); c.claims != nil && diff != "" {
					t.Errorf("claims, want (-), got (+):\n%s", diff)
				}
			})
		})
	}
}

func TestNegotiateWhileNotConnected(t *testing.T) {
	t.Parallel()
	app, err := New(testConnectionString, Options{})
	if err != nil {
		t.Fatal(err)
	}
	hub, err := app.Handle("chat", probeHub{}, HubOptions{})
	if err != nil {
		t.Fatal(err)
	}
	response := httptest.NewRecorder()
	hub.Negotiator().ServeHTTP(response, httptest.NewRequest("POST", "/chat/negotiate", nil))
	if response.Code != 500 || !strings.Contains(response.Body.String(), "not connected") {
		t.Errorf("%d %s", response.Code, response.Body)
	}
}

func TestClaimsComeBack(t *testing.T) {
	t.Parallel()
	u := &User{ID: "ann", AuthenticationType: "Cookies", NameClaimType: "n", RoleClaimType: "r", Claims: []Claim{
		{"n", "Ann"}, {"r", "a"}, {"r", "b"}, {"sub", "s"}, {"aud", "x"}, {"department", "R&D"},
	}}
	var claims []svcproto.Claim
	for _, c := range tokenClaims(u, true) {
		claims = append(claims, svcproto.Claim(c))
	}
	got := userOf(append(claims, svcproto.Claim{Type: "exp", Value: "1"}, svcproto.Claim{Type: "aud", Value: "http://localhost/"}))
	if diff := cmp.Diff(u, got); diff != "" {
		t.Error(diff)
	}
	if got.Name() != "Ann" || !got.HasRole("b") || got.HasRole("c") {
		t.Errorf("name %s", got.Name())
	}
	if u := userOf([]svcproto.Claim{{Type: "exp", Value: "1"}, {Type: "asrs.s.derror", Value: "True"}}); u != nil {
		t.Errorf("anonymous became %v", u)
	}
	var nobody *User
	if nobody.Name() != "" || nobody.HasRole("a") {
		t.Error("nobody is someone")
	}
}
