//go:build conformance

package conformance

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A topology is what lies between the clients and their hubs.
type topology struct {
	config string // a file of testdata, without its extension; "" means that there is no service: the app server is plain ASP.NET Core
	reach  string // which transports get through: all, websockets or http
}

// The topologies that the suites run over.
var (
	plain        = topology{"", "all"}
	direct       = topology{"direct", "all"}
	sharedSuffix = topology{"shared-suffix", "all"}
	twoSuffixes  = topology{"two-suffixes", "websockets"}
	httpOnly     = topology{"http-only", "http"}
)

// A stage is a running service with an app server behind it.
type stage struct {
	topology
	appURL         string
	clientEndpoint string // where clients are sent, "" without a service
	metrics        string
	control        string

	more        map[string]string   // further values for the configuration
	environment []string            // of the app servers
	programs    map[string]*program // by the names under which suites stop and start them
}

// An appServer makes the command of an app server that listens at url.
type appServer func(url string) (*exec.Cmd, error)

// dotnetServer is the real .NET app server. The test is skipped where there is no .NET.
func dotnetServer(t *testing.T) appServer {
	t.Helper()
	command, err := here.dotnetApp("appserver")
	if err != nil {
		here.skip(t, err)
	}
	return func(url string) (*exec.Cmd, error) { return command("--urls", url), nil }
}

// goServer is the same app server written with the Go SDK.
func goServer(t *testing.T) appServer {
	t.Helper()
	path, err := here.goapp()
	if err != nil {
		t.Fatal(err)
	}
	return func(url string) (*exec.Cmd, error) { return exec.Command(path, "--urls", url), nil }
}

// skip skips a test that this machine cannot run, and says so in the totals.
func (m *machine) skip(t *testing.T, reason error) {
	t.Helper()
	m.add(0, 0, 1)
	t.Skip(reason)
}

// setUp starts a service and an app server for one test.
func setUp(t *testing.T, top topology, server appServer) *stage {
	t.Helper()
	s := &stage{topology: top, appURL: "http://" + freeAddress(t)}
	programs := make(map[string]*program)
	environment := os.Environ()
	if top.config != "" {
		service := s.newService(t)
		ready := service.run(t)
		programs["service"] = service
		s.metrics = ready.Metrics
		if u, err := url.Parse(ready.Metrics); err == nil && strings.Trim(u.Path, "/") == "" {
			s.metrics = u.JoinPath("metrics").String()
		}
		endpoint, err := clientEndpoint(ready.ConnectionString)
		if err != nil {
			t.Fatal(err)
		}
		s.clientEndpoint = endpoint
		environment = append(environment, "Azure__SignalR__ConnectionString="+ready.ConnectionString)
	}
	app := &program{name: "app server", command: func() *exec.Cmd {
		cmd, err := server(s.appURL)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(environment, cmd.Env...)
		return cmd
	}}
	app.run(t)
	programs["appserver"] = app
	s.environment, s.programs = environment, programs

	control := httptest.NewServer(controls(programs))
	t.Cleanup(control.Close)
	s.control = control.URL
	return s
}

// newService is the service with the topology's configuration, on ports and with a key of its own.
func (s *stage) newService(t *testing.T) *program {
	t.Helper()
	path, err := here.hubgate()
	if err != nil {
		t.Fatal(err)
	}
	template, err := os.ReadFile(filepath.Join("testdata", s.config+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, 32)
	rand.Read(key)
	values := map[string]string{
		"SIGNALR": freeAddress(t),
		"GATEWAY": freeAddress(t),
		"METRICS": freeAddress(t),
		"DATA":    t.TempDir(),
		"KEY":     base64.StdEncoding.EncodeToString(key),
		"APP":     s.appURL,
	}
	maps.Copy(values, s.more)
	config := os.Expand(string(template), func(name string) string {
		value, ok := values[name]
		if !ok {
			t.Errorf("%s.yaml: there is no value for ${%s}", s.config, name)
		}
		return value
	})
	file := filepath.Join(t.TempDir(), "hubgate.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return &program{name: "hubgate", command: func() *exec.Cmd { return exec.Command(path, "serve", "--config", file, "--json") }}
}

// clientEndpoint is the URL to which an app server with this connection string sends its clients.
func clientEndpoint(connectionString string) (string, error) {
	fields := make(map[string]string)
	for _, field := range strings.Split(connectionString, ";") {
		if name, value, ok := strings.Cut(field, "="); ok {
			fields[strings.ToLower(name)] = value
		}
	}
	if endpoint := fields["clientendpoint"]; endpoint != "" {
		return strings.TrimRight(endpoint, "/"), nil
	}
	endpoint := strings.TrimRight(fields["endpoint"], "/")
	if endpoint == "" {
		return "", fmt.Errorf("the ready line's connectionString has no Endpoint")
	}
	if port := fields["port"]; port != "" {
		endpoint += ":" + port
	}
	return endpoint, nil
}

// controls lets a suite stop and start the programs: POST /{program}/{stop|start}?signal=TERM|KILL.
func controls(programs map[string]*program) http.Handler {
	signals := map[string]syscall.Signal{"": syscall.SIGTERM, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{program}/{action}", func(w http.ResponseWriter, r *http.Request) {
		p, ok := programs[r.PathValue("program")]
		signal, known := signals[r.FormValue("signal")]
		if !ok || !known {
			http.Error(w, "no such program or signal", http.StatusNotFound)
			return
		}
		var err error
		switch r.PathValue("action") {
		case "stop":
			err = p.stop(signal)
		case "start":
			_, err = p.start()
		default:
			http.Error(w, "no such action", http.StatusNotFound)
			return
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return mux
}
