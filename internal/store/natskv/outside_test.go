package natskv_test

import (
	"context"
	"net"
	"strconv"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hubgate/hubgate/internal/natsd"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
	"github.com/hubgate/hubgate/internal/testkit"
)

// outsideNATS runs a NATS server with a port, as an operator would; port 0 takes a free one.
func outsideNATS(t *testing.T, dir string, port int) *server.Server {
	t.Helper()
	if port == 0 {
		port = server.RANDOM_PORT
	}
	srv, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir, SyncAlways: true, MaxPayload: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(testkit.Patience) {
		t.Fatal("the NATS server does not start")
	}
	return srv
}

// TestOutsideRestarts takes the NATS server away, changes the bucket behind the node's back and brings the server back: the node must end up
// with the bucket's state, its watches told of each difference.
func TestOutsideRestarts(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := t.TempDir()
	outside := outsideNATS(t, dir, 0)
	port := outside.Addr().(*net.TCPAddr).Port
	node, err := natsd.Start(ctx, natsd.Options{URL: "nats://127.0.0.1:" + strconv.Itoa(port), Logger: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close)
	s := openStore(t, node, "resources")
	for _, id := range []resource.ID{"/kept", "/deleted"} {
		if _, err := s.Put(ctx, id, []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
	}
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := s.Watch(watchCtx, "")
	if err != nil {
		t.Fatal(err)
	}
	for e := testkit.Receive(t, events, "the records"); !e.Synced; e = testkit.Receive(t, events, "the records") {
	}

	_, err = s.Put(ctx, "/large", make([]byte, 128<<10), 0)
	if resource.KindOf(err) != resource.Invalid {
		t.Errorf("a value above the server's max_payload: %v, want Invalid", err)
	}

	lost := node.Conn().StatusChanged(nats.RECONNECTING)
	outside.Shutdown()
	outside.WaitForShutdown()
	testkit.Receive(t, lost, "the loss of the connection")
	if _, err := s.Get(ctx, "/kept"); err != nil {
		t.Errorf("reading while NATS is away: %v", err)
	}
	if _, err := s.Put(ctx, "/kept", []byte("2"), store.AnyRevision); resource.KindOf(err) != resource.Unavailable {
		t.Errorf("writing while NATS is away: %v, want Unavailable", err)
	}
	if err := s.Delete(ctx, "/kept", store.AnyRevision); resource.KindOf(err) != resource.Unavailable {
		t.Errorf("deleting while NATS is away: %v, want Unavailable", err)
	}

	// A server on the same data that the node does not reach: in it one record goes without a trace.
	hidden := outsideNATS(t, dir, 0)
	js := jetStream(t, hidden)
	stream, err := js.Stream(ctx, "KV_resources")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject("$KV.resources.deleted")); err != nil {
		t.Fatal(err)
	}
	hidden.Shutdown()
	hidden.WaitForShutdown()

	outsideNATS(t, dir, port)
	e := testkit.Receive(t, events, "the deletion")
	if !e.Deleted || e.Record.ID != "/deleted" {
		t.Errorf("after the server came back: %+v, want the deletion of /deleted", e)
	}
	if _, err := s.Put(ctx, "/kept", []byte("3"), store.AnyRevision); err != nil {
		t.Errorf("writing after NATS came back: %v", err)
	}
	if e := testkit.Receive(t, events, "the write"); string(e.Record.Value) != "3" {
		t.Errorf("the watch after NATS came back: %+v", e)
	}
}

func jetStream(t *testing.T, srv *server.Server) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(srv.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// TestForeignEntries puts things into the bucket that are not resources: they are left out and harm nothing.
func TestForeignEntries(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	outside := outsideNATS(t, t.TempDir(), 0)
	node, err := natsd.Start(ctx, natsd.Options{URL: outside.ClientURL(), Logger: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Close)
	s := openStore(t, node, "resources")
	bucket, err := jetStream(t, outside).KeyValue(ctx, "resources")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(ctx, "/x", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	for _, entry := range [][2]string{{"UPPER", "1 /UPPER\n1"}, {"=zz", "1 /a\n1"}, {"mismatch", "1 /other\n1"}, {"noform", "what"}, {"future", "2 /future\n1"}, {"x", "overwritten"}} {
		if _, err := bucket.PutString(ctx, entry[0], entry[1]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Put(ctx, "/y", []byte("2"), 0); err != nil {
		t.Fatal(err)
	}
	for _, opened := range []store.Store{s, openStore(t, node, "resources")} {
		records, err := opened.List(ctx, "")
		if err != nil || len(records) != 1 || records[0].ID != "/y" {
			t.Errorf("List = %v, %v; want /y alone", records, err)
		}
	}
}
