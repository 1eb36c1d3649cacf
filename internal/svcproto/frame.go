package svcproto

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tinylib/msgp/msgp"
)

const (
	maxPrefix     = 5             // bytes of the longest length prefix
	maxPrefixBody = math.MaxInt32 // bytes of the longest body that a prefix may declare
)

var (
	errNoType = errors.New("svcproto: body is an empty array, its message type is missing")
	errPrefix = errors.New("svcproto: length prefix is longer than 5 bytes or declares more than 2147483647 bytes")
)

// Split cuts the first frame off b. The result body is the MessagePack array without its length prefix, a view into b;
// size is the number of bytes of prefix and body together.
//
// While b does not hold a whole frame yet, size is 0 and body nil; needed then says how many bytes the whole frame has,
// or 0 when even the prefix is incomplete.
//
// The prefix is an unsigned LEB128 number of at most 5 bytes. A longer one, one that declares more than 2147483647
// bytes, or one that declares more than maxBody bytes is an error: the stream cannot be read on.
func Split(b []byte, maxBody int) (body []byte, size, needed int, err error) {
	var length uint64
	n := 0
	for {
		if n == len(b) {
			return nil, 0, 0, nil
		}
		c := b[n]
		length |= uint64(c&0x7f) << (7 * n)
		n++
		if c < 0x80 {
			break
		}
		if n == maxPrefix {
			return nil, 0, 0, errPrefix
		}
	}
	if length > maxPrefixBody {
		return nil, 0, 0, errPrefix
	}
	// The comparison is made in 64 bits, and the sum checked, because an int may have only 32.
	if int64(length) > int64(maxBody) || int64(length)+int64(n) > math.MaxInt {
		return nil, 0, 0, fmt.Errorf("svcproto: frame declares a body of %d bytes, allowed are %d", length, maxBody)
	}
	total := n + int(length)
	if len(b) < total {
		return nil, 0, total, nil
	}
	return b[n:total:total], total, 0, nil
}

// prefixSize is the number of bytes of the prefix of a body of size bytes.
func prefixSize(size int) int {
	n := 1
	for size >= 0x80 {
		size >>= 7
		n++
	}
	return n
}

// mark remembers where a frame under construction and its body begin.
type mark struct{ frame, body int }

// begin starts a frame of type t with an array of elements elements. The hint is the likely size of the body in bytes:
// when it is right enough that the prefix has the expected size, the body need not be moved at the end.
func begin(dst []byte, hint int, t Type, elements uint32) ([]byte, mark) {
	prefix := prefixSize(hint)
	m := mark{frame: len(dst), body: len(dst) + prefix}
	dst = slices.Grow(dst, prefix+hint)[:m.body]
	dst = msgp.AppendArrayHeader(dst, elements)
	return append(dst, byte(t)), m // types are below 128, so they are their own encoding
}

// end puts the length of the body, which is complete now, in front of it.
func end(dst []byte, m mark) []byte {
	size := len(dst) - m.body
	if size > maxPrefixBody {
		panic("svcproto: message is longer than 2147483647 bytes")
	}
	if missing := prefixSize(size) - (m.body - m.frame); missing != 0 {
		body := dst[m.body:]
		dst = slices.Grow(dst, max(missing, 0))[:len(dst)+missing]
		copy(dst[m.body+missing:], body)
	}
	i := m.frame
	for ; size >= 0x80; size >>= 7 {
		dst[i] = byte(size) | 0x80
		i++
	}
	dst[i] = byte(size)
	return dst
}
