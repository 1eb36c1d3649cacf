package hubproto

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func unhex(tb testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestNextText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in   string
		limit      int
		message    string
		size       int
		isTooLarge bool
	}{
		{name: "nothing", in: ""},
		{name: "part", in: `{"type":6`},
		{name: "whole", in: "{}\x1e{", message: "{}", size: 3},
		{name: "empty", in: "\x1e", message: "", size: 1},
		{name: "at the limit", in: "123\x1e", limit: 4, message: "123", size: 4},
		{name: "over the limit", in: "1234\x1e", limit: 4, isTooLarge: true},
		{name: "part below the limit", in: "123", limit: 4},
		{name: "part at the limit", in: "1234", limit: 4, isTooLarge: true},
		{name: "the limit is for one message", in: "1\x1e2345678", limit: 4, message: "1", size: 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			message, size, err := JSON.Next([]byte(test.in), test.limit)
			if string(message) != test.message || size != test.size || errors.Is(err, ErrTooLarge) != test.isTooLarge {
				t.Errorf("got %q, %d, %v", message, size, err)
			}
		})
	}
}

func TestNextBinary(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in      string // hexadecimal
		limit         int
		message       string
		size          int
		large, broken bool
	}{
		{name: "nothing", in: ""},
		{name: "prefix alone", in: "02"},
		{name: "part", in: "0291"},
		{name: "whole", in: "02910602", message: "9106", size: 3},
		{name: "part of a prefix", in: "8080"},
		{name: "prefix longer than needed", in: "82009106", message: "9106", size: 4},
		{name: "at the limit", in: "029106", limit: 3, message: "9106", size: 3},
		{name: "over the limit, known from the prefix", in: "03", limit: 3, large: true},
		{name: "far over the limit", in: "ffffffff07", limit: 32768, large: true},
		{name: "largest length", in: "ffffffff07"},
		{name: "above 2 GB", in: "ffffffff0f", broken: true},
		{name: "six bytes", in: "ffffffffff01", broken: true},
		{name: "five bytes, all open", in: "8080808080", broken: true},
		{name: "empty message", in: "00", broken: true},
		{name: "empty message in two bytes", in: "8000", broken: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			message, size, err := MessagePack.Next(unhex(t, test.in), test.limit)
			if hex.EncodeToString(message) != test.message || size != test.size ||
				errors.Is(err, ErrTooLarge) != test.large || IsMalformed(err) != test.broken {
				t.Errorf("got %x, %d, %v", message, size, err)
			}
		})
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		"": true, "029106": true, "029106029106": true, "02": false, "0291": false, "0291060291": false, "80": false,
		"00": false, "ffffffff0f": false, "029106ffffffffff": false,
	} {
		if got := MessagePack.Complete(unhex(t, in)); got != want {
			t.Errorf("MessagePack %s: %v", in, got)
		}
	}
	for in, want := range map[string]bool{"": true, "{}\x1e": true, "{}\x1e{": false, "{}": false, "\x1e": true} {
		if got := JSON.Complete([]byte(in)); got != want {
			t.Errorf("JSON %q: %v", in, got)
		}
	}
}

