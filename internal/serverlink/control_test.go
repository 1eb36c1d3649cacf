package serverlink_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/serverlink"
	"github.com/hubgate/hubgate/internal/session"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/telemetry"
	"github.com/hubgate/hubgate/internal/testkit"
)

func payloads(text string) []svcproto.Payload {
	return []svcproto.Payload{{Protocol: []byte("json"), Data: []byte(text + "\x1e")}}
}

func none() svcproto.OptionalString { return svcproto.OptionalString{} }

// ask sends a message with an ack and returns that.
func (a *appServer) ask(m svcproto.Message) *svcproto.Ack {
	a.t.Helper()
	a.send(m)
	return receive[*svcproto.Ack](a)
}

func TestAcks(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	_, id := s.connect(a, "ann")
	const ok, notFound = svcproto.AckOK, svcproto.AckNotFound
	some := svcproto.Some
	for i, step := range []struct {
		m    svcproto.Message
		want svcproto.AckStatus
	}{
		{&svcproto.CheckConnectionExistenceWithAck{ConnectionID: id}, ok},
		{&svcproto.CheckConnectionExistenceWithAck{ConnectionID: "x"}, notFound},
		{&svcproto.CheckUserExistenceWithAck{UserID: "ann"}, ok},
		{&svcproto.CheckUserExistenceWithAck{UserID: "Ann"}, notFound}, // names have a case
		{&svcproto.CheckGroupExistenceWithAck{Group: "g"}, notFound},
		{&svcproto.JoinGroupWithAck{ConnectionID: id, Group: "g"}, ok},
		{&svcproto.JoinGroupWithAck{ConnectionID: id, Group: "g"}, ok},
		{&svcproto.JoinGroupWithAck{ConnectionID: "x", Group: "g"}, notFound},
		{&svcproto.CheckGroupExistenceWithAck{Group: "g"}, ok},
		{&svcproto.CheckUserInGroupWithAck{UserID: "ann", Group: "g"}, ok},
		{&svcproto.LeaveGroupWithAck{ConnectionID: id, Group: some("g")}, ok},
		{&svcproto.LeaveGroupWithAck{ConnectionID: id, Group: some("g")}, ok},
		{&svcproto.LeaveGroupWithAck{ConnectionID: "x", Group: some("g")}, notFound},
		{&svcproto.CheckGroupExistenceWithAck{Group: "g"}, notFound},
		{&svcproto.JoinGroupWithAck{ConnectionID: id, Group: "g1"}, ok},
		{&svcproto.JoinGroupWithAck{ConnectionID: id, Group: "g2"}, ok},
		{&svcproto.LeaveGroupWithAck{ConnectionID: id, Group: none()}, ok}, // all
		{&svcproto.CheckGroupExistenceWithAck{Group: "g2"}, notFound},
		{&svcproto.UserJoinGroupWithAck{UserID: "ann", Group: "u"}, ok},
		{&svcproto.UserJoinGroupWithAck{UserID: "nobody", Group: "u", TTL: svcproto.SomeInt(60)}, ok},
		{&svcproto.CheckUserInGroupWithAck{UserID: "ann", Group: "u"}, ok},
		{&svcproto.CheckUserInGroupWithAck{UserID: "nobody", Group: "u"}, ok},
		{&svcproto.CheckUserInGroupWithAck{UserID: "ann", Group: "other"}, notFound},
		{&svcproto.UserLeaveGroupWithAck{UserID: "ann", Group: some("u")}, ok},
		{&svcproto.CheckUserInGroupWithAck{UserID: "ann", Group: "u"}, notFound},
		{&svcproto.UserJoinGroupWithAck{UserID: "ann", Group: "u"}, ok},
		{&svcproto.UserLeaveGroupWithAck{UserID: "ann", Group: none()}, ok},
		{&svcproto.CheckGroupExistenceWithAck{Group: "u"}, notFound},
		{&svcproto.CloseConnectionWithAck{ConnectionID: "x"}, notFound},
		{&svcproto.CloseUserConnectionsWithAck{UserID: "nobody"}, ok},
		{&svcproto.CloseGroupConnectionsWithAck{Group: "nothing"}, ok},
	} {
		setAck(step.m, int64(1000+i))
		if ack := a.ask(step.m); ack.AckID != int64(1000+i) || ack.Status != step.want {
			t.Errorf("step %d, %T %+v: got the ack %d with %v %q, want %d with %v", i, step.m, step.m, ack.AckID, ack.Status, ack.Message, 1000+i, step.want)
		}
	}
}

