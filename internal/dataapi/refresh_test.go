package dataapi_test

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/dataapi"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/testkit"
)

const (
	refreshPath = "/api/hubs/chat/connections/:refreshAuth?api-version=2026-07-01"
	claimsPath  = "/api/hubs/chat/connections/claims?api-version=2026-07-01"
)

// Checklist row 37: claims of clients by the REST API, here of serverless ones, whose upstream is told of the new ones.
func TestRefresh(t *testing.T) {
	t.Parallel()
	url, events := endpoint(t, nil)
	r := newRig(t, resource.UpstreamTemplate{URLTemplate: url})
	c := r.connect("chat", hubproto.JSON, user("ann"), auth.Claim{Type: "role", Value: "guest"})
	testkit.Receive(t, events, "the connected event")
	type claim struct{ Type, Value string }
	ask := func(path string, body any) (answer, []claim) {
		t.Helper()
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		a := r.do("POST", path, "application/json", string(b))
		var got struct{ Claims []claim }
		if err := json.Unmarshal([]byte(a.Body), &got); err != nil {
			t.Fatalf("%v in %q", err, a.Body)
		}
		return a, got.Claims
	}
	const role = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
	if a, got := ask(claimsPath, map[string]any{"connectionToken": c.token}); a.Status != 200 || !slices.Contains(got, claim{role, "guest"}) {
		t.Errorf("status %d, claims %v, want those of the token", a.Status, got)
	}
	next := []claim{{"nameid", "ann"}, {role, "admin"}, {role, "guest"}}
	lower := []map[string]string{{"type": "nameid", "value": "ann"}, {"type": role, "value": "admin"}, {"type": role, "value": "guest"}}
	body := map[string]any{"connectionToken": c.token, "expireTime": "2026-07-01T12:00:00.1234567+02:00", "claims": lower}
	if a, got := ask(refreshPath, body); a.Status != 200 || !cmp.Equal(got, next) {
		t.Errorf("status %d, claims %v, want the new ones", a.Status, got)
	}
	// The names of .NET, and nothing new.
	if a, got := ask(refreshPath, map[string]any{"ConnectionToken": c.token}); a.Status != 200 || !cmp.Equal(got, next) {
		t.Errorf("status %d, claims %v, want those of before", a.Status, got)
	}
	c.send(&hubproto.Message{Type: hubproto.Invocation, Target: "say", Arguments: []hubproto.RawValue{text(hubproto.JSON, "x")}})
	if e := testkit.Receive(t, events, "the message"); !strings.Contains(e.Header.Get("X-ASRS-User-Claims"), role+": admin") {
		t.Errorf("the upstream is told of %q", e.Header.Get("X-ASRS-User-Claims"))
	}

	for name, c := range map[string]struct {
		path, kind, body string
		status           int
		code             string
	}{
		"another user":     {refreshPath, "application/json", `{"connectionToken":"` + c.token + `","claims":[{"type":"nameid","value":"joe"}]}`, 403, "ConnectionUserMismatch"},
		"an unknown token": {refreshPath, "application/json", `{"connectionToken":"unknown","claims":[]}`, 404, "ConnectionNotFound"},
		"the id":           {claimsPath, "application/json", `{"connectionToken":"` + c.id + `"}`, 404, "ConnectionNotFound"},
		"another hub":      {strings.Replace(claimsPath, "chat", "news", 1), "application/json", `{"connectionToken":"` + c.token + `"}`, 404, "ConnectionNotFound"},
		"no token":         {claimsPath, "application/json", `{}`, 400, "Error.Request.Invalid"},
		"no body":          {claimsPath, "", ``, 400, "Error.Request.Invalid"},
		"no JSON":          {claimsPath, "application/json", `{`, 400, "Error.Request.Invalid"},
		"MessagePack":      {claimsPath, "application/octet-stream", "\x80", 400, "Error.Request.Invalid"},
		"a time of words":  {refreshPath, "application/json", `{"connectionToken":"` + c.token + `","expireTime":"soon"}`, 400, "Error.Request.Invalid"},
		"a nameless claim": {refreshPath, "application/json", `{"connectionToken":"` + c.token + `","claims":[{"value":"x"}]}`, 400, "Error.Request.Invalid"},
		"an older version": {strings.Replace(claimsPath, "2026-07-01", "2024-12-01", 1), "application/json", `{"connectionToken":"` + c.token + `"}`, 400, "Error.Request.Invalid"},
	} {
		a := r.do("POST", c.path, c.kind, c.body)
		if a.Status != c.status || a.Header.Get("X-Ms-Error-Code") != c.code {
			t.Errorf("%s: status %d, code %q, want %d, %q; %s", name, a.Status, a.Header.Get("X-Ms-Error-Code"), c.status, c.code, a.Body)
		}
	}
	if a, got := ask(claimsPath, map[string]any{"connectionToken": c.token}); a.Status != 200 || !cmp.Equal(got, next) {
		t.Errorf("what was refused left its mark: status %d, claims %v", a.Status, got)
	}
}

// An end that a refresh brings closes the client like one that its token had.
func TestRefreshDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	end := time.Now().Add(time.Minute)
	c := r.connect("chat", hubproto.JSON, user("ann"), auth.Claim{Type: "asrs.s.coae", Value: "true"})
	body := `{"connectionToken":"` + c.token + `","expireTime":"` + end.UTC().Format(time.RFC3339Nano) + `"}`
	if a := r.do("POST", refreshPath, "application/json", body); a.Status != 200 {
		t.Fatalf("status %d; %s", a.Status, a.Body)
	}
	r.clients.Tick(end.Add(2 * time.Second))
	if m := c.next(); m.Type != hubproto.Close || !strings.Contains(m.Error, "expired") {
		t.Errorf("the client gets %+v, want its end", m)
	}
}

func TestRefreshIsOff(t *testing.T) {
	t.Parallel()
	verifier := auth.NewVerifier([]string{primaryKey})
	r := newRig(t)
	off := &rig{t: t, http: r.http}
	off.server = httptest.NewServer(dataapi.New(dataapi.Options{Registry: hub.NewRegistry("node"), Verifier: func() *auth.Verifier { return verifier }}))
	t.Cleanup(off.server.Close)
	for _, path := range []string{refreshPath, claimsPath} {
		if a := off.do("POST", path, "application/json", `{"connectionToken":"x"}`); a.Status != 404 || a.Header.Get("X-Ms-Error-Code") != "ConnectionNotFound" {
			t.Errorf("status %d; %s", a.Status, a.Body)
		}
	}
}
