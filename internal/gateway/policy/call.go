package policy

import (
	"crypto/tls"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultCallTimeout is how long a request of send-request may take (send-request-policy, "Attributes").
const DefaultCallTimeout = 60 * time.Second

// callTemplate is the request of send-request and send-one-way-request: its elements, compiled.
type callTemplate struct {
	runtime     *Runtime
	copies      Value[string] // new or copy
	timeout     Value[int]    // in unit
	unit        time.Duration
	url         Value[string]
	method      Value[string]
	headers     []*setHeader
	body        *messageBody
	certificate *authenticationCertificate
	identity    *managedIdentity
	basic       *authenticationBasic
	proxy       *proxyPolicy
	response    bool // the section is behind the backend: a copy has no body
}

// messageBody is the set-body of a message that a policy makes: exactly one of the two.
type messageBody struct {
	value  Value[[]byte]
	liquid *liquidBody
}

// callElements are the elements of such a request.
var callElements = []string{"set-url", "set-method", "set-header", "set-body", "authentication-certificate", "authentication-managed-identity", "authentication-basic", "proxy"}

func (b *Builder) callTemplate() *callTemplate {
	c := &callTemplate{runtime: b.runtime(), copies: b.OneOf("mode", 0, "new", "copy"), unit: time.Second, response: b.response}
	if b.Has("timeout") && b.Has("timeout-ms") {
		b.Errorf("The attributes 'timeout' and 'timeout-ms' exclude each other")
	}
	c.timeout = b.Int("timeout", 0, 1, math.MaxInt32, 0)
	if milliseconds := b.Int("timeout-ms", 0, 1, math.MaxInt32, 0); milliseconds.IsSet() {
		c.timeout, c.unit = milliseconds, time.Millisecond
	}
	seen := map[string]bool{}
	for _, child := range b.Children(callElements...) {
		name := child.Element()
		if seen[name] && name != "set-header" {
			child.Errorf("The element is there twice")
		}
		seen[name] = true
		child.response = false
		child.Literal("id", "", 0)
		switch name {
		case "set-url":
			c.url = child.Text(Required)
			if text, known := c.url.Known(); known && text != "" {
				if _, err := parseCallURL(text); err != nil {
					child.Errorf("%s", err)
				}
			}
		case "set-method":
			if m, ok := newSetMethod(child).(*setMethod); ok {
				c.method = m.method
			}
		case "set-header":
			if h, ok := newSetHeader(child).(*setHeader); ok {
				c.headers = append(c.headers, h)
			}
		case "set-body":
			c.body = child.messageBody()
		case "authentication-certificate":
			c.certificate = child.authenticationCertificate()
		case "authentication-managed-identity":
			c.identity = child.managedIdentity()
		case "authentication-basic":
			c.basic = child.authenticationBasic()
		case "proxy":
			if p, ok := newProxy(child).(*proxyPolicy); ok {
				c.proxy = p
			}
		}
		child.Done()
	}
	if mode, known := c.copies.Known(); known && mode == "new" {
		if !seen["set-url"] {
			b.Errorf("The element 'set-url' is required unless mode is copy")
		}
		if !seen["set-method"] {
			// The reference requires it; documents without it are common and mean GET.
			c.method = Literal(http.MethodGet)
		}
	}
	return c
}

func (b *Builder) messageBody() *messageBody {
	template := b.OneOf("template", LiteralOnly, "none", "liquid")
	if kind, _ := template.Known(); kind == "liquid" {
		liquid, ok := newLiquidBody(b).(*liquidBody)
		if !ok {
			return nil
		}
		return &messageBody{liquid: liquid}
	}
	return &messageBody{value: b.bytesBody()}
}

func parseCallURL(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return nil, &backendURLError{"the URL cannot be parsed"}
	}
	if s := strings.ToLower(u.Scheme); s != "http" && s != "https" || u.Host == "" {
		return nil, &backendURLError{"the URL must be an absolute one with the scheme http or https"}
	}
	if u.User != nil {
		return nil, &backendURLError{"the URL must not hold a user or a password"}
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// loopHeader counts how often a request passed through a gateway by send-request (RFC 8586).
const loopHeader = "Cdn-Loop"

// maxLoop is how many requests of policies may lead to each other. A policy may call its own gateway, which is fine once and endless
// when that request comes to the same policy again.
const maxLoop = 5

const loopName = "hubgate"

// make makes the request.
func (c *callTemplate) make(x *Exchange) (*Call, error) {
	call := &Call{Header: http.Header{}, Method: http.MethodGet, Timeout: DefaultCallTimeout}
	mode, err := c.copies.Get(x)
	if err != nil {
		return nil, err
	}
	if mode == "copy" {
		if err := c.copy(x, call); err != nil {
			return nil, err
		}
	}
	if c.timeout.IsSet() {
		n, err := c.timeout.Get(x)
		if err != nil {
			return nil, err
		}
		call.Timeout = time.Duration(n) * c.unit
	}
	if c.url.IsSet() {
		text, err := c.url.Get(x)
		if err != nil {
			return nil, err
		}
		if call.URL, err = parseCallURL(text); err != nil {
			return nil, expressionFailure(err.Error())
		}
		call.Host = ""
	}
	if call.URL == nil {
		return nil, expressionFailure("There is no URL to send the request to.")
	}
	if c.method.IsSet() {
		if call.Method, err = c.method.Get(x); err != nil {
			return nil, err
		}
		if !validHeaderName(call.Method) {
			return nil, expressionFailure("The text that an expression gave is not an HTTP method.")
		}
	}
	if err := c.authenticate(x, call); err != nil {
		return nil, err
	}
	for _, h := range c.headers {
		if err := h.apply(x, call.Header, &call.Host); err != nil {
			return nil, err
		}
	}
	if c.body != nil {
		if call.Body, err = c.body.get(x); err != nil {
			return nil, err
		}
	}
	return call, c.guard(x, call)
}

// copy begins with what would go to the backend.
func (c *callTemplate) copy(x *Exchange, call *Call) error {
	r := &x.Request
	call.Method, call.Header, call.Host, call.URL = r.Method, r.Header.Clone(), r.Host, r.URL()
	if u := call.URL; u != nil {
		u.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	}
	for _, name := range []string{"Connection", "Upgrade", "Te", "Content-Length"} {
		call.Header.Del(name)
	}
	if c.response || r.Body.Length() == 0 {
		return nil
	}
	data, err := r.Body.Bytes()
	if err != nil {
		return bodyFailure(err)
	}
	call.Body = data
	return nil
}

func (c *callTemplate) authenticate(x *Exchange, call *Call) error {
	if c.basic != nil {
		if err := c.basic.apply(x, call.Header); err != nil {
			return err
		}
	}
	if c.identity != nil {
		if err := c.identity.apply(x, call.Header); err != nil {
			return err
		}
	}
	if c.certificate != nil {
		found, err := c.certificate.find(x)
		if err != nil {
			return err
		}
		call.Certificate = found
	}
	if c.proxy != nil {
		before := x.Request.Proxy
		_, err := c.proxy.Run(x)
		call.Proxy, x.Request.Proxy = x.Request.Proxy, before
		return err
	}
	return nil
}

// guard refuses a request that has led to itself too often, and marks the new one.
func (c *callTemplate) guard(x *Exchange, call *Call) error {
	passed := x.Inbound.Header[loopHeader]
	depth := 0
	for _, line := range passed {
		for field := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(strings.TrimSpace(field), ";")
			if strings.EqualFold(strings.TrimSpace(name), loopName) {
				depth++
			}
		}
	}
	if depth >= maxLoop {
		return &Failure{Status: http.StatusLoopDetected, Public: "Loop Detected", Reason: "LoopDetected",
			Message: "The request was sent by a policy of a gateway that was called by a policy of a gateway, and so on; it is not sent again."}
	}
	call.Header[loopHeader] = append(append([]string(nil), passed...), loopName)
	return nil
}

func (b *messageBody) get(x *Exchange) ([]byte, error) {
	if b.liquid != nil {
		return b.liquid.render(x)
	}
	return b.value.Get(x)
}

// send sends the request while other statements of a wait may run.
func (c *callTemplate) send(x *Exchange, call *Call) (*Response, error) {
	if c.runtime.Sender == nil {
		return nil, &Failure{Status: http.StatusInternalServerError, Reason: ReasonBackendConnectionFailure, Message: "There is no way to send requests."}
	}
	ctx := x.Context
	var response *Response
	var err error
	x.blocking(func() { response, err = c.runtime.Sender.Send(ctx, call) })
	return response, err
}

func expressionFailure(message string) *Failure {
	return &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: message}
}

// clientCertificate is a certificate that can prove itself.
func clientCertificate(c *tls.Certificate) bool { return c != nil && c.PrivateKey != nil }
