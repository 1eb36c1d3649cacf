package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hubgate/hubgate/internal/resource"
)

// The algorithms that an issuer may sign its access tokens with. No other is accepted.
const (
	RS256 = "RS256"
	ES256 = "ES256"
	PS256 = "PS256"
)

func issuerAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{RS256, ES256, PS256}
}

// Identity is who an access token is about.
type Identity struct {
	// Issuer and Subject (iss and sub) name the identity together. Subject may be "".
	Issuer, Subject string
	// Expires is when the token ends.
	Expires time.Time
	// Roles are those that the identity has here, without repetition.
	Roles []resource.Role
}

// Permission is what a request of the data plane takes.
type Permission uint8

// The permissions.
const (
	// OpenServer is to open a server connection.
	OpenServer Permission = iota
	// GetTemporaryKey is to get a temporary access key.
	GetTemporaryKey
	// CheckExistence is to ask the REST API whether something exists.
	CheckExistence
	// UseREST is to do anything else in the REST API.
	UseREST
	// ReadTrace is to read the live trace.
	ReadTrace
)

// Roles are those that have the permission (signalr-service §5.3).
func (p Permission) Roles() []resource.Role {
	switch p {
	case OpenServer, GetTemporaryKey:
		return []resource.Role{resource.RoleAppServer, resource.RoleServiceOwner}
	case CheckExistence:
		return []resource.Role{resource.RoleRESTReader, resource.RoleRESTOwner, resource.RoleServiceOwner}
	case ReadTrace:
		return []resource.Role{resource.RoleServiceOwner}
	}
	return []resource.Role{resource.RoleRESTOwner, resource.RoleServiceOwner}
}

// Check returns a *RoleError unless a role of the identity has the permission.
func (i *Identity) Check(p Permission) error {
	needs := p.Roles()
	if slices.ContainsFunc(i.Roles, func(r resource.Role) bool { return slices.Contains(needs, r) }) {
		return nil
	}
	return &RoleError{Needs: needs}
}

// Issuers checks the access tokens of the OpenID Connect providers that an instance trusts. It is safe for concurrent use.
type Issuers struct {
	fetcher *fetcher

	mu      sync.Mutex // for Configure
	trusted atomic.Pointer[map[string]*trustedIssuer]
}

// trustedIssuer is an issuer as it is configured. It is immutable but for its keys.
type trustedIssuer struct {
	resource.TokenIssuer
	keys *keySet
}

// IssuersOptions are what Issuers works with.
type IssuersOptions struct {
	// Logger is told of keys that cannot be fetched; nil logs nothing.
	Logger *slog.Logger
	// Transport fetches metadata and keys; nil makes one that keeps no connections, for they are fetched once an hour.
	Transport http.RoundTripper
}

// NewIssuers makes an Issuers that trusts nobody until it is configured.
func NewIssuers(o IssuersOptions) *Issuers {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		o.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true,
			TLSHandshakeTimeout: fetchTimeout, ResponseHeaderTimeout: fetchTimeout, MaxResponseHeaderBytes: 64 << 10,
		}
	}
	s := &Issuers{fetcher: newFetcher(o.Transport, o.Logger)}
	s.trusted.Store(&map[string]*trustedIssuer{})
	return s
}

// Configure replaces the issuers, which must be valid. The keys of those that stay are kept.
func (s *Issuers) Configure(list []resource.TokenIssuer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.trusted.Load()
	next := make(map[string]*trustedIssuer, len(list))
	for _, issuer := range list {
		t := &trustedIssuer{TokenIssuer: issuer}
		if was := old[issuer.Issuer]; was != nil && sameKeys(&was.TokenIssuer, &issuer) {
			t.keys = was.keys
		} else {
			t.keys = &keySet{issuer: issuer, fetcher: s.fetcher}
		}
		next[issuer.Issuer] = t
	}
	s.trusted.Store(&next)
}

// sameKeys reports whether the keys of one issuer come from where those of the other do.
func sameKeys(a, b *resource.TokenIssuer) bool {
	metadataA, keySetA := a.URLs()
	metadataB, keySetB := b.URLs()
	return metadataA == metadataB && keySetA == keySetB && a.AllowHTTP == b.AllowHTTP
}

// Close ends what is being fetched and waits for that. Tokens are checked with the keys that are there.
func (s *Issuers) Close() { s.fetcher.close() }

// Verify checks an access token: its issuer, its signature, its time, and that it was made for the service (iss, exp, nbf, aud). It may wait for the
// issuer's keys until ctx is over. The error is an *Error, which holds nothing of the token but its issuer, its audience and its times.
func (s *Issuers) Verify(ctx context.Context, token string, now time.Time) (*Identity, error) {
	_, identity, err := s.verify(ctx, token, now)
	return identity, err
}

