package serverlink_test

import (
	"encoding/binary"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/serverlink"
	"github.com/hubgate/hubgate/internal/session"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/testkit"
)

// frame puts a length in front of a body (service protocol, framing): seven bits a byte, the lowest first.
func frame(body ...byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(body))), body...) }

// After a message that cannot be understood the app server is told why, and then the link ends. Its clients are told, too.
func TestMalformedMessages(t *testing.T) {
	t.Parallel()
	for name, b := range map[string][]byte{
		"no array":             frame(0x01),
		"nothing":              frame(),
		"no type":              frame(0x90),
		"a type that is text":  frame(0x91, 0xa1, 'x'),
		"fields missing":       frame(0x92, byte(svcproto.TypeJoinGroup), 0xa1),
		"wrong kind of field":  frame(0x93, byte(svcproto.TypeJoinGroup), 0x01, 0x02),
		"cut":                  frame(0x93, byte(svcproto.TypeConnectionData), 0xd9),
		"a length that lies":   frame(0x93, byte(svcproto.TypeBroadcastData), 0xdd, 0xff, 0xff, 0xff, 0xff),
		"too large":            binary.AppendUvarint(nil, 1<<20+1),
		"a length of no end":   {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"a length beyond what": {0xff, 0xff, 0xff, 0xff, 0x7f},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, limits{servers: serverlink.Limits{FrameBytes: 1 << 20}})
			a := s.server("chat", "server1")
			c, _ := s.connect(a, "")
			a.sendBytes(b)
			m := receive[*svcproto.ServiceError](a)
			if m.Error == "" {
				t.Error("the app server is not told what is wrong")
			}
			c.expect(closeMessage("Connection closed with an error.", true))
			c.expectEnd()
			s.endOf(session.ServerConnectionClosed)
			if code := websocket.CloseStatus(a.over()); code != websocket.StatusProtocolError {
				t.Errorf("closed with %d", code)
			}
		})
	}
}

func TestUnknownMessagesAreSkipped(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	c, id := s.connect(a, "")
	a.sendBytes(frame(0x92, 99, 0xa1, 'x'))
	a.sendBytes(frame(0x91, 0xcd, 0x01, 0x00))
	a.send(&svcproto.HandshakeResponse{}, &svcproto.ServiceMapping{InvocationID: "i"}) // the wrong way round
	a.data(id, "still there\x1e")
	c.expect("still there\x1e")
}

// Frames of the service protocol may be cut anywhere, and many may share a WebSocket message.
func TestFramesCutAnywhere(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.dialServer("chat", "server1")
	greeting := (&svcproto.HandshakeRequest{Version: 1}).Append(nil)
	a.sendBytes(greeting[:1])
	a.sendBytes(nil)
	// What is behind the greeting in the same message counts as well.
	rest := (&svcproto.CheckGroupExistenceWithAck{Group: "g", AckID: 1}).Append(greeting[1:])
	rest = (&svcproto.CheckGroupExistenceWithAck{Group: "g", AckID: 2}).Append(rest)
	cut := len(rest) - 3
	a.sendBytes(rest[:cut])
	a.sendBytes(rest[cut:])
	receive[*svcproto.HandshakeResponse](a)
	for want := range int64(2) {
		if ack := receive[*svcproto.Ack](a); ack.AckID != want+1 {
			t.Errorf("got the ack %d, want %d", ack.AckID, want+1)
		}
	}
}

func TestLargeServiceMessages(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	c, id := s.connect(a, "")
	big := strings.Repeat("0123456789", 300_000)
	a.data(id, big+"\x1e")
	c.expect(big + "\x1e")
	go func() {
		if err := c.trySend(big); err != nil {
			t.Errorf("a client cannot send: %v", err)
		}
	}()
	got := 0
	for got < len(big) { // in whatever pieces it came
		_, text := a.gets()
		if text != big[got:got+len(text)] {
			t.Fatal("what came differs from what was sent")
		}
		got += len(text)
	}
}

