package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

const (
	tokenTimeout     = 10 * time.Second // of one request for a token
	tokenMargin      = 5 * time.Minute  // before its end a token is replaced, or when a tenth of its life is left
	tokenLife        = 5 * time.Minute  // of a token that does not say when it ends
	tokenRetry       = time.Second      // pause after a failure, which doubles up to maxTokenRetry
	maxTokenRetry    = 30 * time.Second
	maxTokenResponse = 64 << 10 // bytes
	maxTokenBytes    = 16 << 10 // what endpoints take in a header
)

// credential makes the Authorization header of requests.
type credential struct {
	client   *http.Client
	identity resource.UpstreamIdentity
	resource string
	secret   secretText // the client's secret, or the token that does not change

	current atomic.Pointer[token]

	turn chan struct{} // holds one value while somebody has the right to what follows

	inForm  bool  // the endpoint wants the client's secret in the form and not in the header
	failure error // why the last request gave no token
	failed  time.Duration
	retry   time.Time // after a failure
}

// token is one from a token endpoint.
type token struct {
	text  string
	renew time.Time // when to ask for the next one
	ends  time.Time
}

func newCredential(client *http.Client, r *resource.SignalR, auth resource.UpstreamAuth, s *secrets) (*credential, error) {
	if auth.Type != resource.UpstreamAuthManagedIdentity {
		return nil, nil
	}
	identity := r.IdentityOf(auth)
	if identity.Token == "" && identity.TokenEndpoint == "" {
		return nil, errors.New("auth: is ManagedIdentity, but there is no identity")
	}
	c := &credential{client: client, identity: identity, resource: auth.Resource, turn: make(chan struct{}, 1)}
	c.current.Store(&token{}) // which is over
	text := identity.ClientSecret
	if identity.Token != "" {
		text = identity.Token
	}
	var err error
	if c.secret, err = s.text(text); err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	return c, nil
}

// authorize sets the header Authorization, unless c is nil.
func (c *credential) authorize(ctx context.Context, h http.Header) error {
	if c == nil {
		return nil
	}
	value, err := c.authorization(ctx)
	if err == nil {
		h["Authorization"] = []string{value}
	}
	return err
}

// authorization is the value of the header Authorization. It waits while a token is asked for, unless the old one is still good.
func (c *credential) authorization(ctx context.Context) (string, error) {
	if c.identity.Token != "" {
		text, err := c.secret.value()
		if err == nil && !isToken(text) {
			err = errors.New("the token of the upstream identity has characters that a header cannot hold")
		}
		return "Bearer " + text, err
	}
	now := time.Now()
	have := c.current.Load()
	if now.Before(have.renew) {
		return "Bearer " + have.text, nil
	}
	select {
	case c.turn <- struct{}{}:
	default:
		if now.Before(have.ends) { // somebody else asks already, and the old one is still good
			return "Bearer " + have.text, nil
		}
		select {
		case c.turn <- struct{}{}:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	defer func() { <-c.turn }()
	if now = time.Now(); !now.Before(c.current.Load().renew) && !now.Before(c.retry) {
		c.ask(ctx, now)
	}
	if have = c.current.Load(); c.failure != nil && !now.Before(have.ends) {
		return "", c.failure
	}
	return "Bearer " + have.text, nil
}

// ask gets a token. On a failure the old one stays, and for a while nobody asks again.
func (c *credential) ask(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	text, life, err := c.request(ctx)
	if refused, is := errors.AsType[*tokenError](err); is && refused.code == "invalid_client" {
		// The header is the way that every endpoint must know (RFC 6749, section 2.3.1), but some know only the form.
		c.inForm = !c.inForm
		if text, life, err = c.request(ctx); err != nil {
			c.inForm = !c.inForm
		}
	}
	if err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			c.failure = err // who asked went away, which says nothing about the endpoint
			return
		}
		c.failed = min(max(2*c.failed, tokenRetry), maxTokenRetry)
		c.failure, c.retry = err, time.Now().Add(c.failed)
		return
	}
	c.failure, c.failed = nil, 0
	ends := now.Add(life)
	c.current.Store(&token{text: text, renew: ends.Add(-min(tokenMargin, life/10)), ends: ends})
}

