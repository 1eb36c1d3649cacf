// Package storetest is the contract of a store as tests, which every implementation runs.
package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
	"github.com/hubgate/hubgate/internal/testkit"
)

// Run runs the contract. New makes an empty store, which Run closes.
func Run(t *testing.T, newStore func(t *testing.T) store.Store) {
	tests := []struct {
		name string
		run  func(t *testing.T, s store.Store)
	}{
		{"put and get", testPutGet},
		{"ids are equal without regard to case", testCase},
		{"expected revisions of Put", testPutRevisions},
		{"expected revisions of Delete", testDeleteRevisions},
		{"list", testList},
		{"odd ids", testOddIDs},
		{"refused ids and values", testRefused},
		{"values are copied", testCopies},
		{"large value", testLarge},
		{"watch", testWatch},
		{"watch of a prefix", testWatchPrefix},
		{"slow watcher loses nothing", testSlowWatcher},
		{"watchers see the same order", testOrder},
		{"watch ends", testWatchEnds},
		{"increments under competition", testCompetition},
		{"one of many creations wins", testCreations},
		{"closed", testClosed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			test.run(t, s)
		})
	}
}

var (
	asrs1   = resource.NewID(resource.SignalRService, "signalR", "ASRS1")
	apim1   = resource.NewID(resource.ApiManagement, "service", "APIM1")
	connect = apim1.Child("apis", "connect")
)

func put(t *testing.T, s store.Store, id resource.ID, value string, ifRevision uint64) uint64 {
	t.Helper()
	revision, err := s.Put(t.Context(), id, []byte(value), ifRevision)
	if err != nil {
		t.Fatalf("Put(%s): %v", id, err)
	}
	return revision
}

func remove(t *testing.T, s store.Store, id resource.ID) {
	t.Helper()
	if err := s.Delete(t.Context(), id, store.AnyRevision); err != nil {
		t.Fatalf("Delete(%s): %v", id, err)
	}
}

func wantKind(t *testing.T, what string, err error, want resource.ErrorKind) {
	t.Helper()
	if got := resource.KindOf(err); got != want {
		t.Errorf("%s: error %v is of kind %q, want %q", what, err, got, want)
	}
}

func wantRecord(t *testing.T, s store.Store, id resource.ID, want store.Record) {
	t.Helper()
	got, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("Get(%s): %v", id, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Get(%s) (-want +got):\n%s", id, diff)
	}
}

func testPutGet(t *testing.T, s store.Store) {
	_, err := s.Get(t.Context(), asrs1)
	wantKind(t, "Get before Put", err, resource.NotFound)

	first := put(t, s, asrs1, `{"n":1}`, store.AnyRevision)
	wantRecord(t, s, asrs1, store.Record{ID: asrs1, Kind: "Microsoft.SignalRService/signalR", Value: []byte(`{"n":1}`), Revision: first})
	second := put(t, s, connect, `{}`, store.AnyRevision)
	wantRecord(t, s, connect, store.Record{ID: connect, Kind: "Microsoft.ApiManagement/service/apis", Value: []byte(`{}`), Revision: second})
	third := put(t, s, asrs1, `{"n":2}`, store.AnyRevision)
	wantRecord(t, s, asrs1, store.Record{ID: asrs1, Kind: "Microsoft.SignalRService/signalR", Value: []byte(`{"n":2}`), Revision: third})
	if first == 0 || first >= second || second >= third {
		t.Errorf("revisions %d, %d, %d do not grow from above 0", first, second, third)
	}

	remove(t, s, asrs1)
	_, err = s.Get(t.Context(), asrs1)
	wantKind(t, "Get after Delete", err, resource.NotFound)
	fourth := put(t, s, asrs1, `{"n":3}`, store.AnyRevision)
	if fourth <= third {
		t.Errorf("revision %d after the deletion, want above %d", fourth, third)
	}
	wantRecord(t, s, asrs1, store.Record{ID: asrs1, Kind: "Microsoft.SignalRService/signalR", Value: []byte(`{"n":3}`), Revision: fourth})
}

