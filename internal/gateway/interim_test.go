package gateway

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
)

// TestInterimResponses passes early hints of a backend on, before its final answer.
func TestInterimResponses(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Set("Link", "</script.js>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		_, _ = io.WriteString(w, "the answer")
	}))
	defer backend.Close()
	_, address := startGateway(t, Options{}, httpAPI("a", "a", backend.URL, "GET /*")...)
	var hints []string
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = append(hints, http.StatusText(code)+" "+h.Get("Link"))
		return nil
	}}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, address+"/a/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || string(body) != "the answer" || response.Header.Get("Link") != "" {
		t.Errorf("the final answer is %q with Link %q, error %v", body, response.Header.Get("Link"), err)
	}
	if got, want := strings.Join(hints, "; "), "Early Hints </style.css>; rel=preload; Early Hints </script.js>; rel=preload"; got != want {
		t.Errorf("the hints are %q, want %q", got, want)
	}

	// A client of HTTP/1.0 would take the first hint for the answer.
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /a/x HTTP/1.0\r\nHost: gateway\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, " 200 ") {
		t.Errorf("a client of HTTP/1.0 gets %q, error %v", line, err)
	}
}
