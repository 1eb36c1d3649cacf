package svcproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tinylib/msgp/msgp"
)

var (
	errTimestamp = errors.New("want a timestamp (extension type -1) of the years 1 to 9999")
	errCount     = errors.New("declares more entries than bytes follow")
)

// reader takes the elements of a body's array one after another. The first error stays: every later call returns a zero
// value, so that a Decode reads all its fields and asks for the error once, in close.
type reader struct {
	typ      Type
	size     int    // bytes of the body
	rest     []byte // what is not read yet
	elements int    // of the array, the type included
	next     int    // index of the element that is read next
	err      error
}

// open starts to read a body of type t, whose array has at least least elements.
func (r *reader) open(body []byte, t Type, least int) {
	r.typ, r.size = t, len(body)
	n, rest, err := msgp.ReadArrayHeaderBytes(body)
	if err != nil {
		r.err = fmt.Errorf("svcproto: body is not an array: %w", err)
		return
	}
	if n == 0 {
		r.err = errNoType
		return
	}
	got, rest, err := msgp.ReadInt32Bytes(rest)
	if err != nil {
		r.err = fmt.Errorf("svcproto: message type: %w", err)
		return
	}
	if Type(got) != t {
		r.err = fmt.Errorf("svcproto: message type is %d, want %d (%s)", got, int(t), t)
		return
	}
	if int64(n) < int64(least) {
		r.err = fmt.Errorf("svcproto: %s has %d elements, want at least %d", t, n, least)
		return
	}
	r.rest, r.next = rest, 1
	r.elements = int(min(int64(n), math.MaxInt32))
}

// openPayload starts to read one value that travels as the payload of an [Ack], its element 5. Errors count their bytes
// from the start of the payload.
func openPayload(payload []byte) reader {
	return reader{typ: TypeAck, size: len(payload), rest: payload, elements: 6, next: 5}
}

// close returns the first error. Elements that were not asked for are ignored: a newer peer may send more.
func (r *reader) close() error { return r.err }

// has tells whether the array has an element with the index n.
func (r *reader) has(n int) bool { return r.err == nil && n < r.elements }

// fail keeps the first error and says where it is. The value itself is not shown, for it may be a secret.
func (r *reader) fail(field string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("svcproto: %s, element %d (%s) near byte %d: %w", r.typ, r.next, field, r.size-len(r.rest), err)
	}
}

// Each method below reads one element, which errors call field.

// takeText reads a text without counting it as an element.
func (r *reader) takeText(field string) []byte {
	if r.err != nil {
		return nil
	}
	v, rest, err := msgp.ReadStringZC(r.rest)
	if err != nil {
		r.fail(field, err)
		return nil
	}
	r.rest = rest
	return v
}

