package expr

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// uri is System.Uri.
type uri struct {
	original string
	absolute bool
	scheme   string
	user     string
	host     string
	port     int
	path     string
	query    string
	fragment string
	slashes  bool // scheme:// rather than scheme:
}

// defaultPorts are the ports that a URI need not write.
var defaultPorts = map[string]int{"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "gopher": 70, "ldap": 389, "net.tcp": 808}

func (u *uri) typeIn(e *Environment) *netType { return e.named("Uri") }

// parseURI reads a URI of a UriKind: 0 either, 1 absolute, 2 relative.
func parseURI(s string, kind int) (*uri, string) {
	trimmed := strings.TrimSpace(s)
	colon := strings.IndexByte(trimmed, ':')
	hasScheme := colon > 0 && validScheme(trimmed[:colon])
	if !hasScheme {
		if kind == 1 {
			return nil, "Invalid URI: The format of the URI could not be determined."
		}
		return &uri{original: s}, ""
	}
	if kind == 2 {
		return nil, "A relative URI cannot be created because the 'uriString' parameter represents an absolute URI."
	}
	u := &uri{original: s, absolute: true, scheme: strings.ToLower(trimmed[:colon]), port: -1}
	rest := trimmed[colon+1:]
	if i := strings.IndexByte(rest, '#'); i >= 0 {
		rest, u.fragment = rest[:i], escapeIRI(rest[i:])
	}
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		rest, u.query = rest[:i], escapeIRI(rest[i:])
	}
	u.port = -1
	if p, ok := defaultPorts[u.scheme]; ok {
		u.port = p
	}
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		u.slashes = true
		authority := after
		if i := strings.IndexAny(after, "/\\"); i >= 0 {
			authority, rest = after[:i], after[i:]
		} else {
			rest = ""
		}
		if why := u.authority(authority); why != "" {
			return nil, why
		}
	} else if _, hierarchical := defaultPorts[u.scheme]; hierarchical {
		return nil, "Invalid URI: The hostname could not be parsed."
	}
	if u.slashes {
		if rest == "" {
			rest = "/"
		}
		rest = removeDots(strings.ReplaceAll(rest, `\`, "/"))
	}
	u.path = escapeIRI(rest)
	return u, ""
}

func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && (isDigit(c) || c == '+' || c == '-' || c == '.') {
			continue
		}
		return false
	}
	return true
}

// authority reads user@host:port.
func (u *uri) authority(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		u.user, s = s[:i], s[i+1:]
	}
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
	}
	if port != "" {
		n, err := strconv.Atoi(port)
		if err != nil || n < 0 || n > 65535 {
			return "Invalid URI: Invalid port specified."
		}
		u.port = n
	}
	if host == "" && u.scheme != "file" || strings.ContainsAny(host, " <>\"{}|^`%") {
		return "Invalid URI: The hostname could not be parsed."
	}
	u.host = lowerText(host)
	return ""
}

// escapeIRI percent-encodes what a URI may not hold; escapes that are there stay.
func escapeIRI(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c <= ' ' || c >= 0x7F || strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			writeEscape(&b, c)
		case c == '%' && !(i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])):
			b.WriteString("%25")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func writeEscape(b *strings.Builder, c byte) {
	const digits = "0123456789ABCDEF"
	b.Write([]byte{'%', digits[c>>4], digits[c&15]})
}

// removeDots resolves . and .. (RFC 3986, section 5.2.4).
func removeDots(path string) string {
	var out []string
	parts := strings.Split(path, "/")
	for i, p := range parts {
		last := i == len(parts)-1
		switch p {
		case ".":
			if last {
				out = append(out, "")
			}
		case "..":
			if len(out) > 1 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, p)
		}
	}
	return strings.Join(out, "/")
}

func mustParseURI(s string, kind int) *uri {
	u, why := parseURI(s, kind)
	if u == nil {
		throwFull("System.UriFormatException", why)
	}
	return u
}

// resolve is a reference against a base (RFC 3986, section 5.2).
func (u *uri) resolve(reference string) *uri {
	if r, _ := parseURI(reference, 1); r != nil {
		return r
	}
	head := u.scheme + "://" + u.fullAuthority()
	switch {
	case strings.HasPrefix(reference, "//"):
		return mustParseURI(u.scheme+":"+reference, 1)
	case strings.HasPrefix(reference, "/"):
		return mustParseURI(head+reference, 1)
	case strings.HasPrefix(reference, "?"):
		return mustParseURI(head+u.path+reference, 1)
	case strings.HasPrefix(reference, "#"), reference == "":
		return mustParseURI(head+u.path+u.query+reference, 1)
	}
	return mustParseURI(head+u.path[:strings.LastIndexByte(u.path, '/')+1]+reference, 1)
}

