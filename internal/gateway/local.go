package gateway

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/policy"
)

// errReplaced is what a handler in process gets when a policy answered in its place.
var errReplaced = errors.New("a policy of the gateway has replaced the response")

// localRequest is the exchange's request as the handler of a backend on this node gets it: as if a proxy had sent it, but with
// the client's address, also from behind trusted proxies, as RemoteAddr, and with its TLS state.
func (t *transaction) localRequest(ctx context.Context, u *url.URL) *http.Request {
	x := &t.x
	r := x.Inbound.WithContext(ctx)
	host := x.Request.Host
	if host == "" {
		host = u.Host
	}
	r.Method, r.Host, r.Header = x.Request.Method, host, x.Request.Header
	if x.Client.IsValid() {
		r.RemoteAddr = netip.AddrPortFrom(x.Client, 0).String() // Nobody knows the port.
	}
	r.URL = &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
	r.RequestURI = r.URL.RequestURI()
	r.Form, r.PostForm, r.MultipartForm, r.Pattern = nil, nil, nil, ""
	if !x.Request.Body.InMemory() {
		r.Body = x.Request.Body.Reader()
	} else {
		r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, x.Request.Body.Length(), nil
		delete(r.Header, "Content-Length")
		if r.ContentLength > 0 {
			r.Body = x.Request.Body.Reader()
			r.Header["Content-Length"] = []string{strconv.FormatInt(r.ContentLength, 10)}
		} else if r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
			r.Header["Content-Length"] = []string{"0"} // as a proxy would say it of methods that have a body as a rule
		}
	}
	return r
}

// forwardInPlace runs the handler on the client's own connection. The outbound section runs when the handler's head is known
// and before it goes out; there is no buffer and no goroutine between the handler and the client.
func (t *transaction) forwardInPlace(h http.Handler, u *url.URL, o *policy.ForwardOptions) error {
	x := &t.x
	l := &t.local
	l.t, l.options = t, o
	ctx := x.Context
	if o.Timeout > 0 {
		limited, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		l.timer = time.AfterFunc(o.Timeout, func() { cancel(errLocalTimeout) })
		ctx = limited
	}
	h.ServeHTTP(l, t.localRequest(ctx, u))
	if l.timer != nil {
		l.timer.Stop()
	}
	switch {
	case l.decided:
		if !t.hijacked && !t.wrote {
			l.writeHead()
		}
		return nil
	case errors.Is(context.Cause(ctx), errLocalTimeout):
		return &policy.Failure{Status: http.StatusInternalServerError, Reason: policy.ReasonTimeout, Message: "The backend did not answer in time."}
	case ctx.Err() != nil:
		return &policy.Failure{Status: http.StatusInternalServerError, Reason: policy.ReasonClientConnectionFailure, Message: "The client connection failed."}
	}
	l.WriteHeader(http.StatusOK)
	return nil
}

var errLocalTimeout = errors.New("the backend on this node did not answer in time")

// localWriter is the http.ResponseWriter of a handler that runs on the client's connection.
//
// A handler that takes the connection over and writes its head itself calls [localWriter.Head] before, so that the policies
// have changed Header by then.
type localWriter struct {
	t        *transaction
	options  *policy.ForwardOptions
	timer    *time.Timer
	status   int  // of the handler's head
	decided  bool // the policies have seen the head
	replaced bool // the client gets another response than the handler's
}

// Unwrap gives http.ResponseController the way to deadlines and full duplex.
func (l *localWriter) Unwrap() http.ResponseWriter { return l.t.w }

// Header is the response's header, the client's own.
func (l *localWriter) Header() http.Header { return l.t.w.Header() }

// Head tells the gateway that the response's head will have this status. The policies that come after the backend run now and
// may change Header. When they answer in the handler's place, the handler can write nothing any more.
func (l *localWriter) Head(status int) {
	if l.decided {
		return
	}
	l.decided, l.status = true, status
	if l.timer != nil {
		l.timer.Stop()
	}
	t := l.t
	x := &t.x
	t.stick(t.w.Header())
	x.ReceiveHead(status, t.w.Header())
	x.CompleteForward(l.options)
	response := &x.Response
	if response.Body.Replaced() || !response.FromBackend {
		l.replaced = true
		l.writeReplacement()
		return
	}
	if status == http.StatusSwitchingProtocols && response.Status != status {
		l.replaced = true
		l.writeReplacement()
	}
}

// writeReplacement writes the response that the policies made.
func (l *localWriter) writeReplacement() {
	t := l.t
	if !t.x.Response.FromBackend {
		clear(t.w.Header())
	}
	t.writeHead()
	t.writeBody()
}

// writeHead sends the handler's head with the status that the policies left.
func (l *localWriter) writeHead() {
	if !l.t.wrote {
		l.t.wrote = true
		l.t.w.WriteHeader(l.t.x.Response.Status)
	}
}

