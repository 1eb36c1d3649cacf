package hubproto

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

// The kinds of result that a MessagePack Completion states.
const (
	resultError = 1
	resultVoid  = 2
	resultValue = 3
)

// arrayReader reads the items of a MessagePack message one by one. The first fault ends it and stays in err.
type arrayReader struct {
	items int // how many items of the message are still to be read
	rest  []byte
	err   error
}

func (a *arrayReader) fail(format string, args ...any) {
	if a.err == nil {
		a.err = malformed(format, args...)
	}
}

// item begins the next item of the message and reports whether there is one.
func (a *arrayReader) item(what string) bool {
	if a.err == nil && a.items == 0 {
		a.fail("%s is missing", what)
	}
	a.items--
	return a.err == nil
}

func (a *arrayReader) int(what string) int64 {
	if a.err != nil {
		return 0
	}
	n, rest, err := msgp.ReadInt64Bytes(a.rest)
	if err != nil {
		a.fail("%s is not an integer of 64 bits", what)
		return 0
	}
	a.rest = rest
	return n
}

// string reads a string or nil; ok is false for nil. As in .NET, bytes that are not UTF-8 are read as U+FFFD.
func (a *arrayReader) string(what string) (s string, ok bool) {
	if a.err != nil {
		return "", false
	}
	if msgp.IsNil(a.rest) {
		a.rest = a.rest[1:]
		return "", false
	}
	b, rest, err := msgp.ReadStringZC(a.rest)
	if err != nil {
		a.fail("%s is not a whole string", what)
		return "", false
	}
	a.rest = rest
	if !utf8.Valid(b) {
		return strings.ToValidUTF8(string(b), "\uFFFD"), true
	}
	return string(b), true
}

// required reads a string that is neither nil nor empty.
func (a *arrayReader) required(what string) string {
	s, _ := a.string(what)
	if s == "" {
		a.fail("%s is empty", what)
	}
	return s
}

func (a *arrayReader) headers() map[string]string {
	if !a.item("headers") {
		return nil
	}
	n, rest, err := msgp.ReadMapHeaderBytes(a.rest)
	if err != nil || int64(n) > int64(len(rest)) {
		a.fail("headers are not a whole map")
		return nil
	}
	a.rest = rest
	if n == 0 {
		return nil
	}
	headers := make(map[string]string)
	for range n {
		name, value := a.required("name of a header"), a.required("value of a header")
		if _, twice := headers[name]; twice {
			a.fail("header %q occurs twice", name)
		}
		if a.err != nil {
			return nil
		}
		headers[name] = value
	}
	return headers
}

func (a *arrayReader) streamIDs() []string {
	if a.err != nil || a.items <= 0 { // Older clients end the message before them.
		return nil
	}
	n, rest, err := msgp.ReadArrayHeaderBytes(a.rest)
	if err != nil || int64(n) > int64(len(rest)) {
		a.fail("stream ids are not a whole array")
		return nil
	}
	a.rest = rest
	ids := []string{}
	for range n {
		id := a.required("stream id")
		if a.err != nil {
			return nil
		}
		ids = append(ids, id)
	}
	return ids
}

// value cuts one whole value off, for the application to decode.
func (a *arrayReader) value() (RawValue, error) {
	size, err := valueSize(a.rest, 0)
	if err != nil {
		return nil, err
	}
	value := a.rest[:size:size]
	a.rest = a.rest[size:]
	return RawValue(value), nil
}

func (a *arrayReader) arguments() ([]RawValue, error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(a.rest)
	if err != nil {
		return nil, malformed("arguments are not an array")
	}
	if int64(n) > int64(len(rest)) { // No value is shorter than a byte, so nothing is reserved for what cannot be there.
		return nil, malformed("arguments state %d values in %d bytes", n, len(rest))
	}
	a.rest = rest
	arguments := make([]RawValue, 0, min(n, 16))
	for i := range n {
		argument, err := a.value()
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i, err)
		}
		arguments = append(arguments, argument)
	}
	return arguments, nil
}

// parseMessagePack reads a MessagePack message. The rules are those of ASP.NET Core's MessagePackHubProtocol: items
// that are read must be of their kind, and broken values of the application are told apart from a broken message.
func parseMessagePack(message []byte) (*Message, error) {
	t, err := MessagePack.TypeOf(message)
	if err != nil {
		return nil, err
	}
	m := &Message{Type: t}
	items, rest, err := msgp.ReadArrayHeaderBytes(message)
	if err != nil {
		return nil, errNotArray
	}
	a := &arrayReader{items: int(items), rest: rest}
	a.item("type")
	a.int("type")
	switch t {
	case Invocation, StreamInvocation:
		return a.call(m)
	case StreamItem:
		return a.streamItem(m)
	case Completion:
		a.completion(m)
	case CancelInvocation:
		m.Headers = a.headers()
		a.invocationID(m)
	case Close:
		a.closing(m)
	case Ack, Sequence:
		if a.item("sequence id") {
			m.SequenceID = a.int("sequence id")
		}
	}
	return a.result(m)
}

