package natskv_test

import (
	"os"
	"testing"

	"github.com/hubgate/hubgate/internal/natsd"
	"github.com/hubgate/hubgate/internal/store"
	"github.com/hubgate/hubgate/internal/store/natskv"
	"github.com/hubgate/hubgate/internal/store/storetest"
	"github.com/hubgate/hubgate/internal/testkit"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(writeForeverVariable); dir != "" {
		writeForever(dir)
		return
	}
	os.Exit(testkit.LeakCheck(m))
}

func startNATS(t *testing.T, dir string) *natsd.Server {
	t.Helper()
	server, err := natsd.Start(t.Context(), natsd.Options{Dir: dir, Name: "test", Logger: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

func openStore(t *testing.T, server *natsd.Server, bucket string) *natskv.Store {
	t.Helper()
	s, err := natskv.Open(t.Context(), server.Conn(), natskv.Options{Bucket: bucket, Logger: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		return openStore(t, startNATS(t, t.TempDir()), "")
	})
}