func (u *uri) isDefaultPort() bool { return u.port == -1 || defaultPorts[u.scheme] == u.port }

// authorityText is host[:port].
func (u *uri) authorityText() string {
	if u.isDefaultPort() {
		return u.host
	}
	return u.host + ":" + itoa(u.port)
}

func (u *uri) fullAuthority() string {
	if u.user != "" {
		return u.user + "@" + u.authorityText()
	}
	return u.authorityText()
}

// needAbsolute throws for a relative URI.
func (u *uri) needAbsolute() *uri {
	if !u.absolute {
		throw("InvalidOperationException", "This operation is not supported for a relative URI.")
	}
	return u
}

func (u *uri) left(part int64) string {
	text := u.scheme + ":"
	if u.slashes {
		text += "//"
	}
	switch part {
	case 1:
		return text + u.fullAuthority()
	case 2:
		return text + u.fullAuthority() + u.path
	case 3:
		return text + u.fullAuthority() + u.path + u.query
	}
	return text
}

func (u *uri) absoluteURI() string { return u.needAbsolute().left(3) + u.fragment }

// text is ToString(), in which safe escapes are undone.
func (u *uri) text(*machine) string {
	if !u.absolute {
		return u.original
	}
	return u.left(1) + unescapeSafe(u.path) + unescapeSafe(u.query) + unescapeSafe(u.fragment)
}

// unescapeSafe undoes escapes of characters that mean nothing in a URI.
func unescapeSafe(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	decoded, kept := make([]byte, 0, len(s)), s
	for i := 0; i < len(kept); i++ {
		if kept[i] == '%' && i+2 < len(kept) && isHex(kept[i+1]) && isHex(kept[i+2]) {
			c := byte(hexValue(kept[i+1])<<4 | hexValue(kept[i+2]))
			if c >= 0x80 || c == ' ' || c > ' ' && c < 0x7F && strings.IndexByte("%/\\?#&=+@:;,$!*'()[]", c) < 0 {
				decoded = append(decoded, c)
				i += 2
				continue
			}
		}
		decoded = append(decoded, kept[i])
	}
	text := decodeUTF8(decoded)
	if strings.Contains(text, replacementCh) {
		return s
	}
	return text
}

func (u *uri) equals(other Value) bool {
	o, ok := other.(*uri)
	if !ok {
		return false
	}
	if !u.absolute || !o.absolute {
		return u.original == o.original
	}
	return u.left(3) == o.left(3)
}

func (u *uri) hashKey() any {
	if !u.absolute {
		return structuralKey{"uri", u.original}
	}
	return structuralKey{"uri", u.left(3)}
}

// escapeData is Uri.EscapeDataString.
func escapeData(s string) string {
	var b strings.Builder
	s = wellFormed(s)
	for i := range len(s) {
		if c := s[i]; isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
		} else {
			writeEscape(&b, c)
		}
	}
	return b.String()
}

// unescapeData is Uri.UnescapeDataString: bytes that are no UTF-8 stay escaped.
func unescapeData(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '%' {
			b.WriteByte(s[i])
			i++
			continue
		}
		var data []byte
		j := i
		for j+2 < len(s) && s[j] == '%' && isHex(s[j+1]) && isHex(s[j+2]) {
			data = append(data, byte(hexValue(s[j+1])<<4|hexValue(s[j+2])))
			j += 3
		}
		if j == i {
			b.WriteByte('%')
			i++
			continue
		}
		text := decodeUTF8(data)
		if strings.Contains(text, replacementCh) {
			b.WriteString(s[i:j])
		} else {
			b.WriteString(text)
		}
		i = j
	}
	return b.String()
}

