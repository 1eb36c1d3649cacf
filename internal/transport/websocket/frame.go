package websocket

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for it; it protects nothing.
	"encoding/base64"
	"encoding/binary"

	"github.com/gobwas/ws"

	"github.com/hubgate/hubgate/internal/message"
)

// acceptKey proves that the server understood the handshake (RFC 6455, section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see the import
	return base64.StdEncoding.EncodeToString(sum[:])
}

// parseHeader reads the header of a client's frame from memory: ws.ReadHeader wants a reader, which would cost an
// allocation for each frame.
func parseHeader(b []byte) (h ws.Header, size int, err error) {
	if len(b) < 2 {
		return h, 0, errShort
	}
	h.Fin = b[0]&0x80 != 0
	h.Rsv = b[0] & 0x70 >> 4
	h.OpCode = ws.OpCode(b[0] & 0x0f)
	h.Masked = b[1]&0x80 != 0
	size = 2
	switch length := b[1] & 0x7f; length {
	case 126:
		size += 2
		if len(b) < size {
			return h, 0, errShort
		}
		h.Length = int64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		size += 8
		if len(b) < size {
			return h, 0, errShort
		}
		n := binary.BigEndian.Uint64(b[2:])
		if n > 1<<62 {
			return h, 0, ws.ErrHeaderLengthMSB
		}
		h.Length = int64(n)
	default:
		h.Length = int64(length)
	}
	if h.Masked {
		if len(b) < size+4 {
			return h, 0, errShort
		}
		copy(h.Mask[:], b[size:])
		size += 4
	}
	return h, size, nil
}

// Unmask undoes the masking of a piece of payload that begins offset bytes into its frame.
func Unmask(payload []byte, mask [4]byte, offset int64) { ws.Cipher(payload, mask, int(offset%4)) }

// CloseMessage is a close frame with a code (RFC 6455, section 5.5.1).
func CloseMessage(code ws.StatusCode, reason string) *message.Message {
	p := binary.BigEndian.AppendUint16(nil, uint16(code))
	return message.Control(byte(ws.OpClose), append(p, reason...))
}

// closeNormal is shared by all connections.
var closeNormal = CloseMessage(ws.StatusNormalClosure, "")
