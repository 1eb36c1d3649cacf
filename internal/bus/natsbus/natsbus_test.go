package natsbus_test

import (
	"net/url"
	"os"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/hubgate/hubgate/internal/bus/bustest"
	"github.com/hubgate/hubgate/internal/bus/natsbus"
	"github.com/hubgate/hubgate/internal/natsd"
	"github.com/hubgate/hubgate/internal/natsd/natstest"
	"github.com/hubgate/hubgate/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }

func connect(t *testing.T, o natsd.Options) *natsd.Server {
	t.Helper()
	o.Logger = testkit.Logger(t)
	s, err := natsd.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestTwoConnections(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	address, stop := natstest.Run(t, dir, 0)
	a, b := connect(t, natsd.Options{URL: address, Name: "a"}), connect(t, natsd.Options{URL: address, Name: "b"})
	one, two := natsbus.New(a.Conn()), natsbus.New(b.Conn())
	bustest.Run(t, one, two)

	got := make(chan string, 1)
	cancel, err := two.Subscribe("after.all", func(body []byte) { got <- string(body) })
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	lost := a.Conn().StatusChanged(nats.RECONNECTING)
	stop()
	testkit.Receive(t, lost, "the loss of the connection")
	if err := one.Publish("after.all", []byte("lost")); err == nil {
		t.Error("a message is taken while NATS is away")
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	backA, backB := a.Conn().StatusChanged(nats.CONNECTED), b.Conn().StatusChanged(nats.CONNECTED)
	natstest.Run(t, dir, port)
	testkit.Receive(t, backA, "the connection of a")
	testkit.Receive(t, backB, "the connection of b")
	if err := b.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if err := one.Publish("after.all", []byte("found")); err != nil {
		t.Fatal(err)
	}
	if body := testkit.Receive(t, got, "a message when NATS is back"); body != "found" {
		t.Errorf("%q comes when NATS is back", body)
	}
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	b := natsbus.New(connect(t, natsd.Options{Dir: t.TempDir(), Name: "a"}).Conn())
	bustest.Run(t, b, b)
}
