package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The algorithms that a token may be signed with. No other is accepted.
const (
	HS256 = "HS256"
	HS512 = "HS512"
)

const (
	// defaultClockSkew is by how much two clocks may differ, as in ASP.NET Core.
	defaultClockSkew = 5 * time.Minute
	// maxTokenBytes bounds a token before anything of it is decoded. Official SDKs make none above MaxIssuedBytes, and
	// no header of a request is larger.
	maxTokenBytes = 16 << 10
)

// Verifier checks tokens against the access keys of an instance. It is immutable and safe for concurrent use; whoever
// rotates keys puts a new one in its place.
type Verifier struct {
	keys      []verifierKey
	temporary *TemporaryKeys // nil: there are none
	skew      time.Duration
}

type verifierKey struct {
	index int
	text  []byte
}

// Option is a setting of a Verifier.
type Option func(*Verifier)

// WithClockSkew sets by how much the clock of the token's maker may differ from the service's, so that a token counts
// as expired only that long after its end. The default is 5 minutes; 0 allows none.
func WithClockSkew(skew time.Duration) Option {
	return func(v *Verifier) { v.skew = max(skew, 0) }
}

// WithTemporaryKeys accepts tokens that were signed with a temporary access key as well; nil changes nothing.
func WithTemporaryKeys(k *TemporaryKeys) Option {
	return func(v *Verifier) { v.temporary = k }
}

// NewVerifier makes a verifier for these keys, of which any may have signed a token: the primary and the secondary one,
// as a rule. A key is its text as it stands in the connection string, although it looks like base64. Empty keys are
// left out, for anyone can sign with them; with no key left every token is refused.
func NewVerifier(keys []string, options ...Option) *Verifier {
	v := &Verifier{skew: defaultClockSkew}
	for i, key := range keys {
		if key != "" {
			v.keys = append(v.keys, verifierKey{i, []byte(key)})
		}
	}
	for _, option := range options {
		option(v)
	}
	return v
}

// String keeps the keys out of every log and message.
func (v *Verifier) String() string { return "auth.Verifier{keys hidden}" }

// GoString keeps the keys out of every log and message.
func (v *Verifier) GoString() string { return v.String() }

// header is the part of a token that says how it is signed. A header with any crit is refused: this verifier knows no
// extension (RFC 7515, section 4.1.11).
type header struct {
	Algorithm string         `json:"alg"`
	Critical  jsontext.Value `json:"crit"`
}

// Verify checks a token's signature and its end, and reads its claims. It does not check the audience (see the methods
// of Token), nor nbf, iat and iss, which the service leaves to the app. The error is an *Error. Nothing of the token
// gets into it but the time of its end.
func (v *Verifier) Verify(token string, now time.Time) (*Token, error) {
	if token == "" {
		return nil, MissingToken()
	}
	if len(token) > maxTokenBytes {
		return nil, malformed("the token is longer than 16 KiB")
	}
	signed, signatureText, ok := cutLast(token)
	headerText, payloadText, ok2 := strings.Cut(signed, ".")
	if !ok || !ok2 || strings.Contains(payloadText, ".") {
		return nil, malformed("the token has not three parts")
	}
	algorithm, keyID, err := v.readHeader(headerText)
	if err != nil {
		return nil, err
	}
	signature, err := decodePart(signatureText)
	if err != nil {
		return nil, malformed("the signature is not base64url")
	}
	index, err := v.match(algorithm, keyID, signed, signature, now)
	if err != nil {
		return nil, err
	}
	payload, err := decodePart(payloadText)
	if err != nil {
		return nil, malformed("the claims are not base64url")
	}
	t := &Token{KeyIndex: index}
	if err := parseClaims(payload, t); err != nil {
		return nil, malformed(err.Error())
	}
	if !t.HasExpires {
		return nil, &Error{Reason: ReasonNoExpiration, Description: "The token has no expiration"}
	}
	if now.Add(-v.skew).After(t.Expires) {
		return nil, expired(t.Expires)
	}
	return t, nil
}

