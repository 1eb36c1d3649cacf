package hubproto

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// appendJSON appends m as a JSON frame. The order of fields, the fields left out and the escapes are those of .NET.
func appendJSON(dst []byte, m *Message) ([]byte, error) {
	start := len(dst)
	dst = append(dst, `{"type":`...)
	dst = strconv.AppendInt(dst, int64(m.Type), 10)
	switch m.Type {
	case Close:
		dst = appendCloseFields(dst, m.Error, m.HasError, m.AllowReconnect)
		return append(dst, '}', recordSeparator), nil
	case Ping:
		return append(dst, '}', recordSeparator), nil
	case Ack, Sequence:
		dst = append(dst, `,"sequenceId":`...)
		dst = strconv.AppendInt(dst, m.SequenceID, 10)
		return append(dst, '}', recordSeparator), nil
	}
	if len(m.Headers) > 0 {
		dst = append(dst, `,"headers":{`...)
		for i, name := range slices.Sorted(maps.Keys(m.Headers)) {
			dst = appendComma(dst, i)
			dst = append(appendString(dst, name), ':')
			dst = appendString(dst, m.Headers[name])
		}
		dst = append(dst, '}')
	}
	if m.HasInvocationID && m.InvocationID != "" {
		dst = append(dst, `,"invocationId":`...)
		dst = appendString(dst, m.InvocationID)
	}
	var err error
	switch m.Type {
	case Invocation, StreamInvocation:
		dst, err = appendCall(dst, m)
	case StreamItem:
		dst, err = appendRaw(append(dst, `,"item":`...), m.Item)
	case Completion:
		switch {
		case m.HasError:
			dst = appendString(append(dst, `,"error":`...), m.Error)
		case m.HasResult:
			dst, err = appendRaw(append(dst, `,"result":`...), m.Result)
		}
	}
	if err != nil {
		return dst[:start], fmt.Errorf("%v: %w", m.Type, err)
	}
	return append(dst, '}', recordSeparator), nil
}

func appendCall(dst []byte, m *Message) ([]byte, error) {
	dst = append(dst, `,"target":`...)
	dst = appendString(dst, m.Target)
	dst = append(dst, `,"arguments":[`...)
	var err error
	for i, argument := range m.Arguments {
		if dst, err = appendRaw(appendComma(dst, i), argument); err != nil {
			return dst, fmt.Errorf("argument %d: %w", i, err)
		}
	}
	dst = append(dst, ']')
	if m.StreamIDs != nil {
		dst = append(dst, `,"streamIds":[`...)
		for i, id := range m.StreamIDs {
			dst = appendString(appendComma(dst, i), id)
		}
		dst = append(dst, ']')
	}
	return dst, nil
}

func appendComma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}

// appendRaw appends a value that is encoded already, after a check: a broken one would break the message, and all that
// follow it.
func appendRaw(dst []byte, value RawValue) ([]byte, error) {
	if value == nil {
		return append(dst, "null"...), nil
	}
	depth, deepest := 0, 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			if i = stringEnd(value, i); i < 0 {
				return dst, malformed("the value is not valid JSON")
			}
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	if deepest > maxJSONDepth-2 { // The message's object and its arguments are two.
		return dst, errDepth
	}
	if !utf8.Valid(value) || !jsontext.Value(value).IsValid(lenient) {
		return dst, malformed("the value is not valid JSON")
	}
	return append(dst, value...), nil
}

// appendCloseFields appends what follows the type in a Close message.
func appendCloseFields(dst []byte, errorText string, hasError, allowReconnect bool) []byte {
	if hasError {
		dst = append(dst, `,"error":`...)
		dst = appendString(dst, errorText)
	}
	if allowReconnect {
		dst = append(dst, `,"allowReconnect":true`...)
	}
	return dst
}

const upperHex = "0123456789ABCDEF"

// appendString appends s as a JSON string with the escapes of .NET's relaxed encoder, which ASP.NET Core uses here:
// quotes, backslashes, control characters, spaces other than U+0020, what Unicode has not assigned, and everything above
// U+FFFF as two surrogates. Bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if size > 1 && r <= 0xffff && unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Cf) {
			i += size
			continue
		}
		dst = append(dst, s[done:i]...)
		i += size
		done = i
		switch {
		case r == '"', r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\b':
			dst = append(dst, '\\', 'b')
		case r == '\f':
			dst = append(dst, '\\', 'f')
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r == utf8.RuneError && size == 1:
			dst = append(dst, "\uFFFD"...)
		case r > 0xffff:
			r -= 0x10000
			dst = appendEscape(dst, 0xd800+r>>10)
			dst = appendEscape(dst, 0xdc00+r&0x3ff)
		default:
			dst = appendEscape(dst, r)
		}
	}
	return append(append(dst, s[done:]...), '"')
}

func appendEscape(dst []byte, unit rune) []byte {
	return append(dst, '\\', 'u', upperHex[unit>>12&15], upperHex[unit>>8&15], upperHex[unit>>4&15], upperHex[unit&15])
}
