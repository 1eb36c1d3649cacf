package serverlink_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/session"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/testkit"
	"github.com/hubgate/hubgate/internal/transport"
)

// later is a time at which everything that has a deadline is over.
func later() time.Time { return time.Now().Add(10 * time.Minute) }

func handshakeError(text string) string { return `{"error":"` + text + "\"}\x1e" }

func closeMessage(text string, reconnect bool) string {
	return string(hubproto.JSON.AppendClose(nil, text, reconnect))
}

func TestEcho(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	c, id := s.connect(a, "ann")
	c.send("to the app\x1e")
	if client, text := a.gets(); client != id || text != "to the app\x1e" {
		t.Errorf("the app server got %q from %q", text, client)
	}
	a.data(id, `{"type":6}`+"\x1e")
	c.expect(`{"type":6}` + "\x1e")
	_ = c.conn.Close(websocket.StatusNormalClosure, "")
	if m := receive[*svcproto.CloseConnection](a); m.ConnectionID != id || m.Error != "" {
		t.Errorf("the app server is told %+v", m)
	}
	s.endOf(session.Normal)
	a.data(id, "late words\x1e") // no fault of anybody
	a.nothing()
}

func TestNoAppServer(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	c := s.dial("chat", "", s.clientToken("chat"))
	c.send(hello)
	c.expect(handshakeError("No server available."))
	c.expectEnd()
	s.endOf(session.NoAvailableServerConnection)
}

// A handshake that was posted is accepted, and refused by the transport later.
func TestNoAppServerForPolls(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	p := s.negotiated()
	p.expect(http.StatusOK, "")
	p.expectPost(http.StatusOK, hello)
	p.expect(http.StatusOK, handshakeError("No server available."))
	p.expect(http.StatusNoContent, "")
	s.endOf(session.NoAvailableServerConnection)
}

func TestStickyServerNotFound(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	sticky := func(mode, server string) *wsClient {
		c := s.dial("chat", "", s.clientToken("chat", claim("asrs.s.ssticky", mode), claim("asrs.s.sn", server)))
		c.send(hello)
		return c
	}
	c := sticky("Required", "gone")
	c.expect(handshakeError("The server which the client is sticky to is not found."))
	c.expectEnd()
	s.endOf(session.ServerConnectionNotFound)
	sticky("Preferred", "gone")
	a.accept()
	sticky("Required", "server1")
	a.accept()
}

func TestMalformedHandshakes(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	for _, record := range []string{"nonsense", "{}", "[]", `{"protocol":1,"version":1}`, `{"protocol":"json"}`, "\x00\x01"} {
		c := s.dial("chat", "", s.clientToken("chat"))
		c.send(record + "\x1e")
		c.expect(handshakeError(hubproto.HandshakeFailed))
		c.expectEnd()
		s.endOf(session.HandshakeError)
	}
	a.nothing() // it was told of none of them
}

// An app server's refusal reaches the client as text, whatever the hub protocol.
func TestAppServerRefusesHandshake(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	c := s.dial("chat", "", s.clientToken("chat"))
	c.send(`{"protocol":"unheard-of","version":1}` + "\x1e")
	id := receive[*svcproto.OpenConnection](a).ConnectionID
	receive[*svcproto.ConnectionData](a)
	a.data(id, handshakeError("not that one"))
	c.expect(handshakeError("not that one"))
	a.send(&svcproto.CloseConnection{ConnectionID: id})
	c.expectEnd()
	s.endOf(session.HandshakeError)
}

// A handshake without an end is not answered until its time is up, and takes no more memory than one with an end.
func TestEndlessHandshake(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	c := s.dial("chat", "", s.clientToken("chat"))
	for range 20 {
		c.send(strings.Repeat("x", 10_000))
	}
	c.send(hello) // too late
	testkit.Receive(t, s.begun, "the transport")
	s.clients.Tick(later())
	c.expect(handshakeError(hubproto.HandshakeCanceled))
	c.expectEnd()
	s.endOf(session.HandshakeError)
}

