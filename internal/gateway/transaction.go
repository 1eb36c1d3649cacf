package gateway

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/gateway/proxy"
)

// transaction is a request with its exchange and all that is needed to answer it. It comes from a pool; one goroutine owns it.
type transaction struct {
	g *Gateway
	x policy.Exchange
	w http.ResponseWriter

	mode      policy.BufferMode  // of the response's body
	upgraded  io.ReadWriteCloser // the backend's connection after a 101
	place     *proxy.Place       // of a WebSocket that may be relayed
	local     localWriter        // what a handler in process writes to
	err       error              // of the backend, for the log
	wrote     bool               // the head is out
	hijacked  bool               // the client's connection is another's
	received  *countedBody       // the client's body; nil without one
	sent      int64              // bytes of the response's body
	backend   backendCalls
	bodies    bodySamples
	diagnosis *diagnosis // what is logged of the request; nil: all
	recording *recording // the request's trace; nil unless it is traced
	span      trace.Span // nil without spans
	named     bool       // the client's address is in X-Forwarded-For
}

func (t *transaction) begin(w http.ResponseWriter, r *http.Request) {
	t.w = w
	t.x.Inbound, t.x.Context, t.x.Start = r, r.Context(), time.Now()
	t.x.Forwarder, t.x.Tracer = t, nil
	if t.g.options.Logger.Enabled(t.x.Context, slog.LevelDebug) {
		t.x.Tracer = t
	}
	t.x.Meter = t.g.meter
	t.x.Client, _ = clientBehind(r, t.g.options.TrustedProxies)
	t.startSpan()
}

// countedBody counts the bytes of the client's body and takes a sample of it.
type countedBody struct {
	io.ReadCloser
	n      atomic.Int64
	sample *bodySample
}

// Read reads from the client.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	b.sample.take(p[:n])
	return n, err
}

// release gives the transaction back to the pool.
func (t *transaction) release() {
	g := t.g
	t.abandon()
	t.x.Reset()
	*t = transaction{g: g, x: t.x}
	g.transactions.Put(t)
}

// prepare fills in the request that goes to the backend before any policy changes it.
func (t *transaction) prepare(a *api) {
	x, r := &t.x, t.x.Inbound
	x.Request = policy.Request{Method: r.Method, Backend: a.backend, Path: x.Match.Path, RawQuery: r.URL.RawQuery, Header: proxy.RequestHeader(r, x.Handshake)}
	if r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
		// Not part of the transaction: a transport may read it when the transaction serves another request already.
		t.received = &countedBody{ReadCloser: r.Body, sample: t.bodies.request}
		x.Request.Body.SetStream(t.received, r.ContentLength)
	}
}

// Trace logs what a policy has to tell.
func (t *transaction) Trace(x *policy.Exchange, source, severity, message string) {
	if t.recording != nil {
		t.recording.message(x, source, severity, message)
	}
	if !t.g.options.Logger.Enabled(x.Context, slog.LevelDebug) {
		return
	}
	t.g.options.Logger.DebugContext(x.Context, "trace", "source", source, "severity", severity, "message", message, "correlationId", x.RequestID())
}

// failure is the error of the backend, else the last error's message.
func (t *transaction) failure() string {
	if t.err != nil {
		return t.err.Error()
	}
	if t.x.LastError.Source == "check-header" {
		return "" // Its message holds the header's value, which may be a key.
	}
	return t.x.LastError.Message
}

// abandon gives up what the transaction holds of a backend.
func (t *transaction) abandon() {
	t.x.Response.Body.Close()
	if t.place != nil {
		t.place.Release()
	}
	if t.upgraded != nil {
		// Closed already after a relay; given up whatever state it is in otherwise.
		_ = t.upgraded.Close()
	}
}

// write writes the response, unless a handler in process has.
func (t *transaction) write() {
	if t.wrote || t.hijacked {
		return
	}
	if t.upgraded != nil {
		if t.x.Response.Status == http.StatusSwitchingProtocols && t.x.Response.FromBackend {
			t.relay()
			return
		}
		// A policy answers instead; abandon closes the backend's connection.
	}
	t.writeHead()
	t.writeBody()
}

// writeHead sends the head of the response.
func (t *transaction) writeHead() {
	response := &t.x.Response
	header := t.w.Header()
	for name, values := range response.Header {
		header[name] = values
	}
	if _, there := header["Content-Type"]; !there {
		header["Content-Type"] = nil // else net/http guesses one
	}
	if response.Body.InMemory() && (response.Body.Replaced() || !response.FromBackend) {
		delete(header, "Content-Length")
		if bodyAllowed(response.Status) {
			header["Content-Length"] = []string{strconv.FormatInt(response.Body.Length(), 10)}
		}
	}
	if response.Trailer != nil {
		for name := range *response.Trailer {
			header.Add("Trailer", name)
		}
	}
	t.wrote = true
	t.w.WriteHeader(response.Status)
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// writeBody sends the body. A backend's body that breaks off ends the client's connection, so that the client sees it.
func (t *transaction) writeBody() {
	response := &t.x.Response
	if !bodyAllowed(response.Status) || t.x.Inbound.Method == http.MethodHead {
		return
	}
	if response.Body.InMemory() {
		data, err := response.Body.Bytes()
		if err == nil {
			// An error is the client's, which hears of nothing any more.
			n, _ := t.w.Write(data)
			t.sent += int64(n)
			t.bodies.response.take(data[:n])
			t.writeTrailer()
		}
		return
	}
	flush := t.mode == policy.BufferOff || proxy.IsEventStream(response.Header) || t.mode == policy.BufferAutomatic && response.Body.Length() < 0
	n, err := proxy.Stream(t.w, t.bodies.response.of(response.Body.Reader()), flush)
	t.sent += n
	response.Body.Close()
	if broken, ok := errors.AsType[*proxy.ReadError](err); ok {
		if t.x.Context.Err() == nil {
			t.g.options.Logger.Warn("a backend's response broke off", "error", broken.Err, "correlationId", t.x.RequestID())
		}
		if t.breakGRPC() {
			return
		}
		panic(http.ErrAbortHandler)
	}
	t.writeTrailer()
}

// writeTrailer hands the backend's trailer to net/http, which sends it when the handler returns. gRPC servers announce none of
// it, for HTTP/2 does not ask them to.
func (t *transaction) writeTrailer() {
	if t.x.Response.Trailer == nil {
		return
	}
	header := t.w.Header()
	announced := header["Trailer"]
	for name, values := range *t.x.Response.Trailer {
		if !slices.Contains(announced, name) {
			name = http.TrailerPrefix + name
		}
		header[name] = values
	}
}

// relay hands the client's connection to the proxy after the backend has switched protocols.
func (t *transaction) relay() {
	conn, buffered, err := http.NewResponseController(t.w).Hijack()
	if err != nil {
		t.x.Respond(http.StatusHTTPVersionNotSupported)
		t.writeHead()
		return
	}
	t.hijacked = true
	if err := conn.SetDeadline(time.Time{}); err == nil {
		err = writeSwitchingProtocols(buffered.Writer, t.x.Response.Header)
		if err == nil {
			t.place.Relay(conn, buffered.Reader, t.upgraded)
			return
		}
	}
	_ = conn.Close()
}

func writeSwitchingProtocols(w *bufio.Writer, header http.Header) error {
	header["Connection"], header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	if _, err := w.WriteString("HTTP/1.1 101 Switching Protocols\r\n"); err != nil {
		return err
	}
	if err := header.Write(w); err != nil {
		return err
	}
	if _, err := w.WriteString("\r\n"); err != nil {
		return err
	}
	return w.Flush()
}
