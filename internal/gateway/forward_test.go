package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/gateway/proxy"
	"github.com/hubgate/hubgate/internal/resource"
)

// localOptions hand every backend to the handler.
func localOptions(h http.Handler) Options {
	return Options{Local: func(*url.URL) http.Handler { return h }}
}

const outboundStamp = `<policies><outbound><base/><set-header name="X-Stamp"><value>gateway</value></set-header></outbound></policies>`

// hijackStream is how a handler in process sends events without net/http's buffers: it tells the gateway its head, takes the
// connection over and writes all by itself.
func hijackStream(w http.ResponseWriter, status int) error {
	w.Header().Set("Content-Type", "text/event-stream")
	w.(interface{ Head(status int) }).Head(status)
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Fprintf(buffered, "HTTP/1.1 %d OK\r\n", status)
	w.Header().Write(buffered)
	buffered.WriteString("Connection: close\r\n\r\ndata: 1\n\n")
	return buffered.Flush()
}

func TestInProcessHandlerHijacks(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := hijackStream(w, http.StatusOK); err != nil {
			t.Error(err)
		}
	})
	resources := httpAPI("a", "a", "http://local", "GET /")
	_, address := startGateway(t, localOptions(h), append(resources, policyOf(testService.Child("apis", "a"), outboundStamp))...)
	response, err := http.Get(address + "/a")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.Header.Get("X-Stamp") != "gateway" || string(body) != "data: 1\n\n" {
		t.Errorf("got the header %v and the body %q", response.Header, body)
	}
}

func TestInProcessHandlerCannotHijackAReplacedResponse(t *testing.T) {
	t.Parallel()
	result := make(chan error, 1)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { result <- hijackStream(w, http.StatusOK) })
	document := `<policies><outbound><return-response><set-status code="503" reason="Busy"/><set-body>later</set-body></return-response></outbound></policies>`
	_, address := startGateway(t, localOptions(h), append(httpAPI("a", "a", "http://local", "GET /"), policyOf(testService.Child("apis", "a"), document))...)
	response, err := http.Get(address + "/a")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if err := <-result; !errors.Is(err, errReplaced) {
		t.Errorf("the handler got %v", err)
	}
	if response.StatusCode != http.StatusServiceUnavailable || string(body) != "later" || response.Header.Get("Content-Type") != "" {
		t.Errorf("got %d %q %v", response.StatusCode, body, response.Header)
	}
}

func TestInProcessRequestLooksProxied(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s|%s|%v|%s|%d", r.Method, r.Host, r.URL, r.RequestURI, r.Header.Get("X-Forwarded-For"), r.TLS != nil, body, r.ContentLength)
		if host, _, _ := net.SplitHostPort(r.RemoteAddr); host != "127.0.0.1" {
			t.Errorf("RemoteAddr is %q", r.RemoteAddr)
		}
	})
	g := New(Options{Service: testService, Local: localOptions(h).Local})
	if err := g.Update(httpAPI("a", "suffix", "https://local.example/base", "POST /{x}")); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(g)
	defer server.Close()
	response, err := server.Client().Post(server.URL+"/suffix/a%2Fb?q=1", "", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if want := "POST local.example /base/a%2Fb?q=1 /base/a%2Fb?q=1|127.0.0.1|true|body|4"; string(body) != want {
		t.Errorf("got %s, want %s", body, want)
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	server := httptest.NewServer(slow)
	defer server.Close()
	defer close(release)
	document := `<policies><backend><forward-request timeout-ms="20"/></backend><on-error><set-header name="X-Reason"><value>@(context.LastError.Reason)</value></set-header></on-error></policies>`
	then := strings.Replace(document, `ms="20"/>`, `ms="20"/><set-variable name="v" value="1"/>`, 1)
	for name, c := range map[string]struct {
		o        Options
		document string
	}{
		"on the network": {Options{}, document}, "in process": {localOptions(slow), document}, "beside the pipeline": {localOptions(slow), then},
	} {
		t.Run(name, func(t *testing.T) {
			_, address := startGateway(t, c.o, append(httpAPI("a", "a", server.URL, "GET /"), policyOf(testService.Child("apis", "a"), c.document))...)
			response, err := http.Get(address + "/a")
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != 500 || response.Header.Get("X-Reason") != "Timeout" {
				t.Errorf("got %d with the reason %q", response.StatusCode, response.Header.Get("X-Reason"))
			}
		})
	}
}

// TestClientLeaves shows that a backend learns when its client goes.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	started, ended := make(chan struct{}, 1), make(chan struct{}, 1)
	waits := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		http.NewResponseController(w).Flush()
		started <- struct{}{}
		<-r.Context().Done()
		ended <- struct{}{}
	})
	server := httptest.NewServer(waits)
	defer server.Close()
	for name, o := range map[string]Options{"on the network": {}, "in process": localOptions(waits)} {
		t.Run(name, func(t *testing.T) {
			_, address := startGateway(t, o, httpAPI("a", "a", server.URL, "GET /")...)
			ctx, cancel := context.WithCancel(context.Background())
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, address+"/a", nil)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			<-started
			cancel()
			response.Body.Close()
			<-ended
		})
	}
}

