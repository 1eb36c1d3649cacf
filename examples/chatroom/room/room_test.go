package room

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hubgate/hubgate/appserver"
)

func TestPage(t *testing.T) {
	t.Parallel()
	app, err := appserver.New("Endpoint=http://localhost;Port=8888;AccessKey=key;Version=1.0;", appserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := New(app)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	for _, c := range []struct {
		method, path string
		status       int
		contentType  string
		holds        string
	}{
		{"GET", "/", 200, "text/html", `id="lost"`},
		{"GET", "/room.js", 200, "text/javascript", "broadcastMessage"},
		{"GET", "/room.css", 200, "text/css", "prefers-color-scheme: dark"},
		{"GET", "/icon.svg", 200, "image/svg+xml", "<svg"},
		{"GET", "/signalr.min.js", 200, "text/javascript", "HubConnectionBuilder"},
		{"GET", "/signalr.min.js.LICENSE.txt", 200, "text/plain", "MIT License"},
		{"GET", "/nothing", 404, "text/plain", ""},
		{"POST", "/", 405, "text/plain", ""},
		{"POST", "/chat/negotiate", 500, "text/plain", "not connected"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != c.status || !strings.HasPrefix(response.Header.Get("Content-Type"), c.contentType) || !strings.Contains(string(body), c.holds) {
			t.Errorf("%s %s: %d %s", c.method, c.path, response.StatusCode, response.Header.Get("Content-Type"))
		}
		if c.path == "/" && c.status == 200 && response.Header.Get("Content-Security-Policy") == "" {
			t.Error("the page has no content security policy")
		}
	}
}

// TestPageNeedsNothingElse holds the page to its own files.
func TestPageNeedsNothingElse(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"index.html", "room.css", "room.js", "icon.svg"} {
		text, err := page.ReadFile("page/" + name)
		if err != nil {
			t.Fatal(err)
		}
		content := strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", "")
		for _, outside := range []string{"http://", "https://", "//cdn", "@import"} {
			if strings.Contains(content, outside) {
				t.Errorf("%s holds %q", name, outside)
			}
		}
	}
}
