package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/gateway/proxy"
)

// sender sends the requests of policies over the connections that the gateway has to backends.
type sender struct {
	g *Gateway

	oneWay chan struct{}  // a place for each request on its way that nobody waits for
	wait   sync.WaitGroup // of those requests
	ctx    context.Context
	cancel context.CancelFunc
}

// maxOneWay is how many requests of send-one-way-request are on their way at once.
const maxOneWay = 256

func newSender(g *Gateway) *sender {
	s := &sender{g: g, oneWay: make(chan struct{}, maxOneWay)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Send sends the request and reads the whole response.
func (s *sender) Send(ctx context.Context, c *policy.Call) (*policy.Response, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, errCallTimeout)
	defer cancel()
	out := proxy.Request{Method: c.Method, URL: c.URL, Host: c.Host, Header: c.Header, Timeout: c.Timeout, ClientCertificate: c.Certificate, Proxy: c.Proxy}
	if len(c.Body) > 0 {
		out.Body, out.Length = io.NopCloser(bytes.NewReader(c.Body)), int64(len(c.Body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c.Body)), nil }
	}
	endSpan := s.startSpan(ctx, &out)
	answer, err := s.g.proxy.Send(ctx, &out)
	if err != nil {
		err = callFailure(ctx, err)
		endSpan(0, err)
		return nil, err
	}
	endSpan(answer.StatusCode, nil)
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, policy.MaxBuffered+1))
	if err != nil {
		return nil, callFailure(ctx, err)
	}
	if len(data) > policy.MaxBuffered {
		return nil, callFailure(ctx, policy.ErrBodyTooLarge)
	}
	response := &policy.Response{Status: answer.StatusCode, Header: answer.Header}
	response.Body.Set(data)
	return response, nil
}

var errCallTimeout = errors.New("the request took longer than its timeout")

func callFailure(ctx context.Context, err error) error {
	f := &policy.Failure{Status: http.StatusInternalServerError, Reason: policy.ReasonBackendConnectionFailure, Message: "The request could not be sent or its response could not be read.", Err: err}
	if broken, ok := errors.AsType[*proxy.Error](err); errors.Is(context.Cause(ctx), errCallTimeout) || ok && broken.Kind == proxy.TimeoutFailure {
		f.Reason, f.Message = policy.ReasonTimeout, "The request was not answered in time."
	} else if ctx.Err() != nil {
		f.Reason, f.Message = policy.ReasonClientConnectionFailure, "The client connection failed."
	}
	return f
}

var errTooManyOneWay = errors.New("too many one-way requests are on their way")

// SendOneWay sends the request in the background.
func (s *sender) SendOneWay(_ context.Context, c *policy.Call) error {
	select {
	case s.oneWay <- struct{}{}:
	default:
		return errTooManyOneWay
	}
	if err := s.ctx.Err(); err != nil {
		<-s.oneWay
		return err
	}
	s.wait.Go(func() {
		defer func() { <-s.oneWay }()
		if _, err := s.Send(s.ctx, c); err != nil {
			s.g.options.Logger.Debug("a one-way request failed", "host", c.URL.Host, "error", err)
		}
	})
	return nil
}

// close ends the requests that nobody waits for.
func (s *sender) close() {
	s.cancel()
	s.wait.Wait()
}

var (
	_ policy.Sender = (*sender)(nil)
	_ policy.OneWay = (*sender)(nil)
)
