package gateway

import (
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/gateway/proxy"
)

// forward sends the exchange's request to its backend: to a handler in process when the backend is on this node, else over
// the network.
func (t *transaction) forward(x *policy.Exchange, o *policy.ForwardOptions) error {
	u := x.Request.URL()
	if u == nil {
		return &policy.Failure{Status: http.StatusInternalServerError, Reason: policy.ReasonBackendConnectionFailure,
			Message: "The API has no serviceUrl and no policy chose a backend."}
	}
	if x.Request.Body.Spent() {
		return &policy.Failure{Status: http.StatusInternalServerError, Reason: policy.ReasonBackendConnectionFailure,
			Message: "The request's body has been sent already and was not kept; forward-request keeps it with buffer-request-body=\"true\"."}
	}
	// What an earlier attempt brought counts no more.
	x.Response.Body.Close()
	x.Response = policy.Response{}
	if t.upgraded != nil {
		// The earlier attempt's connection, on which nothing was said yet.
		_ = t.upgraded.Close()
		t.upgraded = nil
	}
	t.addCredentials(u)
	if !t.named { // A statement that sends the request again does not name the client again.
		t.named = true
		proxy.AddForwardedFor(x.Request.Header, x.Inbound.RemoteAddr)
	}
	t.mode = o.BufferResponse
	if t.g.options.Local != nil {
		if h := t.g.options.Local(u); h != nil {
			switch {
			case x.Tail && !x.Pipeline.ReadsResponse:
				return t.forwardInPlace(h, u, o)
			case !x.Handshake:
				return t.forwardPiped(h, u, o)
			}
			// A handshake whose response other statements wait for takes the network.
		}
	}
	return t.forwardRemote(u, o)
}

// addCredentials puts the credentials of the chosen backend into the request.
func (t *transaction) addCredentials(u *url.URL) {
	x, b := &t.x, t.backend.target
	if b == nil || b.Credentials == nil {
		return
	}
	c := b.Credentials
	for name, values := range c.Header {
		x.Request.Header[http.CanonicalHeaderKey(name)] = values
	}
	if c.Authorization != nil {
		x.Request.Header["Authorization"] = []string{c.Authorization.Scheme + " " + c.Authorization.Parameter}
	}
	for name, values := range c.Query {
		for _, v := range values {
			if u.RawQuery != "" {
				u.RawQuery += "&"
			}
			u.RawQuery += url.QueryEscape(name) + "=" + url.QueryEscape(v)
		}
	}
}

// interim passes an interim response of the backend, early hints as a rule, on to the client. Policies do not see it.
func (t *transaction) interim(status int, header http.Header) {
	if t.wrote {
		return
	}
	h := t.w.Header()
	for name, values := range header {
		h[name] = values
	}
	t.w.WriteHeader(status)
	for name := range header {
		delete(h, name)
	}
}

func (t *transaction) forwardRemote(u *url.URL, o *policy.ForwardOptions) error {
	x := &t.x
	out := proxy.Request{
		Method: x.Request.Method, URL: u, Host: x.Request.Host, Header: x.Request.Header, Trailer: x.Inbound.Trailer,
		Timeout: o.Timeout, HTTPVersion: o.HTTPVersion, FollowRedirects: o.FollowRedirects, WebSocketUpgrade: x.Handshake,
		ClientCertificate: x.Request.Certificate, Proxy: x.Request.Proxy,
	}
	if x.Inbound.ProtoAtLeast(1, 1) && !x.Handshake {
		out.Interim = t.interim
	}
	if out.Timeout == 0 {
		out.Timeout = policy.DefaultForwardTimeout
	}
	if out.ClientCertificate == nil {
		out.ClientCertificate = t.backendCertificate()
	}
	if out.Proxy == nil {
		out.Proxy = t.backendProxy()
	}
	if c := t.backend.target; c != nil {
		out.SkipVerifyChain = c.TLS.ValidateCertificateChain != nil && !*c.TLS.ValidateCertificateChain
		out.SkipVerifyName = c.TLS.ValidateCertificateName != nil && !*c.TLS.ValidateCertificateName
	}
	if x.Request.Body.Length() != 0 {
		out.Body, out.Length = x.Request.Body.Reader(), x.Request.Body.Length()
		if x.Request.Body.InMemory() {
			out.GetBody = func() (io.ReadCloser, error) { return x.Request.Body.Reader(), nil }
			out.Trailer = nil
		}
	}
	if x.Handshake {
		place, err := t.g.proxy.Reserve()
		if err != nil {
			return &policy.Failure{Status: http.StatusServiceUnavailable, Public: "Service Unavailable", Reason: policy.ReasonBackendConnectionFailure, Message: err.Error(), Err: err}
		}
		t.place = place
	}
	response, err := t.g.proxy.Send(x.Context, &out)
	if t.place != nil && (err != nil || response.StatusCode != http.StatusSwitchingProtocols) {
		t.place.Release()
	}
	if err != nil {
		t.err = err
		return forwardFailure(err)
	}
	x.Response.Body.Close()
	x.Response = policy.Response{}
	x.ReceiveHead(response.StatusCode, response.Header)
	if response.StatusCode == http.StatusSwitchingProtocols {
		connection, ok := response.Body.(io.ReadWriteCloser)
		if !ok || !x.Handshake {
			_ = response.Body.Close()
			return &policy.Failure{Status: http.StatusInternalServerError, Reason: policy.ReasonBackendConnectionFailure, Message: "The backend switched protocols without being asked to."}
		}
		t.upgraded = connection
		return nil
	}
	x.Response.Body.SetStream(t.bodies.backendResponse.of(response.Body), response.ContentLength)
	x.Response.Trailer = &response.Trailer
	return nil
}

func forwardFailure(err error) error {
	f := &policy.Failure{Status: http.StatusInternalServerError, Reason: policy.ReasonBackendConnectionFailure, Message: "The connection to the backend failed.", Err: err}
	var broken *proxy.Error
	if errors.As(err, &broken) {
		switch broken.Kind {
		case proxy.TimeoutFailure:
			f.Reason, f.Message = policy.ReasonTimeout, "The backend did not answer in time."
		case proxy.ClientFailure:
			f.Reason, f.Message = policy.ReasonClientConnectionFailure, "The client connection failed."
		}
	}
	return f
}