// setAck sets the id of the ack that a message asks for.
func setAck(m svcproto.Message, id int64) {
	switch m := m.(type) {
	case *svcproto.CheckConnectionExistenceWithAck:
		m.AckID = id
	case *svcproto.CheckUserExistenceWithAck:
		m.AckID = id
	case *svcproto.CheckGroupExistenceWithAck:
		m.AckID = id
	case *svcproto.CheckUserInGroupWithAck:
		m.AckID = id
	case *svcproto.JoinGroupWithAck:
		m.AckID = id
	case *svcproto.LeaveGroupWithAck:
		m.AckID = id
	case *svcproto.UserJoinGroupWithAck:
		m.AckID = id
	case *svcproto.UserLeaveGroupWithAck:
		m.AckID = id
	case *svcproto.CloseConnectionWithAck:
		m.AckID = id
	case *svcproto.CloseConnectionsWithAck:
		m.AckID = id
	case *svcproto.CloseUserConnectionsWithAck:
		m.AckID = id
	case *svcproto.CloseGroupConnectionsWithAck:
		m.AckID = id
	case *svcproto.GroupMemberQuery:
		m.AckID = id
	}
}

// Each kind of multicast reaches whom it should, through the whole service.
func TestMulticasts(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	names := []string{"ann", "ann", "bob", ""}
	var clients []*wsClient
	var ids [][]byte
	for _, user := range names {
		c, id := s.connect(a, user)
		clients, ids = append(clients, c), append(ids, []byte(id))
	}
	in := func(i int, group string) svcproto.Message {
		return &svcproto.JoinGroup{ConnectionID: string(ids[i]), Group: group}
	}
	a.send(in(0, "g"), in(2, "g"), in(2, "h"), in(3, "h"))
	g, h := []byte("g"), []byte("h")
	a.send(
		&svcproto.BroadcastData{Payloads: payloads("all")},
		&svcproto.BroadcastData{Payloads: payloads("all but 0"), ExcludedConnectionIDs: ids[:1]},
		&svcproto.UserData{UserID: []byte("ann"), Payloads: payloads("ann")},
		&svcproto.MultiUserData{UserIDs: [][]byte{[]byte("ann"), []byte("bob")}, Payloads: payloads("users")},
		&svcproto.MultiConnectionData{ConnectionIDs: ids[1:3], Payloads: payloads("1 and 2")},
		&svcproto.GroupBroadcastData{Group: g, Payloads: payloads("g")},
		&svcproto.GroupBroadcastData{Group: g, Payloads: payloads("g but 2"), ExcludedConnectionIDs: ids[2:3]},
		&svcproto.MultiGroupBroadcastData{Groups: [][]byte{g, h}, Payloads: payloads("g and h")},
		&svcproto.LeaveGroup{ConnectionID: string(ids[0]), Group: svcproto.Some("g")},
		&svcproto.GroupBroadcastData{Group: g, Payloads: payloads("g without 0")},
		&svcproto.UserJoinGroup{UserID: "ann", Group: "of-ann"},
		&svcproto.GroupBroadcastData{Group: []byte("of-ann"), Payloads: payloads("of-ann")},
		&svcproto.UserLeaveGroup{UserID: "ann", Group: none()},
		&svcproto.GroupBroadcastData{Group: []byte("of-ann"), Payloads: payloads("nobody")},
		&svcproto.BroadcastData{Payloads: payloads("end")},
	)
	for i, want := range [][]string{
		{"all", "ann", "users", "g", "g but 2", "g and h", "of-ann", "end"},
		{"all", "all but 0", "ann", "users", "1 and 2", "of-ann", "end"},
		{"all", "all but 0", "users", "1 and 2", "g", "g and h", "g and h", "g without 0", "end"},
		{"all", "all but 0", "g and h", "end"},
	} {
		var got []string
		for len(got) == 0 || got[len(got)-1] != "end" {
			got = append(got, strings.Split(strings.TrimSuffix(clients[i].read(), "\x1e"), "\x1e")...)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("client %d: %s", i, diff)
		}
	}
}