func TestHandshakeTimeout(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{clients: session.Limits{HandshakeTimeout: 20 * time.Second}})
	wait := func(claims ...auth.Claim) *wsClient {
		// Only what a client has negotiated shows when it is watched, so its transport is opened in two steps.
		n := s.negotiate("&negotiateVersion=1", s.clientToken("chat", claims...))
		c := s.dial("chat", n.Token, s.clientToken("chat", claims...))
		testkit.Receive(t, s.begun, "the transport")
		c.send(`{"protocol":`)
		return c
	}
	long, short := wait(), wait(claim("asrs.s.cht", "5"))
	s.clients.Tick(time.Now().Add(10 * time.Second))
	short.expect(handshakeError(hubproto.HandshakeCanceled))
	short.expectEnd()
	s.endOf(session.HandshakeError)
	s.clients.Tick(time.Now().Add(30 * time.Second))
	long.expect(handshakeError(hubproto.HandshakeCanceled))
	long.expectEnd()
	s.endOf(session.HandshakeError)
}

func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{clients: session.Limits{ConnectTimeout: 20 * time.Second}})
	token := s.clientToken("chat")
	n := s.negotiate("&negotiateVersion=1", token)
	s.clients.Tick(time.Now().Add(15 * time.Second))
	if got := s.clients.Connections(); got != 1 {
		t.Fatalf("%d connections wait for their transport, want 1", got)
	}
	s.clients.Tick(time.Now().Add(25 * time.Second))
	if got := s.clients.Connections(); got != 0 {
		t.Errorf("%d connections are left", got)
	}
	if _, status := s.tryDial("chat", n.Token, token); status != http.StatusNotFound {
		t.Errorf("after its time it opens with status %d", status)
	}
}

func TestOversizedFrame(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{clients: session.Limits{Limits: transport.Limits{MessageBytes: 10_000}}})
	a := s.server("chat", "server1")
	c, id := s.connect(a, "")
	c.send(strings.Repeat("x", 10_001))
	if _, err := c.tryRead(); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("the client sees %v", err)
	}
	s.endOf(session.BadRequest)
	if m := receive[*svcproto.CloseConnection](a); m.ConnectionID != id || m.Error != transport.ErrTooLarge.Error() {
		t.Errorf("the app server is told %+v", m)
	}
}

func TestConnectionLost(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	c, id := s.connect(a, "")
	_ = c.conn.CloseNow()
	if m := receive[*svcproto.CloseConnection](a); m.ConnectionID != id || m.Error != transport.ErrConnectionLost.Error() {
		t.Errorf("the app server is told %+v", m)
	}
}

// A client that does not read is cut off and counted, and the others notice nothing of it.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{clients: session.Limits{Limits: transport.Limits{QueueBytes: 1 << 20}}})
	a := s.server("chat", "server1")
	_, slow := s.connect(a, "") // never reads again
	quick, _ := s.connect(a, "")
	const count = 300
	read := make(chan error, 1)
	go func() {
		for range count {
			if _, err := quick.tryRead(); err != nil {
				read <- err
				return
			}
		}
		read <- nil
	}()
	big := []svcproto.Payload{{Protocol: []byte("json"), Data: []byte(strings.Repeat("x", 64<<10) + "\x1e")}}
	for range count {
		a.send(&svcproto.BroadcastData{Payloads: big})
		a.settleWhile(slow)
	}
	if err := testkit.Receive(t, read, "what the other client reads"); err != nil {
		t.Errorf("the other client: %v", err)
	}
	s.endOf(session.SlowClient)
}

// settleWhile is settle for the time in which a client may go.
func (a *appServer) settleWhile(client string) {
	a.t.Helper()
	a.send(&svcproto.CheckGroupExistenceWithAck{Group: "settled?", AckID: 999_999})
	for {
		switch m := testkit.Receive(a.t, a.messages, "the ack").(type) {
		case *svcproto.Ack:
			return
		case *svcproto.CloseConnection:
			if m.ConnectionID != client || m.Error != transport.ErrSlowClient.Error() {
				a.t.Errorf("the app server is told %+v", m)
			}
		}
	}
}