func TestPrefix(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{1: "01", 3: "03", 127: "7f", 128: "8001", 131: "8301", 16383: "ff7f", 16384: "808001"} {
		body := bytes.Repeat([]byte{0xc0}, n)
		framed, err := insertPrefix(append([]byte("before"), body...), len("before"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(framed, []byte("before")) {
			t.Errorf("%d: what stood before was changed", n)
		}
		framed = framed[len("before"):]
		if got := hex.EncodeToString(framed[:len(framed)-n]); got != want {
			t.Errorf("%d: prefix %s, want %s", n, got, want)
		}
		if message, size, err := MessagePack.Next(framed, 0); !bytes.Equal(message, body) || size != len(framed) || err != nil {
			t.Errorf("%d: read back %d bytes, %v", n, size, err)
		}
	}
}

// TestBorder feeds streams byte by byte, and in two pieces cut at every place.
func TestBorder(t *testing.T) {
	t.Parallel()
	for _, v := range loadVectors(t) {
		if v.Protocol == "handshake" {
			continue
		}
		p, b := ProtocolFor(v.Protocol), v.bytes(t)
		var byByte Border
		for i := range b {
			want := p.Complete(b[:i+1])
			if got := byByte.Advance(p, b[i:i+1]); got != want {
				t.Errorf("%s: after %d single bytes %v", v.Name, i+1, got)
			}
			var inTwo Border
			if got := inTwo.Advance(p, b[:i]); got != p.Complete(b[:i]) {
				t.Errorf("%s: after %d bytes %v", v.Name, i, got)
			}
			if got := inTwo.Advance(p, b[i:]); got != p.Complete(b) {
				t.Errorf("%s: cut at %d: %v", v.Name, i, got)
			}
		}
	}
	var b Border
	if !b.Advance(MessagePack, nil) || !b.Advance(JSON, nil) {
		t.Error("the zero value does not stand at a border")
	}
	if b.Advance(MessagePack, []byte{0}); b.Advance(MessagePack, unhex(t, "029106")) {
		t.Error("a border was found behind a broken prefix")
	}
}

func TestFramingAllocates(t *testing.T) { // Not parallel: it counts allocations.
	text := []byte("{\"arguments\":[\"a\\\"b\",{\"type\":9}],\"target\":\"x\",\"type\":1}\x1e{\"type\":6}\x1e")
	binary := unhex(t, "029106"+"10950180a378797aa66d6574686f64912a")
	buffer := make([]byte, 0, 256)
	type step struct {
		name string
		run  func(p Protocol, in []byte)
	}
	steps := []step{
		{"Complete", func(p Protocol, in []byte) { p.Complete(in) }},
		{"Next", func(p Protocol, in []byte) {
			if _, size, err := p.Next(in, 32768); size == 0 || err != nil {
				t.Error(size, err)
			}
		}},
		{"TypeOf", func(p Protocol, in []byte) {
			message, _, _ := p.Next(in, 0)
			if _, err := p.TypeOf(message); err != nil {
				t.Error(err)
			}
		}},
		{"Border", func(p Protocol, in []byte) {
			var b Border
			b.Advance(p, in[:2])
			b.Advance(p, in[2:])
		}},
		{"SplitRecord", func(_ Protocol, in []byte) { SplitRecord(in) }},
		{"AppendPing", func(p Protocol, _ []byte) { p.AppendPing(buffer) }},
		{"AppendClose", func(p Protocol, _ []byte) { p.AppendClose(buffer, ClosedWithError, true) }},
		{"AppendAck", func(p Protocol, _ []byte) { p.AppendAck(buffer, 1<<40) }},
		{"AppendSequence", func(p Protocol, _ []byte) { p.AppendSequence(buffer, 7) }},
		{"AppendCompletionError", func(p Protocol, _ []byte) { p.AppendCompletionError(buffer, "1", "é\n") }},
		{"AppendHandshakeResponse", func(Protocol, []byte) { AppendHandshakeResponse(buffer, HandshakeFailed) }},
	}
	for _, s := range steps {
		for _, in := range []struct {
			p Protocol
			b []byte
		}{{JSON, text}, {MessagePack, binary}} {
			if n := testing.AllocsPerRun(100, func() { s.run(in.p, in.b) }); n != 0 {
				t.Errorf("%s of %v allocates %v times", s.name, in.p, n)
			}
		}
	}
}

func FuzzFraming(f *testing.F) {
	for _, v := range loadVectors(f) {
		f.Add(v.bytes(f), v.Protocol == "messagepack", 3, uint16(100))
	}
	f.Add(unhex(f, "ffffffffff01"), true, 1, uint16(0))
	f.Fuzz(func(t *testing.T, b []byte, binary bool, cut int, limit uint16) {
		p := JSON
		if binary {
			p = MessagePack
		}
		message, size, err := p.Next(b, int(limit))
		switch {
		case err != nil && (size != 0 || message != nil):
			t.Fatalf("an error beside %d bytes", size)
		case size > len(b) || len(message) > size || limit > 0 && size > int(limit):
			t.Fatalf("%d bytes out of %d, limit %d", size, len(b), limit)
		case size > 0 && !p.Complete(b[:size]):
			t.Fatal("a whole message is not complete")
		}

		// Complete is the same as reading to the end, and as following the stream in pieces.
		whole, left := true, b
		for len(left) > 0 {
			_, size, err := p.Next(left, 0)
			if err != nil || size == 0 {
				whole = false
				break
			}
			left = left[size:]
		}
		if got := p.Complete(b); got != whole {
			t.Fatalf("Complete says %v, Next %v", got, whole)
		}
		if cut < 0 || cut > len(b) {
			cut = len(b) / 2
		}
		var border Border
		border.Advance(p, b[:cut])
		if got := border.Advance(p, b[cut:]); got != whole {
			t.Fatalf("Border says %v, Next %v", got, whole)
		}
	})
}

func BenchmarkTypeOf(b *testing.B) {
	text := []byte(`{"target":"newMessage","arguments":["` + string(bytes.Repeat([]byte("x"), 100)) + `",{"a":[1,2,3]}],"invocationId":"17","type":1}`)
	b.Run("JSON", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := JSON.TypeOf(text); err != nil {
				b.Fatal(err)
			}
		}
	})
	binary := unhex(b, "950180a378797aa66d6574686f64912a")
	b.Run("MessagePack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := MessagePack.TypeOf(binary); err != nil {
				b.Fatal(err)
			}
		}
	})
}
