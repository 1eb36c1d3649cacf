package appserver_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/appserver"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/resource"
)

// overBoth runs a test over both transports, against an instance in Serverless mode and one in Default mode with an app server
// that has the clients.
func overBoth(t *testing.T, test func(t *testing.T, s *service, h *appserver.ServiceHub)) {
	for _, mode := range []resource.ServiceMode{resource.ModeServerless, resource.ModeDefault} {
		for _, transport := range []appserver.ServiceTransport{appserver.Transient, appserver.Persistent} {
			t.Run(fmt.Sprintf("%v/%v", mode, transport), func(t *testing.T) {
				t.Parallel()
				s := newService(t, mode)
				if mode == resource.ModeDefault {
					s.runApp("Chat", quietHub{})
				}
				test(t, s, s.manager(appserver.ServiceManagerOptions{Transport: transport}, "Chat"))
			})
		}
	}
}

// join lets a client in that is a user.
func join(t *testing.T, s *service, h *appserver.ServiceHub, userID string, protocol hubproto.Protocol) *client {
	t.Helper()
	n, err := h.Negotiate(appserver.NegotiateOptions{User: &appserver.User{ID: userID}})
	if err != nil {
		t.Fatal(err)
	}
	return s.connect(n, protocol)
}

func TestManagerSends(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, s *service, h *appserver.ServiceHub) {
		ctx := soon(t)
		ann := join(t, s, h, "ann", hubproto.JSON)
		bob := join(t, s, h, "bob", hubproto.MessagePack)
		for _, c := range []*client{ann, bob} {
			if err := h.Groups().Add(ctx, c.id, "both"); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.Groups().Add(ctx, bob.id, "b/ö +%.."); err != nil {
			t.Fatal(err)
		}
		clients := h.Clients()
		for _, c := range []struct {
			name  string
			to    appserver.ClientProxy
			reach []*client
		}{
			{"all", clients.All(), []*client{ann, bob}},
			{"all but ann", clients.AllExcept(ann.id, "nobody"), []*client{bob}},
			{"client", clients.Client(ann.id).ClientProxy, []*client{ann}},
			{"clients", clients.Clients(ann.id, bob.id, "nobody"), []*client{ann, bob}},
			{"no clients", clients.Clients(), nil},
			{"group", clients.Group("both"), []*client{ann, bob}},
			{"group with an odd name", clients.Group("b/ö +%.."), []*client{bob}},
			{"group but bob", clients.GroupExcept("both", bob.id), []*client{ann}},
			{"groups", clients.Groups("both", "b/ö +%..", "none"), []*client{ann, bob, bob}},
			{"user", clients.User("bob"), []*client{bob}},
			{"users", clients.Users("ann", "bob", "none"), []*client{ann, bob}},
		} {
			if err := c.to.Send(ctx, c.name, 7, "ö", []byte{1, 2}); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			for _, reached := range c.reach {
				want := []string{`7`, `"ö"`, `"AQI="`}
				if reached == bob {
					want = []string{"\x07", "\xa2ö", "\xc4\x02\x01\x02"}
				}
				var got []string
				for _, argument := range reached.want(c.name) {
					got = append(got, string(argument))
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: %s", c.name, diff)
				}
			}
		}
		if err := clients.All().Send(ctx, "x", make(chan int)); err == nil {
			t.Error("a channel was sent")
		}
	})
}