func (a *arrayReader) result(m *Message) (*Message, error) {
	if a.err != nil {
		return nil, fmt.Errorf("%v message: %w", m.Type, a.err)
	}
	return m, nil
}

// payload is the result for a message whose envelope is sound while the values in it are not.
func (a *arrayReader) payload(m *Message, err error) (*Message, error) {
	return m, &PayloadError{Err: fmt.Errorf("%v message: %w", m.Type, err)}
}

func (a *arrayReader) invocationID(m *Message) {
	if a.item("invocation id") {
		m.InvocationID = a.required("invocation id")
		m.HasInvocationID = true
	}
}

func (a *arrayReader) call(m *Message) (*Message, error) {
	m.Headers = a.headers()
	if m.Type == StreamInvocation {
		a.invocationID(m)
	} else if a.item("invocation id") {
		m.InvocationID, _ = a.string("invocation id")
		m.HasInvocationID = m.InvocationID != ""
	}
	if a.item("target") {
		m.Target = a.required("target")
	}
	if a.err != nil {
		return a.result(m)
	}
	if !a.item("arguments") {
		return a.payload(m, a.err)
	}
	arguments, err := a.arguments()
	if err != nil {
		return a.payload(m, err)
	}
	m.Arguments = arguments
	m.StreamIDs = a.streamIDs()
	return a.result(m)
}

func (a *arrayReader) streamItem(m *Message) (*Message, error) {
	m.Headers = a.headers()
	a.invocationID(m)
	if a.err != nil {
		return a.result(m)
	}
	if !a.item("item") {
		return a.payload(m, a.err)
	}
	item, err := a.value()
	if err != nil {
		return a.payload(m, fmt.Errorf("item: %w", err))
	}
	m.Item = item
	return m, nil
}

func (a *arrayReader) completion(m *Message) {
	m.Headers = a.headers()
	a.invocationID(m)
	if !a.item("kind of result") {
		return
	}
	switch kind := a.int("kind of result"); kind {
	case resultError:
		if a.item("error") {
			m.Error, m.HasError = a.string("error")
		}
	case resultValue:
		if !a.item("result") {
			return
		}
		value, err := a.value()
		if err != nil {
			a.fail("result: %v", err)
			return
		}
		m.Result, m.HasResult = value, true
	case resultVoid:
	default:
		a.fail("kind of result %d is not known", kind)
	}
}

func (a *arrayReader) closing(m *Message) {
	if a.item("error") {
		m.Error, m.HasError = a.string("error")
	}
	if a.err != nil || a.items <= 0 {
		return
	}
	allow, rest, err := msgp.ReadBoolBytes(a.rest)
	if err != nil {
		a.fail("allow reconnect is not true or false")
		return
	}
	m.AllowReconnect, a.rest = allow, rest
}

// Why a value is refused.
var (
	errShortValue = malformed("the value does not end")
	errFormat     = malformed("the value holds the format 0xc1, which MessagePack never uses")
	errValueDepth = malformed("the value is nested more than %d deep", maxMessagePackDepth)
)