// urls declares System.Uri.
func (b *library) urls() {
	b.on("Uri")
	kind := func(v Value) int { return int(v.(Enum).n) }
	b.method("new(string uriString)", func(a []Value) Value { return mustParseURI(textArgument(a[0], "uriString"), 1) })
	b.method("new(string uriString, UriKind uriKind)", func(a []Value) Value { return mustParseURI(textArgument(a[0], "uriString"), kind(a[1])) })
	b.method("new(Uri baseUri, string relativeUri)", func(a []Value) Value { return a[0].(*uri).needAbsolute().resolve(optionalText(a[1])) })
	b.method("new(Uri baseUri, Uri relativeUri)", func(a []Value) Value { return a[0].(*uri).needAbsolute().resolve(a[1].(*uri).original) })
	get := func(signature string, read func(u *uri) Value) {
		b.property(signature, func(v Value) Value { return read(v.(*uri).needAbsolute()) })
	}
	get("string Scheme", func(u *uri) Value { return u.scheme })
	get("string Host", func(u *uri) Value { return u.host })
	get("string DnsSafeHost", func(u *uri) Value { return strings.Trim(u.host, "[]") })
	get("string IdnHost", func(u *uri) Value { return strings.Trim(u.host, "[]") })
	get("int Port", func(u *uri) Value { return int32(u.port) })
	get("string Authority", func(u *uri) Value { return u.authorityText() })
	get("string AbsolutePath", func(u *uri) Value { return u.path })
	get("string LocalPath", func(u *uri) Value { return unescapeData(u.path) })
	get("string Query", func(u *uri) Value { return u.query })
	get("string Fragment", func(u *uri) Value { return u.fragment })
	get("string PathAndQuery", func(u *uri) Value { return u.path + u.query })
	get("string AbsoluteUri", func(u *uri) Value { return u.absoluteURI() })
	get("string UserInfo", func(u *uri) Value { return u.user })
	get("bool IsDefaultPort", func(u *uri) Value { return u.isDefaultPort() })
	get("bool IsLoopback", func(u *uri) Value { return u.host == "localhost" || isLoopback(strings.Trim(u.host, "[]")) })
	get("bool IsFile", func(u *uri) Value { return u.scheme == "file" })
	b.property("bool IsAbsoluteUri", func(v Value) Value { return v.(*uri).absolute })
	b.property("string OriginalString", func(v Value) Value { return v.(*uri).original })
	b.native("string[] Segments", func(m *machine, a []Value) Value {
		var list []string
		rest := a[0].(*uri).needAbsolute().path
		for rest != "" {
			i := strings.IndexByte(rest, '/')
			if i < 0 {
				i = len(rest) - 1
			}
			list, rest = append(list, rest[:i+1]), rest[i+1:]
		}
		return m.stringArray(list)
	})
	b.method("string GetLeftPart(UriPartial part)", func(a []Value) Value { return a[0].(*uri).needAbsolute().left(a[1].(Enum).n) })
	b.method("string GetComponents(UriComponents components, UriFormat format)", func(a []Value) Value {
		u, n := a[0].(*uri).needAbsolute(), a[1].(Enum).n
		text := ""
		if n&1 != 0 {
			text = u.scheme
			if n&4 != 0 {
				text += "://"
			}
		}
		if n&2 != 0 && u.user != "" {
			text += u.user + "@"
		}
		if n&4 != 0 {
			text += u.host
		}
		if n&8 != 0 && !u.isDefaultPort() || n&128 != 0 {
			text += ":" + itoa(u.port)
		}
		if n&16 != 0 {
			path := u.path
			if text == "" && n == 16 {
				path = strings.TrimPrefix(path, "/")
			}
			text += path
		}
		if n&32 != 0 {
			query := u.query
			if n == 32 {
				query = strings.TrimPrefix(query, "?")
			}
			text += query
		}
		if n&64 != 0 {
			fragment := u.fragment
			if n == 64 {
				fragment = strings.TrimPrefix(fragment, "#")
			}
			text += fragment
		}
		if a[2].(Enum).n != 1 {
			text = unescapeSafe(text)
		}
		return text
	})
	b.method("bool IsBaseOf(Uri uri)", func(a []Value) Value {
		u, o := a[0].(*uri).needAbsolute(), a[1].(*uri).needAbsolute()
		return u.left(1) == o.left(1) && strings.HasPrefix(o.path, u.path[:strings.LastIndexByte(u.path, '/')+1])
	})
	b.method("Uri MakeRelativeUri(Uri uri)", func(a []Value) Value {
		u, o := a[0].(*uri).needAbsolute(), a[1].(*uri).needAbsolute()
		if u.left(1) != o.left(1) {
			return o
		}
		base := u.path[:strings.LastIndexByte(u.path, '/')+1]
		up := ""
		for !strings.HasPrefix(o.path, base) {
			base = base[:strings.LastIndexByte(base[:len(base)-1], '/')+1]
			up += "../"
		}
		return &uri{original: up + o.path[len(base):] + o.query + o.fragment}
	})
	b.method("static bool operator ==(Uri a, Uri b)", func(a []Value) Value { return equalsValue(a[0], a[1]) })
	b.method("static bool operator !=(Uri a, Uri b)", func(a []Value) Value { return !equalsValue(a[0], a[1]) })
	b.method("static bool TryCreate(string uriString, UriKind uriKind, out Uri result)", func(a []Value) Value {
		ref := a[2].(*reference)
		ref.value = nil
		u, _ := parseURI(optionalText(a[0]), kind(a[1]))
		if a[0] == nil || u == nil {
			return false
		}
		ref.value = u
		return true
	})
	b.method("static bool TryCreate(Uri baseUri, string relativeUri, out Uri result)", func(a []Value) Value {
		a[2].(*reference).value = nil
		base, ok := a[0].(*uri)
		if !ok || !base.absolute || a[1] == nil {
			return false
		}
		a[2].(*reference).value = base.resolve(a[1].(string))
		return true
	})
	b.method("static bool IsWellFormedUriString(string uriString, UriKind uriKind)", func(a []Value) Value {
		s := optionalText(a[0])
		u, _ := parseURI(s, kind(a[1]))
		if a[0] == nil || u == nil {
			return false
		}
		if !u.absolute {
			return escapeIRI(s) == s
		}
		return escapeIRI(s) == s && !strings.Contains(s, "\\")
	})
	for name, change := range map[string]func(string) string{"EscapeDataString": escapeData, "UnescapeDataString": unescapeData, "EscapeUriString": escapeIRI} {
		b.native("static string "+name+"(string stringTo"+strings.TrimSuffix(strings.TrimSuffix(name, "DataString"), "UriString")+")", func(m *machine, a []Value) Value {
			s := textArgument(a[0], "stringToEscape")
			m.charge(3 * len(s))
			return change(s)
		})
	}
	b.method("static string HexEscape(char character)", func(a []Value) Value {
		var out strings.Builder
		writeEscape(&out, byte(a[0].(Char)))
		return out.String()
	})
	b.native("static string UriSchemeHttp", func(*machine, []Value) Value { return "http" })
	b.native("static string UriSchemeHttps", func(*machine, []Value) Value { return "https" })
}

