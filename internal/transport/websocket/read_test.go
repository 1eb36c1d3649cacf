package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/testkit"
	"github.com/hubgate/hubgate/internal/transport"
)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestReceive(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("0123456789abcdef"), 20_000)
	for _, test := range []struct {
		name string
		sent []byte
		want string
	}{
		{"a text", frameOf(textFrame, []byte("hello")), "hello"},
		{"bytes", frameOf(binaryFrame, []byte{0, 1, 0xff}), "\x00\x01\xff"},
		{"nothing, then something", join(frameOf(textFrame, nil), frameOf(textFrame, []byte("x"))), "x"},
		{"16 bit length", frameOf(binaryFrame, big[:1000]), string(big[:1000])},
		{"64 bit length", frameOf(binaryFrame, big), string(big)},
		{"longer than the length needs", append(binary.BigEndian.AppendUint64([]byte{binaryFrame, 0x80 | 127}, 2), 0, 0, 0, 0, 'h', 'i'), "hi"},
		{"pipelined", bytes.Repeat(frameOf(textFrame, []byte("ab")), 3000), strings.Repeat("ab", 3000)},
		{
			"fragments", join(frameOf(1, []byte("he")), frameOf(0, nil), frameOf(0, []byte("ll")), frameOf(continuation, []byte("o"))), "hello",
		},
		{
			"a rune cut by fragments", join(frameOf(1, []byte("\xf0\x9f")), frameOf(0, []byte("\x92")), frameOf(continuation, []byte("\x99"))), "💙",
		},
		{
			"control frames between fragments",
			join(frameOf(2, []byte("a")), frameOf(pingFrame, []byte("?")), frameOf(pongFrame, nil), frameOf(continuation, []byte("b"))), "ab",
		},
		{"U+FFFD that was really sent", frameOf(textFrame, []byte("\ufffd")), "\ufffd"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, piece := range []int{len(test.sent), 4096, 7} { // whole, and cut anywhere
				if len(test.sent) > 10_000 && piece == 7 {
					continue
				}
				p := open(t, transport.Limits{}, newHandler())
				for b := test.sent; len(b) > 0; {
					n := min(piece, len(b))
					p.write(b[:n])
					b = b[n:]
				}
				p.write(closeOf(1000))
				if got := p.h.wait(t, len(test.want)); string(got) != test.want {
					t.Errorf("in pieces of %d: got %d bytes, want %d, or they differ", piece, len(got), len(test.want))
				}
				if reason := p.gone(); reason != nil {
					t.Errorf("it ended with %v", reason)
				}
			}
		})
	}
}

// Bytes that came with the upgrade come first, however many they are.
func TestRest(t *testing.T) {
	t.Parallel()
	var rest, want []byte
	for i := range 3000 {
		text := fmt.Sprintf("message %d;", i)
		rest = append(rest, frameOf(textFrame, []byte(text))...)
		want = append(want, text...)
	}
	cut := len(rest) - 3 // the end of a frame comes later
	p := open(t, transport.Limits{}, newHandler(), rest[:cut]...)
	p.write(rest[cut:])
	if diff := cmp.Diff(string(want), string(p.h.wait(t, len(want)))); diff != "" {
		t.Error(diff)
	}
}

