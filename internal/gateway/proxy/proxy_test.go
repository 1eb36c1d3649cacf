package proxy

import (
	"bufio"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRequestHeader(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header = http.Header{
		"Connection": {"keep-alive, X-Secret", "upgrade"}, "X-Secret": {"1"}, "Upgrade": {"websocket"}, "Keep-Alive": {"5"}, "Te": {"gzip, Trailers"},
		"Trailer": {"X"}, "Transfer-Encoding": {"chunked"}, "Proxy-Authorization": {"Basic x"}, "Accept": {"a", "b"}, "Proxy-Connection": {"close"},
	}
	if diff := cmp.Diff(http.Header{"Accept": {"a", "b"}, "Te": {"trailers"}}, RequestHeader(r, false)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(http.Header{"Accept": {"a", "b"}, "Te": {"trailers"}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"}}, RequestHeader(r, true)); diff != "" {
		t.Error(diff)
	}
	h := RequestHeader(r, false)
	h["Accept"] = append(h["Accept"], "c")
	h["Accept"][0] = "changed"
	if diff := cmp.Diff([]string{"a", "b"}, r.Header["Accept"]); diff != "" {
		t.Error("the client's header changed:", diff)
	}
}

func TestAddForwardedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		before []string
		remote string
		want   []string
	}{
		{nil, "10.0.0.1:5", []string{"10.0.0.1"}},
		{nil, "[::1]:5", []string{"::1"}},
		{[]string{"1.1.1.1", "2.2.2.2"}, "10.0.0.1:5", []string{"1.1.1.1, 2.2.2.2, 10.0.0.1"}},
		{nil, "@", nil},
	} {
		h := http.Header{}
		if c.before != nil {
			h["X-Forwarded-For"] = c.before
		}
		AddForwardedFor(h, c.remote)
		if diff := cmp.Diff(c.want, h["X-Forwarded-For"]); diff != "" {
			t.Error(diff)
		}
	}
}

func TestIsWebSocket(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, connection, upgrade string
		want                        bool
	}{
		{"GET", "keep-alive, Upgrade", "WebSocket", true}, {"GET", "Upgrade", "h2c, websocket", true}, {"POST", "Upgrade", "websocket", false},
		{"GET", "close", "websocket", false}, {"GET", "Upgrade", "h2c", false}, {"GET", "", "", false},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		if c.connection != "" {
			r.Header.Set("Connection", c.connection)
			r.Header.Set("Upgrade", c.upgrade)
		}
		if got := IsWebSocket(r); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}

// get sends a request with an empty header and reads the response.
func get(p *Proxy, address, version string, change func(*Request)) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	r := &Request{Method: http.MethodGet, URL: u, Header: http.Header{}, Timeout: 5 * time.Second, HTTPVersion: version}
	if change != nil {
		change(r)
	}
	response, err := p.Send(context.Background(), r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestHTTPVersions(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto+" "+r.UserAgent()) })
	plain := httptest.NewUnstartedServer(h)
	plain.Config.Protocols = &http.Protocols{}
	plain.Config.Protocols.SetHTTP1(true)
	plain.Config.Protocols.SetUnencryptedHTTP2(true)
	plain.Start()
	defer plain.Close()
	secure := httptest.NewUnstartedServer(h)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	p := New(Options{RootCAs: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs})
	defer p.Close()
	for _, c := range []struct{ address, version, want string }{
		{plain.URL, "", "HTTP/1.1 "}, {plain.URL, "2or1", "HTTP/1.1 "}, {plain.URL, "2", "HTTP/2.0 "},
		{secure.URL, "1", "HTTP/1.1 "}, {secure.URL, "2or1", "HTTP/2.0 "}, {secure.URL, "2", "HTTP/2.0 "},
	} {
		if got, err := get(p, c.address, c.version, nil); got != c.want || err != nil {
			t.Errorf("%s with %q: got %q and the error %v, want %q", c.address, c.version, got, err, c.want)
		}
	}
}

func TestCertificateChecks(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	// The certificate of httptest is for 127.0.0.1 and example.com, not for localhost.
	named := server.URL
	unnamed := strings.Replace(named, "127.0.0.1", "localhost", 1)
	trusting, doubting := New(Options{RootCAs: roots}), New(Options{RootCAs: x509.NewCertPool()})
	defer trusting.Close()
	defer doubting.Close()
	for _, c := range []struct {
		p                   *Proxy
		address             string
		skipChain, skipName bool
		want                bool
	}{
		{trusting, named, false, false, true}, {trusting, unnamed, false, false, false}, {trusting, unnamed, false, true, true}, {trusting, unnamed, true, false, false},
		{doubting, named, false, false, false}, {doubting, named, true, false, true}, {doubting, named, false, true, false}, {doubting, unnamed, true, true, true},
	} {
		_, err := get(c.p, c.address, "", func(r *Request) { r.SkipVerifyChain, r.SkipVerifyName = c.skipChain, c.skipName })
		if (err == nil) != c.want {
			t.Errorf("trusting %v, %s, skip chain %v, skip name %v: got %v", c.p == trusting, c.address, c.skipChain, c.skipName, err)
		}
		var failure *Error
		if err != nil && (!errors.As(err, &failure) || failure.Kind != BackendFailure) {
			t.Errorf("the error %v is not the backend's", err)
		}
	}
}

