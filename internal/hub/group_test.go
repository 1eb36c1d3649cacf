package hub

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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
		if first := h.firstUserGroupEnd.Load(); first < time.Now().Add(MaxMembership-5*time.Minute).Unix() {
			t.Errorf("a membership ends at %v, though the only one left lasts a year", time.Unix(first, 0))
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
		if !h.UserInGroup("u", "g") {
			t.Error("the membership is gone")
		}
		h.registry.Tick(ended.Add(time.Minute))
		if h.UserInGroup("u", "g") {
			t.Error("the membership does not end when its new time is over")
		}
	})
}

// TestEndsOfUserGroups: the ticks look at memberships only when one of them may be over.
func TestEndsOfUserGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry("node1")
		h := r.Hub("chat")
		start := time.Now()
		for _, step := range []struct {
			do   func()
			want time.Duration // of the first end, from the start; 0: there is none
		}{
			{func() {}, 0},
			{func() { h.UserJoin("u", "always", Forever) }, MaxMembership},
			{func() { h.UserJoin("u", "g", time.Minute) }, time.Minute},
			{func() { h.UserJoin("v", "g", time.Hour) }, time.Minute},
			{func() { h.UserLeave("u", "g") }, time.Minute}, // the next look finds out
			{func() { time.Sleep(time.Minute); r.Tick(time.Now()) }, time.Hour},
			{func() { h.UserLeaveAll("v"); h.UserLeaveAll("u") }, time.Hour},
			{func() { time.Sleep(time.Hour); r.Tick(time.Now()) }, 0},
		} {
			step.do()
			want := int64(0)
			if step.want != 0 {
				want = start.Add(step.want).Unix()
			}
			if got := h.firstUserGroupEnd.Load(); got != want {
				t.Errorf("the first end is at %d, want %d", got, want)
			}
		}
	})
}

// keeper is a store of users' groups in memory.
type keeper map[string]Membership

func (k keeper) Keep(_, user, group string, m Membership, done func(error)) {
	k[user+" "+group] = m
	if done != nil {
		done(nil)
	}
}

func (k keeper) Drop(_, user string, groups []string, done func(error)) {
	for _, g := range groups {
		delete(k, user+" "+g)
	}
	if done != nil {
		done(nil)
	}
}

// TestBoundsOfUserGroups is row 44 of the feature table: memberships without a lifetime last a year, and of each user the latest 100 are kept.
func TestBoundsOfUserGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry("node1")
		kept := make(keeper)
		r.Keeper = kept
		h := r.Hub("chat")
		h.AddLink(&server{id: "s"})
		there := client(t, h, "there", "u", "json")
		name := func(i int) string { return fmt.Sprintf("g%03d", i) }
		for i := range MaxStandingGroups {
			h.UserJoin("u", name(i), Forever)
			h.UserJoin("other", name(i), Forever)
			time.Sleep(time.Second)
		}
		h.UserJoin("u", name(0), Forever)             // the oldest becomes the latest
		h.UserJoin("u", "with-a-lifetime", time.Hour) // which does not count
		for i := range 3 {
			h.UserJoin("u", name(MaxStandingGroups+i), Forever)
		}
		later := client(t, h, "later", "u", "json")
		want := map[string]bool{"with-a-lifetime": true}
		for i := range MaxStandingGroups + 3 {
			want[name(i)] = i == 0 || i > 3
		}
		for g, in := range want {
			_, stored := kept["u "+g]
			if got := slices.Contains(later.Groups(), g); got != in || stored != in {
				t.Errorf("a client that came later is in %s: %v, stored: %v, want %v", g, got, stored, in)
			}
			if !slices.Contains(there.Groups(), g) {
				t.Errorf("the client that was there is not in %s any more", g)
			}
		}
		if len(kept) != 2*MaxStandingGroups+1 {
			t.Errorf("%d memberships are kept", len(kept))
		}

		// After a restart the order is still known.
		again := NewRegistry("node2")
		restored := again.Hub("chat")
		for key, m := range kept {
			user, group, _ := strings.Cut(key, " ")
			restored.RestoreUserGroup(user, group, m)
		}
		restored.UserJoin("u", "new", Forever)
		if restored.UserInGroup("u", name(4)) || !restored.UserInGroup("u", name(5)) || !restored.UserInGroup("u", name(0)) || !restored.UserInGroup("u", "new") {
			t.Error("after a restart it is not the oldest that makes room")
		}

		h.UserLeaveAll("u")
		h.UserJoin("u", "ten years", 10*MaxMembership)
		h.UserJoin("u", "always", Forever)
		time.Sleep(MaxMembership - time.Second)
		r.Tick(time.Now())
		if !h.UserInGroup("u", "ten years") || !h.UserInGroup("u", "always") {
			t.Error("a membership ended before a year was over")
		}
		time.Sleep(time.Second)
		r.Tick(time.Now())
		if h.UserInGroup("u", "ten years") || h.UserInGroup("u", "always") {
			t.Error("a membership lasts longer than a year")
		}
	})
}