func TestBrokenRules(t *testing.T) {
	t.Parallel()
	unmasked := []byte{textFrame, 2, 'h', 'i'}
	tooLong := append(binary.BigEndian.AppendUint64([]byte{binaryFrame, 0x80 | 127}, 1<<63), 0, 0, 0, 0)
	limits := transport.Limits{MessageBytes: 1000}
	for _, test := range []struct {
		name string
		sent []byte
		code ws.StatusCode
		err  error
	}{
		{"not masked", unmasked, ws.StatusProtocolError, transport.ErrProtocol},
		{"first reserved bit", frameOf(textFrame|0x40, []byte("x")), ws.StatusProtocolError, transport.ErrProtocol},
		{"third reserved bit", frameOf(textFrame|0x10, []byte("x")), ws.StatusProtocolError, transport.ErrProtocol},
		{"reserved opcode of data", frameOf(fin|3, nil), ws.StatusProtocolError, transport.ErrProtocol},
		{"reserved opcode of control", frameOf(fin|11, nil), ws.StatusProtocolError, transport.ErrProtocol},
		{"continuation of nothing", frameOf(continuation, nil), ws.StatusProtocolError, transport.ErrProtocol},
		{"text amid fragments", join(frameOf(1, nil), frameOf(textFrame, nil)), ws.StatusProtocolError, transport.ErrProtocol},
		{"fragmented ping", frameOf(9, nil), ws.StatusProtocolError, transport.ErrProtocol},
		{"long ping", frameOf(pingFrame, make([]byte, 126)), ws.StatusProtocolError, transport.ErrProtocol},
		{"length with the highest bit", tooLong, ws.StatusProtocolError, transport.ErrProtocol},
		{"no UTF-8", frameOf(textFrame, []byte("\xff")), ws.StatusInvalidFramePayloadData, transport.ErrProtocol},
		{"a rune that is not whole", frameOf(textFrame, []byte("\xf0\x9f\x92")), ws.StatusInvalidFramePayloadData, transport.ErrProtocol},
		{
			"a rune broken by a fragment's border", join(frameOf(1, []byte("\xc3")), frameOf(continuation, []byte("a"))),
			ws.StatusInvalidFramePayloadData, transport.ErrProtocol,
		},
		{"surrogate", frameOf(textFrame, []byte("\xed\xa0\x80")), ws.StatusInvalidFramePayloadData, transport.ErrProtocol},
		{"too large", frameOf(binaryFrame, make([]byte, 1001)), ws.StatusMessageTooBig, transport.ErrTooLarge},
		{
			"too large together", join(frameOf(2, make([]byte, 600)), frameOf(continuation, make([]byte, 401))),
			ws.StatusMessageTooBig, transport.ErrTooLarge,
		},
		{
			"declared too large", append(binary.BigEndian.AppendUint64([]byte{binaryFrame, 0x80 | 127}, 1<<40), 0, 0, 0, 0),
			ws.StatusMessageTooBig, transport.ErrTooLarge,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := open(t, limits, newHandler())
			p.write(test.sent)
			if code := p.readClose(); code != test.code {
				t.Errorf("closed with %d, want %d", code, test.code)
			}
			p.write(closeOf(uint16(test.code))) // as a proper peer answers, upon which nothing is waited for
			if reason := p.gone(); !errors.Is(reason, test.err) {
				t.Errorf("it ended with %v, want %v", reason, test.err)
			}
		})
	}
}

// What fits the limit exactly is no fault, and each message counts for itself.
func TestMessageLimit(t *testing.T) {
	t.Parallel()
	p := open(t, transport.Limits{MessageBytes: 1000}, newHandler())
	for range 3 {
		p.write(frameOf(binaryFrame, make([]byte, 1000)))
		p.write(join(frameOf(2, make([]byte, 600)), frameOf(continuation, make([]byte, 400))))
	}
	p.h.wait(t, 6000)
}

func TestPing(t *testing.T) {
	t.Parallel()
	p := open(t, transport.Limits{}, newHandler())
	long := string(bytes.Repeat([]byte("p"), 125))
	for _, payload := range []string{"", "hello", long} {
		p.write(frameOf(pingFrame, []byte(payload)))
		f := p.read()
		if f.Header.OpCode != ws.OpPong || string(f.Payload) != payload {
			t.Errorf("the ping %q was answered by opcode %d with %q", payload, f.Header.OpCode, f.Payload)
		}
	}
}

// A client that pings without reading the answers is a slow client like any other.
func TestPingFlood(t *testing.T) {
	t.Parallel()
	p := open(t, transport.Limits{QueueBytes: 64 << 10}, newHandler())
	flood := bytes.Repeat(frameOf(pingFrame, make([]byte, 125)), 500)
	for {
		if _, err := p.Write(flood); err != nil {
			break // cut off; the deadline of the test would be an error, too, but then the reason is another one
		}
	}
	if reason := p.gone(); !errors.Is(reason, transport.ErrSlowClient) {
		t.Errorf("it ended with %v, want %v", reason, transport.ErrSlowClient)
	}
}