func TestBackendBreaksOff(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	_, address := startGateway(t, Options{}, httpAPI("a", "a", server.URL, "GET /")...)
	response, err := http.Get(address + "/a")
	if err == nil {
		_, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	if err == nil {
		t.Error("the client took half a body for a whole one")
	}
}

func TestTrailers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		w.Header().Set("X-Sum", r.Trailer.Get("X-Ask")+"!")
	}))
	defer server.Close()
	_, address := startGateway(t, Options{}, httpAPI("a", "a", server.URL, "POST /")...)
	body, writer := io.Pipe()
	request, _ := http.NewRequest(http.MethodPost, address+"/a", body)
	request.Trailer = http.Header{"X-Ask": nil}
	go func() {
		io.WriteString(writer, "part")
		request.Trailer.Set("X-Ask", "asked")
		writer.Close()
	}()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	io.ReadAll(response.Body)
	if got := response.Trailer.Get("X-Sum"); got != "asked!" {
		t.Errorf("the trailer is %q", got)
	}
}

func TestRedirectsAreFollowedWhenAsked(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old/" {
			http.Redirect(w, r, "/new", http.StatusTemporaryRedirect)
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
	}))
	defer server.Close()
	document := `<policies><backend><forward-request follow-redirects="true" buffer-request-body="true"/></backend></policies>`
	_, address := startGateway(t, Options{}, append(httpAPI("a", "a", server.URL+"/old", "POST /"), policyOf(testService.Child("apis", "a"), document))...)
	response, err := http.Post(address+"/a/", "", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != "POST /new body" {
		t.Errorf("got %q", body)
	}
}

// TestRequestSmuggling sends what confuses parsers. A backend must see nothing, or one request whose frame is clear.
func TestRequestSmuggling(t *testing.T) {
	t.Parallel()
	const hidden = "GET /a/hidden HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, raw := range map[string]string{
		"length and chunked":       "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"two lengths":              "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\nContent-Length: 35\r\n\r\n" + hidden,
		"list of lengths":          "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0, 35\r\n\r\n" + hidden,
		"signed length":            "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: +35\r\n\r\n" + hidden,
		"two encodings":            "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"strange encoding":         "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"encoding with tab":        "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n" + hidden,
		"space before colon":       "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length : 35\r\n\r\n" + hidden,
		"folded header":            "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: a\r\n Content-Length: 35\r\n\r\n" + hidden,
		"two hosts":                "GET /a/x HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n",
		"no host":                  "GET /a/x HTTP/1.1\r\nConnection: close\r\n\r\n",
		"length named by the peer": "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: close, Content-Length\r\nContent-Length: 2\r\n\r\nab",
		"body on GET":              "GET /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 35\r\n\r\n" + hidden,
		"bad chunk size":           "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
		"chunk without end":        "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX0\r\n\r\n",
		"line break in path":       "GET /a/x%0d%0aX-Evil:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"null in header":           "GET /a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: a\x00b\r\n\r\n",
		"absolute address":         "GET http://other/a/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"upgrade with a body":      "POST /a/x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var seen []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, err := io.ReadAll(r.Body)
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, r.URL.EscapedPath())
				if r.Header.Get("X-Evil") != "" || r.Header.Get("Upgrade") != "" {
					t.Errorf("the backend got the headers %v", r.Header)
				}
				if err == nil && len(r.TransferEncoding) > 0 && r.Header.Get("Content-Length") != "" {
					t.Error("the backend got a length and an encoding")
				}
			}))
			_, address := startGateway(t, Options{}, httpAPI("a", "a", server.URL, "GET /*", "POST /*")...)
			answer := exchange(t, address, raw)
			server.Close() // Waits for what is still on its way.
			if strings.Count(answer, "HTTP/1.1 ") != 1 {
				t.Errorf("got more than one response, or none:\n%s", answer)
			}
			if len(seen) > 1 || len(seen) == 1 && strings.Contains(seen[0], "hidden") {
				t.Errorf("the backend got %q", seen)
			}
		})
	}
}

