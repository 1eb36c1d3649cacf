package policy

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/hubgate/hubgate/internal/gateway/openid"
)

// The reasons of validate-jwt (api-management-error-handling-policies, "Predefined errors for policies").
const (
	ReasonTokenNotPresent           = "TokenNotPresent"
	ReasonTokenSignatureInvalid     = "TokenSignatureInvalid"
	ReasonTokenAudienceNotAllowed   = "TokenAudienceNotAllowed"
	ReasonTokenIssuerNotAllowed     = "TokenIssuerNotAllowed"
	ReasonTokenExpired              = "TokenExpired"
	ReasonTokenKeyNotFound          = "TokenSignatureKeyNotFound"
	ReasonTokenClaimNotFound        = "TokenClaimNotFound"
	ReasonTokenClaimValueNotAllowed = "TokenClaimValueNotAllowed"
	ReasonTokenInvalid              = "JwtInvalid"
)

// maxToken is the most bytes of a token.
const maxToken = 64 << 10

// validateJWT is the validate-jwt policy (validate-jwt-policy), and validate-azure-ad-token as a profile of it.
type validateJWT struct {
	runtime *Runtime

	header, query Value[string] // where the token is; at most one of the three is set
	value         Value[any]
	status        Value[int]
	message       Value[string] // of the body; not set: a general one
	requireExpiry Value[bool]
	requireScheme Value[string]
	requireSigned Value[bool]
	skew          Value[int] // seconds
	output        string     // variable for the token

	configurations []Value[string] // URLs of OpenID configurations
	signingKeys    []tokenKey
	decryptionKeys []tokenKey
	audiences      []Value[string]
	issuers        []Value[string]
	anyIssuerOf    []*tenantIssuer // further issuers that are allowed
	claims         []requiredClaim
	applications   []Value[string] // client applications that are allowed, of validate-azure-ad-token
}

// requiredClaim is a claim that a token must have, with these values if any are given.
type requiredClaim struct {
	name      string
	any       bool // one of the values is enough
	separator string
	values    []Value[string]
}

func newValidateJWT(b *Builder) Policy {
	v := b.tokenSource("")
	v.requireExpiry = b.Bool("require-expiration-time", true, 0)
	v.requireSigned = b.Bool("require-signed-tokens", true, 0)
	v.skew = b.Int("clock-skew", 0, 0, math.MaxInt32, 0)
	seen := map[string]bool{}
	for _, child := range b.Children("openid-config", "issuer-signing-keys", "decryption-keys", "audiences", "issuers", "required-claims") {
		name := child.Element()
		if seen[name] && name != "openid-config" {
			child.Errorf("The element is there twice")
		}
		seen[name] = true
		switch name {
		case "openid-config":
			u := child.String("url", Required)
			if text, known := u.Known(); known && text != "" {
				if _, err := parseCallURL(text); err != nil {
					child.Errorf("The attribute 'url': %s", err)
				}
			}
			v.configurations = append(v.configurations, u)
		case "issuer-signing-keys":
			v.signingKeys = child.keys(false)
		case "decryption-keys":
			v.decryptionKeys = child.keys(true)
		case "audiences":
			v.audiences = child.Values("audience", Required)
		case "issuers":
			v.issuers = child.Values("issuer", Required)
		case "required-claims":
			v.claims = child.requiredClaims()
		}
		child.Done()
	}
	signed, known := v.requireSigned.Known()
	if known && signed && len(v.configurations) == 0 && len(v.signingKeys) == 0 {
		b.Errorf("One of the elements 'openid-config' and 'issuer-signing-keys' is required, for signatures are checked")
	}
	return v
}

