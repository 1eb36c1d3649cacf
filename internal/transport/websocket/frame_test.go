package websocket

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/hubgate/hubgate/internal/transport"
)

// The library's own reader, which wants an io.Reader, is the judge of the one that wants none.
func FuzzParseHeader(f *testing.F) {
	for _, b := range [][]byte{
		nil, {0x81}, {0x81, 0}, {0x81, 0x80, 1, 2, 3, 4}, {0x82, 126, 1, 0}, {0x82, 126, 1}, {0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 9, 8, 7, 6},
		{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, {0x82, 127, 0x40, 0, 0, 0, 0, 0, 0, 1}, {0xff, 0xff}, frameOf(closeFrame, []byte("\x03\xe8bye")),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, size, err := ParseHeader(b)
		r := bytes.NewReader(b)
		want, wantErr := ws.ReadHeader(r)
		switch {
		case err != nil:
			if size != 0 {
				t.Errorf("an error and a size of %d", size)
			}
			if wantErr == nil && want.Length <= 1<<62 {
				t.Errorf("refused with %v, the library reads %+v", err, want)
			}
		case size == 0:
			if wantErr == nil {
				t.Errorf("not whole, the library reads %+v", want)
			}
		default:
			if wantErr != nil || h != want || size != len(b)-r.Len() {
				t.Errorf("got %+v in %d bytes, the library %+v in %d, error %v", h, size, want, len(b)-r.Len(), wantErr)
			}
		}
	})
}

// discarding counts and forgets.
type discarding struct{ received int }

func (d *discarding) Receive(b []byte) error { d.received += len(b); return nil }
func (d *discarding) Gone(error)             {}

// FuzzReader cuts any bytes into any pieces: it must neither crash nor hand on more than the limit lets through, and what a whole stream
// gives a cut one must give, too.
func FuzzReader(f *testing.F) {
	for _, b := range [][]byte{
		frameOf(textFrame, []byte("hello")), join(frameOf(1, []byte("\xf0\x9f")), frameOf(continuation, []byte("\x92\x99"))),
		join(frameOf(binaryFrame, make([]byte, 200)), frameOf(pingFrame, []byte("x")), closeOf(1000)), {0x81, 5, 'h'}, frameOf(textFrame, []byte("\xff")),
		frameOf(binaryFrame, make([]byte, 70_000)), bytes.Repeat(frameOf(pongFrame, nil), 20),
	} {
		f.Add(b, uint16(1))
		f.Add(b, uint16(100))
	}
	f.Fuzz(func(t *testing.T, b []byte, piece uint16) {
		read := func(piece int) (int, error) {
			d := &discarding{}
			c := New(closedStream{}, transport.Limits{MessageBytes: 1 << 16})
			c.handler = d
			r := reader{c: c}
			defer r.in.Release()
			for left := b; len(left) > 0; {
				n := r.in.Preload(left[:min(piece, len(left))])
				if n == 0 {
					t.Fatal("the buffer is full, and nothing is taken from it")
				}
				left = left[n:]
				if err := r.consume(); err != nil {
					return d.received, ended(err)
				}
			}
			return d.received, nil
		}
		n, err := read(4096)
		m, cutErr := read(int(piece) + 1)
		if (err == nil) != (cutErr == nil) || err == nil && n != m {
			t.Errorf("whole: %d bytes, error %v; in pieces of %d: %d bytes, error %v", n, err, int(piece)+1, m, cutErr)
		}
	})
}

// closedStream is a stream that has ended and takes whatever is written.
type closedStream struct{ net.Conn }

func (closedStream) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (closedStream) Write(b []byte) (int, error)      { return len(b), nil }
func (closedStream) Close() error                     { return nil }
func (closedStream) SetReadDeadline(time.Time) error  { return nil }
func (closedStream) SetWriteDeadline(time.Time) error { return nil }

func FuzzTextCheck(f *testing.F) {
	for _, s := range []string{"", "abc", "äöü", "💙", "\ufffd", "\xff", "\xc3", "\xed\xa0\x80", "\xf0\x9f\x92", "a\xe2\x82\xacb", "\xf4\x90\x80\x80"} {
		for cut := range uint8(4) {
			f.Add([]byte(s), cut)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, piece uint8) {
		var c textCheck
		ok := true
		for left := b; ok && len(left) > 0; {
			n := min(int(piece)+1, len(left))
			ok = c.ok(left[:n])
			left = left[n:]
		}
		if got := ok && c.whole(); got != utf8.Valid(b) {
			t.Errorf("%q in pieces of %d: %t", b, int(piece)+1, got)
		}
	})
}

func TestUnmask(t *testing.T) {
	t.Parallel()
	want := []byte("the quick brown fox jumps over the lazy dog, twice or more")
	mask := [4]byte{1, 2, 3, 4}
	masked := bytes.Clone(want)
	for i := range masked {
		masked[i] ^= mask[i%4]
	}
	for cut := range len(want) {
		got := bytes.Clone(masked)
		Unmask(got[:cut], mask, 0)
		Unmask(got[cut:], mask, int64(cut))
		if !bytes.Equal(got, want) {
			t.Fatalf("cut at %d: got %q", cut, got)
		}
	}
}

func TestReadAllocations(t *testing.T) { // not parallel: it counts the allocations of the process
	if raceEnabled {
		t.Skip("allocations cannot be counted under the race detector")
	}
	c := New(closedStream{}, transport.Limits{})
	c.handler = &discarding{}
	r := reader{c: c}
	frames := join(frameOf(textFrame, []byte("hello")), frameOf(binaryFrame, make([]byte, 300)), frameOf(1, []byte("a")), frameOf(continuation, []byte("b")))
	in := make([]byte, len(frames))
	if n := testing.AllocsPerRun(200, func() {
		copy(in, frames) // unmasking is done in place
		r.in.Preload(in)
		if err := r.consume(); err != nil {
			t.Fatal(err)
		}
		r.in.Release()
	}); n >= 1 {
		t.Errorf("reading four frames: %v allocations", n)
	}
}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int{32, 1024, 64 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			c := New(closedStream{}, transport.Limits{})
			d := &discarding{}
			c.handler = d
			r := reader{c: c}
			frame := frameOf(binaryFrame, make([]byte, size))
			in := make([]byte, len(frame))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				copy(in, frame)
				for left := in; len(left) > 0; {
					left = left[r.in.Preload(left):]
					if err := r.consume(); err != nil {
						b.Fatal(err)
					}
				}
				r.in.Release()
			}
			if d.received != b.N*size {
				b.Fatalf("%d bytes came, want %d", d.received, b.N*size)
			}
		})
	}
}
