package policy

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Token is a JSON web token that a policy has validated, as it keeps it in a variable.
type Token struct {
	// Compact is the token itself, decrypted: three parts with dots between. It is a secret.
	Compact string
}

// claims are the claims of a token by name.
type claims map[string]json.RawMessage

// values are the values of a claim as texts: those of an array, or the one that there is; ok is false when the token has no such claim.
func (c claims) values(name string) (values []string, ok bool) {
	raw, ok := c[name]
	if !ok {
		return nil, false
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || list == nil {
		list = []json.RawMessage{raw}
	}
	for _, item := range list {
		var text string
		if json.Unmarshal(item, &text) != nil || item[0] != '"' {
			text = strings.TrimSpace(string(item))
		}
		values = append(values, text)
	}
	return values, true
}

// time is a claim that is a NumericDate (RFC 7519, section 2).
func (c claims) time(name string) (at time.Time, ok bool, err error) {
	raw, ok := c[name]
	if !ok {
		return time.Time{}, false, nil
	}
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || seconds < -1e11 || seconds > 1e11 {
		return time.Time{}, true, fmt.Errorf("the claim %s is not a date", name)
	}
	return time.UnixMilli(int64(seconds * 1000)), true, nil
}
