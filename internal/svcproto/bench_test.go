package svcproto

import (
	"bytes"
	"fmt"
	"testing"
)

// isDataMessage tells which messages are on the hot path.
func isDataMessage(t Type) bool {
	switch t {
	case TypeConnectionData, TypeMultiConnectionData, TypeUserData, TypeMultiUserData, TypeBroadcastData,
		TypeGroupBroadcastData, TypeMultiGroupBroadcastData:
		return true
	default:
		return false
	}
}

// TestDataMessagesDoNotAllocate is not parallel: it counts the allocations of the whole process.
func TestDataMessagesDoNotAllocate(t *testing.T) {
	tested := 0
	for _, m := range everyMessage() {
		if !isDataMessage(m.Type()) {
			continue
		}
		tested++
		frame := m.Append(nil)
		body := bodyOf(t, frame)
		m := newMessage(m.Type())
		if err := m.Decode(body); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() {
			if err := m.Decode(body); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: Decode allocates %v times", m.Type(), n)
		}
		dst := make([]byte, 0, 2*len(frame)+64)
		if n := testing.AllocsPerRun(100, func() { dst = m.Append(dst[:0]) }); n != 0 {
			t.Errorf("%s: Append allocates %v times", m.Type(), n)
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, _, _, err := Split(frame, len(frame)); err != nil {
				t.Error(err)
			}
			if _, err := TypeOf(body); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s: Split and TypeOf allocate %v times", m.Type(), n)
		}
		// With a fresh buffer, the hint of Append must be good for a single allocation.
		if n := testing.AllocsPerRun(100, func() { m.Append(nil) }); n > 1 && !raceEnabled {
			t.Errorf("%s: Append to nil allocates %v times", m.Type(), n)
		}
	}
	if tested != 7 {
		t.Errorf("%d data messages tested, want 7", tested)
	}
}

func benchmarkMessages(size, excluded int) []Message {
	payload := bytes.Repeat([]byte("a"), size)
	broadcast := &BroadcastData{Payloads: []Payload{{[]byte("json"), payload}, {[]byte("messagepack"), payload}}}
	for i := range excluded {
		broadcast.ExcludedConnectionIDs = append(broadcast.ExcludedConnectionIDs, fmt.Appendf(nil, "wWe4dHYs-4jwa4vhR6MM%02d", i))
	}
	return []Message{
		&ConnectionData{ConnectionID: []byte("wWe4dHYs-4jwa4vhR6MM3w"), Payload: payload, DataMessageType: DataMessageTypeInvocation},
		broadcast,
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{128, 16384} {
		for _, m := range benchmarkMessages(size, 1) {
			b.Run(fmt.Sprintf("%s/%d", m.Type(), size), func(b *testing.B) {
				frame := m.Append(nil)
				b.SetBytes(int64(len(frame)))
				b.ReportAllocs()
				for b.Loop() {
					body, _, _, err := Split(frame, 1<<20)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := TypeOf(body); err != nil {
						b.Fatal(err)
					}
					if err := m.Decode(body); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{128, 16384} {
		for _, m := range benchmarkMessages(size, 1) {
			b.Run(fmt.Sprintf("%s/%d", m.Type(), size), func(b *testing.B) {
				dst := m.Append(nil)
				b.SetBytes(int64(len(dst)))
				b.ReportAllocs()
				for b.Loop() {
					dst = m.Append(dst[:0])
				}
			})
		}
	}
}