func (s *Issuers) verify(ctx context.Context, token string, now time.Time) (*Token, *Identity, error) {
	if token == "" {
		return nil, nil, MissingToken()
	}
	if len(token) > maxTokenBytes {
		return nil, nil, malformed("the token is longer than 16 KiB")
	}
	parsed, err := jose.ParseSignedCompact(token, issuerAlgorithms())
	if err != nil {
		return nil, nil, malformed("the token is not one that is signed with RS256, ES256 or PS256")
	}
	t := &Token{KeyIndex: temporaryKeyIndex}
	if err := parseClaims(parsed.UnsafePayloadWithoutVerification(), t); err != nil {
		return nil, nil, malformed(err.Error())
	}
	// Whose token it claims to be decides which keys are tried; from there on the claim is proved.
	issuer := (*s.trusted.Load())[single(t.Claims, "iss")]
	if issuer == nil {
		return nil, nil, &Error{Reason: ReasonIssuer, Description: "The issuer '" + shorten(single(t.Claims, "iss")) + "' is invalid"}
	}
	if err := issuer.checkSignature(ctx, parsed); err != nil {
		return nil, nil, err
	}
	if err := checkTimes(t, now); err != nil {
		return nil, nil, err
	}
	if !issuer.accepts(t.Audience) {
		return nil, nil, issuerAudience(t.Audience, issuer.audiences())
	}
	return t, &Identity{
		Issuer: issuer.Issuer, Subject: single(t.Claims, ClaimSubject), Expires: t.Expires, Roles: issuer.roles(t),
	}, nil
}

func (t *trustedIssuer) checkSignature(ctx context.Context, parsed *jose.JSONWebSignature) error {
	header := parsed.Signatures[0].Protected
	keys, err := t.keys.find(ctx, header.KeyID, header.Algorithm)
	if err != nil {
		return &Error{Reason: ReasonSignature, Description: textNoKey, detail: err.Error()}
	}
	for _, key := range keys {
		if _, err := parsed.Verify(key.Key); err == nil {
			return nil
		}
	}
	return &Error{Reason: ReasonSignature, Description: "The signature is invalid", detail: "no key of the issuer made the signature"}
}

func checkTimes(t *Token, now time.Time) error {
	switch {
	case !t.HasExpires:
		return &Error{Reason: ReasonNoExpiration, Description: "The token has no expiration"}
	case now.Add(-defaultClockSkew).After(t.Expires):
		return expired(t.Expires)
	case now.Add(defaultClockSkew).Before(t.NotBefore):
		return &Error{Reason: ReasonNotYetValid, Description: "The token is not valid before '" + t.NotBefore.UTC().Format("01/02/2006 15:04:05") + "'"}
	}
	return nil
}

func (t *trustedIssuer) audiences() []string {
	if len(t.Audiences) == 0 {
		return []string{resource.DefaultAudience}
	}
	return t.Audiences
}

// accepts compares audiences without a slash at their ends, which the forms of one resource differ by.
func (t *trustedIssuer) accepts(audiences []string) bool {
	for _, want := range t.audiences() {
		if slices.ContainsFunc(audiences, func(a string) bool { return trimSlash(a) == trimSlash(want) }) {
			return true
		}
	}
	return false
}

// roles are what the token's role claim gives.
func (t *trustedIssuer) roles(token *Token) []resource.Role {
	claim := t.RoleClaim
	if claim == "" {
		claim = resource.DefaultRoleClaim
	}
	var roles []resource.Role
	for _, value := range roleValues(token.Claims, claim) {
		roles = append(roles, t.RolesOf(value)...)
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// roleValues are the values of the claim of that name, or else of the member that the name leads to, with dots between the names of objects.
// A text counts as a whole and as the words in it.
func roleValues(claims []Claim, name string) []string {
	var values []string
	add := func(text string) {
		values = append(values, text)
		if words := strings.Fields(text); len(words) > 1 {
			values = append(values, words...)
		}
	}
	for _, c := range claims {
		if c.Type == name {
			add(c.Value)
		}
	}
	first, path, nested := strings.Cut(name, ".")
	if values != nil || !nested {
		return values
	}
	for _, c := range claims {
		if c.Type == first {
			for _, text := range member(jsontext.Value(c.Value), path) {
				add(text)
			}
		}
	}
	return values
}

// member is the text, or the texts of the array, that a path leads to in a JSON value; none when there is no such thing.
func member(value jsontext.Value, path string) []string {
	for name := range strings.SplitSeq(path, ".") {
		var object map[string]jsontext.Value
		if json.Unmarshal(value, &object) != nil {
			return nil
		}
		value = object[name]
	}
	var one string
	if json.Unmarshal(value, &one) == nil {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(value, &many) != nil {
		return nil
	}
	return many
}

// single is the value of a claim that is there once; "" when it is not, or more than once.
func single(claims []Claim, name string) string {
	value, times := "", 0
	for _, c := range claims {
		if c.Type == name {
			value = c.Value
			times++
		}
	}
	if times != 1 {
		return ""
	}
	return value
}

var errNoTemporaryKeys = errors.New("the instance has no temporary access keys")
