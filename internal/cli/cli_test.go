package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/hubgate/hubgate/internal/app"
	"github.com/hubgate/hubgate/internal/testkit"
)

// leakChecked is the test run with the leak check around it.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int { return testkit.LeakCheck(l.m) }

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){
		"hubgate": func() {
			os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, printingNode))
		},
	})
}

// printingNode stands for a node in the scripts, which are about the command line alone: it prints what it is to run, says
// that it is ready and ends.
func printingNode(_ context.Context, o app.Options, ready func(app.Addresses)) error {
	fmt.Fprintf(os.Stderr, "node: signalr=%s gateway=%s management=%s metrics=%s chatroom=%s demo=%t\n",
		o.SignalRAddress, o.GatewayAddress, o.ManagementAddress, o.MetricsAddress, o.ChatRoomAddress, o.Demo)
	if _, err := os.Stat(o.DataDir); err == nil {
		fmt.Fprintf(os.Stderr, "node: data=%s exists\n", o.DataDir)
	} else {
		fmt.Fprintf(os.Stderr, "node: data=%s\n", o.DataDir)
	}
	if o.NATSURL != "" {
		fmt.Fprintln(os.Stderr, "node: outside NATS")
	}
	for _, i := range o.Config.SignalR {
		fmt.Fprintf(os.Stderr, "node: instance %s\n", i.Name)
	}
	o.Logger.Info("a message of the node", "access_token", "hunter2")
	if os.Getenv("NODE_FAILS") != "" {
		return errors.New("listen tcp 127.0.0.1:8888: address already in use")
	}
	a := addresses
	if !o.Demo {
		a.ChatRoom = ""
	}
	ready(a)
	return nil
}

var addresses = app.Addresses{
	ChatRoom:         "http://localhost:5000",
	Gateway:          "http://localhost:8080",
	SignalR:          "http://localhost:8888",
	Management:       "https://localhost:9000",
	Portal:           "http://localhost:9000",
	Metrics:          "http://localhost:9100/metrics",
	CAFile:           "/data/ca.pem",
	ConnectionString: "Endpoint=http://localhost;Port=8888;AccessKey=k+/=;Version=1.0;ClientEndpoint=http://localhost:8080;",
	AdminToken:       "admin-token",
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true})
}

// TestContextEnds ends the context that main gives, as a signal would.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	node := func(ctx context.Context, o app.Options, ready func(app.Addresses)) error {
		if _, err := os.Stat(o.DataDir); err != nil {
			t.Errorf("the temporary directory is not there: %v", err)
		}
		t.Cleanup(func() {
			if _, err := os.Stat(o.DataDir); err == nil {
				t.Errorf("the temporary directory %s is left", o.DataDir)
			}
		})
		ready(addresses)
		cancel()
		<-ctx.Done()
		return nil
	}
	if code := run(ctx, []string{"demo"}, strings.NewReader(""), io.Discard, io.Discard, node); code != ExitOK {
		t.Errorf("code %d", code)
	}
}

// TestStdoutFails has a standard output that takes nothing: a script that waits for the line must learn that it will not come.
func TestStdoutFails(t *testing.T) {
	t.Parallel()
	node := func(ctx context.Context, _ app.Options, ready func(app.Addresses)) error {
		ready(addresses)
		testkit.Closed(t, ctx.Done(), "the node's context")
		return nil
	}
	var stderr bytes.Buffer
	code := run(t.Context(), []string{"demo", "--json"}, strings.NewReader(""), failingWriter{}, &stderr, node)
	if code != ExitFailure || !strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("code %d, stderr %q", code, &stderr)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestCleanEndpoint(t *testing.T) {
	t.Parallel()
	type result struct {
		Endpoint string
		Noted    bool
	}
	for text, want := range map[string]result{
		"http://localhost:8080":           {"http://localhost:8080", false},
		"http://localhost:8080/":          {"http://localhost:8080", false},
		"https://[::1]:8443//":            {"https://[::1]:8443", false},
		"https://apim1.example/signalr":   {"https://apim1.example/signalr/", true},
		"https://apim1.example/signalr/":  {"https://apim1.example/signalr/", false},
		"https://apim1.example/a%2Fb/c d": {"https://apim1.example/a%2Fb/c d/", true},
	} {
		endpoint, note, err := cleanEndpoint(text)
		if err != nil {
			t.Errorf("cleanEndpoint(%q): %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, result{endpoint, note != ""}); diff != "" {
			t.Errorf("cleanEndpoint(%q) (-want +got):\n%s", text, diff)
		}
	}
	for _, text := range []string{"", "localhost:8080", "ftp://x", "http://", "http://x/?a=b", "http://x/#a", "http://x/;y", "http://user:hunter2@x", "http://x:0", "http://x:99999", "http://x:abc", "://"} {
		if endpoint, _, err := cleanEndpoint(text); err == nil {
			t.Errorf("cleanEndpoint(%q) = %q, want an error", text, endpoint)
		}
	}
}
