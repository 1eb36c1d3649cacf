package policy

import (
	"bytes"
	"errors"
	"io"
)

// MaxBuffered is the most bytes of a body that policies may hold in memory: 4 MiB. API Management's limit is 2 MiB in its
// smaller tiers; a stream that nobody reads is not limited.
const MaxBuffered = 4 << 20

// ErrBodyTooLarge is returned when a policy wants a body in memory that is larger than [MaxBuffered].
var ErrBodyTooLarge = errors.New("the body is larger than policies may read: 4 MiB")

// errSpent is returned for a body that went to the backend as a stream.
var errSpent = errors.New("the body has been sent and was not buffered; forward-request keeps it with buffer-request-body=\"true\"")

// errConsumed is returned for a body that an expression has read without preserving it.
var errConsumed = errors.New("the body has been read already; the first expression that reads it keeps it with As<T>(preserveContent: true)")

// Body is a message body: a stream that has not been read, or bytes.
type Body struct {
	stream   io.ReadCloser
	data     []byte
	inMemory bool // data is the whole body
	taken    bool // the stream was handed out
	consumed bool // an expression has read the body without preserving it
	length   int64
	replaced bool
}

// SetStream makes the body a stream of length bytes, -1 when that is not known.
func (b *Body) SetStream(stream io.ReadCloser, length int64) {
	*b = Body{stream: stream, length: length}
}

// Set replaces the body by bytes, which must not change afterwards. The stream that it had is closed.
func (b *Body) Set(data []byte) {
	b.Close()
	*b = Body{data: data, inMemory: true, length: int64(len(data)), replaced: true}
}

// Replaced says whether a policy gave the body.
func (b *Body) Replaced() bool { return b.replaced }

// InMemory says whether the whole body is held in memory and can be sent more than once.
func (b *Body) InMemory() bool { return b.inMemory || b.stream == nil }

// Length is the number of bytes, -1 when that is not known before the stream is read.
func (b *Body) Length() int64 {
	if b.stream == nil && !b.inMemory {
		return 0
	}
	return b.length
}

// Bytes is the whole body. It reads the stream at the first call and keeps the bytes.
func (b *Body) Bytes() ([]byte, error) {
	if b.consumed {
		return nil, errConsumed
	}
	if b.InMemory() {
		return b.data, nil
	}
	if b.taken {
		return nil, errSpent
	}
	data, err := io.ReadAll(io.LimitReader(b.stream, MaxBuffered+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxBuffered {
		return nil, ErrBodyTooLarge
	}
	closeErr := b.stream.Close()
	*b = Body{data: data, inMemory: true, length: int64(len(data)), replaced: b.replaced}
	return data, closeErr
}

// Reader is the body as a stream: a new one over the bytes when it is in memory, else the stream itself, once.
func (b *Body) Reader() io.ReadCloser {
	if b.stream != nil {
		b.taken = true
		return b.stream
	}
	return io.NopCloser(bytes.NewReader(b.data))
}

// Consume makes a body that was read into memory unavailable: it is sent empty, and reading it again fails.
func (b *Body) Consume() {
	b.Close()
	*b = Body{inMemory: true, replaced: true, consumed: true}
}

// Buffer reads the body into memory, so that it can be sent more than once.
func (b *Body) Buffer() error {
	if b.consumed {
		return nil // Nothing is left of it, as often as it is sent.
	}
	_, err := b.Bytes()
	return err
}

// Spent says that the body was a stream that somebody has taken, so that it cannot be sent again.
func (b *Body) Spent() bool { return b.stream != nil && b.taken }

// Close gives up a stream that has not been read to its end.
func (b *Body) Close() {
	if b.stream != nil {
		// The stream's end is of no interest any more, so neither is how closing it went.
		_ = b.stream.Close()
		b.stream = nil
	}
}