func TestRelayedWebSocketLimits(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(signalRBackend(t))
	defer backend.Close()
	g, address := startGateway(t, Options{Proxy: proxy.Options{MaxWebSockets: 1, WebSocketIdle: 2 * time.Second}}, webSocketAPI("c", "client", "ws"+strings.TrimPrefix(backend.URL, "http")+"/client"))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	target := "ws" + strings.TrimPrefix(address, "http") + "/client/"
	first, _, err := websocket.Dial(ctx, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.CloseNow()
	if _, response, err := websocket.Dial(ctx, target, nil); err == nil || response == nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the second WebSocket got %v, %v", response, err)
	}
	// No byte goes either way, so the gateway ends the connection.
	if _, _, err := first.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the idle WebSocket got %v", err)
	}
	g.Close()
}

// echoed is a WebSocket over which a message has gone both ways.
func echoed(ctx context.Context, t *testing.T, target string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(ctx, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCloseEndsRelayedWebSockets(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(signalRBackend(t))
	defer backend.Close()
	g, address := startGateway(t, Options{}, webSocketAPI("c", "client", "ws"+strings.TrimPrefix(backend.URL, "http")+"/client"))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c := echoed(ctx, t, "ws"+strings.TrimPrefix(address, "http")+"/client/")
	defer c.CloseNow()
	g.Close()
	if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("after Close the WebSocket got %v", err)
	}
}

// TestDrainEndsRelayedWebSockets drains under a client and a backend of another make: each is told once, and answers.
func TestDrainEndsRelayedWebSockets(t *testing.T) {
	t.Parallel()
	told := make(chan error, 1)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		for {
			kind, data, err := c.Read(r.Context())
			if err == nil {
				err = c.Write(r.Context(), kind, data)
			}
			if err != nil {
				told <- err
				return
			}
		}
	}))
	defer backend.Close()
	g, address := startGateway(t, Options{Proxy: proxy.Options{CloseTimeout: time.Hour}}, webSocketAPI("c", "client", "ws"+strings.TrimPrefix(backend.URL, "http")))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	target := "ws" + strings.TrimPrefix(address, "http") + "/client/"
	c := echoed(ctx, t, target)
	defer c.CloseNow()
	drained := make(chan struct{})
	go func() {
		g.Drain(ctx)
		close(drained)
	}()
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the client is told %v", err)
	}
	if err := <-told; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the backend is told %v", err)
	}
	<-drained
	if ctx.Err() != nil {
		t.Error("Drain waits although both have answered")
	}
	if _, response, err := websocket.Dial(ctx, target, nil); err == nil || response == nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a WebSocket after the end got %v, %v", response, err)
	}
}