// WriteHeader runs the policies that come after the backend and sends the head.
func (l *localWriter) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		l.t.w.WriteHeader(status)
		return
	}
	l.Head(status)
	if !l.replaced {
		l.writeHead()
	}
}

// Write writes a part of the body, the head before the first. It fails once a policy has answered in the handler's place, so that
// a handler of a stream ends.
func (l *localWriter) Write(p []byte) (int, error) {
	if !l.decided {
		l.Head(http.StatusOK)
	}
	if l.replaced {
		return 0, errReplaced
	}
	l.writeHead()
	n, err := l.t.w.Write(p)
	l.t.sent += int64(n)
	l.t.bodies.response.take(p[:n])
	l.t.bodies.backendResponse.take(p)
	return n, err
}

// Flush sends what is written.
func (l *localWriter) Flush() {
	// A client that is gone is noticed by the next write.
	_ = l.FlushError()
}

// FlushError is Flush for http.ResponseController.
func (l *localWriter) FlushError() error {
	if !l.decided {
		l.Head(http.StatusOK)
	}
	if l.replaced {
		return errReplaced
	}
	l.writeHead()
	return http.NewResponseController(l.t.w).Flush()
}

// Hijack gives the client's connection to the handler.
func (l *localWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !l.decided {
		l.Head(http.StatusSwitchingProtocols)
	}
	if l.replaced {
		return nil, nil, errReplaced
	}
	conn, buffered, err := http.NewResponseController(l.t.w).Hijack()
	if err == nil {
		l.t.hijacked = true
	}
	return conn, buffered, err
}

// forwardPiped runs the handler beside the pipeline, for policies that have something to do between the response's head and
// its way to the client. It returns when the handler's head is there.
func (t *transaction) forwardPiped(h http.Handler, u *url.URL, o *policy.ForwardOptions) error {
	x := &t.x
	timeout := o.Timeout
	if timeout == 0 {
		timeout = policy.DefaultForwardTimeout
	}
	ctx, cancel := context.WithCancel(x.Context)
	reader, writer := io.Pipe()
	p := &pipedWriter{header: http.Header{}, body: writer, head: make(chan struct{})}
	r := t.localRequest(ctx, u)
	go p.serve(h, r)
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	failure := &policy.Failure{Status: http.StatusInternalServerError}
	select {
	case <-p.head:
		if p.broken {
			failure.Reason, failure.Message = policy.ReasonBackendConnectionFailure, "The backend failed."
			break
		}
		x.Response.Body.Close()
		x.Response = policy.Response{}
		x.ReceiveHead(p.status, p.sent)
		length := int64(-1)
		if n, err := strconv.ParseInt(p.sent.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
			length = n
		}
		x.Response.Body.SetStream(t.bodies.backendResponse.of(&pipedBody{PipeReader: reader, cancel: cancel}), length)
		return nil
	case <-timer.C:
		failure.Reason, failure.Message = policy.ReasonTimeout, "The backend did not answer in time."
	case <-ctx.Done():
		failure.Reason, failure.Message = policy.ReasonClientConnectionFailure, "The client connection failed."
	}
	cancel()
	reader.CloseWithError(errReplaced)
	return failure
}

// pipedBody is the body of a handler that runs beside the pipeline; closing it ends the handler's context.
type pipedBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close ends the handler.
func (b *pipedBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

// pipedWriter is the http.ResponseWriter of a handler that runs beside the pipeline.
type pipedWriter struct {
	header http.Header
	body   *io.PipeWriter
	head   chan struct{} // closed once the fields below are set
	once   sync.Once
	status int
	sent   http.Header
	broken bool
}

func (p *pipedWriter) serve(h http.Handler, r *http.Request) {
	defer func() {
		if recover() != nil {
			p.once.Do(func() { p.broken = true; close(p.head) })
			p.body.CloseWithError(errors.New("the backend's handler panicked"))
			return
		}
		p.WriteHeader(http.StatusOK)
		_ = p.body.Close() // It never fails.
	}()
	h.ServeHTTP(p, r)
}

// Header is the response's header.
func (p *pipedWriter) Header() http.Header { return p.header }

// WriteHeader hands the head to the pipeline.
func (p *pipedWriter) WriteHeader(status int) {
	if status < 200 {
		return
	}
	p.once.Do(func() {
		p.status, p.sent = status, p.header.Clone()
		close(p.head)
	})
}

// Write hands a part of the body to the client's side and returns when it was taken.
func (p *pipedWriter) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	return p.body.Write(b)
}

// Flush does nothing but send the head: parts of the body go on at once.
func (p *pipedWriter) Flush() { p.WriteHeader(http.StatusOK) }

var (
	_ http.Hijacker = (*localWriter)(nil)
	_ http.Flusher  = (*localWriter)(nil)
	_ http.Flusher  = (*pipedWriter)(nil)
)
