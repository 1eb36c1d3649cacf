package store_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
	"github.com/hubgate/hubgate/internal/store/memstore"
	"github.com/hubgate/hubgate/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }

func instance(name string) *resource.SignalR {
	return &resource.SignalR{ID: resource.NewID(resource.SignalRService, "signalR", name), PrimaryKey: "p", SecondaryKey: "s"}
}

func openMemory(t *testing.T) store.Store {
	t.Helper()
	s := memstore.New()
	t.Cleanup(func() { s.Close() })
	return s
}

func TestTyped(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), openMemory(t)
	want := instance("ASRS1")
	want.HostNames = []string{"asrs1.example"}
	put, err := store.Put(ctx, s, want, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, revision, err := store.Get[resource.SignalR](ctx, s, want.ID)
	if err != nil || revision != put {
		t.Fatalf("Get = revision %d, %v; want %d", revision, err, put)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, _, err := store.Get[resource.SignalR](ctx, s, instance("other").ID); resource.KindOf(err) != resource.NotFound {
		t.Errorf("Get of what is not there: %v", err)
	}
	if _, err := store.Put(ctx, s, &resource.SignalR{ID: want.ID}, store.AnyRevision); resource.KindOf(err) != resource.Invalid {
		t.Errorf("Put of an instance without keys: %v, want Invalid", err)
	}
	if _, err := s.Put(ctx, want.ID, []byte(`{"mode":7}`), store.AnyRevision); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Get[resource.SignalR](ctx, s, want.ID); resource.KindOf(err) != resource.Invalid {
		t.Errorf("Get of a value of another type: %v, want Invalid", err)
	}
}

func TestCodec(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), openMemory(t)
	codec := store.NewCodec(map[string]func() resource.Resource{
		"microsoft.signalrservice/SIGNALR": func() resource.Resource { return new(resource.SignalR) },
	})
	if diff := cmp.Diff([]string{"microsoft.signalrservice/signalr"}, codec.Kinds()); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	for _, name := range []string{"b-instance", "a-instance"} {
		if _, err := store.Put(ctx, s, instance(name), 0); err != nil {
			t.Fatal(err)
		}
	}
	foreign := resource.NewID("Microsoft.Else", "things", "one")
	if _, err := s.Put(ctx, foreign, []byte(`{}`), 0); err != nil {
		t.Fatal(err)
	}
	records, err := s.List(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	resources, err := codec.DecodeAll(records)
	if err != nil {
		t.Fatal(err)
	}
	want := []resource.Resource{instance("a-instance"), instance("b-instance")}
	if diff := cmp.Diff(want, resources); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = codec.Decode(store.Record{ID: foreign, Kind: foreign.Type(), Value: []byte(`{}`)})
	if resource.KindOf(err) != resource.Invalid || !strings.Contains(err.Error(), "Microsoft.Else/things") {
		t.Errorf("decoding an unknown type: %v", err)
	}
	records[0] = store.Record{ID: want[0].ResourceID(), Kind: want[0].ResourceID().Type(), Value: []byte(`[`)}
	resources, err = codec.DecodeAll(append(records, records[0]))
	if resource.KindOf(err) != resource.Invalid || len(resources) == 0 {
		t.Errorf("one broken record: %d resources and error %v; want the good ones and an error", len(resources), err)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), openMemory(t)
	a, b := instance("a-instance"), instance("b-instance")
	written, err := store.Apply(ctx, s, []resource.Resource{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]resource.ID{a.ID, b.ID}, written); diff != "" {
		t.Errorf("first time (-want +got):\n%s", diff)
	}
	b.Mode = resource.ModeServerless
	written, err = store.Apply(ctx, s, []resource.Resource{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]resource.ID{b.ID}, written); diff != "" {
		t.Errorf("only what changed is written (-want +got):\n%s", diff)
	}
	a.Mode, b.Mode = resource.ModeClassic, "Wrong"
	if written, err = store.Apply(ctx, s, []resource.Resource{a, b}); resource.KindOf(err) != resource.Invalid || len(written) != 0 {
		t.Errorf("with an invalid resource: wrote %v, error %v; want nothing written and Invalid", written, err)
	}
}
