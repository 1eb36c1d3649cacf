//go:build unix

package cli

import (
	"bytes"
	"context"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/hubgate/hubgate/internal/app"
	"github.com/hubgate/hubgate/internal/testkit"
)

// TestSignals is not parallel: it sends a signal to its own process.
func TestSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		drained := false
		node := func(ctx context.Context, _ app.Options, ready func(app.Addresses)) error {
			ready(addresses)
			if err := syscall.Kill(os.Getpid(), sig); err != nil {
				return err
			}
			testkit.Closed(t, ctx.Done(), "the node's context after "+sig.String())
			drained = true
			return ctx.Err()
		}
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"serve", "--data", t.TempDir()}, strings.NewReader(""), &stdout, &stderr, node); code != ExitOK || !drained {
			t.Errorf("%s: code %d, drained %t: %s", sig, code, drained, &stderr)
		}
	}
}
