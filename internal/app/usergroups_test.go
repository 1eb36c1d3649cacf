package app

import (
	"log/slog"
	"testing"
	"time"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/store"
	"github.com/hubgate/hubgate/internal/store/memstore"
)

// TestUserGroupsOutliveTheNode is row 44 of the feature table: what was acknowledged is there after a restart, and what was left is not.
func TestUserGroupsOutliveTheNode(t *testing.T) {
	t.Parallel()
	kept := memstore.New()
	defer kept.Close()
	log := slog.New(slog.DiscardHandler)

	begin := func(s store.Store) (*hub.Hub, *userGroups) {
		t.Helper()
		u := newUserGroups(s, log)
		registry := hub.NewRegistry("node")
		if err := u.of(t.Context(), "ASRS1", registry); err != nil {
			t.Fatal(err)
		}
		return registry.Hub("chat"), u
	}
	durable := func(change func(done func(error))) {
		t.Helper()
		c := make(chan error, 1)
		change(func(err error) { c <- err })
		if err := <-c; err != nil {
			t.Fatal(err)
		}
	}

	h, u := begin(kept)
	const odd = "Åsa/日 .. %2F\x00" // names may hold anything, and differ by case
	for _, group := range []string{"always", "Always", "left", odd} {
		durable(func(done func(error)) { h.UserJoinThen(odd, group, hub.Forever, done) })
	}
	durable(func(done func(error)) { h.UserJoinThen(odd, "for an hour", time.Hour, done) })
	durable(func(done func(error)) { h.UserJoinThen(odd, "now only", 0, done) })
	durable(func(done func(error)) { h.UserLeaveThen(odd, "left", done) })
	durable(func(done func(error)) { h.UserJoinThen("gone", "g", hub.Forever, done) })
	durable(func(done func(error)) { h.UserLeaveAllThen("gone", done) })
	u.close()

	h, u = begin(kept)
	defer u.close()
	for group, want := range map[string]bool{"always": true, "Always": true, odd: true, "for an hour": true, "left": false, "now only": false, "ALWAYS": false} {
		if got := h.UserInGroup(odd, group); got != want {
			t.Errorf("after the restart the user is in %q: %v, want %v", group, got, want)
		}
	}
	if h.UserInGroup("gone", "g") {
		t.Error("a user who left all groups is in one after the restart")
	}

	u2 := newUserGroups(kept, log)
	defer u2.close()
	other := hub.NewRegistry("node")
	if err := u2.of(t.Context(), "ASRS2", other); err != nil {
		t.Fatal(err)
	}
	if other.Hub("chat").UserInGroup(odd, "always") {
		t.Error("another instance has the groups of the first")
	}
}
