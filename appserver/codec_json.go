package appserver

import (
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// encodeJSON writes v with the escapes of ASP.NET Core's hub protocol, so that clients see the same bytes from either.
func encodeJSON(v any) ([]byte, error) {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil, err
	}
	return dotNetEscapes(text), nil
}

// decodeJSON reads one value into what target points to.
func decodeJSON(raw []byte, target any) error {
	return json.Unmarshal(raw, target, json.MatchCaseInsensitiveNames(true), jsontext.AllowDuplicateNames(true))
}

// dotNetEscapes rewrites the strings of valid JSON text as .NET's relaxed encoder does: characters outside of the basic
// plane, control characters, private and undefined ones and all spaces but U+0020 become \uXXXX with capital digits.
func dotNetEscapes(text []byte) []byte {
	clean := true
	for _, b := range text {
		if b >= utf8.RuneSelf || b == '\\' || b == 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for i := 0; i < len(text); {
		switch b := text[i]; {
		case b == '\\' && i+5 < len(text) && text[i+1] == 'u':
			out = append(out, '\\', 'u')
			for _, digit := range text[i+2 : i+6] {
				if digit >= 'a' && digit <= 'f' {
					digit -= 'a' - 'A'
				}
				out = append(out, digit)
			}
			i += 6
		case b == '\\' && i+1 < len(text):
			out = append(out, b, text[i+1])
			i += 2
		case b < utf8.RuneSelf && b != 0x7f:
			out = append(out, b)
			i++
		default:
			r, size := utf8.DecodeRune(text[i:])
			out = appendRune(out, r)
			i += size
		}
	}
	return out
}

func appendRune(out []byte, r rune) []byte {
	if r < 0x10000 && unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Cf) {
		return utf8.AppendRune(out, r)
	}
	if r < 0x10000 {
		return appendEscape(out, uint16(r))
	}
	r -= 0x10000
	return appendEscape(appendEscape(out, uint16(0xd800+r>>10)), uint16(0xdc00+r&0x3ff))
}

func appendEscape(out []byte, unit uint16) []byte {
	const digits = "0123456789ABCDEF"
	return append(out, '\\', 'u', digits[unit>>12], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
}