func TestManagerGroups(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, s *service, h *appserver.ServiceHub) {
		ctx := soon(t)
		ann := join(t, s, h, "ann", hubproto.JSON)
		groups, users := h.Groups(), h.UserGroups()
		is := func(what string, got bool, err error, want bool) {
			t.Helper()
			if err != nil || got != want {
				t.Errorf("%s: %v %v, want %v", what, got, err, want)
			}
		}
		exists := func(what string, f func(context.Context, string) (bool, error), name string, want bool) {
			t.Helper()
			got, err := f(ctx, name)
			is(what, got, err, want)
		}
		in := func(user, group string, want bool) {
			t.Helper()
			got, err := users.Contains(ctx, user, group)
			is(user+" in "+group, got, err, want)
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}
		exists("connection", h.ConnectionExists, ann.id, true)
		exists("no connection", h.ConnectionExists, "nobody", false)
		exists("user", h.UserExists, "ann", true)
		exists("no user", h.UserExists, "bob", false)
		exists("group before", groups.Exists, "g", false)
		must(groups.Add(ctx, ann.id, "g"))
		must(groups.Add(ctx, ann.id, "g")) // twice is no error
		exists("group", groups.Exists, "g", true)
		if err := groups.Add(ctx, "nobody", "g"); !errors.Is(err, appserver.ErrNotFound) {
			t.Errorf("add a stranger: %v", err)
		}
		must(groups.Remove(ctx, ann.id, "g"))
		exists("group after", groups.Exists, "g", false)
		must(groups.Add(ctx, ann.id, "g1"))
		must(groups.Add(ctx, ann.id, "g2"))
		must(groups.RemoveFromAll(ctx, ann.id))
		exists("group after all", groups.Exists, "g2", false)

		must(users.Add(ctx, "ann", "u"))
		in("ann", "u", true)
		in("ann", "other", false)
		exists("group of a user", groups.Exists, "u", true)
		must(users.AddFor(ctx, "ann", "now", 0))
		must(users.AddFor(ctx, "ann", "hour", time.Hour))
		again := join(t, s, h, "ann", hubproto.JSON)
		must(h.Clients().Group("now").Send(ctx, "first"))
		must(h.Clients().GroupExcept("hour", ann.id).Send(ctx, "second"))
		ann.want("first")
		again.want("second") // and not "first": it came later
		must(users.Remove(ctx, "ann", "u"))
		in("ann", "u", false)
		must(users.RemoveFromAll(ctx, "ann"))
		in("ann", "hour", false)
		for name, err := range map[string]error{
			"no group": groups.Add(ctx, ann.id, ""), "no user": users.Add(ctx, "", "g"), "no group for the user": users.AddFor(ctx, "ann", "", time.Hour),
			"leave no group": groups.Remove(ctx, ann.id, ""), "all of no user": users.RemoveFromAll(ctx, ""),
		} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	})
}

func TestManagerListsMembers(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, s *service, h *appserver.ServiceHub) {
		ctx := soon(t)
		want := make([]appserver.GroupMember, 7)
		for i := range want {
			user := ""
			if i > 0 {
				user = fmt.Sprint("user", i)
			}
			c := join(t, s, h, user, hubproto.JSON)
			if err := h.Groups().Add(ctx, c.id, "g"); err != nil {
				t.Fatal(err)
			}
			want[i] = appserver.GroupMember{ConnectionID: c.id, UserID: user}
		}
		byID := func(a, b appserver.GroupMember) int { return strings.Compare(a.ConnectionID, b.ConnectionID) }
		slices.SortFunc(want, byID)
		for _, pageSize := range []int{0, 1, 3, 7, 1000} {
			var got []appserver.GroupMember
			for m, err := range h.Groups().Members(ctx, "g", pageSize) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, m)
			}
			slices.SortFunc(got, byID)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pages of %d: %s", pageSize, diff)
			}
		}
		for range h.Groups().Members(ctx, "g", 1) {
			break // The others are not asked for.
		}
		for m, err := range h.Groups().Members(ctx, "nobody's", 0) {
			t.Errorf("a group that does not exist has %v %v", m, err)
		}
	})
}

func TestManagerAsksClients(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, s *service, h *appserver.ServiceHub) {
		ctx := soon(t)
		type point struct{ X, Y int }
		for _, protocol := range []hubproto.Protocol{hubproto.JSON, hubproto.MessagePack} {
			c := join(t, s, h, "", protocol)
			ask := func(into any, result, failure string) error {
				answered := make(chan error, 1)
				go func() { answered <- h.Clients().Client(c.id).Invoke(ctx, into, "ask", "why?") }()
				m := c.next()
				if m.Target != "ask" || !m.HasInvocationID || len(m.Arguments) != 1 {
					t.Errorf("the client was asked %+v", m)
				}
				c.answer(m, result, failure)
				return <-answered
			}
			result := map[hubproto.Protocol]string{hubproto.JSON: `{"x":3,"y":4}`, hubproto.MessagePack: "\x82\xa1X\x03\xa1Y\x04"}[protocol]
			var p point
			if err := ask(&p, result, ""); err != nil || p != (point{3, 4}) {
				t.Errorf("%v: %+v %v", protocol, p, err)
			}
			if err := ask(nil, result, ""); err != nil {
				t.Errorf("%v: %v", protocol, err)
			}
			var failed *appserver.HubError
			if err := ask(&p, "", "not today"); !errors.As(err, &failed) || failed.Message != "not today" {
				t.Errorf("%v: %v", protocol, err)
			}
			var number int
			if err := ask(&number, result, ""); err == nil {
				t.Errorf("%v: an object became a number", protocol)
			}
		}
		var failed *appserver.HubError
		if err := h.Clients().Client("nobody").Invoke(ctx, nil, "ask"); !errors.Is(err, appserver.ErrClientDisconnected) && !errors.As(err, &failed) {
			t.Errorf("nobody answered %v", err)
		}
		if err := h.Clients().Client("nobody").Invoke(ctx, 7, "ask"); err == nil || errors.As(err, &failed) {
			t.Errorf("a result that is no pointer: %v", err)
		}
		// A client that does not answer does not hold the caller longer than it wants.
		silent := join(t, s, h, "", hubproto.JSON)
		short, cancel := context.WithCancel(ctx)
		gaveUp := make(chan error, 1)
		go func() { gaveUp <- h.Clients().Client(silent.id).Invoke(short, nil, "ask") }()
		silent.want("ask")
		cancel()
		if err := <-gaveUp; !errors.Is(err, context.Canceled) {
			t.Errorf("gave up with %v", err)
		}
	})
}