// tokenSource reads the attributes that both policies have. fallback is the header of a document that names no place; "" requires one.
func (b *Builder) tokenSource(fallback string) *validateJWT {
	v := &validateJWT{
		runtime: b.runtime(),
		status:  b.Int("failed-validation-httpcode", http.StatusUnauthorized, 100, 599, 0), message: b.String("failed-validation-error-message", 0),
		requireScheme: b.String("require-scheme", 0), output: b.Literal("output-token-variable-name", "", 0),
		requireExpiry: Literal(true), requireSigned: Literal(true),
	}
	v.header, v.query, v.value = b.String("header-name", 0), b.String("query-parameter-name", 0), b.optionalAny("token-value")
	places := 0
	for _, set := range []bool{v.header.IsSet(), v.query.IsSet(), v.value.IsSet()} {
		if set {
			places++
		}
	}
	if places == 0 {
		v.header = Literal(fallback)
	}
	if places > 1 || places == 0 && fallback == "" {
		b.Errorf("Exactly one of the attributes 'header-name', 'query-parameter-name' and 'token-value' is required")
	}
	if name, known := v.header.Known(); known && v.header.IsSet() && name != "" && !validHeaderName(strings.TrimSpace(name)) {
		b.Errorf("The attribute 'header-name': %q is not a header name", name)
	}
	return v
}

func (b *Builder) requiredClaims() []requiredClaim {
	var list []requiredClaim
	for _, child := range b.Children("claim") {
		match := child.OneOf("match", LiteralOnly, "all", "any")
		which, _ := match.Known()
		c := requiredClaim{name: child.Literal("name", "", Required), any: which == "any", separator: child.Literal("separator", "", 0)}
		c.values = child.Values("value", 0)
		child.Done()
		list = append(list, c)
	}
	if len(list) == 0 {
		b.Errorf("At least one 'claim' is required")
	}
	return list
}

// invalid is why a token is refused.
type invalid struct{ reason, message string }

// Run refuses a request without a valid token.
func (v *validateJWT) Run(x *Exchange) (Outcome, error) {
	text, bad, err := v.find(x)
	if err != nil {
		return End, err
	}
	if bad == nil {
		text, bad, err = v.validate(x, text)
		if err != nil {
			return End, err
		}
	}
	if bad != nil {
		return End, v.failure(x, bad)
	}
	if v.output != "" {
		x.SetVariable(v.output, &Token{Compact: text})
	}
	return Continue, nil
}

func (v *validateJWT) failure(x *Exchange, bad *invalid) error {
	status, err := v.status.Get(x)
	if err != nil {
		return err
	}
	f := &Failure{Status: status, Reason: bad.reason, Message: bad.message, Public: "Invalid JWT."}
	if bad.reason == ReasonTokenNotPresent {
		f.Public = "JWT not present."
	}
	if v.message.IsSet() {
		if f.Public, err = v.message.Get(x); err != nil {
			return err
		}
	}
	return f
}

// find is the token of the request.
func (v *validateJWT) find(x *Exchange) (string, *invalid, error) {
	missing := &invalid{ReasonTokenNotPresent, "JWT not present."}
	var text string
	switch {
	case v.value.IsSet():
		value, err := v.value.Get(x)
		if err != nil {
			return "", nil, err
		}
		switch value := value.(type) {
		case string:
			text = value
		case *Token:
			if value != nil {
				text = value.Compact
			}
		case nil:
		default:
			return "", nil, expressionFailure("The attribute 'token-value' is not a text.")
		}
	case v.query.IsSet():
		name, err := v.query.Get(x)
		if err != nil {
			return "", nil, err
		}
		text = x.Inbound.URL.Query().Get(name)
	default:
		name, err := v.header.Get(x)
		if err != nil {
			return "", nil, err
		}
		name = http.CanonicalHeaderKey(strings.TrimSpace(name))
		if values := x.Request.Header[name]; len(values) > 0 {
			text = values[0]
		}
		scheme, rest, found := strings.Cut(strings.TrimSpace(text), " ")
		if name == "Authorization" && v.requireScheme.IsSet() {
			required, err := v.requireScheme.Get(x)
			if err != nil {
				return "", nil, err
			}
			if !found || !strings.EqualFold(scheme, required) {
				return "", missing, nil
			}
		}
		if found {
			text = rest
		}
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", missing, nil
	}
	if len(text) > maxToken {
		return "", &invalid{ReasonTokenInvalid, "The JWT is too long. Access denied."}, nil
	}
	return text, nil, nil
}

