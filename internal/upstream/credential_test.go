package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/testkit"
)

const tokenURL = "https://login.example/token"

// answered is a response with a body.
func answered(code int, body string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
}

func managed(identity resource.UpstreamIdentity) resource.UpstreamAuth {
	return resource.UpstreamAuth{Type: resource.UpstreamAuthManagedIdentity, Resource: "api://chat", Identity: identity}
}

func client() resource.UpstreamIdentity {
	return resource.UpstreamIdentity{TokenEndpoint: tokenURL, ClientID: "hubgate", ClientSecret: "hunter2+/="}
}

// TestManagedIdentity is row 51 of the feature table: a template's requests carry a token of the token endpoint, which is asked for once for as long
// as the token is good.
func TestManagedIdentity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked int
		var tokens []string
		d := New(Options{Transport: answering(func(r *http.Request) (*http.Response, error) {
			if r.URL.String() != tokenURL {
				tokens = append(tokens, r.Header.Get("Authorization"))
				if rawHeader(r.Header, "X-ASRS-Signature") == "" {
					t.Error("a request with a token has no signature")
				}
				return status(200), nil
			}
			asked++
			if err := r.ParseForm(); err != nil {
				return nil, err
			}
			id, secret, _ := r.BasicAuth()
			if secret, _ = url.QueryUnescape(secret); id != "hubgate" || secret != "hunter2+/=" || r.Form.Encode() != "audience=api%3A%2F%2Fchat&grant_type=client_credentials&resource=api%3A%2F%2Fchat" {
				t.Errorf("the token was asked for with %q, %q, %s", id, secret, r.Form.Encode())
			}
			return answered(200, fmt.Sprintf(`{"access_token":"token%d","token_type":"Bearer","expires_in":"3600"}`, asked)), nil
		})})
		defer d.Close()
		r := instance(
			resource.UpstreamTemplate{EventPattern: "open", URLTemplate: "http://x/"},
			resource.UpstreamTemplate{URLTemplate: "http://x/", Auth: managed(resource.UpstreamIdentity{})},
		)
		r.UpstreamIdentity = client()
		if err := d.Configure(r); err != nil {
			t.Fatal(err)
		}
		send := func(name string) {
			t.Helper()
			if _, err := d.Dispatch(t.Context(), &Event{Category: CategoryMessages, Name: name}); err != nil {
				t.Fatal(err)
			}
		}
		send("open")
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { send("m") })
		}
		all.Wait()
		time.Sleep(54 * time.Minute)
		send("m")
		if asked != 1 {
			t.Errorf("asked for %d tokens while the first was good", asked)
		}
		time.Sleep(2 * time.Minute) // less than five minutes are left
		send("m")
		if asked != 2 || len(tokens) != 13 || tokens[0] != "" || tokens[1] != "Bearer token1" || tokens[12] != "Bearer token2" {
			t.Errorf("asked for %d tokens; sent %q", asked, tokens)
		}
	})
}

// TestTokenEndpointFails: an old token is used while it is good, nobody asks too often, and an event without a token is not sent.
func TestTokenEndpointFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked, sent int
		working := true
		var log bytes.Buffer
		d := New(Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			Transport: answering(func(r *http.Request) (*http.Response, error) {
				if r.URL.String() != tokenURL {
					sent++
					return status(200), nil
				}
				asked++
				if !working {
					return answered(503, `{"error":"temporarily_unavailable","error_description":"hunter2"}`), nil
				}
				return answered(200, `{"access_token":"good-secret","expires_in":100}`), nil
			})})
		defer d.Close()
		if err := d.Configure(instance(resource.UpstreamTemplate{URLTemplate: "http://x/", Auth: managed(client())})); err != nil {
			t.Fatal(err)
		}
		send := func() error {
			_, err := d.Dispatch(t.Context(), &Event{Name: "m"})
			return err
		}
		if err := send(); err != nil {
			t.Fatal(err)
		}
		working = false
		time.Sleep(95 * time.Second)
		for range 5 {
			if err := send(); err != nil {
				t.Errorf("while the old token is good: %v", err)
			}
		}
		if asked != 2 {
			t.Errorf("asked %d times", asked)
		}
		time.Sleep(10 * time.Second)
		for range 5 {
			if err := send(); err == nil || !strings.Contains(err.Error(), "status 503, temporarily_unavailable") {
				t.Errorf("without a token: %v", err)
			}
		}
		if asked != 3 || sent != 6 {
			t.Errorf("asked %d times, sent %d events", asked, sent)
		}
		working = true
		time.Sleep(maxTokenRetry)
		if err := send(); err != nil {
			t.Error(err)
		}
		if text := log.String(); strings.Contains(text, "hunter2") || strings.Contains(text, "good-secret") {
			t.Errorf("a secret is in the log:\n%s", text)
		}
	})
}

