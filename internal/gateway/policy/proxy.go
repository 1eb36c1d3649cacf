package policy

import (
	"net/http"
	"net/url"
	"strings"
)

// proxyPolicy is the proxy policy (proxy-policy): the request goes to the backend through an HTTP proxy.
type proxyPolicy struct {
	url, username, password Value[string]
}

func newProxy(b *Builder) Policy {
	p := &proxyPolicy{url: b.String("url", Required), username: b.String("username", 0), password: b.String("password", 0)}
	if text, known := p.url.Known(); known && text != "" {
		if _, err := proxyURL(text); err != nil {
			b.Errorf("The attribute 'url': %s", err)
		}
	}
	if p.password.IsSet() && !p.username.IsSet() {
		b.Errorf("The attribute 'password' needs a 'username'")
	}
	return p
}

// proxyURL parses the address of a proxy. Its errors do not show it, for it may hold a secret.
func proxyURL(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &backendURLError{"it must be the URL of an HTTP proxy like http://proxy.example:8080"}
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return nil, &backendURLError{"it must be scheme, host and port only; user and password are attributes of their own"}
	}
	return u, nil
}

// Run notes the proxy.
func (p *proxyPolicy) Run(x *Exchange) (Outcome, error) {
	text, err := p.url.Get(x)
	if err != nil {
		return End, err
	}
	u, err := proxyURL(text)
	if err != nil {
		return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "The url that an expression gave: " + err.Error()}
	}
	if p.username.IsSet() {
		username, err := p.username.Get(x)
		if err != nil {
			return End, err
		}
		password, err := p.password.Get(x)
		if err != nil {
			return End, err
		}
		u.User = url.UserPassword(username, password)
	}
	x.Request.Proxy = u
	return Continue, nil
}
