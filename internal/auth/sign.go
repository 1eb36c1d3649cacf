package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxIssuedBytes is the longest token that the official SDKs issue; Azure refuses longer ones with 413 or 414.
const MaxIssuedBytes = 4096

// Lifetime is the claims nbf, exp and iat of a token that is made at now and is valid for life.
func Lifetime(now time.Time, life time.Duration) []Claim {
	seconds := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	return []Claim{
		{ClaimNotBefore, seconds(now)},
		{ClaimExpires, seconds(now.Add(life))},
		{ClaimIssuedAt, seconds(now)},
	}
}

// Sign makes a token with these claims, in this order. algorithm is HS256 or HS512; key is the text of an access key.
// The claims exp, nbf and iat are whole seconds since 1970 and are written as numbers, all others as strings. Several
// claims of one name become one array, which stands where the first of them does.
//
// The errors are an empty key, an unknown algorithm, a time that is not a number or occurs twice, and text that is not
// UTF-8. The length is not limited; see MaxIssuedBytes.
func Sign(key, algorithm string, claims ...Claim) (string, error) {
	return signWith("", key, algorithm, claims)
}

// Sign is the function [Sign] with the key's id in the header.
func (k TemporaryKey) Sign(algorithm string, claims ...Claim) (string, error) {
	return signWith(`,"kid":"`+k.ID+`"`, k.Key, algorithm, claims)
}

// signWith signs with a header that has more members than the usual two.
func signWith(more, key, algorithm string, claims []Claim) (string, error) {
	if key == "" {
		return "", errors.New("sign token: the access key is empty")
	}
	if algorithm != HS256 && algorithm != HS512 {
		return "", fmt.Errorf("sign token: algorithm %q is not HS256 or HS512", algorithm)
	}
	payload, err := appendClaims([]byte{'{'}, claims)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	payload = append(payload, '}')
	encoding := base64.RawURLEncoding
	token := encoding.AppendEncode(nil, []byte(`{"alg":"`+algorithm+`","typ":"JWT"`+more+`}`))
	token = encoding.AppendEncode(append(token, '.'), payload)
	signature := sign(nil, algorithm, []byte(key), string(token))
	return string(encoding.AppendEncode(append(token, '.'), signature)), nil
}

func appendClaims(dst []byte, claims []Claim) ([]byte, error) {
	places := make(map[string][]int, len(claims))
	for i, c := range claims {
		places[c.Type] = append(places[c.Type], i)
	}
	first := true
	for i, c := range claims {
		same := places[c.Type]
		if same[0] != i {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		var err error
		if dst, err = jsontext.AppendQuote(dst, c.Type); err != nil {
			return nil, errors.New("the name of a claim is not UTF-8")
		}
		dst = append(dst, ':')
		if dst, err = appendClaimValues(dst, claims, same); err != nil {
			return nil, fmt.Errorf("claim %q: %w", c.Type, err)
		}
	}
	return dst, nil
}

// appendClaimValues appends the values of the claims of one name, which stand at these places.
func appendClaimValues(dst []byte, claims []Claim, places []int) ([]byte, error) {
	c := claims[places[0]]
	switch c.Type {
	case ClaimExpires, ClaimNotBefore, ClaimIssuedAt:
		n, err := strconv.ParseInt(c.Value, 10, 64)
		if err != nil || len(places) > 1 {
			return nil, errors.New("not one whole number of seconds")
		}
		return strconv.AppendInt(dst, n, 10), nil
	}
	var err error
	if len(places) > 1 {
		dst = append(dst, '[')
	}
	for i, place := range places {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = jsontext.AppendQuote(dst, claims[place].Value); err != nil {
			return nil, errors.New("the value is not UTF-8")
		}
	}
	if len(places) > 1 {
		dst = append(dst, ']')
	}
	return dst, nil
}

// accessKeyBytes is how many random bytes an access key is made of. Their base64 has 64 characters, which is as long as
// HS512 wants its key to be (RFC 7518, section 3.2), for the text itself is the key.
const accessKeyBytes = 48

// NewAccessKey makes a random access key in the form of Azure's: base64, which nobody decodes.
func NewAccessKey() string {
	var b [accessKeyBytes]byte
	rand.Read(b[:]) // It never returns an error (crypto/rand).
	return base64.StdEncoding.EncodeToString(b[:])
}
