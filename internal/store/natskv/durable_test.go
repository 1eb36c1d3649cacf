package natskv_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/natsd"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
	"github.com/hubgate/hubgate/internal/store/natskv"
	"github.com/hubgate/hubgate/internal/testkit"
)

func TestRestart(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := t.TempDir()
	server := startNATS(t, dir)
	s := openStore(t, server, "")
	id := resource.NewID(resource.SignalRService, "signalR", "ASRS1")
	gone := resource.NewID(resource.SignalRService, "signalR", "ASRS2")
	last := uint64(0)
	for i := range 10 {
		revision, err := s.Put(ctx, id, fmt.Append(nil, i), last)
		if err != nil {
			t.Fatal(err)
		}
		last = revision
	}
	if _, err := s.Put(ctx, gone, []byte(`1`), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, gone, store.AnyRevision); err != nil {
		t.Fatal(err)
	}
	s.Close()
	server.Close()

	s = openStore(t, startNATS(t, dir), "")
	records, err := s.List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []store.Record{{ID: id, Kind: id.Type(), Value: []byte("9"), Revision: last}}
	if diff := cmp.Diff(want, records); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	if _, err := s.Put(ctx, id, []byte(`10`), last); err != nil {
		t.Errorf("a revision from before the restart is not good after it: %v", err)
	}
	revision, err := s.Put(ctx, gone, []byte(`2`), 0)
	if err != nil {
		t.Errorf("what was deleted before the restart cannot be made anew: %v", err)
	}
	if revision <= last+2 {
		t.Errorf("revision %d after the restart, but %d was given before it", revision, last+2)
	}
}

// The name of the variable under which this test binary writes records into the named directory until it is killed.
const writeForeverVariable = "HUBGATE_TEST_WRITE_FOREVER"

func writeForever(dir string) {
	ctx := context.Background()
	server, err := natsd.Start(ctx, natsd.Options{Dir: dir})
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	s, err := natskv.Open(ctx, server.Conn(), natskv.Options{})
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	for i := 0; ; i++ {
		id := resource.ID(fmt.Sprintf("/r/%d", i))
		if _, err := s.Put(ctx, id, []byte(id), 0); err != nil {
			fmt.Println("error:", err)
			return
		}
		fmt.Println(id)
	}
}

// TestKilled kills a process amid its writes and looks for each one that it had acknowledged.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), writeForeverVariable+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []resource.ID
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "error:") {
			t.Fatal(lines.Text())
		}
		acknowledged = append(acknowledged, resource.ID(lines.Text()))
		if len(acknowledged) == 300 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := child.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
	s := openStore(t, startNATS(t, dir), "")
	for _, id := range acknowledged {
		if r, err := s.Get(t.Context(), id); err != nil || string(r.Value) != string(id) {
			t.Errorf("Get(%s) = %q, %v after the process was killed", id, r.Value, err)
		}
	}
	if len(acknowledged) < 300 {
		t.Errorf("only %d writes were acknowledged", len(acknowledged))
	}
}

// TestTwoNodes has two stores on one bucket, as two nodes of a cluster have.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	server := startNATS(t, t.TempDir())
	a, b := openStore(t, server, ""), openStore(t, server, "")
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := b.Watch(watchCtx, "")
	if err != nil {
		t.Fatal(err)
	}
	if e := testkit.Receive(t, events, "the end of the records"); !e.Synced {
		t.Fatalf("an empty store sent %+v", e)
	}
	first, err := a.Put(ctx, "/x", []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	// The other node can write at a revision that it may not have seen yet.
	second, err := b.Put(ctx, "/x", []byte("2"), first)
	if err != nil {
		t.Fatal(err)
	}
	// This node may not have seen the second write yet, but its write must fail or win cleanly, never be lost.
	if _, err := a.Put(ctx, "/x", []byte("3"), first); resource.KindOf(err) != resource.PreconditionFailed {
		t.Errorf("a write at an overtaken revision: %v, want PreconditionFailed", err)
	}
	if err := a.Delete(ctx, "/x", store.AnyRevision); err != nil {
		t.Fatal(err)
	}
	for _, want := range []store.Event{
		{Record: store.Record{ID: "/x", Value: []byte("1"), Revision: first}},
		{Record: store.Record{ID: "/x", Value: []byte("2"), Revision: second}},
		{Record: store.Record{ID: "/x", Revision: second + 1}, Deleted: true},
	} {
		if diff := cmp.Diff(want, testkit.Receive(t, events, "a change")); diff != "" {
			t.Errorf("change (-want +got):\n%s", diff)
		}
	}
}