var errNoDecryptionKey = errors.New("no decryption key fits the token")

// validate checks a token and returns it decrypted.
func (v *validateJWT) validate(x *Exchange, text string) (string, *invalid, error) {
	text, err := decrypt(x, text, v.decryptionKeys)
	if err != nil {
		if f, ok := errors.AsType[*Failure](err); ok {
			return "", nil, f
		}
		return "", &invalid{ReasonTokenInvalid, "JWT decryption failed. Access denied."}, nil
	}
	payload, issuers, bad, err := v.verify(x, text)
	if bad != nil || err != nil {
		return "", bad, err
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil || c == nil {
		return "", &invalid{ReasonTokenInvalid, "The JWT's payload is not a JSON object. Access denied."}, nil
	}
	for _, check := range []func(*Exchange, claims) (*invalid, error){
		v.checkTime,
		func(x *Exchange, c claims) (*invalid, error) { return v.checkIssuer(x, c, issuers) },
		v.checkAudience, v.checkApplication, v.checkClaims,
	} {
		if bad, err := check(x, c); bad != nil || err != nil {
			return "", bad, err
		}
	}
	return text, nil, nil
}

// verify checks the signature. issuers are those of the OpenID configurations.
func (v *validateJWT) verify(x *Exchange, text string) (payload []byte, issuers []string, bad *invalid, err error) {
	malformed := &invalid{ReasonTokenInvalid, "The JWT is not well-formed. Access denied."}
	head, body, signature, ok := splitToken(text)
	if !ok {
		return nil, nil, malformed, nil
	}
	if head.Algorithm == "none" && signature == "" {
		signed, err := v.requireSigned.Get(x)
		if err != nil {
			return nil, nil, nil, err
		}
		if signed {
			return nil, nil, &invalid{ReasonTokenSignatureInvalid, "The JWT is not signed. Access denied."}, nil
		}
		metadata, _, err := v.metadata(x, (*openid.Cache).Get)
		return body, issuersOf(metadata), nil, err
	}
	parsed, err := jose.ParseSignedCompact(text, allSignatures)
	if err != nil {
		return nil, nil, malformed, nil
	}
	keys, err := v.ownKeys(x, head.KeyID)
	if err != nil {
		return nil, nil, nil, err
	}
	payload, tried := check(parsed, keys)
	metadata, failed, err := v.metadata(x, (*openid.Cache).Get)
	if err != nil {
		return nil, nil, nil, err
	}
	if payload == nil {
		payload, tried = checkMetadata(parsed, metadata, head.KeyID, tried)
	}
	if payload == nil && !tried && len(v.configurations) > 0 {
		// The issuer may have a new key.
		if metadata, failed, err = v.metadata(x, (*openid.Cache).Refresh); err != nil {
			return nil, nil, nil, err
		}
		payload, tried = checkMetadata(parsed, metadata, head.KeyID, tried)
	}
	switch {
	case payload != nil:
		return payload, issuersOf(metadata), nil, nil
	case tried:
		return nil, nil, &invalid{ReasonTokenSignatureInvalid, "The signature of the JWT is not valid. Access denied."}, nil
	case failed != nil:
		v.runtime.warn(x, "the OpenID configuration of an issuer could not be obtained", failed)
		return nil, nil, &invalid{ReasonTokenKeyNotFound, "The signing keys could not be obtained: " + failed.Error() + ". Access denied."}, nil
	}
	return nil, nil, &invalid{ReasonTokenKeyNotFound, "No signing key fits the JWT. Access denied."}, nil
}

// tokenHead is what the policy looks at in a token's header before it is verified.
type tokenHead struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
}

