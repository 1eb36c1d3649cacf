// Package transport is the client connection as the rest of the service sees it: something that takes messages without
// ever blocking, and that ends. How bytes travel is the business of the packages below it.
package transport

import (
	"errors"

	"github.com/hubgate/hubgate/internal/message"
)

// Kind names a transport, in bits as the claim asrs.s.htt has them.
type Kind int

// The transports.
const (
	WebSockets       Kind = 1
	ServerSentEvents Kind = 2
	LongPolling      Kind = 4
	All                   = WebSockets | ServerSentEvents | LongPolling
)

// String is the transport's name as negotiate answers spell it.
func (k Kind) String() string {
	switch k {
	case WebSockets:
		return "WebSockets"
	case ServerSentEvents:
		return "ServerSentEvents"
	case LongPolling:
		return "LongPolling"
	}
	return "none"
}

// Conn is a client connection to write to. Its methods are safe for concurrent use and never block.
type Conn interface {
	// Push queues m and adds the connection to b when it has to be flushed. What does not fit ends the connection
	// with [ErrSlowClient]; after the end it is dropped in silence.
	Push(m *message.Message, b *message.Batch)
	// End writes what waits and then ends the connection as the transport does it properly.
	End(b *message.Batch)
	// Abort ends the connection at once; what waits is lost. The handler's Gone gets reason.
	Abort(reason error)
	// Kind is the transport.
	Kind() Kind
}

// Handler is told what happens on a connection.
type Handler interface {
	// Receive takes the next bytes of the client, which are valid only during the call. It may block: then the
	// client is read no further. An error ends the connection.
	Receive(b []byte) error
	// Gone is called once, after the last Receive. The reason is nil when either side ended the connection properly.
	Gone(reason error)
}

// HeadWriter is implemented by response writers that must see the status before a handler takes over the connection
// and writes the response's head itself: those of a gateway in the same process, whose outbound policies change headers.
type HeadWriter interface {
	// Head is called once, before the connection is hijacked. It may change the response's headers.
	Head(status int)
}

// Why a connection ended. The texts reach the app server as the error of the connection's end.
var (
	ErrSlowClient     = errors.New("the client did not read fast enough: too many bytes waited for it")
	ErrWriteTimeout   = errors.New("the client did not read: a write took longer than the send timeout")
	ErrConnectionLost = errors.New("the client's connection was lost without a close handshake")
	ErrProtocol       = errors.New("the client broke the rules of its transport")
	ErrTooLarge       = errors.New("the client sent a message above the size limit")
	ErrPollMissed     = errors.New("the client did not poll in time")
)

// Limits bound what one connection may hold. The zero value means the defaults.
type Limits struct {
	// QueueBytes is how many bytes may wait for a client, a little for each message itself included; one message of any size
	// fits an empty queue.
	// 0 means [DefaultQueueBytes].
	QueueBytes int
	// MessageBytes is the largest message a client may send over a WebSocket, fragments together. 0 means [DefaultMessageBytes].
	MessageBytes int64
}

// The limits that hold when none are set.
const (
	DefaultQueueBytes   = 8 << 20
	DefaultMessageBytes = 16 << 20
)

// WithDefaults fills in what is zero.
func (l Limits) WithDefaults() Limits {
	if l.QueueBytes == 0 {
		l.QueueBytes = DefaultQueueBytes
	}
	if l.MessageBytes == 0 {
		l.MessageBytes = DefaultMessageBytes
	}
	return l
}