// address is System.Net.IPAddress.
type address struct{ ip netip.Addr }

func (a *address) typeIn(e *Environment) *netType { return e.named("IPAddress") }
func (a *address) text(*machine) string           { return a.ip.String() }
func (a *address) equals(other Value) bool        { o, ok := other.(*address); return ok && o.ip == a.ip }
func (a *address) hashKey() any                   { return a.ip }

func isLoopback(s string) bool { ip := net.ParseIP(s); return ip != nil && ip.IsLoopback() }

// parseAddress reads an address as IPAddress.Parse does; IPv4 may have fewer than four parts and hexadecimal or octal ones.
func parseAddress(s string) (*address, bool) {
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return &address{ip}, true
	}
	parts := strings.Split(s, ".")
	if len(parts) > 4 || strings.Contains(s, ":") {
		return nil, false
	}
	var value uint64
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 0, 33)
		if err != nil || strings.Contains(p, "_") {
			return nil, false
		}
		if i < len(parts)-1 {
			if n > 255 {
				return nil, false
			}
			value |= n << (24 - 8*i)
			continue
		}
		if n >= 1<<(8*(5-len(parts))) {
			return nil, false
		}
		value |= n
	}
	return &address{netip.AddrFrom4([4]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)})}, true
}

// addresses declares System.Net.IPAddress.
func (b *library) addresses() {
	b.on("IPAddress")
	families := b.env.named("AddressFamily")
	b.method("static IPAddress Parse(string ipString)", func(a []Value) Value {
		x, ok := parseAddress(textArgument(a[0], "ipString"))
		if !ok {
			throwFormat("An invalid IP address was specified.")
		}
		return x
	})
	b.method("static bool TryParse(string ipString, out IPAddress address)", func(a []Value) Value {
		x, ok := parseAddress(optionalText(a[0]))
		a[1].(*reference).value = nil
		if ok {
			a[1].(*reference).value = x
		}
		return ok
	})
	b.method("static bool IsLoopback(IPAddress address)", func(a []Value) Value { return a[0].(*address).ip.IsLoopback() })
	b.method("byte[] GetAddressBytes()", func(a []Value) Value { return &Bytes{a[0].(*address).ip.AsSlice()} })
	b.property("AddressFamily AddressFamily", func(v Value) Value {
		if v.(*address).ip.Is4() {
			return Enum{families, 2}
		}
		return Enum{families, 23}
	})
}
