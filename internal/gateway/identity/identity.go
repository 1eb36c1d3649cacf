package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Token is an access token. It is a secret.
type Token struct {
	Value   string
	Expires time.Time // zero when that is not known
}

// Source gets access tokens. It may be used by any number of goroutines.
type Source interface {
	// Token gets a token for a resource, for example https://vault.azure.net. clientID names one of several identities, "" the
	// default one. Errors hold neither tokens nor secrets.
	Token(ctx context.Context, resource, clientID string) (Token, error)
}

// Options say where tokens come from; exactly one of the fields is set.
type Options struct {
	ClientCredentials *ClientCredentials
	Endpoint          *Endpoint
	// File is a file that holds a token, which something else keeps fresh. It serves every resource.
	File string
}

// ClientCredentials are those of an OAuth 2.0 client (RFC 6749, section 4.4).
type ClientCredentials struct {
	TokenURL     string // for Entra ID https://login.microsoftonline.com/TENANT/oauth2/v2.0/token
	ClientID     string
	ClientSecret string
	// AssertionFile, instead of a secret, is a file with a token of another issuer that vouches for the client (RFC 7523), as
	// Kubernetes writes it for workload identity.
	AssertionFile string
	// Scope is asked for; "" asks for all of the resource: RESOURCE/.default.
	Scope string
}

// Endpoint is a token endpoint of the machine, as virtual machines and App Service have it on Azure.
type Endpoint struct {
	URL        string            // http://169.254.169.254/metadata/identity/oauth2/token
	APIVersion string            // "" means 2018-02-01
	Header     map[string]string // sent with each request; Metadata: true is always
}

// New makes a source that keeps tokens until shortly before they expire. A nil client is http.DefaultClient with a time-out of 30 s.
func New(o Options, client *http.Client) (Source, error) {
	if client == nil {
		client = &http.Client{Timeout: 30 * time.Second}
	}
	set := 0
	var source Source
	if c := o.ClientCredentials; c != nil {
		set++
		if err := checkURL(c.TokenURL); err != nil {
			return nil, err
		}
		if c.ClientID == "" || (c.ClientSecret == "") == (c.AssertionFile == "") {
			return nil, errors.New("client credentials need a client id, and either a client secret or an assertion file")
		}
		source = &clientCredentials{ClientCredentials: *c, client: client}
	}
	if e := o.Endpoint; e != nil {
		set++
		if err := checkURL(e.URL); err != nil {
			return nil, err
		}
		source = &endpoint{Endpoint: *e, client: client}
	}
	if o.File != "" {
		set++
		source = &file{path: o.File}
	}
	if set != 1 {
		return nil, errors.New("tokens come from exactly one of: client credentials, a token endpoint, a file")
	}
	return newCached(source), nil
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("the token URL must be an absolute http or https URL")
	}
	return nil
}

type clientCredentials struct {
	ClientCredentials
	client *http.Client
}