func TestClosing(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	b := s.server("chat", "server2")
	type member struct {
		*wsClient
		id string
	}
	// connect puts a client at a, which has fewer.
	connect := func(user string) member {
		c := s.dial("chat", "", s.clientToken("chat", claim("asrs.s.uid", user), claim("asrs.s.ssticky", "Required"), claim("asrs.s.sn", "server1")))
		c.send(hello)
		id := a.accept().ConnectionID
		c.expect("{}\x1e")
		c.send("settled\x1e")
		a.gets() // an app server that ends a client sooner than the service is done with opening it may be told of that end again
		return member{c, id}
	}
	gone := func(m member, text string, told bool) {
		t.Helper()
		m.expect(closeMessage(text, false))
		m.expectEnd()
		s.endOf(session.ClosedByAppServer)
		if told {
			if got := receive[*svcproto.CloseConnection](a); got.ConnectionID != m.id || got.Error != text {
				t.Errorf("its app server is told %+v", got)
			}
		}
		a.nothing()
		b.nothing()
	}
	t.Run("by its app server", func(t *testing.T) {
		m := connect("ann")
		a.send(&svcproto.CloseConnection{ConnectionID: m.id, Error: "enough"})
		gone(m, "enough", false)
	})
	t.Run("by its app server, which has sent a hub protocol close", func(t *testing.T) {
		m := connect("ann")
		a.data(m.id, closeMessage("own words", false))
		a.send(&svcproto.CloseConnection{ConnectionID: m.id, Error: "enough"})
		gone(m, "own words", false)
	})
	t.Run("by another app server", func(t *testing.T) {
		m := connect("ann")
		b.send(&svcproto.CloseConnection{ConnectionID: m.id, Error: "go"})
		gone(m, "go", true)
	})
	closing := func(m svcproto.Message) {
		t.Helper()
		setAck(m, 5)
		if ack := b.ask(m); ack.AckID != 5 || ack.Status != svcproto.AckOK {
			t.Errorf("%T: got %+v", m, ack)
		}
	}
	t.Run("with an ack", func(t *testing.T) {
		m := connect("ann")
		closing(&svcproto.CloseConnectionWithAck{ConnectionID: m.id, Reason: svcproto.Some("go")})
		gone(m, "go", true)
	})
	t.Run("all but one", func(t *testing.T) {
		m, other := connect("ann"), connect("bob")
		closing(&svcproto.CloseConnectionsWithAck{Reason: svcproto.Some("go"), ExcludedConnectionIDs: []string{other.id}})
		gone(m, "go", true)
		closing(&svcproto.CloseConnectionsWithAck{})
		gone(other, "", true)
	})
	t.Run("a user", func(t *testing.T) {
		m, other := connect("ann"), connect("bob")
		closing(&svcproto.CloseUserConnectionsWithAck{UserID: "ann", Reason: svcproto.Some("go")})
		gone(m, "go", true)
		closing(&svcproto.CloseUserConnectionsWithAck{UserID: "bob", ExcludedConnectionIDs: []string{other.id}})
		closing(&svcproto.CloseUserConnectionsWithAck{UserID: "bob"})
		gone(other, "", true)
	})
	t.Run("a group", func(t *testing.T) {
		m, other := connect("ann"), connect("bob")
		a.send(&svcproto.JoinGroup{ConnectionID: m.id, Group: "g"})
		a.settle()
		closing(&svcproto.CloseGroupConnectionsWithAck{Group: "g", Reason: svcproto.Some("go")})
		gone(m, "go", true)
		a.send(&svcproto.CloseConnection{ConnectionID: other.id})
		gone(other, "", false)
	})
}

// Feature row 81: app servers number their messages while somebody traces them.
func TestTracingIDsAreAskedFor(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{servers: serverlink.Limits{PingInterval: 20 * time.Millisecond}})
	trace := telemetry.NewTrace(slog.New(slog.DiscardHandler))
	s.servers.Trace = trace
	a := s.server("chat", "server1")
	for _, step := range []struct {
		kinds telemetry.TraceKind
		want  string
	}{{telemetry.Messaging, "1"}, {telemetry.Connectivity, "0"}} {
		trace.Configure(step.kinds)
		if got, _ := receive[*svcproto.Ping](a).Get("d-m"); got != step.want {
			t.Errorf("with %v traced the app server is asked for %q, want %q", step.kinds, got, step.want)
		}
	}
}