func TestManagerCloses(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, s *service, h *appserver.ServiceHub) {
		ctx := soon(t)
		for name, c := range map[string]func(*client, *client) error{
			"one": func(gone, _ *client) error { return h.CloseConnection(ctx, gone.id, "one") },
			"all": func(_, stays *client) error { return h.CloseConnections(ctx, "all", stays.id) },
			"group": func(gone, stays *client) error {
				for _, c := range []*client{gone, stays} {
					if err := h.Groups().Add(ctx, c.id, "g"); err != nil {
						return err
					}
				}
				return h.CloseGroupConnections(ctx, "g", "group", stays.id)
			},
			"user": func(_, stays *client) error { return h.CloseUserConnections(ctx, "ann", "user", stays.id) },
		} {
			gone, stays := join(t, s, h, "ann", hubproto.JSON), join(t, s, h, "ann", hubproto.JSON)
			if err := c(gone, stays); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			gone.wantClose(name)
			if err := h.Clients().Client(stays.id).Send(ctx, "still there"); err != nil {
				t.Fatal(err)
			}
			stays.want("still there")
			if err := h.CloseConnection(ctx, stays.id, ""); err != nil {
				t.Fatal(err)
			}
			stays.wantClose("")
		}
		if err := h.CloseConnection(ctx, "nobody", "x"); err != nil {
			t.Errorf("nobody: %v", err)
		}
	})
}

