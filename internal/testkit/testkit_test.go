package testkit

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(LeakCheck(m)) }

// This test is not parallel: the leak check sees the goroutines of the whole process.
func TestLeakCheck(t *testing.T) {
	release := make(chan struct{})
	leak := func() int {
		go func() { <-release }()
		return 0
	}
	var stderr bytes.Buffer
	if code := leakCheck(leak, &stderr, time.Millisecond); code != 1 || !strings.Contains(stderr.String(), "TestLeakCheck") {
		t.Errorf("with a goroutine left: code %d and message %q, want 1 and where it began", code, &stderr)
	}
	close(release)
	if code := leakCheck(func() int { return 0 }, &stderr, time.Minute); code != 0 {
		t.Errorf("with nothing left: code %d: %s", code, &stderr)
	}
	if code := leakCheck(func() int { return 7 }, &stderr, 0); code != 7 {
		t.Errorf("failed tests: code %d, want theirs", code)
	}
}