func TestPings(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server-b")
	ask := func(key, value string) *svcproto.Ping {
		t.Helper()
		a.send(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "#client", Value: "0"}, {Key: "unheard-of", Value: "x"}, {Key: key, Value: value}}})
		return receive[*svcproto.Ping](a)
	}
	want := func(status, clients, servers string) {
		t.Helper()
		diff := cmp.Diff([]svcproto.PingValue{{Key: "status", Value: status}, {Key: "clientcount", Value: clients}, {Key: "servercount", Value: servers}}, ask("status", "1").Values)
		if diff != "" {
			t.Error(diff)
		}
	}
	want("0", "0", "1")
	s.server("chat", "server-a")
	s.server("chat", "server-a")
	s.server("other", "server-c")
	c := s.dial("chat", "", s.clientToken("chat", claim("asrs.s.ssticky", "Required"), claim("asrs.s.sn", "server-b")))
	c.send(hello)
	a.accept()
	want("1", "1", "3")
	var last string
	for range 3 {
		got, _ := ask("servers", "").Get("servers")
		number, list, _ := strings.Cut(got, ":")
		if list != "server-a;server-b" {
			t.Errorf("the app servers are %q", list)
		}
		if len(number) < len(last) || len(number) == len(last) && number <= last {
			t.Errorf("the number %s does not grow from %s, so that the answer is ignored", number, last)
		}
		last = number
		time.Sleep(time.Microsecond) // the number is a time in microseconds
	}
}

func TestGroupMemberPages(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	var ids []string
	for i := range 5 {
		user := ""
		if i%2 == 0 {
			user = "ann"
		}
		_, id := s.connect(a, user)
		a.send(&svcproto.JoinGroup{ConnectionID: id, Group: "g"})
		ids = append(ids, id)
	}
	slices.Sort(ids)
	page := func(q svcproto.GroupMemberQuery) (got []string, next svcproto.OptionalString) {
		t.Helper()
		q.Group, q.AckID = "g", 3
		ack := a.ask(&q)
		if ack.Status != svcproto.AckOK || ack.AckID != 3 || ack.Payload == nil {
			t.Fatalf("got %+v", ack)
		}
		var m svcproto.GroupMembers
		if err := m.Decode(ack.Payload); err != nil {
			t.Fatal(err)
		}
		for _, member := range m.Members {
			got = append(got, member.ConnectionID)
			if member.UserID.Valid && member.UserID.Value != "ann" {
				t.Errorf("the user is %q", member.UserID.Value)
			}
		}
		return got, m.ContinuationToken
	}
	t.Run("in one page", func(t *testing.T) {
		got, next := page(svcproto.GroupMemberQuery{})
		if diff := cmp.Diff(ids, got); diff != "" || next.Valid {
			t.Errorf("next %+v, difference %s", next, diff)
		}
	})
	t.Run("in pages of two", func(t *testing.T) {
		var all []string
		q := svcproto.GroupMemberQuery{MaxPageSize: svcproto.SomeInt(2), HasMaxPageSize: true}
		for pages := 1; ; pages++ {
			got, next := page(q)
			all = append(all, got...)
			if !next.Valid {
				if pages != 3 {
					t.Errorf("there were %d pages", pages)
				}
				break
			}
			q.ContinuationToken = next
		}
		if diff := cmp.Diff(ids, all); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the first three", func(t *testing.T) {
		got, next := page(svcproto.GroupMemberQuery{Top: svcproto.SomeInt(3)})
		if diff := cmp.Diff(ids[:3], got); diff != "" || next.Valid {
			t.Errorf("next %+v, difference %s", next, diff)
		}
	})
	t.Run("an empty group", func(t *testing.T) {
		ack := a.ask(&svcproto.GroupMemberQuery{Group: "nothing", AckID: 4})
		var m svcproto.GroupMembers
		if err := m.Decode(ack.Payload); err != nil || len(m.Members) > 0 || m.ContinuationToken.Valid {
			t.Errorf("got %+v, error %v", m, err)
		}
	})
}

// sticky connects a client to one app server.
func (s *service) sticky(a *appServer, serverID string) (*wsClient, string) {
	s.t.Helper()
	c := s.dial("chat", "", s.clientToken("chat", claim("asrs.s.ssticky", "Required"), claim("asrs.s.sn", serverID)))
	c.send(hello)
	id := a.accept().ConnectionID
	c.expect("{}\x1e")
	return c, id
}