// tokenError is a token endpoint's refusal (RFC 6749, section 5.2).
type tokenError struct {
	status int
	code   string // "" when it gave none
}

func (e *tokenError) Error() string {
	if e.code == "" {
		return "the token endpoint answered with status " + strconv.Itoa(e.status)
	}
	return "the token endpoint answered with status " + strconv.Itoa(e.status) + ", " + e.code
}

// request makes one request for a token. Its errors show nothing that was sent, and of what was answered only the error code.
func (c *credential) request(ctx context.Context) (text string, life time.Duration, err error) {
	secret, err := c.secret.value()
	if err != nil {
		return "", 0, fmt.Errorf("the client secret of the upstream identity: %w", err)
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if c.identity.Scope != "" {
		form.Set("scope", c.identity.Scope)
	} else {
		// One is RFC 8707's and Entra ID's word, the other that of most other providers; an endpoint ignores what it does not know.
		form.Set("resource", c.resource)
		form.Set("audience", c.resource)
	}
	if c.inForm {
		form.Set("client_id", c.identity.ClientID)
		form.Set("client_secret", secret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.identity.TokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return "", 0, errors.New("the URL of the token endpoint cannot be used")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "hubgate")
	if !c.inForm {
		r.SetBasicAuth(url.QueryEscape(c.identity.ClientID), url.QueryEscape(secret))
	}
	response, err := c.client.Do(r)
	if err != nil {
		return "", 0, fmt.Errorf("the token endpoint gave no response: %w", withoutURL(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTokenResponse+1))
	if err != nil {
		return "", 0, fmt.Errorf("reading the token endpoint's response: %w", withoutURL(err))
	}
	return readToken(response.StatusCode, response.Header.Get("Content-Type"), body)
}

// readToken reads a token endpoint's response (RFC 6749, sections 5.1 and 5.2).
func readToken(status int, contentType string, body []byte) (text string, life time.Duration, err error) {
	var answer struct {
		Token   string     `json:"access_token"`
		Type    string     `json:"token_type"`
		Expires expiration `json:"expires_in"`
		Error   string     `json:"error"`
	}
	kind, _, _ := mime.ParseMediaType(contentType)
	parsed := len(body) <= maxTokenResponse && json.Unmarshal(body, &answer) == nil
	switch {
	case status != http.StatusOK:
		refused := &tokenError{status: status}
		if parsed && isErrorCode(answer.Error) {
			refused.code = answer.Error
		}
		return "", 0, refused
	case len(body) > maxTokenResponse:
		return "", 0, fmt.Errorf("the token endpoint's response has more than %d bytes", maxTokenResponse)
	case !parsed:
		return "", 0, fmt.Errorf("the token endpoint's response of type %q is not a token in JSON", kind)
	case answer.Type != "" && !strings.EqualFold(answer.Type, "Bearer"):
		return "", 0, errors.New("the token endpoint's token is not a bearer token")
	case !isToken(answer.Token):
		return "", 0, errors.New("the token endpoint's response has no usable access_token")
	}
	life = tokenLife
	if answer.Expires > 0 {
		life = time.Duration(answer.Expires) * time.Second
	}
	return answer.Token, life, nil
}

// expiration is a number of seconds. Version 1.0 of Entra ID's endpoint writes it as a text.
type expiration int32

// UnmarshalJSON takes a number, or a text that is one.
func (e *expiration) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if text == "null" {
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 32)
	if err != nil || v < 0 {
		return errors.New("expires_in is not a number of seconds")
	}
	*e = expiration(v)
	return nil
}

// isToken reports whether a text can stand in the header (RFC 6750, section 2.1, and what else is in use: visible ASCII).
func isToken(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return text != "" && len(text) <= maxTokenBytes
}

// isErrorCode reports whether a text looks like an error code, and not like something that must not be shown.
func isErrorCode(text string) bool {
	return text != "" && len(text) <= 40 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz_") == ""
}