func splitToken(text string) (head tokenHead, payload []byte, signature string, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return head, nil, "", false
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || json.Unmarshal(data, &head) != nil {
		return head, nil, "", false
	}
	payload, err = base64.RawURLEncoding.DecodeString(parts[1])
	return head, payload, parts[2], err == nil
}

// ownKeys are the document's keys that may fit: those with the token's key id, and those without one.
func (v *validateJWT) ownKeys(x *Exchange, id string) ([]any, error) {
	var keys []any
	for i := range v.signingKeys {
		k := &v.signingKeys[i]
		if k.id != "" && id != "" && k.id != id {
			continue
		}
		key, err := k.get(x)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// check verifies the signature with each key until one fits. tried says that there was one of the right kind.
func check(parsed *jose.JSONWebSignature, keys []any) (payload []byte, tried bool) {
	algorithm := jose.SignatureAlgorithm(parsed.Signatures[0].Header.Algorithm)
	for _, key := range keys {
		// A public key must never be taken for the secret of an HMAC.
		if _, secret := key.([]byte); secret != slices.Contains(symmetricSignatures, algorithm) {
			continue
		}
		tried = true
		if payload, err := parsed.Verify(key); err == nil {
			return payload, true
		}
	}
	return nil, tried
}

func checkMetadata(parsed *jose.JSONWebSignature, metadata []*openid.Metadata, id string, tried bool) ([]byte, bool) {
	for _, m := range metadata {
		var keys []any
		for _, k := range m.Key(id) {
			keys = append(keys, k.Key)
		}
		payload, some := check(parsed, keys)
		if payload != nil {
			return payload, true
		}
		tried = tried || some
	}
	return nil, tried
}

// getMetadata is one of the ways to ask for an issuer's metadata.
type getMetadata func(c *openid.Cache, ctx context.Context, address string) (*openid.Metadata, error)

// metadata is that of all OpenID configurations which can be had; failed is why the others cannot.
func (v *validateJWT) metadata(x *Exchange, get getMetadata) (list []*openid.Metadata, failed, err error) {
	for i := range v.configurations {
		address, err := v.configurations[i].Get(x)
		if err != nil {
			return nil, nil, err
		}
		var m *openid.Metadata
		ctx := x.Context
		x.blocking(func() { m, err = get(v.runtime.OpenID, ctx, address) })
		if err != nil {
			failed = err
			continue
		}
		list = append(list, m)
	}
	return list, failed, nil
}

func issuersOf(metadata []*openid.Metadata) []string {
	var issuers []string
	for _, m := range metadata {
		if m.Issuer != "" {
			issuers = append(issuers, m.Issuer)
		}
	}
	return issuers
}

func (v *validateJWT) checkTime(x *Exchange, c claims) (*invalid, error) {
	seconds, err := v.skew.Get(x)
	if err != nil {
		return nil, err
	}
	skew, now := time.Duration(seconds)*time.Second, time.Now()
	expires, there, err := c.time("exp")
	if err != nil {
		return &invalid{ReasonTokenInvalid, "The JWT's lifetime is not valid. Access denied."}, nil
	}
	if !there {
		required, err := v.requireExpiry.Get(x)
		if err != nil {
			return nil, err
		}
		if required {
			return &invalid{ReasonTokenInvalid, "The JWT has no expiration time. Access denied."}, nil
		}
	} else if !now.Before(expires.Add(skew)) {
		return &invalid{ReasonTokenExpired, "The JWT is expired. Access denied."}, nil
	}
	notBefore, there, err := c.time("nbf")
	if err != nil || there && now.Add(skew).Before(notBefore) {
		return &invalid{ReasonTokenInvalid, "The JWT is not valid yet. Access denied."}, nil
	}
	return nil, nil
}

func (v *validateJWT) checkIssuer(x *Exchange, c claims, fromMetadata []string) (*invalid, error) {
	if len(v.issuers)+len(fromMetadata)+len(v.anyIssuerOf) == 0 {
		return nil, nil
	}
	values, _ := c.values("iss")
	if len(values) == 1 {
		issuer := values[0]
		for i := range v.issuers {
			allowed, err := v.issuers[i].Get(x)
			if err != nil {
				return nil, err
			}
			if allowed == issuer {
				return nil, nil
			}
		}
		tenant, _ := c.values("tid")
		for _, allowed := range fromMetadata {
			// An issuer with many tenants has a place for the tenant in its name.
			if len(tenant) == 1 {
				allowed = strings.ReplaceAll(allowed, "{tenantid}", tenant[0])
			}
			if allowed == issuer {
				return nil, nil
			}
		}
		for _, t := range v.anyIssuerOf {
			ok, err := t.matches(x, issuer)
			if ok || err != nil {
				return nil, err
			}
		}
	}
	return &invalid{ReasonTokenIssuerNotAllowed, "The issuer of the JWT is not allowed. Access denied."}, nil
}

func (v *validateJWT) checkAudience(x *Exchange, c claims) (*invalid, error) {
	if len(v.audiences) == 0 {
		return nil, nil
	}
	values, _ := c.values("aud")
	for i := range v.audiences {
		allowed, err := v.audiences[i].Get(x)
		if err != nil {
			return nil, err
		}
		for _, audience := range values {
			if audience == allowed || strings.TrimSuffix(audience, "/") == strings.TrimSuffix(allowed, "/") {
				return nil, nil
			}
		}
	}
	return &invalid{ReasonTokenAudienceNotAllowed, "The audience of the JWT is not allowed. Access denied."}, nil
}

func (v *validateJWT) checkApplication(x *Exchange, c claims) (*invalid, error) {
	if len(v.applications) == 0 {
		return nil, nil
	}
	values, ok := c.values("azp") // Of version 2 tokens; version 1 has appid.
	if !ok {
		values, _ = c.values("appid")
	}
	for i := range v.applications {
		allowed, err := v.applications[i].Get(x)
		if err != nil {
			return nil, err
		}
		for _, application := range values {
			if strings.EqualFold(application, allowed) {
				return nil, nil
			}
		}
	}
	return &invalid{ReasonTokenClaimValueNotAllowed, "The client application of the JWT is not allowed. Access denied."}, nil
}

func (v *validateJWT) checkClaims(x *Exchange, c claims) (*invalid, error) {
	var missing []string
	for i := range v.claims {
		if _, ok := c[v.claims[i].name]; !ok {
			missing = append(missing, v.claims[i].name)
		}
	}
	if len(missing) > 0 {
		return &invalid{ReasonTokenClaimNotFound, "JWT token is missing the following claims: " + strings.Join(missing, ", ") + ". Access denied."}, nil
	}
	for i := range v.claims {
		r := &v.claims[i]
		values, _ := c.values(r.name)
		ok, err := r.matches(x, values)
		if err != nil {
			return nil, err
		}
		if !ok {
			return &invalid{ReasonTokenClaimValueNotAllowed, "Claim " + r.name + " value of " + strings.Join(values, ",") + " is not allowed. Access denied."}, nil
		}
	}
	return nil, nil
}

// matches says whether the values of a token's claim are those that are required.
func (r *requiredClaim) matches(x *Exchange, values []string) (bool, error) {
	if len(r.values) == 0 {
		return true, nil
	}
	if r.separator != "" {
		var parts []string
		for _, v := range values {
			parts = append(parts, strings.Split(v, r.separator)...)
		}
		values = parts
	}
	for i := range r.values {
		required, err := r.values[i].Get(x)
		if err != nil {
			return false, err
		}
		switch found := slices.Contains(values, required); {
		case found && r.any:
			return true, nil
		case !found && !r.any:
			return false, nil
		}
	}
	return !r.any, nil
}
