package auth

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

func TestHubAudience(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, hub string
		audience  []string
		ok        bool
	}{
		{"plain", "chat", []string{"http://localhost/client/?hub=chat"}, true},
		{"no slash at the end", "chat", []string{"http://localhost/client?hub=chat"}, true},
		{"https, another host, a port", "chat", []string{"https://asrs1.service.signalr.net:8888/client/?hub=chat"}, true},
		{"host in capitals", "chat", []string{"HTTP://LOCALHOST/client/?hub=chat"}, true},
		{"hub in capitals", "CHAT", []string{"http://localhost/client/?hub=Chat"}, true},
		{"application prefix", "app1_chat", []string{"http://localhost/client/?hub=app1_chat"}, true},
		{"characters left as they are", "my.hub_1`[x],y", []string{"http://localhost/client/?hub=my.hub_1`[x],y"}, true},
		{"characters escaped", "a`b", []string{"http://localhost/client/?hub=a%60b"}, true},
		{"more parameters", "chat", []string{"http://localhost/client/?asrs.op=%2Fchat&hub=chat&x=1"}, true},
		{"fragment", "chat", []string{"http://localhost/client/?hub=chat#x"}, true},
		{"two audiences, one fits", "chat", []string{"http://localhost/client/?hub=other", "http://localhost/client/?hub=chat"}, true},

		{"no audience", "chat", nil, false},
		{"wrong hub", "chat", []string{"http://localhost/client/?hub=other"}, false},
		{"hub is a prefix", "chat", []string{"http://localhost/client/?hub=chat2"}, false},
		{"two hubs", "chat", []string{"http://localhost/client/?hub=chat&hub=other"}, false},
		{"the hub twice", "chat", []string{"http://localhost/client/?hub=chat&hub=chat"}, false},
		{"no hub", "chat", []string{"http://localhost/client/"}, false},
		{"no hub on either side", "", []string{"http://localhost/client/?hub="}, false},
		{"parameter in capitals", "chat", []string{"http://localhost/client/?HUB=chat"}, false},
		{"made for an app server", "chat", []string{"http://localhost/server/?hub=chat"}, false},
		{"path in capitals", "chat", []string{"http://localhost/Client/?hub=chat"}, false},
		{"path goes on", "chat", []string{"http://localhost/client/x?hub=chat"}, false},
		{"path with dots", "chat", []string{"http://localhost/x/../client/?hub=chat"}, false},
		{"path escaped", "chat", []string{"http://localhost/%63lient/?hub=chat"}, false},
		{"two slashes", "chat", []string{"http://localhost//client/?hub=chat"}, false},
		{"no host", "chat", []string{"http:///client/?hub=chat"}, false},
		{"no scheme", "chat", []string{"localhost/client/?hub=chat"}, false},
		{"another scheme", "chat", []string{"ftp://localhost/client/?hub=chat"}, false},
		{"query in the fragment", "chat", []string{"http://localhost/client/#?hub=chat"}, false},
		{"broken escape", "chat", []string{"http://localhost/client/?hub=chat&x=%zz"}, false},
		{"two audiences joined", "chat", []string{"http://localhost/client/?hub=other,http://localhost/client/?hub=chat"}, false},
		{"empty", "chat", []string{""}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := (&Token{Audience: test.audience}).CheckClientAudience(test.hub)
			checkRefusal(t, err, test.ok)

			// The same for app servers.
			swapped := make([]string, len(test.audience))
			for i, a := range test.audience {
				swapped[i] = strings.NewReplacer("/client", "/server", "/server", "/client").Replace(a)
			}
			err = (&Token{Audience: swapped}).CheckServerAudience(test.hub)
			checkRefusal(t, err, test.ok)
		})
	}
}

func checkRefusal(t *testing.T, err error, ok bool) {
	t.Helper()
	if err == nil != ok {
		t.Errorf("got %v", err)
	}
	if refusal, isError := errors.AsType[*Error](err); err != nil && (!isError || refusal.Reason != ReasonAudience) {
		t.Errorf("got %v", err)
	}
}

// TestRecordedRESTAudiences checks the requests of the real .NET management SDK. It lost a group that is named with dots
// from the URL of two of them; those must be refused, for they would reach others than they were meant for.
func TestRecordedRESTAudiences(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/rest-audiences.json")
	if err != nil {
		t.Fatal(err)
	}
	var requests []struct{ URL, Aud string }
	if err := json.Unmarshal(b, &requests); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, r := range requests {
		path, query, _ := strings.Cut(r.URL, "?")
		err := (&Token{Audience: []string{r.Aud}}).CheckRESTAudience(path, query)
		lost := strings.Contains(r.Aud, "/./") || strings.Contains(r.Aud, "/../")
		checkRefusal(t, err, !lost)
		if err != nil {
			refused++
		}
	}
	if len(requests) < 40 || refused != 2 {
		t.Errorf("%d of %d requests refused", refused, len(requests))
	}
}