func testCase(t *testing.T, s store.Store) {
	shouted := resource.ID(strings.ToUpper(string(asrs1)))
	first := put(t, s, asrs1, `1`, 0)
	wantRecord(t, s, shouted, store.Record{ID: asrs1, Kind: asrs1.Type(), Value: []byte(`1`), Revision: first})
	second := put(t, s, shouted, `2`, first)
	wantRecord(t, s, asrs1, store.Record{ID: asrs1, Kind: asrs1.Type(), Value: []byte(`2`), Revision: second})
	records, err := s.List(t.Context(), resource.ID(strings.ToLower(string(asrs1))))
	if err != nil || len(records) != 1 || records[0].ID != asrs1 {
		t.Errorf("List in lower case = %v, %v; want the one record as it was spelled first", records, err)
	}
	_, err = s.Put(t.Context(), shouted, []byte(`3`), 0)
	wantKind(t, "creating it in upper case", err, resource.Conflict)
	remove(t, s, shouted)
	_, err = s.Get(t.Context(), asrs1)
	wantKind(t, "Get after deletion in upper case", err, resource.NotFound)
}

func testPutRevisions(t *testing.T, s store.Store) {
	ctx := t.Context()
	_, err := s.Put(ctx, asrs1, []byte(`0`), 7)
	wantKind(t, "Put at a revision of what is not there", err, resource.PreconditionFailed)
	first := put(t, s, asrs1, `1`, 0)
	_, err = s.Put(ctx, asrs1, []byte(`2`), 0)
	wantKind(t, "Put of a second one", err, resource.Conflict)
	second := put(t, s, asrs1, `2`, first)
	_, err = s.Put(ctx, asrs1, []byte(`3`), first)
	wantKind(t, "Put at an old revision", err, resource.PreconditionFailed)
	_, err = s.Put(ctx, asrs1, []byte(`3`), second+100)
	wantKind(t, "Put at a revision that is yet to come", err, resource.PreconditionFailed)
	other := put(t, s, connect, `x`, 0)
	_, err = s.Put(ctx, asrs1, []byte(`3`), other)
	wantKind(t, "Put at the revision of another record", err, resource.PreconditionFailed)
	wantRecord(t, s, asrs1, store.Record{ID: asrs1, Kind: asrs1.Type(), Value: []byte(`2`), Revision: second})

	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := watch(t, s, watchCtx, asrs1)
	syncRecords(t, events)
	remove(t, s, asrs1)
	deletion := testkit.Receive(t, events, "the deletion")
	_, err = s.Put(ctx, asrs1, []byte(`4`), second)
	wantKind(t, "Put at the revision of a deleted record", err, resource.PreconditionFailed)
	_, err = s.Put(ctx, asrs1, []byte(`4`), deletion.Record.Revision)
	wantKind(t, "Put at the revision of the deletion", err, resource.PreconditionFailed)
	put(t, s, asrs1, `5`, 0)
}

func testDeleteRevisions(t *testing.T, s store.Store) {
	ctx := t.Context()
	wantKind(t, "Delete of what is not there", s.Delete(ctx, asrs1, store.AnyRevision), resource.NotFound)
	wantKind(t, "Delete at a revision of what is not there", s.Delete(ctx, asrs1, 3), resource.NotFound)
	first := put(t, s, asrs1, `1`, 0)
	second := put(t, s, asrs1, `2`, first)
	wantKind(t, "Delete at an old revision", s.Delete(ctx, asrs1, first), resource.PreconditionFailed)
	wantKind(t, "Delete at revision 0", s.Delete(ctx, asrs1, 0), resource.PreconditionFailed)
	wantKind(t, "Delete at a revision that is yet to come", s.Delete(ctx, asrs1, second+100), resource.PreconditionFailed)
	if err := s.Delete(ctx, asrs1, second); err != nil {
		t.Errorf("Delete at the right revision: %v", err)
	}
	wantKind(t, "second Delete", s.Delete(ctx, asrs1, store.AnyRevision), resource.NotFound)
}