// pollClient is a client of the transports that are not WebSockets.
type pollClient struct {
	s           *service
	path, token string
	id          string // as the app server knows it
}

func (s *service) negotiated(claims ...auth.Claim) *pollClient {
	s.t.Helper()
	token := s.clientToken("chat", claims...)
	n := s.negotiate("&negotiateVersion=1", token)
	return &pollClient{s, "/client/?hub=chat&id=" + n.Token, token, n.ID}
}

func (p *pollClient) post(text string) (status int, body string) {
	p.s.t.Helper()
	status, body, _ = p.s.do(http.MethodPost, p.path, p.token, text)
	return status, body
}

func (p *pollClient) poll() (status int, body string) {
	p.s.t.Helper()
	status, body, _ = p.s.do(http.MethodGet, p.path, p.token, "")
	return status, body
}

func (p *pollClient) expect(wantStatus int, want string) {
	p.s.t.Helper()
	if status, body := p.poll(); status != wantStatus || body != want {
		p.s.t.Errorf("a poll got %d %q, want %d %q", status, body, wantStatus, want)
	}
}

func (p *pollClient) expectPost(want int, text string) {
	p.s.t.Helper()
	if status, body := p.post(text); status != want {
		p.s.t.Errorf("a POST got %d %q, want %d", status, body, want)
	}
}

func TestLongPolling(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	p := s.negotiated()
	p.expect(http.StatusOK, "")
	p.expectPost(http.StatusOK, hello)
	if open := a.accept(); open.ConnectionID != p.id {
		t.Errorf("the app server knows it as %q", open.ConnectionID)
	}
	p.expect(http.StatusOK, "{}\x1e")
	p.expectPost(http.StatusOK, "one\x1e")
	if _, text := a.gets(); text != "one\x1e" {
		t.Errorf("the app server got %q", text)
	}
	a.data(p.id, "two\x1e")
	p.expect(http.StatusOK, "two\x1e")
	if status, _, _ := s.do(http.MethodDelete, p.path, p.token, ""); status != http.StatusAccepted {
		t.Errorf("DELETE: status %d", status)
	}
	if m := receive[*svcproto.CloseConnection](a); m.ConnectionID != p.id || m.Error != "" {
		t.Errorf("the app server is told %+v", m)
	}
	s.endOf(session.Normal)
	p.expect(http.StatusNotFound, "No Connection with that ID")
	p.expectPost(http.StatusNotFound, "x")
}

// What an app server says last, the client fetches; the poll after that tells it that all is over.
func TestLongPollingClosed(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	p := s.negotiated()
	p.expect(http.StatusOK, "")
	p.expectPost(http.StatusOK, hello)
	a.accept()
	p.expect(http.StatusOK, "{}\x1e")
	a.data(p.id, "last\x1e")
	a.send(&svcproto.CloseConnection{ConnectionID: p.id, Error: "enough"})
	a.settle()
	p.expect(http.StatusOK, "last\x1e"+closeMessage("enough", false))
	p.expect(http.StatusNoContent, "")
	s.endOf(session.ClosedByAppServer)
	a.nothing()
}

func TestPollMissed(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	p := s.negotiated(claim("asrs.s.ttl", "60"))
	p.expect(http.StatusOK, "")
	p.expectPost(http.StatusOK, hello)
	a.accept()
	s.clients.Tick(time.Now().Add(59 * time.Second))
	a.nothing()
	s.clients.Tick(time.Now().Add(2 * time.Minute))
	s.endOf(session.PingTimeout)
	if m := receive[*svcproto.CloseConnection](a); m.ConnectionID != p.id || m.Error != transport.ErrPollMissed.Error() {
		t.Errorf("the app server is told %+v", m)
	}
}

