package svcproto

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tinylib/msgp/msgp"
)

// seedBodies are the bodies of all vectors and captures and of one message of each type.
func seedBodies(tb testing.TB) [][]byte {
	tb.Helper()
	var bodies [][]byte
	for _, v := range readVectors(tb) {
		bodies = append(bodies, v.body(tb))
	}
	for _, frames := range readCaptures(tb) {
		for _, frame := range frames {
			bodies = append(bodies, bodyOf(tb, frame.Raw))
		}
	}
	for _, m := range everyMessage() {
		bodies = append(bodies, bodyOf(tb, m.Append(nil)))
	}
	return bodies
}

// FuzzSplit checks Split against the varint reader of the standard library, and that it agrees with itself when the
// bytes come one by one.
func FuzzSplit(f *testing.F) {
	for _, m := range everyMessage() {
		f.Add(m.Append(m.Append(nil)), 1<<20)
	}
	f.Add([]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 1<<20)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x07}, 1<<31-1)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x08}, 1<<31-1)
	f.Add([]byte{0x05, 0x90}, 4)
	f.Add([]byte{0x00}, -1)
	f.Fuzz(func(t *testing.T, b []byte, maxBody int) {
		body, size, needed, err := Split(b, maxBody)
		length, prefix := binary.Uvarint(b)
		switch {
		case err != nil:
			if prefix > 0 && prefix <= 5 && length <= 1<<31-1 && int64(length) <= int64(maxBody) {
				t.Fatalf("error %v for a prefix of %d bytes, length %d", err, prefix, length)
			}
			if body != nil || size != 0 || needed != 0 {
				t.Fatal("results beside an error")
			}
			return
		case size > 0:
			if prefix <= 0 || size != prefix+int(length) || len(body) != int(length) || int64(length) > int64(maxBody) || needed != 0 {
				t.Fatalf("size %d, body %d, needed %d; length %d, prefix %d", size, len(body), needed, length, prefix)
			}
			if !bytes.Equal(body, b[prefix:size]) {
				t.Fatal("body is not what follows the prefix")
			}
		case needed > 0:
			if prefix <= 0 || needed != prefix+int(length) || needed <= len(b) || body != nil {
				t.Fatalf("needed %d of %d bytes; length %d, prefix %d", needed, len(b), length, prefix)
			}
		default:
			if prefix != 0 || body != nil {
				t.Fatalf("nothing known, but the prefix has %d bytes", prefix)
			}
		}
		for n := range min(size, 64) {
			if _, early, _, err := Split(b[:n], maxBody); early != 0 || err != nil {
				t.Fatalf("the first %d bytes: size %d, error %v", n, early, err)
			}
		}
	})
}

// FuzzDecode checks that no body makes Decode panic, and that what it reads is stable: written and read again, into a
// new value and into the used one, it is the same message and the same bytes.
func FuzzDecode(f *testing.F) {
	for _, body := range seedBodies(f) {
		f.Add(body)
	}
	f.Add(unhex(f, "940a90808163dfffffffff"))
	f.Add(append(unhex(f, "940a90808163"), bytes.Repeat([]byte{0x91}, 1000)...))
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		m, err := Decode(body)
		if !bytes.Equal(before, body) {
			t.Fatal("Decode changed the body")
		}
		if err != nil {
			var unknown *UnknownTypeError
			typ, typErr := TypeOf(body)
			if errors.As(err, &unknown) && (typErr != nil || newMessage(typ) != nil || unknown.Type != typ) {
				t.Fatalf("type %d, error %v, is unknown", typ, typErr)
			}
			return
		}
		frame := m.Append(nil)
		again := decode(t, bodyOf(t, frame))
		if diff := cmp.Diff(m, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("read again (-first +second):\n%s", diff)
		}
		if second := again.Append(nil); !bytes.Equal(frame, second) {
			t.Fatalf("written again as\n%x, first\n%x", second, frame)
		}
		if err := again.Decode(body); err != nil {
			t.Fatalf("into a used value: %v", err)
		}
		if diff := cmp.Diff(m, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("into a used value (-new +used):\n%s", diff)
		}
	})
}

// FuzzSkip checks skip against the recursive one of the library.
func FuzzSkip(f *testing.F) {
	for _, body := range seedBodies(f) {
		f.Add(body)
	}
	for _, lead := range []byte{0xc0, 0xc2, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcf, 0xd0, 0xd3, 0xd4, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0} {
		f.Add(append([]byte{lead}, make([]byte, 20)...))
		f.Add(append([]byte{lead, 0, 0, 0, 2}, make([]byte, 20)...))
		f.Add([]byte{lead})
		f.Add([]byte{lead, 0xff, 0xff, 0xff, 0xff})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.IndexByte(b, 0xc1) >= 0 {
			return // no value begins with it; the library refuses it where skip passes over it
		}
		r := reader{typ: TypePing, size: len(b), rest: b}
		r.skip("value")
		rest, err := msgp.Skip(b)
		if (err == nil) != (r.err == nil) {
			t.Fatalf("error %v, of the library %v", r.err, err)
		}
		if err == nil && len(rest) != len(r.rest) {
			t.Fatalf("%d bytes left, of the library %d", len(r.rest), len(rest))
		}
	})
}

// FuzzAckPayload checks that the payloads of acks make nothing panic and are stable.
func FuzzAckPayload(f *testing.F) {
	f.Add(unhex(f, "929292a26331a2753192a26332c0c0"))
	f.Add(unhex(f, "9190"))
	f.Add(unhex(f, "929194a163c091a17801c0"))
	f.Add(AppendClaims(nil, []Claim{{"role", "a"}, {"role", "b"}}))
	f.Add(unhex(f, "c0"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var page, again GroupMembers
		if page.Decode(payload) == nil {
			if err := again.Decode(page.Append(nil)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(page, again, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("read again (-first +second):\n%s", diff)
			}
		}
		if claims, err := DecodeClaims(payload); err == nil {
			again, err := DecodeClaims(AppendClaims(nil, claims))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(claims, again, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("read again (-first +second):\n%s", diff)
			}
		}
	})
}