func list(t *testing.T, s store.Store, prefix resource.ID) []string {
	t.Helper()
	records, err := s.List(t.Context(), prefix)
	if err != nil {
		t.Fatalf("List(%q): %v", prefix, err)
	}
	values := []string{}
	for _, r := range records {
		values = append(values, string(r.Value))
	}
	return values
}

func testList(t *testing.T, s store.Store) {
	if got := list(t, s, ""); len(got) != 0 {
		t.Errorf("a new store lists %v", got)
	}
	for _, path := range []string{"/a", "/a/b", "/a/b/c", "/a-b", "/a-b/x", "/ab", "/A/z", "/a.b", "/b", "/a/b-c"} {
		put(t, s, resource.ID(path), strings.ToLower(path), 0)
	}
	for _, test := range []struct {
		prefix resource.ID
		want   []string
	}{
		{"", []string{"/a", "/a-b", "/a-b/x", "/a.b", "/a/b", "/a/b-c", "/a/b/c", "/a/z", "/ab", "/b"}},
		{"/a", []string{"/a", "/a/b", "/a/b-c", "/a/b/c", "/a/z"}},
		{"/A/B", []string{"/a/b", "/a/b/c"}},
		{"/b", []string{"/b"}},
		{"/c", []string{}},
		{"/a/y", []string{}},
	} {
		if diff := cmp.Diff(test.want, list(t, s, test.prefix)); diff != "" {
			t.Errorf("List(%q) (-want +got):\n%s", test.prefix, diff)
		}
	}
	remove(t, s, "/a/b")
	if diff := cmp.Diff([]string{"/a/b/c"}, list(t, s, "/a/b")); diff != "" {
		t.Errorf("deleting a record must leave those below it (-want +got):\n%s", diff)
	}
}

func testOddIDs(t *testing.T, s store.Store) {
	ids := []resource.ID{
		"/subscriptions/s/resourceGroups/A group (of mine).v2/x",
		"/x/GET.orders_{id}*>", "/x/..", "/x/.", "/x/$KV", "/x/=41", "/x/a", "/x/_", "/x/Größe", "/x/面", "/x/a%2fb", "/x/a;rev=2", "/x/ ",
		resource.ID("/" + strings.Repeat("long.", 200)),
	}
	for _, id := range ids {
		put(t, s, id, string(id), 0)
	}
	for _, id := range ids {
		r, err := s.Get(t.Context(), id)
		if err != nil || r.ID != id || string(r.Value) != string(id) {
			t.Errorf("Get(%q) = %+v, %v", id, r, err)
		}
	}
	for _, id := range ids {
		remove(t, s, id)
	}
	if got := list(t, s, ""); len(got) != 0 {
		t.Errorf("left after deleting everything: %q", got)
	}
}

func testRefused(t *testing.T, s store.Store) {
	ctx := t.Context()
	for _, id := range []resource.ID{"", "/", "a", "a/b", "/a/", "//a", "/a//b", "/a\nb", "/a\x00", "/a\x7f", resource.ID("/" + strings.Repeat("a", store.MaxIDLength))} {
		_, err := s.Put(ctx, id, []byte(`1`), store.AnyRevision)
		wantKind(t, fmt.Sprintf("Put(%.20q)", id), err, resource.Invalid)
		_, err = s.Get(ctx, id)
		wantKind(t, fmt.Sprintf("Get(%.20q)", id), err, resource.Invalid)
		wantKind(t, fmt.Sprintf("Delete(%.20q)", id), s.Delete(ctx, id, store.AnyRevision), resource.Invalid)
		if id == "" {
			continue
		}
		_, err = s.List(ctx, id)
		wantKind(t, fmt.Sprintf("List(%.20q)", id), err, resource.Invalid)
		_, err = s.Watch(ctx, id)
		wantKind(t, fmt.Sprintf("Watch(%.20q)", id), err, resource.Invalid)
	}
	_, err := s.Put(ctx, asrs1, make([]byte, store.MaxValueLength+1), store.AnyRevision)
	wantKind(t, "Put of too large a value", err, resource.Invalid)
	if got := list(t, s, ""); len(got) != 0 {
		t.Errorf("refused writes left %q", got)
	}
}

