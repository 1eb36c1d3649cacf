package websocket

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	coder "github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/testkit"
	"github.com/hubgate/hubgate/internal/transport"
)

// echoing sends back what it gets.
type echoing struct {
	*handler
	conn *Conn
}

func (e *echoing) Receive(b []byte) error {
	var batch message.Batch
	e.conn.Push(message.New(b, true), &batch)
	batch.Flush()
	return nil
}

// echoServer upgrades whatever comes; headers stand in the answer.
func echoServer(t *testing.T, headers http.Header) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, values := range headers {
			w.Header()[name] = values
		}
		conn, rest, err := Upgrade(w, r)
		if err != nil {
			return
		}
		c := New(conn, transport.Limits{})
		go c.Serve(rest, &echoing{handler: newHandler(), conn: c})
	}))
	t.Cleanup(s.Close)
	return s
}

const request = "GET /client HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

func dial(t *testing.T, s *httptest.Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(testkit.Patience))
	return c
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	s := echoServer(t, http.Header{"X-Own": {"kept"}, "Upgrade": {"other"}, "Content-Length": {"7"}})
	c := dial(t, s)
	// Frames right behind the request are part of the connection.
	if _, err := io.WriteString(c, request+string(frameOf(binaryFrame, []byte("early")))); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	answer, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", answer.StatusCode)
	}
	for name, want := range map[string]string{
		"Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", // the example of RFC 6455, section 1.3
		"Upgrade":              "websocket",
		"Connection":           "Upgrade",
		"X-Own":                "kept",
		"Content-Length":       "",
	} {
		if got := strings.Join(answer.Header.Values(name), ", "); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	want := "\x82\x05early"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != want {
		t.Errorf("got %q, error %v", got, err)
	}
}

func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	s := echoServer(t, nil)
	for _, test := range []struct {
		name, old, new string
		status         int
	}{
		{"by POST", "GET", "POST", http.StatusMethodNotAllowed},
		{"HTTP/1.0", "HTTP/1.1", "HTTP/1.0", http.StatusHTTPVersionNotSupported},
		{"an older version", "Version: 13", "Version: 8", http.StatusUpgradeRequired},
		{"no key", "Sec-WebSocket-Key", "X-Key", http.StatusBadRequest},
		{"a short key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhl", http.StatusBadRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, s)
			if _, err := io.WriteString(c, strings.Replace(request, test.old, test.new, 1)); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != test.status {
				t.Errorf("status %d, want %d", answer.StatusCode, test.status)
			}
			if v := answer.Header.Get("Sec-WebSocket-Version"); test.status == http.StatusUpgradeRequired && v != "13" {
				t.Errorf("the version that is spoken is given as %q", v)
			}
		})
	}
}

func TestIsUpgrade(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		connection, upgrade string
		want                bool
	}{
		{"Upgrade", "websocket", true},
		{"keep-alive, upgrade", "WebSocket", true},
		{"keep-alive", "websocket", false},
		{"Upgrade", "h2c", false},
		{"Upgrade", "h2c, websocket", true},
		{"", "", false},
		{"Upgraded", "websocket", false},
	} {
		r := &http.Request{Header: http.Header{"Connection": {test.connection}, "Upgrade": {test.upgrade}}}
		if got := IsUpgrade(r); got != test.want {
			t.Errorf("Connection %q and Upgrade %q: %t", test.connection, test.upgrade, got)
		}
	}
}

// An independent implementation understands this one, small and large, and the close handshake both ways.
func TestIndependentClient(t *testing.T) {
	t.Parallel()
	s := echoServer(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	c, _, err := coder.Dial(ctx, s.URL, nil) //nolint:bodyclose // an upgraded response has no body
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	for _, size := range []int{1, 125, 126, 4096} {
		if err := c.Write(ctx, coder.MessageBinary, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < size; { // a message comes back in the pieces in which it was read
			_, b, err := c.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			got += len(b)
		}
	}
	pinged := make(chan error, 1)
	reading := c.CloseRead(ctx)
	go func() { pinged <- c.Ping(ctx) }()
	if err := testkit.Receive(t, pinged, "the pong"); err != nil {
		t.Error(err)
	}
	if err := c.Close(coder.StatusNormalClosure, "bye"); err != nil {
		t.Errorf("the close handshake: %v", err)
	}
	<-reading.Done()
}