// cutLast splits a token before its signature.
func cutLast(token string) (signed, signature string, ok bool) {
	i := strings.LastIndexByte(token, '.')
	if i < 0 {
		return "", "", false
	}
	return token[:i], token[i+1:], true
}

// decodePart decodes base64url without padding (RFC 7515, section 2), in its one canonical form: no spaces or line ends
// inside, no stray bits at the end.
func decodePart(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, base64.CorruptInputError(0)
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}

// readHeader returns the algorithm of a token that is signed in a way that is accepted, and the id of its key when that may be a temporary one.
func (v *Verifier) readHeader(text string) (algorithm, keyID string, err error) {
	h, decoded, err := decodeHeader(text)
	if err != nil {
		return "", "", err
	}
	switch h.Algorithm {
	case HS256, HS512:
		return h.Algorithm, v.readKeyID(decoded), nil
	case "none", "":
		return "", "", &Error{Reason: ReasonSignature, Description: "The signature is invalid", detail: "the token is not signed"}
	}
	return "", "", &Error{
		Reason:      ReasonSignature,
		Description: textNoKey,
		detail:      "the token is signed with an algorithm other than HS256 and HS512",
	}
}

// textNoKey is what ASP.NET Core says when it has no key for a signature.
const textNoKey = "The signature key was not found"

// decodeHeader decodes the header of a token; decoded is its JSON.
func decodeHeader(text string) (h header, decoded []byte, err error) {
	if decoded, err = decodePart(text); err != nil {
		return h, nil, malformed("the header is not base64url")
	}
	if err := json.Unmarshal(decoded, &h); err != nil {
		return h, nil, malformed("the header is not valid JSON")
	}
	if h.Critical != nil {
		return h, nil, malformed("the header asks for an extension (crit)")
	}
	return h, decoded, nil
}

// readKeyID is the kid of a header, or "" when it cannot be that of a temporary key. That is looked for before anything is decoded: the kid of a
// local key means nothing, so the many tokens that have one cost nothing more.
func (v *Verifier) readKeyID(header []byte) string {
	if v.temporary == nil || !bytes.Contains(header, []byte(temporaryKeyPrefix)) {
		return ""
	}
	var h struct {
		KeyID string `json:"kid"`
	}
	if json.Unmarshal(header, &h) != nil {
		return ""
	}
	return h.KeyID
}

// temporaryKeyIndex stands for a key that is none of those which a verifier was made with.
const temporaryKeyIndex = -1

// match finds the key that made the signature. It decides by the algorithm's name alone how to check, and the keys are
// never anything but secrets, so a token cannot make a public key into one.
func (v *Verifier) match(algorithm, keyID, signed string, signature []byte, now time.Time) (int, error) {
	if len(signature) == 0 {
		return 0, &Error{Reason: ReasonSignature, Description: "The signature is invalid", detail: "the signature is empty"}
	}
	var sum [sha512.Size]byte
	if keyID != "" {
		key, ok, err := v.temporary.find(keyID, now, v.skew)
		if err != nil {
			return 0, &Error{Reason: ReasonSignature, Description: textNoKey, detail: err.Error()}
		}
		if ok {
			if hmac.Equal(sign(sum[:0], algorithm, []byte(key), signed), signature) {
				return temporaryKeyIndex, nil
			}
			return 0, &Error{Reason: ReasonSignature, Description: "The signature is invalid", detail: "the temporary access key that the token names did not make the signature"}
		}
	}
	for i := range v.keys {
		if hmac.Equal(sign(sum[:0], algorithm, v.keys[i].text, signed), signature) {
			return v.keys[i].index, nil
		}
	}
	return 0, &Error{
		Reason:      ReasonSignature,
		Description: textNoKey,
		detail:      "no access key of the instance made the signature",
	}
}

// sign appends the signature of text to dst.
func sign(dst []byte, algorithm string, key []byte, text string) []byte {
	newHash := sha256.New
	if algorithm == HS512 {
		newHash = sha512.New
	}
	var h hash.Hash = hmac.New(newHash, key)
	h.Write([]byte(text))
	return h.Sum(dst)
}
