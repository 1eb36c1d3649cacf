package proxy

import (
	"bytes"
	"io"
	"math"
	"testing"

	"github.com/gobwas/ws"
)

// boundaries are the places of a stream after which a frame has ended, as gobwas/ws reads it: 0 first. They end with a close frame,
// whose end is closed, -1 for none, or with a head that is not whole or not allowed.
func boundaries(stream []byte) (ends map[int]bool, closed int) {
	ends, closed = map[int]bool{0: true}, -1
	r := bytes.NewReader(stream)
	for {
		h, err := ws.ReadHeader(r)
		if err != nil || h.Length < 0 {
			return ends, closed
		}
		at := len(stream) - r.Len()
		if int64(r.Len()) < h.Length {
			return ends, closed
		}
		_, _ = r.Seek(h.Length, io.SeekCurrent) // There is as much.
		ends[at+int(h.Length)] = true
		if h.OpCode == ws.OpClose {
			return ends, at + int(h.Length)
		}
	}
}

// checkFrames feeds the stream in pieces, whose sizes are the bytes of cuts in turn, and compares with the reference.
func checkFrames(t *testing.T, stream, cuts []byte) {
	t.Helper()
	ends, closed := boundaries(stream)
	var f frames
	for at, i := 0, 0; at < len(stream); i++ {
		size := len(stream) - at
		if len(cuts) > 0 {
			size = min(size, int(cuts[i%len(cuts)])+1)
		}
		// finish takes up to the next end of a frame, and nothing when the last one has ended.
		wanted := 0
		for wanted < size && !ends[at+wanted] && (closed < 0 || at < closed) {
			wanted++
		}
		if got := finished(f, stream[at:at+size]); got != wanted {
			t.Fatalf("finish takes %d of %d bytes at %d of %x, want %d", got, size, at, stream, wanted)
		}
		f.pass(stream[at : at+size])
		at += size
		if want := closed >= 0 && at >= closed; f.closed() != want {
			t.Fatalf("after %d bytes of %x: closed is %v, want %v", at, stream, f.closed(), want)
		}
		if want := ends[at] || closed >= 0 && at >= closed; f.between() != want {
			t.Fatalf("after %d bytes of %x: between is %v, want %v", at, stream, f.between(), want)
		}
	}
}

// finished is what finish takes. It has a copy of the state.
func finished(f frames, p []byte) int { return f.finish(p) }

func frameStreams() map[string][]byte {
	frame := func(fin bool, op ws.OpCode, size int, masked bool) []byte {
		f := ws.NewFrame(op, fin, bytes.Repeat([]byte{0x81}, size))
		if masked {
			f = ws.MaskFrameWith(f, [4]byte{0x88, 0, 0xff, 0x7f})
		}
		return ws.MustCompileFrame(f)
	}
	streams := map[string][]byte{"nothing": nil}
	for name, masked := range map[string]bool{"masked": true, "plain": false} {
		var all []byte
		for _, size := range []int{0, 1, 125, 126, 127, 0x7fff, 0xffff, 0x10000} {
			all = append(all, frame(true, ws.OpBinary, size, masked)...)
		}
		streams["lengths "+name] = all
		fragments := append(frame(false, ws.OpText, 10, masked), frame(true, ws.OpPing, 125, masked)...)
		fragments = append(fragments, frame(false, ws.OpContinuation, 200, masked)...)
		fragments = append(fragments, frame(true, ws.OpPong, 0, masked)...)
		streams["fragments "+name] = append(fragments, frame(true, ws.OpContinuation, 0, masked)...)
		streams["close "+name] = append(append(frame(true, ws.OpText, 3, masked), frame(true, ws.OpClose, 2, masked)...), frame(true, ws.OpText, 3, masked)...)
		streams["empty close "+name] = frame(true, ws.OpClose, 0, masked)
	}
	streams["long length of a small frame"] = append([]byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 5}, "hello\x81\x01x"...)
	streams["largest length"] = append([]byte{0x82, 127, 0x7f, 255, 255, 255, 255, 255, 255, 255}, bytes.Repeat([]byte{0x81, 0}, 20)...)
	streams["length that is not allowed"] = append([]byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte{0x81, 0}, 20)...)
	return streams
}

func TestFrames(t *testing.T) {
	t.Parallel()
	for name, stream := range frameStreams() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, cuts := range [][]byte{nil, {0}, {1}, {2, 0}, {6, 3, 200}, {13}, {255}} {
				checkFrames(t, stream, cuts)
			}
		})
	}
	var f frames
	f.pass(frameStreams()["length that is not allowed"])
	if f.between() || f.left != math.MaxUint64 {
		t.Errorf("a frame that never ends has %d bytes left", f.left)
	}
}

func FuzzFrames(f *testing.F) {
	for _, stream := range frameStreams() {
		if len(stream) < 1000 {
			f.Add(stream, []byte{0})
			f.Add(stream, []byte{4, 1, 17})
		}
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte) { checkFrames(t, stream, cuts) })
}

func TestFramesAllocateNothing(t *testing.T) {
	stream := frameStreams()["fragments masked"]
	if n := testing.AllocsPerRun(100, func() {
		var f frames
		f.pass(stream)
		f.pass(stream[:7])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