func TestClientCloses(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string][]byte{
		"normal": closeOf(1000), "going away": closeOf(1001), "no code": frameOf(closeFrame, nil), "with a reason": frameOf(closeFrame, []byte("\x03\xe8bye")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t, transport.Limits{}, newHandler())
			p.write(frame)
			if code := p.readClose(); code != ws.StatusNormalClosure {
				t.Errorf("answered with %d, want 1000", code)
			}
			p.readEnd()
			if reason := p.gone(); reason != nil {
				t.Errorf("it ended with %v", reason)
			}
		})
	}
}

// What waits for the client goes out before the answer to its close frame.
func TestClientClosesWhileMessagesWait(t *testing.T) {
	t.Parallel()
	p := open(t, transport.Limits{}, newHandler())
	var b message.Batch
	big := bytes.Repeat([]byte("x"), 6<<20)
	p.conn.Push(message.New(big, true), &b)
	b.Flush()
	p.write(closeOf(1000))
	if f := p.read(); len(f.Payload) != len(big) {
		t.Errorf("the message came with %d bytes", len(f.Payload))
	}
	if code := p.readClose(); code != ws.StatusNormalClosure {
		t.Errorf("answered with %d", code)
	}
	if reason := p.gone(); reason != nil {
		t.Errorf("it ended with %v", reason)
	}
}

func TestConnectionLost(t *testing.T) {
	t.Parallel()
	t.Run("between frames", func(t *testing.T) {
		t.Parallel()
		p := open(t, transport.Limits{}, newHandler())
		_ = p.CloseWrite()
		if reason := p.gone(); !errors.Is(reason, transport.ErrConnectionLost) {
			t.Errorf("it ended with %v", reason)
		}
	})
	t.Run("within a frame, by a reset", func(t *testing.T) {
		t.Parallel()
		p := open(t, transport.Limits{}, newHandler())
		p.write(frameOf(textFrame, []byte("hello"))[:8])
		_ = p.SetLinger(0)
		_ = p.Close()
		if reason := p.gone(); !errors.Is(reason, transport.ErrConnectionLost) {
			t.Errorf("it ended with %v", reason)
		}
	})
}

func TestHandlerEndsIt(t *testing.T) {
	t.Parallel()
	h := newHandler()
	h.refuse = errors.New("no more")
	p := open(t, transport.Limits{}, h)
	p.write(frameOf(textFrame, []byte("x")))
	if reason := p.gone(); !errors.Is(reason, h.refuse) {
		t.Errorf("it ended with %v, want the handler's error", reason)
	}
}

// A client that is quiet after it has said something is waited for by a goroutine with a fresh stack.
func TestQuietClientMoves(t *testing.T) {
	t.Parallel()
	server, client := tcpPair(t)
	h := newHandler()
	c := New(server, transport.Limits{})
	if !c.socket.Polls() {
		t.Skip("this system's streams cannot be polled")
	}
	first := make(chan struct{})
	go func() {
		defer close(first)
		c.Serve(nil, h)
	}()
	whole := frameOf(textFrame, []byte("second"))
	for _, b := range [][]byte{frameOf(textFrame, []byte("first")), whole[:3]} { // what is not whole moves, too
		if _, err := client.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	h.wait(t, len("first"))
	testkit.Closed(t, first, "the goroutine that read first")
	select {
	case reason := <-h.gone:
		t.Fatalf("the connection has ended: %v", reason)
	default:
	}
	if _, err := client.Write(whole[3:]); err != nil {
		t.Fatal(err)
	}
	if got := h.wait(t, len("firstsecond")); string(got) != "firstsecond" {
		t.Errorf("got %q", got)
	}
	if _, err := client.Write(closeOf(1000)); err != nil {
		t.Fatal(err)
	}
	if reason := testkit.Receive(t, h.gone, "the end"); reason != nil {
		t.Errorf("it ended with %v", reason)
	}
}
