package message

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFrame(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 125, 126, 127, 1<<16 - 1, 1 << 16, 1<<16 + 1, 300_000} {
		for _, binaryFrame := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes, binary %t", size, binaryFrame), func(t *testing.T) {
				t.Parallel()
				payload := bytes.Repeat([]byte{'x'}, size)
				m := New(payload, binaryFrame)
				want := []byte{0x81}
				if binaryFrame {
					want[0] = 0x82
				}
				switch { // RFC 6455, section 5.2: the shortest form that holds the length
				case size < 126:
					want = append(want, byte(size))
				case size < 1<<16:
					want = binary.BigEndian.AppendUint16(append(want, 126), uint16(size))
				default:
					want = binary.BigEndian.AppendUint64(append(want, 127), uint64(size))
				}
				if got := m.Frame(); !bytes.Equal(got[:len(want)], want) || !bytes.Equal(got[len(want):], payload) {
					t.Errorf("the frame of %d bytes begins with % x, want % x and then the payload", len(got), got[:len(want)], want)
				}
				if !bytes.Equal(m.Payload(), payload) || m.Size() != size {
					t.Errorf("the payload has %d bytes and the size is %d, want %d", len(m.Payload()), m.Size(), size)
				}
			})
		}
	}
}

func TestNewCopies(t *testing.T) {
	t.Parallel()
	payload := []byte("before")
	m := New(payload, false)
	copy(payload, "after!")
	if got := string(m.Payload()); got != "before" {
		t.Errorf("the payload is %q: the message must not share the caller's memory", got)
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	m := Control(0x9, []byte("ping"))
	if diff := cmp.Diff([]byte("\x89\x04ping"), m.Frame()); diff != "" {
		t.Error(diff)
	}
	if len(m.Payload()) != 0 || m.Size() != 0 || len(m.Event()) != 0 {
		t.Errorf("other transports would write something for a control frame: payload %q, size %d, event %q", m.Payload(), m.Size(), m.Event())
	}
	if m.Cost() < len(m.Frame()) {
		t.Errorf("a control frame of %d bytes costs %d", len(m.Frame()), m.Cost())
	}
}

func TestEvent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, payload, want string }{
		{"one line", "{}\x1e", "data: {}\x1e\r\n\r\n"},
		{"nothing", "", ""},
		{"line feed", "a\nb", "data: a\r\ndata: b\r\n\r\n"},
		{"CR LF", "a\r\nb", "data: a\r\ndata: b\r\n\r\n"},
		{"line feed at the end", "a\n", "data: a\r\ndata: \r\n\r\n"},
		{"line feeds alone", "\n\n", "data: \r\ndata: \r\ndata: \r\n\r\n"},
		{"CR at the end", "a\r", "data: a\r\r\n\r\n"},
		{"many lines", strings.Repeat("x\n", 3), "data: x\r\ndata: x\r\ndata: x\r\ndata: \r\n\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := New([]byte(test.payload), false)
			if got := string(m.Event()); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if got := string(m.Payload()); got != test.payload {
				t.Errorf("the payload became %q", got)
			}
		})
	}
}

func TestEventIsShared(t *testing.T) {
	t.Parallel()
	m := New([]byte("hello\nyou"), false)
	var done sync.WaitGroup
	for range 8 {
		done.Go(func() {
			if got := string(m.Event()); got != "data: hello\r\ndata: you\r\n\r\n" {
				t.Errorf("got %q", got)
			}
		})
	}
	done.Wait()
	if a, b := m.Event(), m.Event(); &a[0] != &b[0] {
		t.Error("the event was made twice")
	}
}

func TestAllocations(t *testing.T) { // not parallel: it counts the allocations of the process
	if raceEnabled {
		t.Skip("allocations cannot be counted under the race detector")
	}
	payload := make([]byte, 200)
	if n := testing.AllocsPerRun(100, func() { sink = New(payload, true) }); n > 2 {
		t.Errorf("New allocates %v times, want 2: the message and its bytes", n)
	}
	m := New(payload, true)
	m.Event()
	if n := testing.AllocsPerRun(100, func() { _, _, _ = m.Frame(), m.Payload(), m.Event() }); n > 0 {
		t.Errorf("using a message allocates %v times", n)
	}
}

var sink *Message // keeps the compiler from leaving out what is measured