// TestOutboundOnHandshake shows that outbound policies change the 101 of a handler in process and of one on the network.
func TestOutboundOnHandshake(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(signalRBackend(t))
	defer backend.Close()
	for name, o := range map[string]Options{"on the network": {}, "in process": localOptions(signalRBackend(t))} {
		a := webSocketAPI("c", "client", "ws"+strings.TrimPrefix(backend.URL, "http")+"/client")
		_, address := startGateway(t, o, a, policyOf(a.ResourceID(), outboundStamp))
		c, response, err := websocket.Dial(context.Background(), "ws"+strings.TrimPrefix(address, "http")+"/client/", nil)
		if err != nil {
			t.Fatal(name, err)
		}
		c.CloseNow()
		if response.Header.Get("X-Stamp") != "gateway" {
			t.Errorf("%s: the 101 has the header %v", name, response.Header)
		}
	}
}

// counter counts what the gateway reports.
type counter struct{ started, done, reloaded, refused atomic.Int64 }

func (c *counter) RequestStarted()                                 { c.started.Add(1) }
func (c *counter) RequestDone(_, _ string, _ int, _ time.Duration) { c.done.Add(1) }
func (c *counter) Reloaded(ok bool) {
	if ok {
		c.reloaded.Add(1)
	} else {
		c.refused.Add(1)
	}
}

// TestPanickingBackend shows that a handler in process that panics costs its own request only.
func TestPanickingBackend(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("a fault")
		}
	})
	m := &counter{}
	o := localOptions(h)
	o.Metrics = m
	g, address := startGateway(t, o, httpAPI("a", "a", "http://local", "GET /*")...)
	for path, want := range map[string]int{"/a/panic": 500, "/a/fine": 200} {
		response, err := http.Get(address + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, response.StatusCode, want)
		}
	}
	if err := g.Update([]resource.Resource{&resource.API{ID: testService.Child("apis", "x"), Type: "soap"}}); err == nil {
		t.Error("a SOAP API was taken")
	}
	if m.started.Load() != 2 || m.done.Load() != 2 || m.reloaded.Load() != 1 || m.refused.Load() != 1 {
		t.Errorf("the metrics are %d, %d, %d, %d", m.started.Load(), m.done.Load(), m.reloaded.Load(), m.refused.Load())
	}
}

func BenchmarkGet(b *testing.B) {
	backend := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	server := httptest.NewServer(backend)
	defer server.Close()
	resources := httpAPI("a", "a", server.URL, "GET /{id}")
	policies := append([]resource.Resource{policyOf(testService.Child("apis", "a"), `<policies><inbound><base/>
		<cors><allowed-origins><origin>*</origin></allowed-origins></cors><set-header name="X-A"><value>1</value></set-header></inbound></policies>`)}, resources...)
	_, plain := startGateway(b, Options{}, resources...)
	_, remote := startGateway(b, Options{}, policies...)
	_, local := startGateway(b, Options{Local: func(*url.URL) http.Handler { return backend }}, policies...)
	for _, c := range []struct{ name, url string }{{"direct", server.URL + "/1"}, {"network", plain + "/a/1"}, {"network with policies", remote + "/a/1"}, {"in process with policies", local + "/a/1"}} {
		b.Run(c.name, func(b *testing.B) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(c.url[:strings.LastIndex(c.url, ":")+6], "http://"))
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			u, _ := url.Parse(c.url)
			request := []byte("GET " + u.Path + " HTTP/1.1\r\nHost: " + u.Host + "\r\n\r\n")
			reader := bufio.NewReader(conn)
			b.ReportAllocs()
			for b.Loop() {
				conn.Write(request)
				response, err := http.ReadResponse(reader, nil)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, response.Body)
			}
		})
	}
}

// BenchmarkInProcess is what the gateway itself costs, without any socket.
func BenchmarkInProcess(b *testing.B) {
	g := New(Options{Service: testService, Local: func(*url.URL) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	}})
	if err := g.Update(httpAPI("a", "a", "http://local", "GET /{id}")); err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/a/1?x=y", nil)
	r.Header.Set("Accept", "*/*")
	w := &discardWriter{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		g.ServeHTTP(w, r)
	}
}

type discardWriter struct{ header http.Header }

func (d *discardWriter) Header() http.Header         { return d.header }
func (d *discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (d *discardWriter) WriteHeader(int)             {}
