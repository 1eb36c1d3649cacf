package natsbus_test

import (
	"os"
	"testing"

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
	url, stop := natstest.Run(t, t.TempDir())
	a, b := connect(t, natsd.Options{URL: url, Name: "a"}), connect(t, natsd.Options{URL: url, Name: "b"})
	one := natsbus.New(a.Conn())
	bustest.Run(t, one, natsbus.New(b.Conn()))

	lost := a.Conn().StatusChanged()
	stop()
	testkit.Receive(t, lost, "the loss of the connection")
	if err := one.Publish("bustest.one", []byte("x")); err == nil {
		t.Error("a message is taken while NATS is away")
	}
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	b := natsbus.New(connect(t, natsd.Options{Dir: t.TempDir(), Name: "a"}).Conn())
	bustest.Run(t, b, b)
}