func testCopies(t *testing.T, s store.Store) {
	value := []byte(`"before"`)
	if _, err := s.Put(t.Context(), asrs1, value, 0); err != nil {
		t.Fatal(err)
	}
	copy(value, `"after!"`)
	if got := list(t, s, ""); got[0] != `"before"` {
		t.Errorf("the stored value changed with the caller's slice: %s", got[0])
	}
}

func testLarge(t *testing.T, s store.Store) {
	large := strings.Repeat("x", store.MaxValueLength)
	put(t, s, asrs1, large, 0)
	r, err := s.Get(t.Context(), asrs1)
	if err != nil || string(r.Value) != large {
		t.Errorf("a value of %d bytes came back as %d bytes, %v", len(large), len(r.Value), err)
	}
}

func watch(t *testing.T, s store.Store, ctx context.Context, prefix resource.ID) <-chan store.Event {
	t.Helper()
	events, err := s.Watch(ctx, prefix)
	if err != nil {
		t.Fatalf("Watch(%q): %v", prefix, err)
	}
	return events
}

// syncRecords reads the records before the Synced event.
func syncRecords(t *testing.T, events <-chan store.Event) []string {
	t.Helper()
	values := []string{}
	for {
		e := testkit.Receive(t, events, "the records of a new watch")
		if e.Deleted {
			t.Fatalf("a deletion before Synced: %+v", e)
		}
		if e.Synced {
			return values
		}
		values = append(values, string(e.Record.Value))
	}
}

// wantChanges reads changes and compares them: a value for a write, "-" and the id for a deletion.
func wantChanges(t *testing.T, events <-chan store.Event, want ...string) {
	t.Helper()
	got := []string{}
	var revision uint64
	for range want {
		e := testkit.Receive(t, events, fmt.Sprintf("change %d of %q", len(got), want))
		change := string(e.Record.Value)
		if e.Deleted {
			change = "-" + string(e.Record.ID)
		}
		if e.Record.Revision <= revision {
			t.Errorf("change %q has revision %d, which is not above %d", change, e.Record.Revision, revision)
		}
		revision = e.Record.Revision
		got = append(got, change)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func testWatch(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	empty := watch(t, s, ctx, "")
	if got := syncRecords(t, empty); len(got) != 0 {
		t.Errorf("a watch of an empty store begins with %v", got)
	}
	put(t, s, "/b", "b1", 0)
	put(t, s, "/A", "a1", 0)
	put(t, s, "/b", "b2", store.AnyRevision)
	wantChanges(t, empty, "b1", "a1", "b2")

	second := watch(t, s, ctx, "")
	if diff := cmp.Diff([]string{"a1", "b2"}, syncRecords(t, second)); diff != "" {
		t.Errorf("records of the second watch (-want +got):\n%s", diff)
	}
	remove(t, s, "/a")
	put(t, s, "/a", "a2", 0)
	for _, events := range []<-chan store.Event{empty, second} {
		wantChanges(t, events, "-/A", "a2")
	}
}

func testWatchPrefix(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	put(t, s, "/a/b", "b", 0)
	put(t, s, "/a/bc", "bc", 0)
	events := watch(t, s, ctx, "/A/B")
	if diff := cmp.Diff([]string{"b"}, syncRecords(t, events)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	put(t, s, "/a/bc/d", "no", 0)
	put(t, s, "/a", "no", 0)
	put(t, s, "/a/b/c", "c", 0)
	remove(t, s, "/a/bc")
	remove(t, s, "/a/b")
	put(t, s, "/x", "no", 0)
	put(t, s, "/a/b/c", "c2", store.AnyRevision)
	wantChanges(t, events, "c", "-/a/b", "c2")
}

func testSlowWatcher(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	slow := watch(t, s, ctx, "")
	const writes = 700
	var want []string
	for i := range writes {
		value := fmt.Sprint(i)
		put(t, s, resource.ID(fmt.Sprintf("/r/%d", i%7)), value, store.AnyRevision)
		want = append(want, value)
	}
	syncRecords(t, slow)
	wantChanges(t, slow, want...)
}

func testOrder(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watches := []<-chan store.Event{watch(t, s, ctx, ""), watch(t, s, ctx, ""), watch(t, s, ctx, "")}
	const writers, writes = 5, 40
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := range writes {
				id := resource.ID(fmt.Sprintf("/r/%d", i%3))
				if _, err := s.Put(ctx, id, fmt.Appendf(nil, "%d.%d", w, i), store.AnyRevision); err != nil {
					t.Errorf("Put: %v", err)
				}
			}
		})
	}
	running.Wait()
	var first []uint64
	for n, events := range watches {
		syncRecords(t, events)
		var revisions []uint64
		for i := range writers * writes {
			e := testkit.Receive(t, events, fmt.Sprintf("change %d", i))
			if len(revisions) > 0 && e.Record.Revision <= revisions[len(revisions)-1] {
				t.Errorf("watch %d: revision %d after %d", n, e.Record.Revision, revisions[len(revisions)-1])
			}
			revisions = append(revisions, e.Record.Revision)
		}
		if n == 0 {
			first = revisions
		} else if diff := cmp.Diff(first, revisions); diff != "" {
			t.Errorf("watch %d differs from the first one (-first +this):\n%s", n, diff)
		}
	}
}