func TestClientResultAcrossServers(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	owner, asker := s.server("chat", "owner"), s.server("chat", "asker")
	c, id := s.sticky(owner, "owner")
	asker.send(&svcproto.ClientInvocation{InvocationID: "i1", ConnectionID: id, CallerServerID: "asker", Payloads: payloads("question")})
	if m := receive[*svcproto.ServiceMapping](asker); m.InvocationID != "i1" || m.ConnectionID != id || m.InstanceID != "node1" {
		t.Errorf("the mapping is %+v", m)
	}
	if m := receive[*svcproto.ClientInvocation](owner); m.InvocationID != "i1" || m.ConnectionID != id || m.CallerServerID != "asker" {
		t.Errorf("the owner is told %+v", m)
	}
	c.expect("question\x1e")
	c.send("answer\x1e")
	owner.gets()
	owner.send(&svcproto.ClientCompletion{InvocationID: "i1", ConnectionID: id, CallerServerID: "owner", Protocol: "json", Payload: []byte("answer\x1e")})
	if m := receive[*svcproto.ClientCompletion](asker); m.InvocationID != "i1" || string(m.Payload) != "answer\x1e" || m.Protocol != "json" {
		t.Errorf("the answer is %+v", m)
	}

	asker.send(&svcproto.ClientInvocation{InvocationID: "i2", ConnectionID: "nobody", CallerServerID: "asker", Payloads: payloads("?")})
	if m := receive[*svcproto.ErrorCompletion](asker); m.InvocationID != "i2" || m.Error == "" {
		t.Errorf("a client that is not there: %+v", m)
	}
	asker.send(&svcproto.ClientInvocation{InvocationID: "i3", ConnectionID: id, CallerServerID: "asker", Payloads: payloads("?")})
	receive[*svcproto.ServiceMapping](asker)
	receive[*svcproto.ClientInvocation](owner)
	_ = c.conn.CloseNow()
	if m := receive[*svcproto.ErrorCompletion](asker); m.InvocationID != "i3" || m.Error == "" {
		t.Errorf("a client that left: %+v", m)
	}
}

func TestBalance(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	var servers []*appServer
	for range 4 {
		servers = append(servers, s.server("chat", "server1"))
	}
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			s.dial("chat", "", s.clientToken("chat")).send(hello)
		})
	}
	all.Wait()
	for _, a := range servers {
		opened := 0
		for range 20 { // an opening and a handshake for each
			if _, ok := testkit.Receive(t, a.messages, "news of a client").(*svcproto.OpenConnection); ok {
				opened++
			}
		}
		if opened != 10 {
			t.Errorf("a server connection got %d of 40 clients, want 10", opened)
		}
		a.nothing()
	}
}

// An app server that goes gets no more clients; what becomes of those that it has it says itself.
func TestAppServerShutsDown(t *testing.T) {
	t.Parallel()
	for mode, ends := range map[string]bool{"fin:0": true, "fin:2": false} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := serve(t, limits{})
			a := s.server("chat", "server1")
			c, id := s.connect(a, "")
			a.send(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "shutdown", Value: mode}}})
			if m := receive[*svcproto.Ping](a); !slices.Contains(m.Values, svcproto.PingValue{Key: "shutdown", Value: "finack"}) {
				t.Errorf("got %+v", m)
			}
			if ends {
				c.expect(closeMessage("Connection closed with an error.", true))
				c.expectEnd()
				s.endOf(session.ServerConnectionClosed)
			} else {
				a.data(id, "still here\x1e")
				c.expect("still here\x1e")
			}
			late := s.dial("chat", "", s.clientToken("chat"))
			late.send(hello)
			late.expect(handshakeError("No server available."))
		})
	}
}

// The service goes down in order: clients are told to come back, app servers hear of each, and then the links close.
func TestServiceShutsDown(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	c, id := s.connect(a, "")
	testkit.Receive(t, s.begun, "the transport")
	waiting := s.dial("chat", "", s.clientToken("chat")) // has not shaken hands
	testkit.Receive(t, s.begun, "the transport")
	p := s.negotiated()
	p.expect(200, "")
	p.expectPost(200, hello)
	polling := a.accept().ConnectionID
	p.expect(200, "{}\x1e")
	s.clients.Shutdown()
	const text = "Service reloading, please reconnect."
	c.expect(closeMessage(text, true))
	c.expectEnd()
	waiting.expect(handshakeError(text))
	p.expect(200, closeMessage(text, true))
	p.expect(204, "")
	for range 3 {
		s.endOf(session.ServiceReload)
	}
	told := []string{receive[*svcproto.CloseConnection](a).ConnectionID, receive[*svcproto.CloseConnection](a).ConnectionID}
	if !slices.Contains(told, id) || !slices.Contains(told, polling) {
		t.Errorf("the app server was told of %q, want %q and %q", told, id, polling)
	}
	a.nothing()
	s.servers.Shutdown()
	_ = a.over()
	if got := s.clients.Connections(); got != 0 {
		t.Errorf("%d clients are left", got)
	}
}

