// Package testkit holds what tests of many packages need: the goroutine-leak check, a logger that writes to the test, and
// waiting for events with a bound.
package testkit

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Patience is how long [Receive] waits. It bounds a test that hangs and says nothing about speed, so it is generous: machines that run
// tests are often busy.
const Patience = 30 * time.Second

// LeakCheck runs the tests of a package and fails it when goroutines are left at the end; its result is the exit code:
//
//	func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }
//
// Goroutines get about a minute to end; connection pools of HTTP clients must be closed by the test that used them.
func LeakCheck(m *testing.M) int { return leakCheck(m.Run, os.Stderr, time.Minute) }

func leakCheck(run func() int, stderr io.Writer, patience time.Duration) int {
	before := goleak.IgnoreCurrent()
	code := run()
	if code != 0 {
		return code
	}
	deadline := time.Now().Add(patience)
	for {
		err := goleak.Find(before)
		if err == nil {
			return 0
		}
		if time.Now().After(deadline) {
			fmt.Fprintf(stderr, "goroutines are left after the tests: %v\n", err)
			return 1
		}
	}
}

// Logger is a logger that writes to the log of a test, down to debug level, until the test has ended.
func Logger(t testing.TB) *slog.Logger {
	w := &testWriter{t: t}
	t.Cleanup(w.end)
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// testWriter drops what comes after the test: writing to its log then would panic.
type testWriter struct {
	mu    sync.Mutex
	t     testing.TB
	ended bool
}

func (w *testWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.t.Helper()
		w.t.Logf("%s", p)
	}
	return len(p), nil
}

func (w *testWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}

// Receive receives one value from a channel. It ends the test when none comes within [Patience] or the channel is closed;
// what names the value in the message.
func Receive[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case v, ok := <-from:
		if !ok {
			t.Fatalf("waiting for %s: the channel is closed", what)
		}
		return v
	case <-timer.C:
		t.Fatalf("waiting for %s: nothing came within %s", what, Patience)
	}
	panic("unreachable")
}

// Closed waits until a channel is closed. It ends the test when a value comes or [Patience] is over.
func Closed[T any](t testing.TB, ch <-chan T, what string) {
	t.Helper()
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case v, ok := <-ch:
		if ok {
			t.Fatalf("%s: got %v, want the channel closed", what, v)
		}
	case <-timer.C:
		t.Fatalf("%s: the channel is not closed after %s", what, Patience)
	}
}