func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	p := s.negotiated()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+p.path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Accept", "text/event-stream")
	w, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Body.Close() }()
	p.expectPost(http.StatusOK, hello)
	a.accept()
	in := bufio.NewReader(w.Body)
	event := func(want string) {
		t.Helper()
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				if data != want+"\r\n" {
					t.Errorf("an event says %q, want %q", data, want)
				}
				return
			}
		}
	}
	event("{}\x1e")
	p.expectPost(http.StatusOK, "up\x1e")
	if _, text := a.gets(); text != "up\x1e" {
		t.Errorf("the app server got %q", text)
	}
	a.data(p.id, "down\x1e")
	event("down\x1e")
	if status, _, _ := s.do(http.MethodDelete, p.path, p.token, ""); status != http.StatusBadRequest {
		t.Errorf("DELETE of an event stream: status %d", status)
	}
	a.send(&svcproto.CloseConnection{ConnectionID: p.id})
	event(strings.TrimSuffix(closeMessage("", false), ""))
	if rest, err := io.ReadAll(in); err != nil {
		t.Errorf("the stream ends with %q, error %v", rest, err)
	}
	s.endOf(session.ClosedByAppServer)
}

func TestMessagePackOverEvents(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	s.server("chat", "server1")
	p := s.negotiated()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+p.path, nil)
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Accept", "text/event-stream")
	w, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Body.Close() }()
	p.post(`{"protocol":"messagepack","version":1}` + "\x1e")
	b, _ := io.ReadAll(w.Body)
	if want := "data: " + handshakeError(hubproto.UnsupportedTransferFormat("messagepack")); !strings.Contains(string(b), want) {
		t.Errorf("the stream says %q, want %q in it", b, want)
	}
	s.endOf(session.HandshakeError)
}

// A client may post before its transport is open; that is kept, but not without bound.
func TestEarlyPost(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	p := s.negotiated()
	p.expectPost(http.StatusOK, hello+"early\x1e")
	p.expect(http.StatusOK, "")
	a.accept()
	if _, text := a.gets(); text != "early\x1e" {
		t.Errorf("the app server got %q", text)
	}
	other := s.negotiated()
	for range 4 {
		other.expectPost(http.StatusOK, strings.Repeat("x", 16<<10))
	}
	if status, body := other.post("x"); status != http.StatusRequestEntityTooLarge || body != "Too much was sent before the transport was opened." {
		t.Errorf("after 64 KiB, a POST before the transport got %d %q", status, body)
	}
}

func TestPostTooLarge(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{clients: session.Limits{PostBytes: 1000}})
	a := s.server("chat", "server1")
	p := s.negotiated()
	p.expect(http.StatusOK, "")
	p.expectPost(http.StatusOK, hello)
	a.accept()
	if status, body := p.post(strings.Repeat("x", 1001)); status != http.StatusRequestEntityTooLarge || body != "A message must not be larger than 1000 bytes." {
		t.Errorf("got %d %q", status, body)
	}
}

// The service closes a client whose user's authentication ends, when its token asks for that.
func TestAuthenticationExpires(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	end := time.Now().Add(time.Minute)
	c := s.dial("chat", "", s.clientToken("chat", claim("asrs.s.coae", "true"), claim("asrs.s.aeo", fmt.Sprint(end.Unix()))))
	c.send(hello)
	id := a.accept().ConnectionID
	c.expect("{}\x1e")
	s.clients.Tick(end.Add(-2 * time.Second))
	a.nothing()
	s.clients.Tick(end.Add(2 * time.Second))
	c.expect(closeMessage("The authentication of the user has expired.", true))
	c.expectEnd()
	s.endOf(session.Unauthorized)
	if m := receive[*svcproto.CloseConnection](a); m.ConnectionID != id {
		t.Errorf("the app server is told %+v", m)
	}
}

// Feature row 65: a client may be connected for so long, and then comes back.
func TestConnectionLifetime(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	s.clients.Configure(session.Settings{Mode: resource.ModeDefault, Verifier: auth.NewVerifier([]string{accessKey}), Quotas: resource.Quotas{MaxConnectionLifetimeSeconds: 600}})
	a := s.server("chat", "server1")
	c, id := s.connect(a, "ann")
	end := time.Now().Add(600 * time.Second)
	s.clients.Tick(end.Add(-5 * time.Second))
	a.data(id, "still there\x1e")
	c.expect("still there\x1e")
	s.clients.Tick(end.Add(time.Second))
	c.expect(closeMessage("The connection has reached its maximum lifetime.", true))
	c.expectEnd()
	s.endOf(session.Normal)
	if m := receive[*svcproto.CloseConnection](a); m.ConnectionID != id {
		t.Errorf("the app server is told %+v", m)
	}
}

