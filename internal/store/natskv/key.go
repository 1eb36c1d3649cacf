package natskv

import (
	"bytes"
	"encoding/hex"
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// encodeKey makes the key of a record in the bucket. Parts of the id become tokens of a NATS subject, so that NATS can
// select what lies below an id: "/subscriptions/S/x" is "subscriptions.s.x". In a part, what is neither a lower-case letter, a digit,
// '-' nor '_' is written as '=' and two hexadecimal digits a byte: NATS allows few characters in keys, ids allow many.
func encodeKey(id resource.ID) string {
	const hexDigits = "0123456789abcdef"
	key := strings.TrimPrefix(id.Key(), "/")
	var b strings.Builder
	b.Grow(len(key))
	for i := range len(key) {
		switch c := key[i]; {
		case c == '/':
			b.WriteByte('.')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			b.WriteByte('=')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// decodeKey is the id of a key, in lower case; ok is false for a key that encodeKey does not make.
func decodeKey(key string) (id resource.ID, ok bool) {
	decoded := make([]byte, 1, len(key)+1)
	decoded[0] = '/'
	for i := 0; i < len(key); i++ {
		switch c := key[i]; c {
		case '.':
			decoded = append(decoded, '/')
		case '=':
			if i+2 >= len(key) {
				return "", false
			}
			b, err := hex.DecodeString(key[i+1 : i+3])
			if err != nil {
				return "", false
			}
			decoded = append(decoded, b[0])
			i += 2
		default:
			decoded = append(decoded, c)
		}
	}
	id = resource.ID(decoded)
	if encodeKey(id) != key {
		return "", false
	}
	return id, true
}

// The stored value is a line with the form's version and the id as it was first spelled, then the record's value: the
// key has lost the spelling.
const formPrefix = "1 "

func encodeValue(id resource.ID, value []byte) []byte {
	b := make([]byte, 0, len(formPrefix)+len(id)+1+len(value))
	b = append(b, formPrefix...)
	b = append(b, id...)
	b = append(b, '\n')
	return append(b, value...)
}

func decodeValue(stored []byte) (id resource.ID, value []byte, ok bool) {
	line, value, found := bytes.Cut(stored, []byte("\n"))
	spelled, right := strings.CutPrefix(string(line), formPrefix)
	if !found || !right {
		return "", nil, false
	}
	return resource.ID(spelled), value, true
}
