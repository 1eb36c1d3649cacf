// Package message holds hub messages on their way to clients: encoded once, framed once, and shared by all receivers.
package message

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"
)

// Message is one piece of hub-protocol bytes on its way to any number of clients. It is immutable and safe for
// concurrent use: whoever enqueues it shares it.
type Message struct {
	buf   []byte // room for a WebSocket header, then the payload
	frame int    // where the WebSocket frame begins in buf
	size  int    // bytes of the payload
	event atomic.Pointer[[]byte]
}

// maxHeader is the longest header of an unmasked WebSocket frame (RFC 6455, section 5.2).
const maxHeader = 10

const (
	opText   = 1
	opBinary = 2
)

// New copies payload into a message that travels in a binary or a text WebSocket frame.
func New(payload []byte, binaryFrame bool) *Message {
	opcode := byte(opText)
	if binaryFrame {
		opcode = opBinary
	}
	return build(opcode, payload)
}

// Control makes a message that only a WebSocket understands: a ping, a pong or a close frame. Other transports write
// nothing for it.
func Control(opcode byte, payload []byte) *Message {
	m := build(opcode, payload)
	m.size = 0
	return m
}

func build(opcode byte, payload []byte) *Message {
	n := len(payload)
	buf := make([]byte, maxHeader, maxHeader+n)
	var start int
	switch {
	case n < 126:
		start = maxHeader - 2
		buf[start+1] = byte(n)
	case n < 1<<16:
		start = maxHeader - 4
		buf[start+1] = 126
		binary.BigEndian.PutUint16(buf[start+2:], uint16(n))
	default:
		start = 0
		buf[1] = 127
		binary.BigEndian.PutUint64(buf[2:], uint64(n))
	}
	buf[start] = 0x80 | opcode
	return &Message{buf: append(buf, payload...), frame: start, size: n}
}

// Payload is the hub-protocol bytes, which the caller must not change.
func (m *Message) Payload() []byte { return m.buf[len(m.buf)-m.size:] }

// Frame is the payload in one WebSocket frame.
func (m *Message) Frame() []byte { return m.buf[m.frame:] }

// Size is the number of bytes of the payload.
func (m *Message) Size() int { return m.size }

// overhead is about what a waiting message takes up beside its bytes: without it, a peer that is sent very many very
// small messages, the answers to its own pings for instance, would hold far more memory than its limit says.
const overhead = 64

// Cost is what limits on waiting messages count, in bytes: the frame, control frames included, and a little for the message itself.
func (m *Message) Cost() int { return len(m.buf) - m.frame + overhead }

// Event is the payload as a server-sent event. It is made when it is first asked for: most messages never travel that way.
//
// Each line of the payload becomes a line "data: …" that ends in CR LF, and an empty line ends the event; a CR in
// front of a line feed is dropped, because a client could not tell it from the end of the line.
func (m *Message) Event() []byte {
	if e := m.event.Load(); e != nil {
		return *e
	}
	payload := m.Payload()
	var e []byte
	if len(payload) > 0 {
		e = make([]byte, 0, len(payload)+10)
		for {
			line, rest, more := bytes.Cut(payload, []byte{'\n'})
			e = append(e, "data: "...)
			if more {
				line = bytes.TrimSuffix(line, []byte{'\r'})
			}
			e = append(e, line...)
			e = append(e, "\r\n"...)
			if !more {
				break
			}
			payload = rest
		}
		e = append(e, "\r\n"...)
	}
	m.event.Store(&e)
	return e
}