// valueSize is the length in bytes of the value that b begins with. It bounds the nesting, and believes no length that b
// cannot hold.
func valueSize(b []byte, depth int) (int, error) {
	if depth > maxMessagePackDepth {
		return 0, errValueDepth
	}
	header, body, children, err := valueHeader(b)
	if err != nil {
		return 0, err
	}
	if int64(header)+body+children > int64(len(b)) { // A child is one byte at least.
		return 0, errShortValue
	}
	size := header + int(body)
	for range children {
		n, err := valueSize(b[size:], depth+1)
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}

// valueHeader reads the header of a value: how long it is, how many bytes follow it and how many values.
func valueHeader(b []byte) (header int, body, children int64, err error) {
	if len(b) == 0 {
		return 0, 0, 0, errShortValue
	}
	c := b[0]
	switch {
	case c <= 0x7f, c >= 0xe0: // small integers
		return 1, 0, 0, nil
	case c <= 0x8f: // small maps
		return 1, 0, 2 * int64(c&0x0f), nil
	case c <= 0x9f: // small arrays
		return 1, 0, int64(c & 0x0f), nil
	case c <= 0xbf: // small strings
		return 1, int64(c & 0x1f), 0, nil
	}
	switch c {
	case 0xc0, 0xc2, 0xc3: // nil, false, true
		return 1, 0, 0, nil
	case 0xcc, 0xd0: // integers of 8 bits
		return 1, 1, 0, nil
	case 0xcd, 0xd1: // integers of 16 bits
		return 1, 2, 0, nil
	case 0xca, 0xce, 0xd2: // numbers of 32 bits
		return 1, 4, 0, nil
	case 0xcb, 0xcf, 0xd3: // numbers of 64 bits
		return 1, 8, 0, nil
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8: // extensions of 1, 2, 4, 8, 16 bytes, behind their type
		return 2, 1 << (c - 0xd4), 0, nil
	case 0xc1:
		return 0, 0, 0, errFormat
	}
	// What is left states its length in 1, 2 or 4 bytes.
	var width int
	switch c {
	case 0xc4, 0xc7, 0xd9:
		width = 1
	case 0xc5, 0xc8, 0xda, 0xdc, 0xde:
		width = 2
	default: // 0xc6, 0xc9, 0xdb, 0xdd, 0xdf
		width = 4
	}
	header = 1 + width
	if len(b) < header {
		return 0, 0, 0, errShortValue
	}
	var n int64
	switch width {
	case 1:
		n = int64(b[1])
	case 2:
		n = int64(binary.BigEndian.Uint16(b[1:]))
	default:
		n = int64(binary.BigEndian.Uint32(b[1:]))
	}
	switch c {
	case 0xdc, 0xdd: // arrays
		return header, 0, n, nil
	case 0xde, 0xdf: // maps
		return header, 0, 2 * n, nil
	case 0xc7, 0xc8, 0xc9: // extensions: a type, then the bytes
		return header + 1, n, 0, nil
	}
	return header, n, 0, nil // strings and bytes
}

// appendMessagePack appends m as a MessagePack frame, in the layout of .NET: six items for an invocation, three for a
// Close, whatever they hold.
func appendMessagePack(dst []byte, m *Message) ([]byte, error) {
	start := len(dst)
	dst, err := appendItems(dst, m)
	if err == nil {
		dst, err = insertPrefix(dst, start)
	}
	if err != nil {
		return dst[:start], fmt.Errorf("%v: %w", m.Type, err)
	}
	return dst, nil
}

func appendItems(dst []byte, m *Message) ([]byte, error) {
	var err error
	for name, value := range m.Headers {
		if name == "" || value == "" {
			return dst, errors.New("a header has no name or no value")
		}
	}
	switch m.Type {
	case Invocation, StreamInvocation:
		dst = appendHead(dst, 6, m)
		dst = appendText(dst, m.Target)
		if len(m.Arguments) > math.MaxUint32 || len(m.StreamIDs) > math.MaxUint32 {
			return dst, errTooLong
		}
		dst = msgp.AppendArrayHeader(dst, uint32(len(m.Arguments)))
		for i, argument := range m.Arguments {
			if dst, err = appendValue(dst, argument); err != nil {
				return dst, fmt.Errorf("argument %d: %w", i, err)
			}
		}
		dst = msgp.AppendArrayHeader(dst, uint32(len(m.StreamIDs)))
		for _, id := range m.StreamIDs {
			if id == "" {
				return dst, errors.New("a stream id is empty")
			}
			dst = appendText(dst, id)
		}
	case StreamItem:
		dst, err = appendValue(appendHead(dst, 4, m), m.Item)
	case Completion:
		switch {
		case m.HasError:
			dst = append(appendHead(dst, 5, m), resultError)
			dst = appendText(dst, m.Error)
		case m.HasResult:
			dst, err = appendValue(append(appendHead(dst, 5, m), resultValue), m.Result)
		default:
			dst = append(appendHead(dst, 4, m), resultVoid)
		}
	case CancelInvocation:
		dst = appendHead(dst, 3, m)
	case Ping:
		dst = append(dst, 0x91, byte(Ping))
	case Close:
		dst = appendCloseItems(dst, m.Error, m.HasError, m.AllowReconnect)
	case Ack, Sequence:
		dst = append(dst, 0x92, byte(m.Type))
		dst = appendInt(dst, m.SequenceID)
	}
	return dst, err
}

// appendHead appends what messages with headers have in common: the count of items, the type, the headers and the
// invocation id, nil when there is none.
func appendHead(dst []byte, items byte, m *Message) []byte {
	dst = append(dst, 0x90|items, byte(m.Type))
	dst = msgp.AppendMapHeader(dst, uint32(len(m.Headers)))
	if len(m.Headers) > 0 {
		for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
			dst = appendText(dst, name)
			dst = appendText(dst, m.Headers[name])
		}
	}
	if !m.HasInvocationID || m.InvocationID == "" {
		return msgp.AppendNil(dst)
	}
	return appendText(dst, m.InvocationID)
}

// appendCloseItems appends a Close message without its length.
func appendCloseItems(dst []byte, errorText string, hasError, allowReconnect bool) []byte {
	dst = append(dst, 0x93, byte(Close))
	if hasError {
		dst = appendText(dst, errorText)
	} else {
		dst = msgp.AppendNil(dst)
	}
	return msgp.AppendBool(dst, allowReconnect)
}

// appendText appends a string. Bytes that are not UTF-8 become U+FFFD, as in JSON.
func appendText(dst []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return msgp.AppendString(dst, s)
}

// appendInt appends an integer as .NET does: the shortest form, unsigned when it is not negative.
func appendInt(dst []byte, n int64) []byte {
	if n >= 0 {
		return msgp.AppendUint64(dst, uint64(n))
	}
	return msgp.AppendInt64(dst, n)
}

// appendValue appends a value that is encoded already, after a check that it is one whole value.
func appendValue(dst []byte, value RawValue) ([]byte, error) {
	if value == nil {
		return msgp.AppendNil(dst), nil
	}
	size, err := valueSize(value, 0)
	if err != nil {
		return dst, err
	}
	if size != len(value) {
		return dst, malformed("%d bytes follow the value", len(value)-size)
	}
	return append(dst, value...), nil
}
