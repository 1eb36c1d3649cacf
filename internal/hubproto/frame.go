package hubproto

import (
	"bytes"
	"errors"
	"fmt"
)

// recordSeparator ends every JSON message and both records of the handshake. JSON escapes it inside strings, so it
// never occurs within a message.
const recordSeparator = 0x1e

const (
	// maxPrefix is the longest length prefix of a binary message, in bytes.
	maxPrefix = 5
	// maxLength is the largest length that a prefix may state.
	maxLength = 1<<31 - 1
)

// SplitRecord cuts the first record off b: up to the record separator, which belongs to neither part. ok is false when
// b holds no whole record yet.
func SplitRecord(b []byte) (record, rest []byte, ok bool) {
	i := bytes.IndexByte(b, recordSeparator)
	if i < 0 {
		return nil, b, false
	}
	return b[:i:i], b[i+1:], true
}

// Complete reports whether b, which begins at a message border, ends at one too: JSON when its last byte is the record
// separator, MessagePack when the lengths add up. Nothing at all is complete. A broken length is not.
func (p Protocol) Complete(b []byte) bool {
	if p == JSON {
		return len(b) == 0 || b[len(b)-1] == recordSeparator
	}
	for len(b) > 0 {
		length, size, err := readPrefix(b)
		if err != nil || size == 0 || length > len(b)-size {
			return false
		}
		b = b[size+length:]
	}
	return true
}

// Next cuts the first message off b, which begins at a message border. message is without its framing and shares memory
// with b; size is how many bytes of b it took with its framing. size is 0 when the message is not whole yet.
//
// maxMessage limits size in bytes; 0 sets no limit. A larger message is refused with ErrTooLarge as soon as that can be
// known, so a reader never has to hold more than maxMessage bytes. Any other error is a broken length prefix.
func (p Protocol) Next(b []byte, maxMessage int) (message []byte, size int, err error) {
	if p == JSON {
		return nextText(b, maxMessage)
	}
	length, prefix, err := readPrefix(b)
	if err != nil || prefix == 0 {
		return nil, 0, err
	}
	if maxMessage > 0 && length > maxMessage-prefix {
		return nil, 0, fmt.Errorf("%w of %d bytes", ErrTooLarge, maxMessage)
	}
	if length > len(b)-prefix {
		return nil, 0, nil
	}
	size = prefix + length
	return b[prefix:size:size], size, nil
}

func nextText(b []byte, maxMessage int) (message []byte, size int, err error) {
	window := b
	if maxMessage > 0 && len(window) > maxMessage {
		window = window[:maxMessage]
	}
	i := bytes.IndexByte(window, recordSeparator)
	switch {
	case i >= 0:
		return b[:i:i], i + 1, nil
	case maxMessage > 0 && len(window) >= maxMessage:
		return nil, 0, fmt.Errorf("%w of %d bytes", ErrTooLarge, maxMessage)
	}
	return nil, 0, nil
}

// Why a length prefix is refused.
var (
	errPrefix = fmt.Errorf("%w: the length prefix states more than 2 GB", errProtocol)
	errEmpty  = fmt.Errorf("%w: the length prefix states an empty message", errProtocol)
)

// readPrefix reads a length prefix: seven bits a byte, the least significant first, the high bit set on all but the
// last byte. size is 0 when the prefix is not whole yet.
func readPrefix(b []byte) (length, size int, err error) {
	var n uint64
	for i, c := range b {
		if i == maxPrefix-1 && c > maxLength>>(7*(maxPrefix-1)) {
			return 0, 0, errPrefix
		}
		n |= uint64(c&0x7f) << (7 * i)
		if c&0x80 == 0 {
			if n == 0 {
				return 0, 0, errEmpty
			}
			return int(n), i + 1, nil
		}
	}
	return 0, 0, nil
}

// prefixSize is the length in bytes of the prefix for a message of n bytes.
func prefixSize(n int) int {
	size := 1
	for n >>= 7; n > 0; n >>= 7 {
		size++
	}
	return size
}

// errTooLong is the error for a message that no length prefix can announce.
var errTooLong = errors.New("hub message is over 2 GB")

// insertPrefix turns the message that was appended to dst from start on into a frame, by moving it behind its length.
func insertPrefix(dst []byte, start int) ([]byte, error) {
	n := len(dst) - start
	if n > maxLength {
		return dst[:start], errTooLong
	}
	size := prefixSize(n)
	var room [maxPrefix]byte
	dst = append(dst, room[:size]...)
	copy(dst[start+size:], dst[start:start+n])
	appendPrefix(dst[:start], n)
	return dst, nil
}

// appendPrefix appends the length prefix for a message of n bytes.
func appendPrefix(dst []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}

// AppendFrame appends one message, at most 2 GB long, with the protocol's framing: JSON in front of a record separator, MessagePack behind its
// length.
func (p Protocol) AppendFrame(dst, message []byte) []byte {
	if p == JSON {
		return append(append(dst, message...), recordSeparator)
	}
	return append(appendPrefix(dst, len(message)), message...)
}

// Border follows a stream of hub messages that arrives in pieces of any size and tells whether it stands between two
// messages, which is where another app server may take it over. It keeps no data. The zero value stands at a border.
type Border struct {
	remaining int   // bytes of the current message that are still to come, behind its prefix
	length    int   // what the prefix read so far amounts to
	prefix    uint8 // how many bytes of a prefix have been read, 0 when none is begun
	inside    bool  // a text message is begun
	broken    bool  // a prefix was malformed, so no border can be found any more
}

// Advance takes the next piece of the stream, whose hub protocol must be the same in every call, and reports whether
// the stream stands at a border behind it. After a broken length prefix it reports false for ever.
func (b *Border) Advance(p Protocol, data []byte) (atBorder bool) {
	if p == JSON {
		if len(data) > 0 {
			b.inside = data[len(data)-1] != recordSeparator
		}
		return !b.inside
	}
	for len(data) > 0 && !b.broken {
		if b.remaining > 0 {
			n := min(b.remaining, len(data))
			b.remaining -= n
			data = data[n:]
			continue
		}
		b.take(data[0])
		data = data[1:]
	}
	return !b.broken && b.remaining == 0 && b.prefix == 0
}

// take reads one more byte of a length prefix.
func (b *Border) take(c byte) {
	if b.prefix == maxPrefix-1 && c > maxLength>>(7*(maxPrefix-1)) {
		b.broken = true
		return
	}
	b.length |= int(c&0x7f) << (7 * b.prefix)
	b.prefix++
	if c&0x80 != 0 {
		return
	}
	b.broken = b.length == 0
	b.remaining, b.length, b.prefix = b.length, 0, 0
}
