package hubproto

import (
	"bytes"
	"testing"

	"github.com/tinylib/msgp/msgp"
)

// TestValueSize compares the length of one value of each of the 256 formats with what an independent reader says, whole
// and cut short.
func TestValueSize(t *testing.T) {
	t.Parallel()
	for lead := range 256 {
		value := append([]byte{byte(lead), 0, 0, 0, 2}, bytes.Repeat([]byte{1}, 200)...)
		switch lead {
		case 0xc4, 0xc7, 0xd9: // lengths of one byte
			value[1] = 3
		case 0xc5, 0xc8, 0xda, 0xdc, 0xde: // lengths of two bytes
			value[2] = 3
		}
		for _, length := range []int{1, 2, 3, 4, 5, 7, len(value)} {
			rest, err := msgp.Skip(value[:length])
			got, gotErr := valueSize(value[:length], 0)
			if (err == nil) != (gotErr == nil) {
				t.Errorf("%#x in %d bytes: got %v, want %v", lead, length, gotErr, err)
			}
			if want := length - len(rest); err == nil && got != want {
				t.Errorf("%#x in %d bytes: got %d, want %d", lead, length, got, want)
			}
		}
	}
}

// TestDepthOfValues nests up to the limit and one above it, in arrays and in maps.
func TestDepthOfValues(t *testing.T) {
	t.Parallel()
	for name, around := range map[string][]byte{"array": {0x91}, "map value": {0x81, 0x01}} {
		deepest := append(bytes.Repeat(around, maxMessagePackDepth), 1)
		if n, err := valueSize(deepest, 0); n != len(deepest) || err != nil {
			t.Errorf("%s: %d of %d bytes, %v", name, n, len(deepest), err)
		}
		if _, err := valueSize(append(bytes.Clone(around), deepest...), 0); !IsMalformed(err) {
			t.Errorf("%s: one above the limit: %v", name, err)
		}
	}
}

func TestProtocolFor(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Protocol{
		"json": JSON, "JSON": JSON, "messagepack": MessagePack, "blazorpack": MessagePack, "": MessagePack, "json2": MessagePack,
	} {
		if got := ProtocolFor(name); got != want || got.Binary() != (want == MessagePack) {
			t.Errorf("%q: %v", name, got)
		}
	}
	if JSON.String() != "json" || MessagePack.String() != "messagepack" {
		t.Error("names of the protocols")
	}
}

// TestTextOfMessagePack checks that text which is not UTF-8 does not go out as it is.
func TestTextOfMessagePack(t *testing.T) {
	t.Parallel()
	frame, err := MessagePack.Append(nil, &Message{Type: Close, Error: "a\xff", HasError: true})
	if err != nil || string(frame) != "\x08\x93\x07\xa4a\uFFFD\xc2" {
		t.Errorf("got %q, %v", frame, err)
	}
	frame, err = MessagePack.Append(nil, &Message{Type: Sequence, SequenceID: -200})
	if err != nil || string(frame) != "\x05\x92\x09\xd1\xff\x38" {
		t.Errorf("got %q, %v", frame, err)
	}
}
