package hub

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func groupsOf(c *Client) []string {
	g := c.Groups()
	slices.Sort(g)
	return g
}

func expectGroups(t *testing.T, what string, c *Client, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, groupsOf(c)); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	h, _ := newHub()
	a, b := client(t, h, "a", "", "json"), client(t, h, "b", "", "json")
	for range 2 { // joining twice is joining once
		if !h.Join(a, "g") || !h.Join(a, "h") || !h.Join(b, "g") {
			t.Fatal("a client cannot join")
		}
	}
	expectGroups(t, "a", a, "g", "h")
	expectIDs(t, "g", h.Members("g"), "a", "b")
	for _, group := range []string{"g", "g", "never was in it"} {
		if !h.Leave(a, group) {
			t.Errorf("leaving %q is an error", group)
		}
	}
	expectGroups(t, "a", a, "h")
	expectIDs(t, "g", h.Members("g"), "b")
	if !h.LeaveAll(a) || !h.LeaveAll(b) {
		t.Error("leaving all failed")
	}
	if h.GroupExists("g") || h.GroupExists("h") || h.Members("g") != nil {
		t.Error("a group without members exists")
	}
}

// The lists that make leaving quick agree with a plain map after any sequence of joins and leaves.
func TestGroupsAgainstModel(t *testing.T) {
	t.Parallel()
	h, _ := newHub()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same sequence each time is what is wanted
	var clients []*Client
	for i := range 20 {
		clients = append(clients, client(t, h, fmt.Sprintf("c%02d", i), "", "json"))
	}
	model := map[string]map[string]bool{"g0": {}, "g1": {}, "g2": {}}
	for step := range 5000 {
		c, g := clients[random.IntN(len(clients))], fmt.Sprint("g", random.IntN(len(model)))
		switch random.IntN(10) {
		case 0:
			h.LeaveAll(c)
			for _, m := range model {
				delete(m, c.ID)
			}
		case 1, 2, 3, 4:
			h.Leave(c, g)
			delete(model[g], c.ID)
		default:
			h.Join(c, g)
			model[g][c.ID] = true
		}
		var want []string
		for id := range model[g] {
			want = append(want, id)
		}
		expectIDs(t, fmt.Sprintf("step %d, group %s", step, g), h.Members(g), want...)
	}
}

func TestMembersAfter(t *testing.T) {
	t.Parallel()
	h, _ := newHub()
	for i := range 7 {
		h.Join(client(t, h, fmt.Sprint("c", i), "", "json"), "g")
	}
	for _, test := range []struct {
		after string
		size  int
		want  []string
		more  bool
	}{
		{"", 3, []string{"c0", "c1", "c2"}, true},
		{"c2", 3, []string{"c3", "c4", "c5"}, true},
		{"c5", 3, []string{"c6"}, false},
		{"c6", 3, nil, false},
		{"c", 7, []string{"c0", "c1", "c2", "c3", "c4", "c5", "c6"}, false},
		{"c2-left-meanwhile", 1, []string{"c3"}, true},
	} {
		page, more := h.MembersAfter("g", test.after, test.size)
		var ids []string
		for _, c := range page {
			ids = append(ids, c.ID)
		}
		if diff := cmp.Diff(test.want, ids); diff != "" || more != test.more {
			t.Errorf("%d after %q: more %t, difference %s", test.size, test.after, more, diff)
		}
	}
}

func TestUserGroups(t *testing.T) {
	t.Parallel()
	h, _ := newHub()
	first := client(t, h, "first", "u", "json")
	h.UserJoin("u", "now", 0)
	h.UserJoin("u", "always", Forever)
	h.UserJoin("nobody", "now", 0)
	expectGroups(t, "a client that is there", first, "always", "now")
	second := client(t, h, "second", "u", "json")
	expectGroups(t, "a client that came later", second, "always")
	if !h.UserInGroup("u", "always") || !h.UserInGroup("u", "now") || h.UserInGroup("u", "other") || h.UserInGroup("nobody", "now") {
		t.Error("who is in which group is wrong")
	}
	h.Detach(first)
	h.Detach(second)
	if !h.UserInGroup("u", "always") || h.UserInGroup("u", "now") || h.UserExists("u") {
		t.Error("without a client, the memberships that outlive it are wrong")
	}
	third := client(t, h, "third", "u", "json")
	h.Join(third, "own")
	h.UserLeave("u", "always")
	expectGroups(t, "after the user has left a group", third, "own")
	h.UserJoin("u", "again", Forever)
	h.UserJoin("u", "own", Forever)
	h.UserLeaveAll("u")
	expectGroups(t, "after the user has left all", third, "own")
	h.UserLeaveAll("nobody")
	h.UserLeave("nobody", "g")
}

