package proxy

import (
	"encoding/binary"
	"math"
)

// frames follows a stream of WebSocket frames (RFC 6455, section 5.2) by their heads, so that it is known after every byte whether
// a frame has ended there. It looks at no body. The zero value is a stream that begins.
type frames struct {
	left    uint64        // bytes of the frame's body that are still to come, or noFrame
	seen    uint8         // bytes of a head that came in pieces; 0 between frames and in bodies
	head    [maxHead]byte // those bytes
	closing bool          // a close frame has begun; what follows it means nothing
}

const (
	maxHead     = 14 // two bytes, eight of length, four of mask
	opcodeClose = 8
	// noFrame is the length of a frame that never ends: its real one is not allowed, so the peer will refuse it.
	noFrame = math.MaxUint64
)

// between says that the last frame has ended.
func (f *frames) between() bool { return f.left == 0 && f.seen == 0 }

// closed says that a whole close frame has passed.
func (f *frames) closed() bool { return f.closing && f.between() }

// pass takes the next bytes of the stream.
func (f *frames) pass(p []byte) {
	for len(p) > 0 {
		if f.between() && !f.closing {
			p = p[wholeFrames(p):]
		}
		if len(p) > 0 {
			p = p[f.step(p):]
		}
	}
}

// wholeFrames is how many bytes at the start of p are whole frames of the common kind: shorter than 64 KiB and no close frame.
func wholeFrames(p []byte) int {
	at := 0
	for len(p)-at >= maxHead {
		head := p[at : at+maxHead]
		length := int(head[1] & 0x7f)
		size := 2 + int(head[1]>>7)*4
		if length >= 126 {
			if length == 127 {
				break
			}
			length, size = int(head[2])<<8|int(head[3]), size+2
		}
		next := at + size + length
		if head[0]&0x0f == opcodeClose || next > len(p) {
			break
		}
		at = next
	}
	return at
}

// finish takes bytes up to the end of the frame that has begun and returns how many they are: none between frames.
func (f *frames) finish(p []byte) int {
	n := 0
	for n < len(p) && !f.between() {
		n += f.step(p[n:])
	}
	return n
}

// step takes a part of p, which is not empty: what there is of a body, else a head or a part of one.
func (f *frames) step(p []byte) int {
	switch {
	case f.left == noFrame:
		return len(p)
	case f.left > 0:
		n := min(f.left, uint64(len(p)))
		f.left -= n
		return int(n)
	case f.seen == 0 && f.closing:
		return len(p)
	case f.seen == 0 && len(p) >= maxHead:
		return f.begin(p)
	}
	for i, b := range p {
		f.head[f.seen] = b
		f.seen++
		if f.seen >= 2 && int(f.seen) == headSize(f.head[1]) {
			f.seen = 0
			f.begin(f.head[:])
			return i + 1
		}
	}
	return len(p)
}

// headSize is the size of a head with this second byte.
func headSize(second byte) int {
	size := 2 + int(second>>7)*4
	switch second & 0x7f {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	return size
}

// begin reads the head at the start of p, which has room for the largest one, and returns its size.
func (f *frames) begin(p []byte) int {
	_ = p[maxHead-1]
	f.left = uint64(p[1] & 0x7f)
	switch f.left {
	case 126:
		f.left = uint64(binary.BigEndian.Uint16(p[2:]))
	case 127:
		if f.left = binary.BigEndian.Uint64(p[2:]); f.left > math.MaxInt64 {
			f.left = noFrame
		}
	}
	if p[0]&0x0f == opcodeClose {
		f.closing = true
	}
	return headSize(p[1])
}