func TestServersAreToldOfShutdown(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	a := s.server("chat", "server1")
	s.servers.Shutdown()
	if err := a.over(); !strings.Contains(err.Error(), "the service shuts down") {
		t.Errorf("the app server sees %v", err)
	}
}

// deadLink is a link that is over, which nobody has taken out of the hub yet.
type deadLink struct{ hub.Link }

var errDead = errors.New("the link is over")

func (deadLink) ServerID() string                                   { return "dead" }
func (deadLink) Send(svcproto.Message) error                        { return errDead }
func (deadLink) Data(_, _ []byte, _ svcproto.DataMessageType) error { return errDead }
func (deadLink) Stateful() bool                                     { return false }
func (deadLink) Migrates() bool                                     { return false }
func (deadLink) Load() int                                          { return 0 }
func (deadLink) Add(int)                                            {}

// A client that gets a link in the moment of that link's end, too late to be told of it with the others, is told all the same.
func TestLinkEndsWhileAClientIsOpened(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	s.registry.Hub("chat").AddLink(deadLink{})
	c := s.dial("chat", "", s.clientToken("chat"))
	c.send(hello)
	c.expect(handshakeError("No server available."))
	c.expectEnd()
	s.endOf(session.ServerConnectionClosed)
}

// A tick, or the service's end, may come while a client's transport opens: then the client is ended, and not forgotten.
func TestEndsWhileTransportsOpen(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(s *service){
		"a tick": func(s *service) { s.clients.Tick(time.Now().Add(20 * time.Second)) }, "the service's end": func(s *service) { s.clients.Shutdown() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, limits{clients: session.Limits{ConnectTimeout: 10 * time.Second}})
			a := s.server("chat", "server1")
			var all sync.WaitGroup
			for range 20 {
				n := s.negotiate("&negotiateVersion=1", s.clientToken("chat"))
				all.Go(func() {
					c, _ := s.tryDial("chat", n.Token, s.clientToken("chat"))
					if c == nil {
						return
					}
					if _, err := c.tryRead(); err == nil {
						_, _ = c.tryRead()
					}
				})
				all.Go(func() { end(s) })
			}
			stop := make(chan struct{})
			go func() { // for those whose transport was there before: they wait for their handshake
				for {
					select {
					case <-stop:
						return
					default:
						s.clients.Tick(later())
						time.Sleep(time.Millisecond)
					}
				}
			}()
			all.Wait()
			close(stop)
			a.nothing()
			for range len(s.begun) {
				testkit.Receive(t, s.ended, "the end of one that had begun")
			}
			if got := s.clients.Connections(); got != 0 {
				t.Errorf("%d clients are left", got)
			}
		})
	}
}

// Clients come and go while app servers do: at the end nobody is left, and nothing hangs.
func TestComingAndGoing(t *testing.T) {
	t.Parallel()
	s := serve(t, limits{})
	stop := make(chan struct{})
	var servers, clients sync.WaitGroup
	for i := range 2 {
		servers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				a := s.dialServer("chat", fmt.Sprint("server", i))
				a.send(&svcproto.HandshakeRequest{Version: 1})
				for range 5 {
					select {
					case m := <-a.messages:
						if open, ok := m.(*svcproto.OpenConnection); ok {
							a.data(open.ConnectionID, "{}\x1e")
						}
					case <-time.After(10 * time.Millisecond):
					}
				}
				_ = a.conn.CloseNow()
			}
		})
	}
	for range 8 {
		clients.Go(func() {
			for range 15 {
				c := s.dial("chat", "", s.clientToken("chat"))
				c.send(hello)
				for { // until it is told that all is over
					if _, err := c.tryRead(); err != nil {
						break
					}
				}
				_ = c.conn.CloseNow()
			}
		})
	}
	clients.Wait()
	close(stop)
	servers.Wait()
	for range 8 * 15 {
		<-s.ended
	}
	if n, m := s.clients.Connections(), s.registry.Hub("chat").Count(); n != 0 || m != 0 {
		t.Errorf("%d clients are left, %d in the hub", n, m)
	}
}