// A multicast that comes before the client has its handshake's answer waits behind that.
func TestMulticastBeforeTheHandshakeIsAnswered(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	c := s.dial("chat", "", s.clientToken("chat"))
	c.send(hello)
	id := receive[*svcproto.OpenConnection](a).ConnectionID
	receive[*svcproto.ConnectionData](a)
	a.send(&svcproto.BroadcastData{Payloads: []svcproto.Payload{{Protocol: []byte("json"), Data: []byte("news\x1e")}}})
	a.data(id, "{}\x1e")
	c.expect("{}\x1e")
	c.expect("news\x1e")
}

// Hub messages that an app server sends in pieces reach the client whole.
func TestDataInPieces(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	c, id := s.connect(a, "")
	a.data(id, "on")
	a.data(id, "e\x1etw")
	a.data(id, "o\x1e")
	c.expect("one\x1etwo\x1e")
}

// A client that claims to have sent what never came is refused, and its app server hears of the end.
func TestSequenceThatNeverWas(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a, c, id := s.stateful()
	c.send(`{"type":9,"sequenceId":5}` + "\x1e")
	const text = "Sequence ID greater than amount of messages we've received."
	c.expect(closeMessage(text, false))
	c.expectEnd()
	s.endOf(session.BadRequest)
	if m := receive[*svcproto.CloseConnection](a); m.ConnectionID != id || m.Error != text {
		t.Errorf("the app server is told %+v", m)
	}
}

// stateful is a client with stateful reconnect, whose handshake has been answered.
func (s *service) stateful() (a *appServer, c *wsClient, id string) {
	s.t.Helper()
	a = s.dialServer("chat", "server1")
	a.send(&svcproto.HandshakeRequest{Version: 1, AllowStatefulReconnects: true, HasAllowStatefulReconnects: true})
	receive[*svcproto.HandshakeResponse](a)
	a.settle()
	token := s.clientToken("chat")
	n := s.negotiate("&negotiateVersion=1&useStatefulReconnect=true", token)
	c = s.dial("chat", n.Token, token)
	c.send(`{"protocol":"json","version":2}` + "\x1e")
	id = a.accept().ConnectionID
	c.expect("{}\x1e")
	return a, c, id
}

// A JavaScript client gets what it must count when it does count: after its first words, after a while without any, or before its end.
func TestJavaScriptClientCountsLate(t *testing.T) {
	t.Parallel()
	const agent = "Microsoft SignalR/10.0 (10.0.11; Linux; NodeJS; 20.20.2)"
	const welcome, ping = `{"type":1,"target":"welcome","arguments":[]}` + "\x1e", `{"type":6}` + "\x1e"
	for _, test := range []struct {
		name, agent string
		speaks      bool
		want        []string
	}{
		{"speaks", agent, true, []string{ping, welcome}},
		{"silent", agent, false, []string{ping, welcome}},
		{"browser", "Mozilla/5.0 (X11; Linux x86_64)", true, []string{ping, welcome}},
		{"another client", "", false, []string{welcome, ping}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, limits{})
			s.userAgent = test.agent
			a, c, id := s.stateful()
			a.data(id, welcome)
			a.data(id, ping) // is not counted, and does not wait
			c.expect(test.want[0])
			if test.speaks {
				c.send(ping)
			}
			c.expect(test.want[1])
		})
	}
	t.Run("ends", func(t *testing.T) {
		t.Parallel()
		s := serve(t, limits{})
		s.userAgent = agent
		a, c, id := s.stateful()
		a.data(id, welcome)
		a.data(id, closeMessage("bye", false))
		c.expect(welcome)
		c.expect(closeMessage("bye", false))
	})
}