// Token asks the token URL. A client id replaces the configured one.
func (c *clientCredentials) Token(ctx context.Context, resource, clientID string) (Token, error) {
	if clientID == "" {
		clientID = c.ClientID
	}
	scope := c.Scope
	if scope == "" {
		scope = resource
		if !strings.HasSuffix(scope, "/.default") {
			scope = strings.TrimSuffix(scope, "/") + "/.default"
		}
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "scope": {scope}}
	if c.AssertionFile != "" {
		assertion, err := os.ReadFile(c.AssertionFile)
		if err != nil {
			return Token{}, fmt.Errorf("assertion file: %w", err)
		}
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", strings.TrimSpace(string(assertion)))
	} else {
		form.Set("client_secret", c.ClientSecret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return Token{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return fetch(c.client, r)
}

type endpoint struct {
	Endpoint
	client *http.Client
}

// Token asks the endpoint.
func (e *endpoint) Token(ctx context.Context, resource, clientID string) (Token, error) {
	u, err := url.Parse(e.URL)
	if err != nil {
		return Token{}, err
	}
	q := u.Query()
	version := e.APIVersion
	if version == "" {
		version = "2018-02-01"
	}
	q.Set("api-version", version)
	q.Set("resource", resource)
	if clientID != "" {
		q.Set("client_id", clientID)
	}
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Token{}, err
	}
	r.Header.Set("Metadata", "true")
	for name, value := range e.Header {
		r.Header.Set(name, value)
	}
	return fetch(e.client, r)
}

// maxAnswer bounds the answer of a token endpoint.
const maxAnswer = 256 << 10

// fetch sends a request for a token and reads the answer (RFC 6749, section 5.1, and the forms of Azure's endpoints).
func fetch(client *http.Client, r *http.Request) (Token, error) {
	response, err := client.Do(r)
	if err != nil {
		var withURL *url.Error
		if errors.As(err, &withURL) {
			err = withURL.Err
		}
		return Token{}, fmt.Errorf("token endpoint %s: %w", r.URL.Host, err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return Token{}, fmt.Errorf("token endpoint %s: %w", r.URL.Host, err)
	}
	var answer struct {
		AccessToken string          `json:"access_token"`
		ExpiresIn   json.RawMessage `json:"expires_in"` // seconds from now, a number or a text
		ExpiresOn   json.RawMessage `json:"expires_on"` // seconds since 1970
		Error       string          `json:"error"`
	}
	err = json.Unmarshal(data, &answer)
	if response.StatusCode != http.StatusOK {
		return Token{}, fmt.Errorf("token endpoint %s: status %d %s", r.URL.Host, response.StatusCode, answer.Error)
	}
	if err != nil || answer.AccessToken == "" {
		return Token{}, fmt.Errorf("token endpoint %s: the answer holds no access_token", r.URL.Host)
	}
	t := Token{Value: answer.AccessToken}
	if n, ok := seconds(answer.ExpiresIn); ok {
		t.Expires = time.Now().Add(time.Duration(n) * time.Second)
	} else if n, ok := seconds(answer.ExpiresOn); ok {
		t.Expires = time.Unix(n, 0)
	}
	return t, nil
}

func seconds(raw json.RawMessage) (int64, bool) {
	n, err := strconv.ParseInt(strings.Trim(string(raw), `"`), 10, 64)
	return n, err == nil && n >= 0 && n < 1<<40
}

type file struct{ path string }

// Token reads the file. Its life is the token's own when it is a JSON web token, else a minute, for something else may replace it.
func (f *file) Token(context.Context, string, string) (Token, error) {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return Token{}, fmt.Errorf("token file: %w", err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" || strings.ContainsAny(text, " \r\n") {
		return Token{}, errors.New("the token file does not hold one token")
	}
	expires := time.Now().Add(time.Minute + early)
	if parts := strings.Split(text, "."); len(parts) == 3 {
		var claims struct {
			Exp int64 `json:"exp"`
		}
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err == nil && json.Unmarshal(payload, &claims) == nil && claims.Exp > 0 {
			if own := time.Unix(claims.Exp, 0); own.Before(expires) {
				expires = own
			}
		}
	}
	return Token{Value: text, Expires: expires}, nil
}

const (
	// early is how long before its end a token is replaced.
	early = 2 * time.Minute
	// unknown is how long a token whose end is not known is kept.
	unknown = 5 * time.Minute
	// maxTokens bounds the tokens kept: resources may come from expressions.
	maxTokens = 1000
)

// cached keeps tokens.
type cached struct {
	source Source
	group  singleflight.Group

	mu     sync.Mutex
	tokens map[cacheKey]kept
}

type cacheKey struct{ resource, clientID string }

type kept struct {
	token Token
	until time.Time
}

func newCached(s Source) *cached { return &cached{source: s, tokens: map[cacheKey]kept{}} }

// Token returns the token that is kept, or gets one: one request at a time for each resource, whoever waits for it.
func (c *cached) Token(ctx context.Context, resource, clientID string) (Token, error) {
	key := cacheKey{resource, clientID}
	c.mu.Lock()
	k, ok := c.tokens[key]
	c.mu.Unlock()
	if ok && time.Now().Before(k.until) {
		return k.token, nil
	}
	result := c.group.DoChan(resource+"\x00"+clientID, func() (any, error) {
		// Others wait for the token too: it does not end with the request that came first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		t, err := c.source.Token(ctx, resource, clientID)
		if err == nil {
			c.keep(key, t)
		}
		return t, err
	})
	select {
	case r := <-result:
		return r.Val.(Token), r.Err
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
}

func (c *cached) keep(key cacheKey, t Token) {
	now := time.Now()
	until := now.Add(unknown)
	if !t.Expires.IsZero() {
		until = t.Expires.Add(-early)
		if half := now.Add(t.Expires.Sub(now) / 2); until.Before(half) {
			until = half // A short life: half of it.
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tokens) >= maxTokens {
		clear(c.tokens)
	}
	c.tokens[key] = kept{token: t, until: until}
}

var (
	_ Source = (*clientCredentials)(nil)
	_ Source = (*endpoint)(nil)
	_ Source = (*file)(nil)
	_ Source = (*cached)(nil)
)