// TestClientSecretInTheForm: an endpoint that does not know the header gets the secret in the form, from then on at once.
func TestClientSecretInTheForm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var forms []string
		d := New(Options{Transport: answering(func(r *http.Request) (*http.Response, error) {
			if r.URL.String() != tokenURL {
				return status(200), nil
			}
			if err := r.ParseForm(); err != nil {
				return nil, err
			}
			forms = append(forms, r.Form.Get("client_id")+" "+r.Form.Get("client_secret")+" "+r.Form.Get("scope"))
			if r.Form.Get("client_secret") == "" {
				return answered(401, `{"error":"invalid_client"}`), nil
			}
			return answered(200, `{"access_token":"t","expires_in":60}`), nil
		})})
		defer d.Close()
		identity := client()
		identity.Scope = "api://chat/.default"
		if err := d.Configure(instance(resource.UpstreamTemplate{URLTemplate: "http://x/", Auth: managed(identity)})); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := d.Dispatch(t.Context(), &Event{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		want := []string{"  api://chat/.default", "hubgate hunter2+/= api://chat/.default", "hubgate hunter2+/= api://chat/.default"}
		if fmt.Sprint(forms) != fmt.Sprint(want) {
			t.Errorf("forms %q, want %q", forms, want)
		}
	})
}

func TestWaitingForATokenEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		d := New(Options{Transport: answering(func(r *http.Request) (*http.Response, error) {
			asked.Add(1)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		defer d.Close()
		if err := d.Configure(instance(resource.UpstreamTemplate{URLTemplate: "http://x/", Auth: managed(client())})); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := d.Dispatch(t.Context(), &Event{}); err == nil {
					t.Error("an event was sent without a token")
				}
			})
		}
		all.Wait()
		if waited := time.Since(start); waited != tokenTimeout || asked.Load() != 1 {
			t.Errorf("%d requests for a token in %v", asked.Load(), waited)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.Sleep(time.Minute)
		time.AfterFunc(time.Second, cancel)
		if _, err := d.Dispatch(ctx, &Event{}); !errors.Is(err, context.Canceled) {
			t.Errorf("who goes away is told %v", err)
		}
	})
}

// TestStaticToken is row 51 with a token that does not change, here from a file.
func TestStaticToken(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Authorization") }))
	defer s.Close()
	file, rules := secretFile(t, "from-a-file\n")
	for text, want := range map[string]string{"as-it-is": "Bearer as-it-is", "{@file(" + file + ")}": "Bearer from-a-file", "two words": ""} {
		d := New(Options{Secrets: rules})
		r := instance(resource.UpstreamTemplate{URLTemplate: s.URL, Auth: resource.UpstreamAuth{Type: resource.UpstreamAuthManagedIdentity}})
		r.UpstreamIdentity.Token = text
		if err := d.Configure(r); err != nil {
			t.Fatal(err)
		}
		_, err := d.Dispatch(t.Context(), &Event{})
		switch {
		case want == "" && (err == nil || strings.Contains(err.Error(), text)):
			t.Errorf("a token that no header can hold: %v", err)
		case want != "" && err != nil:
			t.Error(err)
		case want != "":
			if auth := testkit.Receive(t, got, "the event"); auth != want {
				t.Errorf("Authorization is %q, want %q", auth, want)
			}
		}
		d.Close()
	}
}

func TestReadToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		token  string
		life   time.Duration
		err    string
	}{
		{200, `{"access_token":"a","token_type":"bearer","expires_in":60,"x":{}}`, "a", time.Minute, ""},
		{200, `{"access_token":"a"}`, "a", tokenLife, ""},
		{200, `{"access_token":"a","expires_in":null}`, "a", tokenLife, ""},
		{200, `{"access_token":"a","expires_in":-1}`, "", 0, "not a token in JSON"},
		{200, `{"access_token":"a\r\nX: y"}`, "", 0, "no usable access_token"},
		{200, `{"access_token":"` + strings.Repeat("a", maxTokenBytes+1) + `"}`, "", 0, "no usable access_token"},
		{200, `{"access_token":"a","token_type":"mac"}`, "", 0, "not a bearer token"},
		{200, `{}`, "", 0, "no usable access_token"},
		{200, `<html>hunter2`, "", 0, "not a token in JSON"},
		{200, strings.Repeat(" ", maxTokenResponse+1), "", 0, "more than 65536 bytes"},
		{400, `{"error":"invalid_scope"}`, "", 0, "status 400, invalid_scope"},
		{400, `{"error":"Hunter2 hunter2"}`, "", 0, "status 400"},
		{302, ``, "", 0, "status 302"},
	} {
		text, life, err := readToken(c.status, "application/json", []byte(c.body))
		if c.err == "" && (err != nil || text != c.token || life != c.life) {
			t.Errorf("%d %.60s: %q %v %v", c.status, c.body, text, life, err)
		}
		if c.err != "" && (err == nil || !strings.HasSuffix(err.Error(), c.err) || strings.Contains(strings.ToLower(err.Error()), "hunter2")) {
			t.Errorf("%d %.60s: %v, want %s", c.status, c.body, err, c.err)
		}
	}
}

// FuzzToken reads what a token endpoint may answer: a token that comes out can stand in a header.
func FuzzToken(f *testing.F) {
	f.Add(200, []byte(`{"access_token":"a","expires_in":"60"}`))
	f.Add(400, []byte(`{"error":"invalid_client"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		text, life, err := readToken(status, "application/json", body)
		if err == nil && (!isToken(text) || life <= 0) {
			t.Fatalf("%d %q gives the token %q for %v", status, body, text, life)
		}
	})
}