func testWatchEnds(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	events := watch(t, s, ctx, "")
	syncRecords(t, events)
	cancel()
	testkit.Closed(t, events, "a watch whose context ended")
	put(t, s, asrs1, `1`, 0)
}

func testCompetition(t *testing.T, s store.Store) {
	ctx := t.Context()
	put(t, s, asrs1, "0", 0)
	const writers, increments = 4, 25
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for done := 0; done < increments; {
				r, err := s.Get(ctx, asrs1)
				if err != nil {
					t.Errorf("Get: %v", err)
					return
				}
				var n int
				if _, err := fmt.Sscan(string(r.Value), &n); err != nil {
					t.Errorf("value %q: %v", r.Value, err)
					return
				}
				switch _, err := s.Put(ctx, asrs1, fmt.Append(nil, n+1), r.Revision); {
				case err == nil:
					done++
				case resource.KindOf(err) != resource.PreconditionFailed:
					t.Errorf("Put: %v", err)
					return
				}
			}
		})
	}
	running.Wait()
	if got := list(t, s, ""); got[0] != fmt.Sprint(writers*increments) {
		t.Errorf("%d increments gave %s", writers*increments, got[0])
	}
}

func testCreations(t *testing.T, s store.Store) {
	for round := range 5 {
		errs := make([]error, 6)
		var running sync.WaitGroup
		for i := range errs {
			running.Go(func() { _, errs[i] = s.Put(t.Context(), asrs1, fmt.Append(nil, i), 0) })
		}
		running.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				wantKind(t, "a creation that lost", err, resource.Conflict)
			}
		}
		if won != 1 {
			t.Errorf("round %d: %d creations of one resource won, want 1", round, won)
		}
		remove(t, s, asrs1)
	}
}

func testClosed(t *testing.T, s store.Store) {
	ctx := t.Context()
	put(t, s, asrs1, `1`, 0)
	read, unread := watch(t, s, ctx, ""), watch(t, s, ctx, "")
	testkit.Receive(t, read, "the record")
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	for range read {
		// What was on its way may still come; then the channel must be closed.
	}
	for range unread {
	}
	_, err := s.Get(ctx, asrs1)
	wantKind(t, "Get", err, resource.Unavailable)
	_, err = s.List(ctx, "")
	wantKind(t, "List", err, resource.Unavailable)
	_, err = s.Put(ctx, asrs1, []byte(`2`), store.AnyRevision)
	wantKind(t, "Put", err, resource.Unavailable)
	wantKind(t, "Delete", s.Delete(ctx, asrs1, store.AnyRevision), resource.Unavailable)
	_, err = s.Watch(ctx, "")
	wantKind(t, "Watch", err, resource.Unavailable)
}
