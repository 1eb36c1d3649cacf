// Package natstest runs NATS servers for tests, with a port and data on disk, as an operator would.
package natstest

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// patience is how long a server may take to start.
const patience = 30 * time.Second

// Run starts a server with JetStream that keeps its data in dir, on a port of the loopback, or on a free one when port is 0. The test ends it, or
// stop does before.
func Run(t testing.TB, dir string, port int) (url string, stop func()) {
	t.Helper()
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir, SyncAlways: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	stop = func() { s.Shutdown(); s.WaitForShutdown() }
	t.Cleanup(stop)
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not start")
	}
	return s.ClientURL(), stop
}
