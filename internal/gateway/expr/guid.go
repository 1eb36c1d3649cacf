package expr

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// Guid is System.Guid, its bytes in the order of its text.
type Guid [16]byte

func (g Guid) typeIn(e *Environment) *netType { return e.named("Guid") }

// String is the form with dashes.
func (g Guid) String() string {
	h := hex.EncodeToString(g[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (g Guid) format(_ *machine, format string) string {
	s := g.String()
	switch strings.ToUpper(format) {
	case "", "D":
		return s
	case "N":
		return strings.ReplaceAll(s, "-", "")
	case "B":
		return "{" + s + "}"
	case "P":
		return "(" + s + ")"
	case "X":
		return "{0x" + s[:8] + ",0x" + s[9:13] + ",0x" + s[14:18] + ",{0x" + hexList(g[8:]) + "}}"
	}
	throwFormat("Format string can be only \"D\", \"d\", \"N\", \"n\", \"P\", \"p\", \"B\", \"b\", \"X\" or \"x\".")
	return ""
}

func hexList(data []byte) string {
	var parts []string
	for _, c := range data {
		parts = append(parts, hex.EncodeToString([]byte{c}))
	}
	return strings.Join(parts, ",0x")
}

func (g Guid) compareTo(_ *machine, other Value) int {
	o := other.(Guid)
	return bytes.Compare(g[:], o[:])
}

// ParseGuid reads a GUID with or without dashes and brackets.
func ParseGuid(s string) (Guid, bool) {
	s = strings.TrimSpace(s)
	if len(s) == 38 && (s[0] == '{' && s[37] == '}' || s[0] == '(' && s[37] == ')') {
		s = s[1:37]
	}
	if len(s) == 36 {
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return Guid{}, false
		}
		s = strings.ReplaceAll(s, "-", "")
	}
	var g Guid
	if len(s) != 32 {
		return g, false
	}
	_, err := hex.Decode(g[:], []byte(s))
	return g, err == nil
}

func mustParseGuid(s string) Guid {
	g, ok := ParseGuid(s)
	if !ok {
		throwFormat("Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx).")
	}
	return g
}

// mixed swaps between the order of the text and that of .NET's bytes, whose first three parts are little-endian.
func (g Guid) mixed() Guid {
	return Guid{g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]}
}

func (b *library) guids() {
	b.on("Guid").add("static Guid Empty", Guid{})
	b.current.zero = func() Value { return Guid{} }
	b.native("static Guid NewGuid()", func(*machine, []Value) Value {
		var g Guid
		_, _ = rand.Read(g[:])
		g[6], g[8] = g[6]&0x0F|0x40, g[8]&0x3F|0x80
		return g
	})
	b.method("new(string g)", func(a []Value) Value { return mustParseGuid(textArgument(a[0], "g")) })
	b.method("new(byte[] b)", func(a []Value) Value {
		data := bytesOf(a[0], "b")
		if len(data) != 16 {
			throw("ArgumentException", "Byte array for Guid must be exactly 16 bytes long. (Parameter 'b')")
		}
		return Guid(data).mixed()
	})
	b.method("static Guid Parse(string input)", func(a []Value) Value { return mustParseGuid(textArgument(a[0], "input")) })
	b.method("static bool TryParse(string input, out Guid result)", func(a []Value) Value {
		g, ok := ParseGuid(optionalText(a[0]))
		if !ok {
			g = Guid{}
		}
		a[1].(*reference).value = g
		return ok
	})
	b.method("byte[] ToByteArray()", func(a []Value) Value { g := a[0].(Guid).mixed(); return &Bytes{g[:]} })
	b.formats()
	b.comparable("Guid")
}
