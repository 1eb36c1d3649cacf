package identity

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		got = append(got, r.Method+" "+r.PostForm.Encode())
		n := len(got)
		mu.Unlock()
		fmt.Fprintf(w, `{"access_token":"t%d","expires_in":3600,"token_type":"Bearer"}`, n)
	}))
	defer server.Close()
	s, err := New(Options{ClientCredentials: &ClientCredentials{TokenURL: server.URL + "/token", ClientID: "me", ClientSecret: "s"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		token, err := s.Token(t.Context(), "https://vault.azure.net", "")
		if err != nil || token.Value != "t1" {
			t.Fatal(token, err)
		}
	}
	if token, err := s.Token(t.Context(), "https://other/.default", "you"); err != nil || token.Value != "t2" {
		t.Fatal(token, err)
	}
	want := []string{
		"POST client_id=me&client_secret=s&grant_type=client_credentials&scope=https%3A%2F%2Fvault.azure.net%2F.default",
		"POST client_id=you&client_secret=s&grant_type=client_credentials&scope=https%3A%2F%2Fother%2F.default",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("requests:\n%s", strings.Join(got, "\n"))
	}
}

func TestAssertion(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("vouched\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("client_assertion") != "vouched" || r.FormValue("client_secret") != "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Fprint(w, `{"access_token":"t","expires_in":"60"}`)
	}))
	defer server.Close()
	s, err := New(Options{ClientCredentials: &ClientCredentials{TokenURL: server.URL, ClientID: "me", AssertionFile: path}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token, err := s.Token(t.Context(), "r", ""); err != nil || token.Value != "t" {
		t.Error(token, err)
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata") != "true" || r.Header.Get("X-Identity-Header") != "h" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, `{"access_token":%q,"expires_on":"%d"}`, r.URL.RawQuery, time.Now().Add(time.Hour).Unix())
	}))
	defer server.Close()
	s, err := New(Options{Endpoint: &Endpoint{URL: server.URL, APIVersion: "2019-08-01", Header: map[string]string{"X-IDENTITY-HEADER": "h"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.Token(t.Context(), "https://r", "c")
	if err != nil || token.Value != "api-version=2019-08-01&client_id=c&resource=https%3A%2F%2Fr" || time.Until(token.Expires) < 50*time.Minute {
		t.Error(token, err)
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(w http.ResponseWriter){
		"status 401 invalid_client": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client","error_description":"secret"}`)
		},
		"no access_token": func(w http.ResponseWriter) { fmt.Fprint(w, `{}`) },
		"holds no":        func(w http.ResponseWriter) { fmt.Fprint(w, `<html>`) },
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w) }))
		s, err := New(Options{Endpoint: &Endpoint{URL: server.URL}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.Token(t.Context(), "r", ""); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
		server.Close()
		if _, err = s.Token(t.Context(), "r", ""); err == nil {
			t.Error("a server that is gone answers")
		}
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	s, err := New(Options{File: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context(), "r", ""); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	jwt := "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, time.Now().Add(10*time.Second).Unix())) + ".x"
	for _, text := range []string{"opaque\n", jwt} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		token, err := (&file{path: path}).Token(t.Context(), "r", "")
		if err != nil || token.Value != strings.TrimSpace(text) {
			t.Error(token, err)
		}
		if text == jwt && time.Until(token.Expires) > 10*time.Second {
			t.Error("the token's own end does not count")
		}
	}
	if err := os.WriteFile(path, []byte("two tokens"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(t.Context(), "r", ""); err == nil {
		t.Error("two tokens are taken for one")
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{}, {File: "x", Endpoint: &Endpoint{URL: "http://x"}}, {Endpoint: &Endpoint{URL: "x"}},
		{ClientCredentials: &ClientCredentials{TokenURL: "http://x", ClientID: "a"}},
		{ClientCredentials: &ClientCredentials{TokenURL: "http://x", ClientID: "a", ClientSecret: "b", AssertionFile: "c"}},
		{ClientCredentials: &ClientCredentials{TokenURL: "ftp://x", ClientID: "a", ClientSecret: "b"}},
	} {
		if _, err := New(o, nil); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// counting is a source that counts how often it is asked.
type counting struct {
	mu   sync.Mutex
	n    int
	life time.Duration
	err  error
}

func (c *counting) Token(context.Context, string, string) (Token, error) {
	time.Sleep(time.Second)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if c.err != nil {
		return Token{}, c.err
	}
	return Token{Value: fmt.Sprint(c.n), Expires: time.Now().Add(c.life)}, nil
}

func TestCached(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &counting{life: time.Hour}
		c := newCached(source)
		var wait sync.WaitGroup
		for range 10 {
			wait.Go(func() {
				if token, err := c.Token(t.Context(), "r", ""); err != nil || token.Value != "1" {
					t.Error(token, err)
				}
			})
		}
		wait.Wait()
		time.Sleep(57 * time.Minute)
		if token, _ := c.Token(t.Context(), "r", ""); token.Value != "1" {
			t.Error("a token that is good is replaced")
		}
		time.Sleep(2 * time.Minute)
		if token, _ := c.Token(t.Context(), "r", ""); token.Value != "2" {
			t.Error("a token that is about to expire is given out")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Token(ctx, "other", ""); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		source.mu.Lock()
		if source.n != 3 {
			t.Errorf("asked %d times", source.n)
		}
		source.err = errors.New("no")
		source.mu.Unlock()
		if _, err := c.Token(t.Context(), "failing", ""); err == nil {
			t.Error("an error is lost")
		}
	})
}