func TestServiceHandshake(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	t.Run("another version", func(t *testing.T) {
		t.Parallel()
		a := s.dialServer("chat", "new")
		a.send(&svcproto.HandshakeRequest{Version: 2})
		m := receive[*svcproto.HandshakeResponse](a)
		if want := "Version 2 of the service protocol is not supported; this service speaks version 1."; m.Error != want {
			t.Errorf("got %q, want %q", m.Error, want)
		}
		_ = a.over()
	})
	t.Run("another message first", func(t *testing.T) {
		t.Parallel()
		a := s.dialServer("chat", "impolite")
		a.send(&svcproto.Ping{})
		if m := receive[*svcproto.ServiceError](a); !strings.Contains(m.Error, "handshake") {
			t.Errorf("got %q", m.Error)
		}
		_ = a.over()
	})
	t.Run("the shortest", func(t *testing.T) {
		t.Parallel()
		a := s.dialServer("chat", "old")
		a.sendBytes(frame(0x92, 1, 1))
		if m := receive[*svcproto.HandshakeResponse](a); m.Error != "" {
			t.Errorf("refused: %s", m.Error)
		}
	})
	if got := s.registry.Hub("chat").Servers(); len(got) > 1 {
		t.Errorf("app servers %v take clients", got)
	}
}

func TestServiceHandshakeTimeout(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{servers: serverlink.Limits{HandshakeTimeout: 50 * time.Millisecond}})
	_ = s.dialServer("chat", "silent").over()
}

func TestSilentAppServer(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{servers: serverlink.Limits{PingInterval: 20 * time.Millisecond, Timeout: 3 * time.Second}})
	a := s.server("chat", "server1")
	c, _ := s.connect(a, "")
	for range 3 { // it is pinged while it says nothing
		testkit.Receive(t, a.pings, "a ping")
	}
	_ = a.over()
	c.expect(closeMessage("Connection closed with an error.", true))
	s.endOf(session.ServerConnectionClosed)
}

// A server connection whose stream ends, in whatever way, leaves its clients free to come back.
func TestLinkLost(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(a *appServer){
		"closed": func(a *appServer) { _ = a.conn.Close(websocket.StatusNormalClosure, "") },
		"cut":    func(a *appServer) { _ = a.conn.CloseNow() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, limits{})
			a := s.server("chat", "server1")
			var clients []*wsClient
			for range 20 {
				c, _ := s.connect(a, "")
				clients = append(clients, c)
			}
			end(a)
			for _, c := range clients {
				c.expect(closeMessage("Connection closed with an error.", true))
				c.expectEnd()
				s.endOf(session.ServerConnectionClosed)
			}
			// A new app server serves those that come back.
			b := s.server("chat", "server2")
			c, id := s.connect(b, "")
			b.data(id, "welcome back\x1e")
			c.expect("welcome back\x1e")
		})
	}
}

// The app server is told of a ping by an answer, in between whatever else it gets.
func TestWebSocketPing(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	if err := a.conn.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// Frames that break the rules of WebSockets end the link as well; an independent client would not send them.
func TestBrokenFrames(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	for name, b := range map[string]string{"not masked": "\x82\x01x", "reserved opcode": "\x83\x80\x00\x00\x00\x00", "reserved bit": "\xc2\x80\x00\x00\x00\x00"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
			request := "GET /server/?hub=chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
				"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer " + s.serverToken("chat") + "\r\n\r\n"
			if _, err := conn.Write([]byte(request + b)); err != nil {
				t.Fatal(err)
			}
			var got []byte
			buf := make([]byte, 4096)
			for !strings.Contains(string(got), "the WebSocket frame is malformed") {
				n, err := conn.Read(buf)
				got = append(got, buf[:n]...)
				if err != nil {
					t.Fatalf("got %q, then %v", got, err)
				}
			}
		})
	}
}

func TestNoWebSocket(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	if status, body, _ := s.do(http.MethodGet, "/server/?hub=chat", s.serverToken("chat"), ""); status != http.StatusBadRequest || body != "A server connection is a WebSocket.\n" {
		t.Errorf("got %d %q", status, body)
	}
}