// takeNil skips a nil and tells whether there was one.
func (r *reader) takeNil() bool {
	if r.err != nil || !msgp.IsNil(r.rest) {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// takeData reads binary data without counting it; nil reads as none.
func (r *reader) takeData(field string) []byte {
	if r.err != nil || r.takeNil() {
		return nil
	}
	v, rest, err := msgp.ReadBytesZC(r.rest)
	if err != nil {
		r.fail(field, err)
		return nil
	}
	r.rest = rest
	return v
}

// takeInt reads a number of 32 bits without counting it.
func (r *reader) takeInt(field string) int {
	if r.err != nil {
		return 0
	}
	v, rest, err := msgp.ReadInt32Bytes(r.rest)
	if err != nil {
		r.fail(field, err)
		return 0
	}
	r.rest = rest
	return int(v)
}

// takeArray reads the header of an array whose entries have at least one byte each; nil reads as empty.
func (r *reader) takeArray(field string) int {
	if r.err != nil || r.takeNil() {
		return 0
	}
	n, rest, err := msgp.ReadArrayHeaderBytes(r.rest)
	return r.entries(field, n, 1, rest, err)
}

// takeMap reads the header of a map; nil reads as empty.
func (r *reader) takeMap(field string) int {
	if r.err != nil || r.takeNil() {
		return 0
	}
	n, rest, err := msgp.ReadMapHeaderBytes(r.rest)
	return r.entries(field, n, 2, rest, err)
}

// entries refuses a count that the bytes present cannot hold, so that nothing is ever reserved on a peer's word alone.
func (r *reader) entries(field string, n uint32, least int, rest []byte, err error) int {
	if err == nil && int64(n)*int64(least) > int64(len(rest)) {
		err = errCount
	}
	if err != nil {
		r.fail(field, err)
		return 0
	}
	r.rest = rest
	return int(n)
}

// view reads a text as a view into the body.
func (r *reader) view(field string) []byte {
	v := r.takeText(field)
	r.next++
	return v
}

// optionalView reads a text or nil as a view into the body; it is nil only for nil.
func (r *reader) optionalView(field string) []byte {
	var v []byte
	if !r.takeNil() {
		v = r.takeText(field)
	}
	r.next++
	return v
}

// text reads a text.
func (r *reader) text(field string) string { return string(r.view(field)) }

// optionalText reads a text or nil.
func (r *reader) optionalText(field string) OptionalString {
	v := r.optionalView(field)
	return OptionalString{Value: string(v), Valid: v != nil}
}

// emptyOrNil reads a text or nil where both mean the same, and tells whether it was nil.
func (r *reader) emptyOrNil(field string) (string, bool) {
	v := r.optionalView(field)
	return string(v), v == nil
}

// data reads binary data as a view into the body; nil reads as empty.
func (r *reader) data(field string) []byte {
	v := r.takeData(field)
	r.next++
	return v
}

// int reads a number of 32 bits.
func (r *reader) int(field string) int {
	v := r.takeInt(field)
	r.next++
	return v
}

// optionalInt reads a number of 32 bits or nil.
func (r *reader) optionalInt(field string) OptionalInt {
	var v OptionalInt
	if !r.takeNil() {
		v = SomeInt(r.takeInt(field))
	}
	r.next++
	return v
}

// ackID reads the id of an ack, a number of 64 bits.
func (r *reader) ackID() int64 {
	if r.err != nil {
		return 0
	}
	v, rest, err := msgp.ReadInt64Bytes(r.rest)
	if err != nil {
		r.fail("ack id", err)
		return 0
	}
	r.rest = rest
	r.next++
	return v
}

// bool reads a truth value.
func (r *reader) bool(field string) bool {
	if r.err != nil {
		return false
	}
	v, rest, err := msgp.ReadBoolBytes(r.rest)
	if err != nil {
		r.fail(field, err)
		return false
	}
	r.rest = rest
	r.next++
	return v
}

// The bounds of a time that both sides can hold, in seconds since 1970: the years 1 to 9999.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

// time reads a timestamp of 32, 64 or 96 bits (MessagePack specification, "Timestamp extension type").
func (r *reader) time(field string) time.Time {
	if r.err != nil {
		return time.Time{}
	}
	var seconds int64
	var nanoseconds uint64
	b, size := r.rest, 0
	switch {
	case len(b) >= 6 && b[0] == 0xd6 && b[1] == 0xff:
		size, seconds = 6, int64(binary.BigEndian.Uint32(b[2:]))
	case len(b) >= 10 && b[0] == 0xd7 && b[1] == 0xff:
		v := binary.BigEndian.Uint64(b[2:])
		size, seconds, nanoseconds = 10, int64(v&(1<<34-1)), v>>34
	case len(b) >= 15 && b[0] == 0xc7 && b[1] == 12 && b[2] == 0xff:
		size, seconds = 15, int64(binary.BigEndian.Uint64(b[7:]))
		nanoseconds = uint64(binary.BigEndian.Uint32(b[3:]))
	}
	if size == 0 || nanoseconds > 999999999 || seconds < minSeconds || seconds > maxSeconds {
		r.fail(field, errTimestamp)
		return time.Time{}
	}
	r.rest = b[size:]
	r.next++
	return time.Unix(seconds, int64(nanoseconds)).UTC()
}

// maxKept bounds, in entries, what a reused message keeps of a list: one huge list should not be remembered for ever.
const maxKept = 1 << 14

// reuse empties a list for another use. Its old entries are cleared, for they keep old bodies alive.
func reuse[T any](s []T) []T {
	if cap(s) > maxKept {
		return nil
	}
	clear(s)
	return s[:0]
}

// views reads a list of texts as views into the body.
func (r *reader) views(into [][]byte, field string) [][]byte {
	into = reuse(into)
	n := r.takeArray(field)
	into = slices.Grow(into, n)
	for range n {
		v := r.takeText(field)
		if r.err != nil {
			break
		}
		into = append(into, v)
	}
	r.next++
	return into
}

// texts reads a list of texts.
func (r *reader) texts(into []string, field string) []string {
	into = r.takeTexts(reuse(into), field)
	r.next++
	return into
}

// takeTexts appends a list of texts without counting it as an element.
func (r *reader) takeTexts(into []string, field string) []string {
	n := r.takeArray(field)
	into = slices.Grow(into, n)
	for range n {
		v := r.takeText(field)
		if r.err != nil {
			break
		}
		into = append(into, string(v))
	}
	return into
}

// payloads reads a map from hub protocol to data.
func (r *reader) payloads(into []Payload) []Payload {
	into = reuse(into)
	n := r.takeMap("payloads")
	into = slices.Grow(into, n)
	for range n {
		p := Payload{Protocol: r.takeText("payload protocol"), Data: r.takeData("payload")}
		if r.err != nil {
			break
		}
		into = append(into, p)
	}
	r.next++
	return into
}

// claims reads a map of claims, whose keys may repeat.
func (r *reader) claims(into []Claim) []Claim {
	into = reuse(into)
	n := r.takeMap("claims")
	into = slices.Grow(into, n)
	for range n {
		c := Claim{Type: string(r.takeText("claim type")), Value: string(r.takeText("claim value"))}
		if r.err != nil {
			break
		}
		into = append(into, c)
	}
	r.next++
	return into
}

// headers reads a map from header name to values.
func (r *reader) headers(into []Header) []Header {
	into = reuse(into)
	n := r.takeMap("headers")
	into = slices.Grow(into, n)
	for range n {
		h := Header{Name: string(r.takeText("header name")), Values: r.takeTexts(nil, "header values")}
		if r.err != nil {
			break
		}
		into = append(into, h)
	}
	r.next++
	return into
}

// skip passes over one value of any kind and depth. It counts what is still to come instead of calling itself, so
// that a deeply nested value costs no stack.
func (r *reader) skip(field string) {
	if r.err != nil {
		return
	}
	rest := r.rest
	for pending := uint64(1); pending > 0; pending-- {
		size, inner := extent(rest)
		if size == 0 || size > uint64(len(rest)) {
			r.fail(field, msgp.ErrShortBytes)
			return
		}
		rest = rest[size:]
		pending += inner
		if pending-1 > uint64(len(rest)) {
			r.fail(field, errCount)
			return
		}
	}
	r.rest = rest
}

// extent is the number of bytes of the value that b begins with, and how many further values it consists of. The size
// is 0 when b is too short to tell. The byte 0xc1, which no encoder may write, counts as a value of one byte.
func extent(b []byte) (size, inner uint64) {
	if len(b) == 0 {
		return 0, 0
	}
	// counted reads the count that width bytes behind the first one hold.
	counted := func(width int) (uint64, bool) {
		if len(b) < 1+width {
			return 0, false
		}
		n := uint64(0)
		for _, c := range b[1 : 1+width] {
			n = n<<8 | uint64(c)
		}
		return n, true
	}
	switch c := b[0]; {
	case c < 0x80, c >= 0xe0, c >= 0xc0 && c <= 0xc3: // small numbers, nil, false, true
		return 1, 0
	case c < 0x90: // small map
		return 1, 2 * uint64(c&0x0f)
	case c < 0xa0: // small array
		return 1, uint64(c & 0x0f)
	case c < 0xc0: // short text
		return 1 + uint64(c&0x1f), 0
	case c <= 0xc6: // data, with a count of 1, 2 or 4 bytes
		width := 1 << (c - 0xc4)
		if n, ok := counted(width); ok {
			return 1 + uint64(width) + n, 0
		}
	case c <= 0xc9: // extension: count, type, data
		width := 1 << (c - 0xc7)
		if n, ok := counted(width); ok {
			return 2 + uint64(width) + n, 0
		}
	case c <= 0xcb: // floating point number of 4 or 8 bytes
		return 1 + 4<<(c-0xca), 0
	case c <= 0xcf: // unsigned number
		return 1 + 1<<(c-0xcc), 0
	case c <= 0xd3: // signed number
		return 1 + 1<<(c-0xd0), 0
	case c <= 0xd8: // extension of fixed size
		return 2 + 1<<(c-0xd4), 0
	case c <= 0xdb: // text
		width := 1 << (c - 0xd9)
		if n, ok := counted(width); ok {
			return 1 + uint64(width) + n, 0
		}
	case c <= 0xdd: // array, with a count of 2 or 4 bytes
		width := 2 << (c - 0xdc)
		if n, ok := counted(width); ok {
			return 1 + uint64(width), n
		}
	default: // map, with a count of 2 or 4 bytes
		width := 2 << (c - 0xde)
		if n, ok := counted(width); ok {
			return 1 + uint64(width), 2 * n
		}
	}
	return 0, 0
}