func TestManagerNegotiates(t *testing.T) {
	t.Parallel()
	s := newService(t, resource.ModeServerless)
	h := s.manager(appserver.ServiceManagerOptions{ApplicationName: "App1", TokenLifetime: 2 * time.Hour}, "My.Hub")
	n, err := h.Negotiate(appserver.NegotiateOptions{
		User: &appserver.User{ID: "ann", Claims: []appserver.Claim{
			{Type: appserver.ClaimRole, Value: "a"}, {Type: appserver.ClaimRole, Value: "b"}, {Type: "aud", Value: "z"}, {Type: "own", Value: "ö"},
		}},
		TokenLifetime: 10 * time.Second, Diagnostic: true, DetailedErrors: true, CloseOnExpiration: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := s.URL + "/client/?hub=app1_my.hub"; n.URL != want {
		t.Errorf("url %s, want %s", n.URL, want)
	}
	claims := claimsOf(t, n.AccessToken)
	issued, _ := claims["iat"].(float64)
	for _, name := range []string{"iat", "nbf", "iss"} {
		delete(claims, name)
	}
	if diff := cmp.Diff(map[string]any{
		"asrs.s.uid": "ann", "asrs.s.dc": "true", "asrs.s.derror": "True", "asrs.s.coae": "true", "asrs.s.aeo": fmt.Sprint(int(issued) + 10),
		"role": []any{"a", "b"}, "asrs.u.aud": "z", "own": "ö", "exp": issued + 10, "aud": "http://127.0.0.1/client/?hub=app1_my.hub",
	}, claims); diff != "" {
		t.Error(diff)
	}
	s.connect(n, hubproto.JSON)

	n, err = h.Negotiate(appserver.NegotiateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	claims = claimsOf(t, n.AccessToken)
	if _, ok := claims["asrs.s.uid"]; ok || claims["exp"].(float64)-claims["nbf"].(float64) != 7200 {
		t.Errorf("the claims of an anonymous client: %v", claims)
	}
	if _, err := h.Negotiate(appserver.NegotiateOptions{TokenLifetime: -1}); err == nil {
		t.Error("a negative lifetime was taken")
	}
	large := &appserver.User{Claims: []appserver.Claim{{Type: "large", Value: strings.Repeat("x", 4096)}}}
	if _, err := h.Negotiate(appserver.NegotiateOptions{User: large}); !errors.Is(err, appserver.ErrTokenTooLong) {
		t.Errorf("a token that is too long: %v", err)
	}
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// Hubs of two applications, and two hubs, have nothing to do with each other.
func TestManagerKeepsApplicationsApart(t *testing.T) {
	t.Parallel()
	for _, transport := range []appserver.ServiceTransport{appserver.Transient, appserver.Persistent} {
		t.Run(transport.String(), func(t *testing.T) {
			t.Parallel()
			s := newService(t, resource.ModeServerless)
			ctx := soon(t)
			one := s.manager(appserver.ServiceManagerOptions{Transport: transport, ApplicationName: "One"}, "chat")
			two := s.manager(appserver.ServiceManagerOptions{Transport: transport, ApplicationName: "Two"}, "chat")
			inOne, inTwo := join(t, s, one, "ann", hubproto.JSON), join(t, s, two, "ann", hubproto.JSON)
			for name, h := range map[string]*appserver.ServiceHub{"one": one, "two": two} {
				if err := h.Clients().User("ann").Send(ctx, name); err != nil {
					t.Fatal(err)
				}
			}
			inOne.want("one")
			inTwo.want("two")
			if there, err := two.ConnectionExists(ctx, inOne.id); err != nil || there {
				t.Errorf("%v %v", there, err)
			}
		})
	}
}

func TestManagerErrorsOfTheService(t *testing.T) {
	t.Parallel()
	s := newService(t, resource.ModeServerless)
	ctx := soon(t)
	m, err := appserver.NewServiceManager("Endpoint="+s.URL+";AccessKey=another key;Version=1.0;", appserver.ServiceManagerOptions{HTTPClient: s.http})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if ok, err := m.Healthy(ctx); err != nil || !ok {
		t.Errorf("health: %v %v", ok, err)
	}
	h, err := m.Hub("chat")
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, h.Clients().All().Send(ctx, "x"), appserver.UnauthorizedRequest, http.StatusUnauthorized)
	_, err = h.UserExists(ctx, "ann")
	wantKind(t, err, appserver.UnauthorizedRequest, http.StatusUnauthorized)

	good := s.manager(appserver.ServiceManagerOptions{}, "chat")
	wantKind(t, good.Groups().Add(ctx, "c", strings.Repeat("g", 1025)), appserver.InvalidArgument, http.StatusBadRequest)
	for _, name := range []string{"", ".", ".."} {
		wantKind(t, good.Clients().Group(name).Send(ctx, "x"), appserver.InvalidArgument, 0)
		wantKind(t, good.Clients().Users("ann", name).Send(ctx, "x"), appserver.InvalidArgument, 0)
	}
	large := good.Clients().All().Send(ctx, "x", strings.Repeat("x", 1<<20))
	wantKind(t, large, appserver.RuntimeError, http.StatusRequestEntityTooLarge)
	if strings.Contains(large.Error(), serviceKey) {
		t.Errorf("the error shows the key: %v", large)
	}
	s.Server.CloseClientConnections()
}

func wantKind(t *testing.T, err error, kind appserver.ServiceErrorKind, status int) {
	t.Helper()
	var e *appserver.ServiceError
	if !errors.As(err, &e) || e.Kind != kind || e.StatusCode != status {
		t.Errorf("%v, want kind %q and status %d", err, kind, status)
	}
}

// A manager whose key is refused, or that is closed, sends nothing and says so.
func TestPersistentManagerWithoutConnection(t *testing.T) {
	t.Parallel()
	s := newService(t, resource.ModeServerless)
	m, err := appserver.NewServiceManager("Endpoint="+s.URL+";AccessKey=another key;Version=1.0;", appserver.ServiceManagerOptions{Transport: appserver.Persistent, HTTPClient: s.http})
	if err != nil {
		t.Fatal(err)
	}
	h, err := m.Hub("chat")
	if err != nil {
		t.Fatal(err)
	}
	if same, err := m.Hub("CHAT"); err != nil || same != h {
		t.Errorf("a second %p %v, want %p", same, err, h)
	}
	if err := h.Clients().All().Send(soon(t), "x"); !errors.Is(err, appserver.ErrNotConnected) {
		t.Errorf("a send: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := h.WaitConnected(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait: %v", err)
	}
	m.Close()
	m.Close()
	if _, err := m.Hub("other"); err == nil {
		t.Error("a closed manager gave a hub")
	}
}

// What was sent before Close arrives.
func TestPersistentManagerFlushesOnClose(t *testing.T) {
	t.Parallel()
	s := newService(t, resource.ModeServerless)
	m, err := appserver.NewServiceManager(s.connectionString(), appserver.ServiceManagerOptions{Transport: appserver.Persistent, HTTPClient: s.http})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	h, err := m.Hub("chat")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.WaitConnected(soon(t)); err != nil {
		t.Fatal(err)
	}
	c := join(t, s, h, "", hubproto.JSON)
	const many = 1000
	for i := range many {
		if err := h.Clients().Client(c.id).Send(soon(t), "number", i); err != nil {
			t.Fatal(err)
		}
	}
	m.Close()
	for i := range many {
		if got := string(c.want("number")[0]); got != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", got, i)
		}
	}
}

// quietHub is a hub that does nothing of its own accord.
type quietHub struct{}

// Nothing is there because a hub needs a method.
func (quietHub) Nothing() {}
