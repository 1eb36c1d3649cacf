package expr

import (
	"encoding/base64"
	"strings"
	"time"
)

// JWT is a token that an expression reads with AsJwt, or that validate-jwt stores in a variable. Its signature is not checked here.
type JWT struct {
	header *jObject
	claims *headerTable
	fields *jObject
}

// BasicCredentials are the user and password of a Basic authorization header.
type BasicCredentials struct{ UserID, Password string }

func (j *JWT) typeIn(e *Environment) *netType              { return e.named("Jwt") }
func (c *BasicCredentials) typeIn(e *Environment) *netType { return e.named("BasicAuthCredentials") }

// ParseJWT reads a signed token in compact form, bare or behind "Bearer ". It does not verify it.
func ParseJWT(env *Environment, token string) (*JWT, bool) {
	m := &machine{env: env, steps: 1 << 20, memory: 1 << 22, depth: 200}
	return parseJWT(m, token)
}

func parseJWT(m *machine, token string) (jwt *JWT, ok bool) {
	token = strings.TrimSpace(token)
	if len(token) > 7 && strings.EqualFold(token[:7], "Bearer ") {
		token = strings.TrimSpace(token[7:])
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	depth := m.depth
	defer func() {
		if r := recover(); r != nil {
			exceptionOf(r)
			m.depth = depth
			jwt, ok = nil, false
		}
	}()
	read := func(part string) *jObject {
		data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(part, "="))
		if err != nil {
			throwFormat("not Base64")
		}
		o, is := parseJSON(m, decodeUTF8(data), 0).(*jObject)
		if !is {
			throwFormat("not an object")
		}
		return o
	}
	jwt = &JWT{header: read(parts[0]), fields: read(parts[1]), claims: &headerTable{values: map[string][]string{}}}
	for _, p := range jwt.fields.members {
		var values []string
		if a, is := p.value.(*jArray); is {
			for _, x := range a.items {
				values = append(values, claimText(m, x))
			}
		} else {
			values = []string{claimText(m, p.value)}
		}
		if values == nil {
			values = []string{}
		}
		jwt.claims.names = append(jwt.claims.names, p.name)
		jwt.claims.values[p.name] = values
	}
	return jwt, true
}

// claimText is a claim's value: text as it is, booleans in lower case, objects as compact JSON.
func claimText(m *machine, t jToken) string {
	if v, ok := t.(*jValue); ok {
		switch x := v.value.(type) {
		case string:
			return x
		case bool:
			if x {
				return "true"
			}
			return "false"
		}
		return m.text(v.value)
	}
	return jsonText(m, t, false)
}

// single is the text of a claim, null where it is missing.
func (j *JWT) single(name string) Value {
	if v := j.claims.values[name]; len(v) > 0 {
		return v[0]
	}
	return nil
}

// date is a claim in seconds since 1970, null where it is missing.
func (j *JWT) date(name string) Value {
	v, ok := j.fields.get(name).(*jValue)
	if !ok || v.is != jsonInteger && v.is != jsonFloat {
		return nil
	}
	seconds := floatOf(v.value)
	if seconds < -62135596800 || seconds > 253402300799 {
		return nil
	}
	return NewDateTime(time.Unix(int64(seconds), 0).UTC())
}

// credentials declares Jwt, BasicAuthCredentials and the string extensions that make them.
func (b *library) credentials() {
	b.on("Jwt")
	for member, claim := range map[string]string{"Id": "jti", "Issuer": "iss", "Subject": "sub"} {
		b.property("string "+member, func(v Value) Value { return v.(*JWT).single(claim) })
	}
	for member, name := range map[string]string{"Algorithm": "alg", "Type": "typ"} {
		b.native("string "+member, func(m *machine, a []Value) Value {
			t := a[0].(*JWT).header.get(name)
			if t == nil {
				return nil
			}
			return claimText(m, t)
		})
	}
	b.native("IEnumerable<string> Audiences", func(m *machine, a []Value) Value { return m.stringArray(a[0].(*JWT).claims.values["aud"]) })
	b.property("IHeaders Claims", func(v Value) Value { return v.(*JWT).claims })
	for member, name := range map[string]string{"ExpirationTime": "exp", "NotBefore": "nbf", "IssuedAt": "iat"} {
		b.property("DateTime? "+member, func(v Value) Value { return v.(*JWT).date(name) })
	}
	b.on("BasicAuthCredentials")
	b.property("string UserId", func(v Value) Value { return v.(*BasicCredentials).UserID })
	b.property("string Username", func(v Value) Value { return v.(*BasicCredentials).UserID })
	b.property("string Password", func(v Value) Value { return v.(*BasicCredentials).Password })
	b.on("ContextExtensions")
	jwt := func(m *machine, v Value) (Value, bool) {
		if j, ok := parseJWT(m, optionalText(v)); ok {
			return j, true
		}
		return nil, false
	}
	basic := func(_ *machine, v Value) (Value, bool) {
		if c, ok := parseBasic(optionalText(v)); ok {
			return c, true
		}
		return nil, false
	}
	declare := func(as, try, typ string, parse func(m *machine, v Value) (Value, bool)) {
		b.native("static "+typ+" "+as+"(this string input)", func(m *machine, a []Value) Value { v, _ := parse(m, a[0]); return v })
		b.native("static bool "+try+"(this string input, out "+typ+" result)", func(m *machine, a []Value) Value {
			v, ok := parse(m, a[0])
			a[1].(*reference).value = v
			return ok
		})
	}
	declare("AsJwt", "TryParseJwt", "Jwt", jwt)
	declare("AsBasic", "TryParseBasic", "BasicAuthCredentials", basic)
}

// parseBasic reads "Basic " and Base64 of user:password.
func parseBasic(s string) (*BasicCredentials, bool) {
	if len(s) < 6 || !strings.EqualFold(s[:6], "Basic ") {
		return nil, false
	}
	data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s[6:]))
	if err != nil {
		return nil, false
	}
	user, password, ok := strings.Cut(decodeUTF8(data), ":")
	if !ok {
		return nil, false
	}
	return &BasicCredentials{user, password}, true
}
