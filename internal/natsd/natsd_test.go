package natsd_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hubgate/hubgate/internal/natsd"
	"github.com/hubgate/hubgate/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }

func TestEmbedded(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	s, err := natsd.Start(t.Context(), natsd.Options{Dir: dir, Name: "node", Logger: testkit.Logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !s.Embedded() || s.Check(t.Context()) != nil {
		t.Errorf("Embedded() = %v, Check() = %v", s.Embedded(), s.Check(t.Context()))
	}
	sub, err := s.Conn().SubscribeSync("x")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Conn().Publish("x", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if m, err := sub.NextMsg(testkit.Patience); err != nil || string(m.Data) != "hello" {
		t.Errorf("NextMsg = %v, %v", m, err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the data directory is %v, %v; want it closed to other users", info, err)
	}
	s.Close()
	if s.Check(t.Context()) == nil {
		t.Error("a closed server says that it is ready")
	}
	s.Close()
}

func TestDirectoryInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := natsd.Start(t.Context(), natsd.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := natsd.Start(t.Context(), natsd.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second server on the directory: %v", err)
	}
	first.Close()
	second, err := natsd.Start(t.Context(), natsd.Options{Dir: dir})
	if err != nil {
		t.Fatalf("after the first server closed: %v", err)
	}
	second.Close()
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		options natsd.Options
		want    string
	}{
		{"no directory", natsd.Options{}, "needs a data directory"},
		{"a file for a directory", natsd.Options{Dir: file}, "data directory"},
		{"nobody listens", natsd.Options{URL: "nats://user:hunter2@127.0.0.1:1", StartTimeout: 300 * time.Millisecond}, "check that it runs"},
		{"not a URL", natsd.Options{URL: "nats://user:hunter2@host:port"}, "connecting to NATS"},
		{"bad credentials file", natsd.Options{URL: "nats://127.0.0.1:1", CredentialsFile: file + "x"}, "connecting to NATS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			test.options.Logger = slog.New(slog.NewTextHandler(&log, nil))
			s, err := natsd.Start(t.Context(), test.options)
			if err == nil {
				s.Close()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %q, want it to say %q", err, test.want)
			}
			if strings.Contains(err.Error()+log.String(), "hunter2") {
				t.Errorf("the password shows: %v\n%s", err, &log)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := natsd.Start(ctx, natsd.Options{Dir: t.TempDir()}); err == nil {
		t.Error("started with a context that had ended")
	}
}