// A membership of the user's ends alone; the connection's own stays.
func TestTwoReasonsForOneMembership(t *testing.T) {
	t.Parallel()
	h, _ := newHub()
	c := client(t, h, "c", "u", "json")
	h.Join(c, "g")
	h.UserJoin("u", "g", Forever)
	h.UserLeave("u", "g")
	expectGroups(t, "its own membership", c, "g")
	h.UserJoin("u", "g", Forever)
	h.Leave(c, "g") // however it came in
	expectGroups(t, "after it has left itself", c)
}

func TestUserGroupLifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry("node1")
		h := r.Hub("chat")
		h.AddLink(&server{id: "s"})
		tick := func(d time.Duration) {
			time.Sleep(d)
			r.Tick(time.Now())
		}
		c := client(t, h, "c", "u", "json")
		h.UserJoin("u", "short", 10*time.Second)
		h.UserJoin("u", "long", time.Minute)
		h.UserJoin("u", "always", Forever)
		h.UserJoin("absent", "short", 10*time.Second)
		tick(9 * time.Second)
		expectGroups(t, "before the first ends", c, "always", "long", "short")
		later := client(t, h, "later", "u", "json")
		expectGroups(t, "a client that came later", later, "always", "long", "short")

		h.UserJoin("u", "long", time.Minute) // anew: from now on
		tick(time.Second)
		expectGroups(t, "when the first has ended", c, "always", "long")
		expectGroups(t, "the later client", later, "always", "long")
		if h.UserInGroup("absent", "short") {
			t.Error("the absent user is in a group whose time is over")
		}

		time.Sleep(59 * time.Second)
		if h.UserInGroup("x", "long") || !h.UserInGroup("u", "long") {
			t.Error("before a tick has ended it, the clients are still in it")
		}
		lastOne := client(t, h, "last", "u", "json")
		expectGroups(t, "a client that comes when the time is over but no tick was", lastOne, "always")
		tick(0)
		expectGroups(t, "at the end", c, "always")
		if n := h.timedUserGroups.Load(); n != 0 {
			t.Errorf("%d memberships with an end are counted", n)
		}
		if s := h.users.of("absent"); s.m["absent"] != nil {
			t.Error("an absent user without memberships is remembered")
		}
	})
}

// A membership that is renewed in the moment in which it ends goes on.
func TestUserGroupRenewedWhileItEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _ := newHub()
		c := client(t, h, "c", "u", "json")
		h.UserJoin("u", "g", time.Second)
		time.Sleep(time.Second)
		ended := time.Now()
		h.UserJoin("u", "g", time.Minute) // after the tick had listed it
		h.endUserGroup("u", "g", ended)
		expectGroups(t, "the client", c, "g")
		if !h.UserInGroup("u", "g") || h.timedUserGroups.Load() != 1 {
			t.Errorf("the membership is gone, or %d are counted", h.timedUserGroups.Load())
		}
	})
}

func TestTimedUserGroupsAreCounted(t *testing.T) {
	t.Parallel()
	h, _ := newHub()
	for _, step := range []struct {
		do   func()
		want int64
	}{
		{func() { h.UserJoin("u", "g", time.Minute) }, 1},
		{func() { h.UserJoin("u", "g", time.Minute) }, 1},
		{func() { h.UserJoin("u", "h", time.Minute) }, 2},
		{func() { h.UserJoin("u", "h", Forever) }, 1},
		{func() { h.UserLeave("u", "h") }, 1},
		{func() { h.UserLeaveAll("u") }, 0},
	} {
		step.do()
		if got := h.timedUserGroups.Load(); got != step.want {
			t.Errorf("%d memberships with an end are counted, want %d", got, step.want)
		}
	}
}