func TestFailureKinds(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	dead := httptest.NewServer(http.NotFoundHandler())
	deadURL, _ := url.Parse(dead.URL)
	dead.Close()
	p := New(Options{})
	defer p.Close()
	u, _ := url.Parse(server.URL)
	gone, leave := context.WithCancel(context.Background())
	leave()
	for name, c := range map[string]struct {
		ctx  context.Context
		r    Request
		want FailureKind
	}{
		"timeout":      {context.Background(), Request{Timeout: 20 * time.Millisecond}, TimeoutFailure},
		"client gone":  {gone, Request{Timeout: time.Minute}, ClientFailure},
		"body broken":  {context.Background(), Request{Timeout: time.Minute, Body: io.NopCloser(brokenReader{}), Length: -1}, ClientFailure},
		"nobody there": {context.Background(), Request{Timeout: time.Minute, URL: deadURL}, BackendFailure},
	} {
		t.Run(name, func(t *testing.T) {
			c.r.Method, c.r.Header = http.MethodPost, http.Header{}
			if c.r.URL == nil {
				c.r.URL = u
			}
			_, err := p.Send(c.ctx, &c.r)
			var failure *Error
			if !errors.As(err, &failure) || failure.Kind != c.want {
				t.Errorf("got %v", err)
			}
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the client's body broke off") }

// tcpPair is two ends of a TCP connection.
func tcpPair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{dialed, accepted} {
		c.SetDeadline(time.Now().Add(10 * time.Second))
	}
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

func reserve(t *testing.T, p *Proxy) *Place {
	t.Helper()
	place, err := p.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	return place
}

// TestRelayHalfClose shows that one direction goes on after the other has ended, and what was buffered comes first.
func TestRelayHalfClose(t *testing.T) {
	t.Parallel()
	client, clientSide := tcpPair(t)
	backendSide, backend := tcpPair(t)
	p := New(Options{})
	defer p.Close()
	place := reserve(t, p)
	io.WriteString(client, "first ")
	buffered := bufio.NewReader(clientSide)
	if _, err := buffered.Peek(1); err != nil {
		t.Fatal(err)
	}
	type result struct{ sent, received int64 }
	done := make(chan result, 1)
	go func() {
		sent, received := place.Relay(clientSide, buffered, backendSide)
		done <- result{sent, received}
	}()
	io.WriteString(client, "second")
	client.CloseWrite()
	got, err := io.ReadAll(backend)
	if string(got) != "first second" || err != nil {
		t.Fatalf("the backend got %q and the error %v", got, err)
	}
	io.WriteString(backend, "answer")
	backend.CloseWrite()
	if got, err = io.ReadAll(client); string(got) != "answer" || err != nil {
		t.Fatalf("the client got %q and the error %v", got, err)
	}
	if r := <-done; r != (result{12, 6}) {
		t.Errorf("the relay counted %+v", r)
	}
}

func TestRelayHalfCloseTimeout(t *testing.T) {
	t.Parallel()
	client, clientSide := tcpPair(t)
	backendSide, backend := tcpPair(t)
	p := New(Options{HalfCloseTimeout: 20 * time.Millisecond})
	defer p.Close()
	place := reserve(t, p)
	done := make(chan struct{})
	go func() {
		place.Relay(clientSide, nil, backendSide)
		close(done)
	}()
	client.CloseWrite() // The backend never ends its direction.
	<-done
	if _, err := io.ReadAll(client); err != nil {
		t.Error(err)
	}
	backend.Close()
}

func TestRelayAfterClose(t *testing.T) {
	t.Parallel()
	client, clientSide := tcpPair(t)
	backendSide, _ := tcpPair(t)
	p := New(Options{})
	place := reserve(t, p)
	p.Close()
	if _, err := p.Reserve(); !errors.Is(err, ErrClosed) {
		t.Errorf("Reserve gives %v", err)
	}
	place.Relay(clientSide, nil, backendSide)
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Error("the client's connection is open")
	}
}

func TestStreamErrors(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	_, err := Stream(w, brokenReader{}, true)
	var broken *ReadError
	if !errors.As(err, &broken) || !w.Flushed {
		t.Errorf("got %v, flushed %v", err, w.Flushed)
	}
}
