package hubproto

import (
	"bytes"
	"errors"
	"math"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"
)

// TypeOf is the hub message type of one message as Next returns it, found without decoding the rest and without
// allocating. It agrees with Parse: whatever Parse reads has the type that TypeOf tells, but TypeOf does not check more
// than it needs to find it.
func (p Protocol) TypeOf(message []byte) (MessageType, error) {
	if p == JSON {
		outline, err := scanObject(message)
		if err != nil {
			return 0, err
		}
		if !outline.hasType {
			return 0, errNoType
		}
		return outline.messageType, nil
	}
	items, rest, err := msgp.ReadArrayHeaderBytes(message)
	if err != nil {
		return 0, errNotArray
	}
	if items == 0 {
		return 0, errNoType
	}
	n, _, err := msgp.ReadInt64Bytes(rest)
	if err != nil || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, errTypeKind
	}
	return MessageType(n), nil
}

// Reasons for which a message is refused before its fields are looked at.
var (
	errNotObject = malformed("the message is not a JSON object")
	errUnended   = malformed("the JSON object does not end")
	errDepth     = malformed("the message is nested more than %d deep", maxJSONDepth)
	errNoType    = malformed("the message type is missing")
	errTypeKind  = malformed("the message type is not a 32-bit integer")
	errNotArray  = malformed("the message is not a MessagePack array")
)

// outline is what scanObject finds out about a message.
type outline struct {
	end         int // where the object ends
	hasType     bool
	messageType MessageType
}

// scanObject walks over the JSON object that b begins with, without checking what it does not need. It bounds the
// nesting and finds the message type wherever it stands; of several, the last counts, as in ASP.NET Core.
func scanObject(b []byte) (outline, error) {
	var found outline
	i := skipSpace(b, 0)
	if i == len(b) || b[i] != '{' {
		return found, errNotObject
	}
	depth := 0
	wantName, isType := false, false
	for i < len(b) {
		switch b[i] {
		case '"':
			end := stringEnd(b, i)
			if end < 0 {
				return found, errUnended
			}
			if wantName && depth == 1 {
				isType = isTypeName(b[i+1 : end])
				wantName = false
			}
			i = end
		case '{', '[':
			depth++
			if depth > maxJSONDepth {
				return found, errDepth
			}
			wantName = depth == 1
		case '}', ']':
			depth--
			if depth == 0 {
				found.end = i + 1
				return found, nil
			}
		case ',':
			wantName = depth == 1
		case ':':
			if isType && depth == 1 {
				n, ok := parseInt32(b[skipSpace(b, i+1):])
				if !ok {
					return found, errTypeKind
				}
				found.hasType, found.messageType = true, MessageType(n)
				isType = false
			}
		}
		i++
	}
	return found, errUnended
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// stringEnd finds the quote that ends the string whose opening quote is at start, or -1. A quote behind an odd number
// of backslashes is escaped.
func stringEnd(b []byte, start int) int {
	for i := start + 1; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		slashes := 0
		for b[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
}

// isTypeName reports whether the inside of a JSON string reads "type", which may be written with escapes.
func isTypeName(raw []byte) bool {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw) == "type"
	}
	const longest = len(`\u0074\u0079\u0070\u0065`)
	if len(raw) > longest {
		return false
	}
	return unescapedIsType(raw)
}

// unescapedIsType is apart from isTypeName because it allocates, which only a strange client ever brings about.
func unescapedIsType(raw []byte) bool {
	quoted := append(append([]byte{'"'}, raw...), '"')
	name, err := jsontext.AppendUnquote(nil, quoted)
	return err == nil && string(name) == "type"
}

// parseInt32 reads the JSON number that b begins with, which must be an integer of 32 bits without fraction or
// exponent.
func parseInt32(b []byte) (int32, bool) {
	i := 0
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		i++
	}
	first := i
	n := int64(0)
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		n = n*10 + int64(b[i]-'0')
		if n > math.MaxInt32+1 {
			return 0, false
		}
	}
	if i == first || i-first > 1 && b[first] == '0' {
		return 0, false
	}
	if i < len(b) && bytes.IndexByte([]byte(",}] \t\r\n"), b[i]) < 0 {
		return 0, false
	}
	if negative {
		n = -n
	}
	return int32(n), n >= math.MinInt32 && n <= math.MaxInt32
}

// syntax turns an error of the JSON reader into one that says where, and nothing of what the message held.
func syntax(err error) error {
	var s *jsontext.SyntacticError
	if errors.As(err, &s) {
		return malformed("invalid JSON at byte %d", s.ByteOffset)
	}
	return malformed("invalid JSON")
}
