package feed_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
	"github.com/hubgate/hubgate/internal/store/feed"
	"github.com/hubgate/hubgate/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }

func record(id resource.ID, revision uint64) store.Record {
	return store.Record{ID: id, Value: []byte(`{}`), Revision: revision}
}

func wantEvents(t *testing.T, events <-chan store.Event, want ...store.Event) {
	t.Helper()
	for _, w := range want {
		if diff := cmp.Diff(w, testkit.Receive(t, events, "an event")); diff != "" {
			t.Errorf("event (-want +got):\n%s", diff)
		}
	}
}

// TestReplace tells watchers the difference, and no more.
func TestReplace(t *testing.T) {
	t.Parallel()
	f := feed.New()
	t.Cleanup(f.Close)
	for _, r := range []store.Record{record("/changed", 1), record("/gone", 2), record("/kept", 3)} {
		f.Put(r)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events, err := f.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	wantEvents(t, events, store.Event{Record: record("/changed", 1)}, store.Event{Record: record("/gone", 2)}, store.Event{Record: record("/kept", 3)}, store.Event{Synced: true})

	f.Replace([]store.Record{record("/kept", 3), record("/new", 6), record("/changed", 7)}, 9)
	wantEvents(t, events,
		store.Event{Record: store.Record{ID: "/gone", Revision: 9}, Deleted: true},
		store.Event{Record: record("/new", 6)},
		store.Event{Record: record("/changed", 7)})
	if f.Revision() != 9 {
		t.Errorf("revision %d, want 9", f.Revision())
	}

	// A source that was put back to an older state has lower revisions, and they hold.
	f.Replace([]store.Record{record("/changed", 1)}, 2)
	wantEvents(t, events,
		store.Event{Record: store.Record{ID: "/kept", Revision: 2}, Deleted: true},
		store.Event{Record: store.Record{ID: "/new", Revision: 2}, Deleted: true},
		store.Event{Record: record("/changed", 1)})
	if f.Revision() != 2 {
		t.Errorf("revision %d, want 2", f.Revision())
	}
}

// TestOldChanges come late, as after a repeated delivery, and must not undo newer ones.
func TestOldChanges(t *testing.T) {
	t.Parallel()
	f := feed.New()
	t.Cleanup(f.Close)
	f.Put(record("/a", 5))
	f.Put(record("/a", 4))
	f.Put(record("/a", 5))
	f.Delete("/a", 3)
	f.Delete("/b", 6)
	records, err := f.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]store.Record{record("/a", 5)}, records); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if f.Revision() != 6 {
		t.Errorf("revision %d, want 6", f.Revision())
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	f := feed.New()
	f.Put(record("/a", 1))
	if err := f.Wait(t.Context(), 1); err != nil {
		t.Errorf("waiting for what is there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waited := make(chan error)
	go func() { waited <- f.Wait(ctx, 2) }()
	cancel()
	if err := testkit.Receive(t, waited, "the end of the context"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting until the context ended: %v", err)
	}
	go func() { waited <- f.Wait(t.Context(), 2) }()
	f.Put(record("/b", 2))
	if err := testkit.Receive(t, waited, "the change"); err != nil {
		t.Errorf("waiting for a change: %v", err)
	}
	go func() { waited <- f.WaitPast(t.Context(), "/A", 1) }()
	f.Delete("/a", 3)
	if err := testkit.Receive(t, waited, "the deletion"); err != nil {
		t.Errorf("waiting for a deletion: %v", err)
	}
	go func() { waited <- f.Wait(t.Context(), 9) }()
	f.Close()
	if err := testkit.Receive(t, waited, "the end of the feed"); err == nil {
		t.Error("waiting went well at a closed feed")
	}
}