func TestRESTAudience(t *testing.T) {
	t.Parallel()
	const path = "/api/hubs/chat/groups/g%201/:send"
	const query = "api-version=2022-06-01&excluded=a&excluded=b"
	tests := []struct {
		name, aud, path, query string
		ok                     bool
	}{
		{"without query", "https://x.service.signalr.net/api/hubs/chat/groups/g%201/:send", path, query, true},
		{"with api-version", "https://x/api/hubs/chat/groups/g%201/:send?api-version=2022-06-01", path, query, true},
		{"with the whole query", "https://x/api/hubs/chat/groups/g%201/:send?excluded=b&excluded=a&api-version=2022-06-01", path, query, true},
		{"slash at the end", "https://x/api/hubs/chat/groups/g%201/:send/", path, query, true},
		{"port", "https://x:8080/api/hubs/chat/groups/g%201/:send", path, query, true},
		{"hub in capitals", "https://x/api/hubs/CHAT/groups/g%201/:send", path, query, true},
		{"escaped in another way", "https://x/api/hubs/chat/groups/%67%201/%3Asend", path, query, true},
		{"v1", "https://x/api/v1/hubs/Chat/users/u", "/api/v1/hubs/chat/users/u", "", true},
		{"health", "http://localhost/api/health?api-version=2022-06-01", "/api/health", "api-version=2022-06-01", true},
		{"a group that is named with dots, sent as it is", "http://x/api/hubs/chat/groups/../:send", "/api/hubs/chat/groups/../:send", "", true},
		{"a group that is named with dots, escaped", "http://x/api/hubs/chat/groups/../:send", "/api/hubs/chat/groups/%2E%2E/:send", "", true},

		{"a group that is named with dots, lost", "http://x/api/hubs/chat/groups/../:send", "/api/hubs/chat/:send", "", false},
		{"a group that is named with a dot, lost", "http://x/api/hubs/chat/groups/./:send", "/api/hubs/chat/groups/:send", "", false},
		{"another group", "https://x/api/hubs/chat/groups/g2/:send", path, query, false},
		{"group in capitals", "https://x/api/hubs/chat/groups/G%201/:send", path, query, false},
		{"a group with a slash in its name", "https://x/api/hubs/chat/groups/a%2Fb/:send", "/api/hubs/chat/groups/a/b/:send", "", false},
		{"another hub", "https://x/api/hubs/other/groups/g%201/:send", path, query, false},
		{"a part of the path", "https://x/api/hubs/chat", path, query, false},
		{"another version", "https://x/api/hubs/chat/groups/g%201/:send?api-version=2023-07-01", path, query, false},
		{"another application", "https://x/api/hubs/chat/groups/g%201/:send?application=a&api-version=2022-06-01", path, query, false},
		{"a parameter that is not in the request", "https://x/api/hubs/chat/groups/g%201/:send?excluded=c", path, query, false},
		{"client token", "http://localhost/client/?hub=chat", path, query, false},
		{"no path", "http://localhost", "/", "", false},
		{"broken escape", "http://localhost/api/%zz", "/api/zz", "", false},
		{"broken query", "http://localhost/api/x?a=%zz", "/api/x", "a=%zz", false},
		{"empty", "", "", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := (&Token{Audience: []string{"http://elsewhere/nothing", test.aud}}).CheckRESTAudience(test.path, test.query)
			checkRefusal(t, err, test.ok)
		})
	}
}

func TestErrorHeader(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		audience []string
		want     string
	}{
		{[]string{"http://localhost/client/?hub=a"}, `Bearer error="invalid_token", error_description="The audience 'http://localhost/client/?hub=a' is invalid"`},
		{[]string{"a", "b"}, `Bearer error="invalid_token", error_description="The audience 'a, b' is invalid"`},
		{nil, `Bearer error="invalid_token", error_description="The audience '(null)' is invalid"`},
		{[]string{"a\"b\\c\r\nX: ü"}, `Bearer error="invalid_token", error_description="The audience 'a'b?c??X: ?' is invalid"`},
		{[]string{strings.Repeat("x", 2000)}, `Bearer error="invalid_token", error_description="The audience '` + strings.Repeat("x", maxAudienceText) + `...' is invalid"`},
	} {
		err := (&Token{Audience: test.audience}).CheckClientAudience("chat")
		refusal, ok := errors.AsType[*Error](err)
		if !ok || refusal.Header() != test.want {
			t.Errorf("got %v", err)
		}
	}
	if got := MissingToken().Header(); got != "Bearer" {
		t.Errorf("got %q", got)
	}
}

func FuzzAudience(f *testing.F) {
	f.Add("http://localhost/client/?hub=chat", "chat", "/api/hubs/chat/:send", "api-version=1")
	f.Add("http://localhost/api/hubs/chat/groups/../:send?api-version=1", "chat", "/api/hubs/chat/:send", "api-version=1&x=%20")
	f.Add("https://[::1]:80/api/%2e%2e/?#", "", "/api/../", "")
	f.Fuzz(func(t *testing.T, aud, hub, path, query string) {
		token := &Token{Audience: []string{aud}}
		client, server := token.CheckClientAudience(hub), token.CheckServerAudience(hub)
		if client == nil && server == nil {
			t.Fatalf("%q fits clients and app servers", aud)
		}
		if client == nil && (hub == "" || !strings.Contains(aud, "/client")) {
			t.Fatalf("%q fits hub %q", aud, hub)
		}
		if token.CheckRESTAudience(path, query) == nil && strings.Count(trimSlash(path), "/") != strings.Count(trimSlash(pathOf(aud)), "/") {
			t.Fatalf("%q fits %q", aud, path)
		}
	})
}

func pathOf(aud string) string {
	a, _ := parseAudience(aud)
	return a.path
}
