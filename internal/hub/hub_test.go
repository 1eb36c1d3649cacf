package hub

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRegistry(t *testing.T) {
	t.Parallel()
	r := NewRegistry("node1")
	a, b := r.Hub("chat"), r.Hub("alerts")
	if r.Hub("chat") != a {
		t.Error("a hub was made twice")
	}
	if diff := cmp.Diff([]string{"alerts", "chat"}, []string{r.Hubs()[0].Name, r.Hubs()[1].Name}); diff != "" {
		t.Error(diff)
	}
	a.AddLink(&server{id: "s"})
	client(t, a, "c", "u", "json")
	if b.Client("c") != nil || b.UserExists("u") || len(b.Links()) > 0 {
		t.Error("what belongs to one hub is seen in another")
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	busy, idle, other := &server{id: "a"}, &server{id: "a"}, &server{id: "b"}
	busy.Add(5)
	idle.Add(3)
	other.Add(1)
	h := NewRegistry("node1").Hub("chat")
	if _, err := h.Attach(&Client{ID: "x", Receiver: new(receiver)}, StickyDisabled, ""); !errors.Is(err, ErrNoServer) {
		t.Errorf("without an app server: %v", err)
	}
	for _, l := range []*server{busy, idle, other} {
		h.AddLink(l)
	}
	for i, test := range []struct {
		sticky Sticky
		server string
		want   *server
		err    error
	}{
		{StickyDisabled, "", other, nil},
		{StickyDisabled, "a", other, nil},
		{StickyPreferred, "a", idle, nil},
		{StickyPreferred, "gone", other, nil},
		{StickyRequired, "a", idle, nil},
		{StickyRequired, "gone", nil, ErrServerNotFound},
	} {
		c := &Client{ID: fmt.Sprint(i), Receiver: new(receiver)}
		got, err := h.Attach(c, test.sticky, test.server)
		if !errors.Is(err, test.err) {
			t.Errorf("case %d: error %v, want %v", i, err, test.err)
		}
		if test.err != nil {
			if h.Client(c.ID) != nil || h.Detach(c) != nil {
				t.Errorf("case %d: a client that was refused is there", i)
			}
			continue
		}
		if got != Link(test.want) || c.Link() != got {
			t.Errorf("case %d: got the link of %s with %d clients", i, got.ServerID(), got.Load())
		}
		h.Detach(c) // each case begins with the same loads
	}
	if busy.Load() != 5 || idle.Load() != 3 || other.Load() != 1 {
		t.Errorf("loads are %d, %d, %d after all have left, want 5, 3, 1", busy.Load(), idle.Load(), other.Load())
	}
	h.RemoveLink(other)
	if diff := cmp.Diff([]string{"a"}, h.Servers()); diff != "" {
		t.Error(diff)
	}
}

func TestBalance(t *testing.T) {
	t.Parallel()
	h := NewRegistry("node1").Hub("chat")
	links := make([]*server, 5)
	for i := range links {
		links[i] = &server{id: "s"}
		h.AddLink(links[i])
	}
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() { client(t, h, fmt.Sprint(i), "", "json") })
	}
	all.Wait()
	for i, l := range links {
		if l.Load() != 200 || len(h.ClientsOf(l)) != 200 {
			t.Errorf("link %d carries %d clients and counts %d, want 200", i, len(h.ClientsOf(l)), l.Load())
		}
	}
}

func TestStateful(t *testing.T) {
	t.Parallel()
	h, _ := newHub()
	if h.Stateful() {
		t.Error("no app server allows it")
	}
	h.AddLink(&server{id: "new", stateful: true})
	if !h.Stateful() {
		t.Error("an app server allows it")
	}
}

func TestDetach(t *testing.T) {
	t.Parallel()
	h, s := newHub()
	a, b, c := client(t, h, "a", "u", "json"), client(t, h, "b", "u", "json"), client(t, h, "c", "", "json")
	h.Join(a, "g")
	h.Join(b, "g")
	if got := h.Detach(a); got != Link(s) {
		t.Errorf("detaching gave %v, want the link", got)
	}
	if got := h.Detach(a); got != nil {
		t.Errorf("detaching again gave %v", got)
	}
	if h.Join(a, "g") || h.Leave(a, "g") || h.LeaveAll(a) {
		t.Error("a client that is gone can join or leave")
	}
	if h.Count() != 2 || s.Load() != 2 || h.Client("a") != nil {
		t.Errorf("%d clients, %d on the link, client a is %v", h.Count(), s.Load(), h.Client("a"))
	}
	expectIDs(t, "all", h.All(), "b", "c")
	expectIDs(t, "the group", h.Members("g"), "b")
	expectIDs(t, "the user", h.ClientsOfUser("u"), "b")
	h.Detach(b)
	h.Detach(c)
	if h.GroupExists("g") || h.UserExists("u") || h.Count() != 0 || s.Load() != 0 {
		t.Error("something is left")
	}
}

func TestDuplicate(t *testing.T) {
	t.Parallel()
	h, s := newHub()
	first := client(t, h, "same", "", "json")
	second := &Client{ID: "same", Receiver: new(receiver)}
	if _, err := h.Attach(second, StickyDisabled, ""); !errors.Is(err, ErrDuplicate) {
		t.Fatalf("got %v", err)
	}
	if h.Detach(second) != nil {
		t.Error("a client that was refused can be detached")
	}
	if h.Client("same") != first || h.Count() != 1 || s.Load() != 1 {
		t.Errorf("the first client is no longer there, or %d are, or the link counts %d", h.Count(), s.Load())
	}
}

// Detaching may come at any moment of an attaching: a client that posts its handshake may close its event stream meanwhile.
func TestAttachDetachRace(t *testing.T) {
	t.Parallel()
	h, s := newHub()
	h.UserJoin("u", "of-user", Forever)
	bystander := client(t, h, "bystander", "", "json") // must never be touched
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 2000 {
				c := &Client{ID: fmt.Sprintf("%d-%d", worker, i), UserID: "u", HasUser: true, Protocol: "json", Receiver: new(receiver)}
				var both sync.WaitGroup
				both.Go(func() {
					if _, err := h.Attach(c, StickyDisabled, ""); err != nil {
						t.Error(err)
					}
					h.Join(c, "g")
				})
				both.Go(func() { h.Detach(c) })
				both.Wait()
				h.Detach(c) // when the other one came too early
			}
		})
	}
	all.Wait()
	expectIDs(t, "all", h.All(), bystander.ID)
	if h.Count() != 1 || s.Load() != 1 || h.GroupExists("g") || h.GroupExists("of-user") || h.UserExists("u") {
		t.Errorf("%d clients, %d on the link, group %t, user's group %t, user %t", h.Count(), s.Load(), h.GroupExists("g"), h.GroupExists("of-user"), h.UserExists("u"))
	}
}

// Everything at once, for the race detector; at the end nothing is left.
func TestEverythingRaces(t *testing.T) {
	t.Parallel()
	h, s := newHub()
	h.AddLink(&server{id: "server2"})
	stop := make(chan struct{})
	var senders, clients sync.WaitGroup
	senders.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			h.Broadcast(json("x"), nil, nil)
			h.SendToGroup([]byte("g"), json("x"), nil, nil, nil)
			h.SendToUsers(byteSlices("u0", "u1"), json("x"), nil)
			h.SendToClients(byteSlices("0-1", "1-1"), json("x"), nil)
			h.Members("g")
			h.ClientsOf(s)
			h.UserJoin("u1", "h", 0)
			h.UserLeaveAll("u1")
		}
	})
	for worker := range 4 {
		clients.Go(func() {
			for i := range 300 {
				c := client(t, h, fmt.Sprintf("%d-%d", worker, i), fmt.Sprintf("u%d", i%3), "json")
				h.Join(c, "g")
				h.Leave(c, "g")
				h.Join(c, "g")
				if i%2 == 0 {
					_, _ = h.Move(c, c.Link())
				}
				h.Detach(c)
			}
		})
	}
	clients.Wait()
	close(stop)
	senders.Wait()
	if h.Count() != 0 || h.GroupExists("g") || h.GroupExists("h") {
		t.Errorf("%d clients are left, groups %t, %t", h.Count(), h.GroupExists("g"), h.GroupExists("h"))
	}
	for _, l := range h.Links() {
		if l.Load() != 0 {
			t.Errorf("the link of %s counts %d", l.ServerID(), l.Load())
		}
	}
}

func TestMove(t *testing.T) {
	t.Parallel()
	h, first := newHub()
	c := client(t, h, "c", "", "json")
	same := &server{id: "server1"}
	h.AddLink(same)
	if _, err := h.Move(c, first); !errors.Is(err, ErrNoServer) {
		t.Errorf("moved to the same app server: %v", err)
	}
	busy, idle := &server{id: "server2"}, &server{id: "server3"}
	busy.Add(10)
	h.AddLink(busy)
	h.AddLink(idle)
	got, err := h.Move(c, first)
	if err != nil || got != Link(idle) || c.Link() != Link(idle) || first.Load() != 0 || idle.Load() != 1 {
		t.Errorf("moved to %v, error %v, loads %d and %d", got, err, first.Load(), idle.Load())
	}
	if _, err := h.Move(c, first); err == nil {
		t.Error("moved away from a link that does not carry it")
	}
	h.Detach(c)
	if _, err := h.Move(c, idle); err == nil || idle.Load() != 0 {
		t.Errorf("moved after it has left: error %v, load %d", err, idle.Load())
	}
}
