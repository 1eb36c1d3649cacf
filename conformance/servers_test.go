//go:build conformance

package conformance

import (
	"net/http/httptest"
	"os/exec"
	"testing"
)

// withArguments is an app server with more arguments.
func withArguments(server appServer, arguments ...string) appServer {
	return func(url string) (*exec.Cmd, error) {
		cmd, err := server(url)
		if err == nil {
			cmd.Args = append(cmd.Args, arguments...)
		}
		return cmd, err
	}
}

// twoServers starts a service with two app servers of the same hubs behind it. The first one is the program "appserver", the other one "second".
func twoServers(t *testing.T, server appServer) (s *stage, second string) {
	t.Helper()
	s = setUp(t, direct, server)
	second = "http://" + freeAddress(t)
	p := &program{name: "second app server", command: func() *exec.Cmd {
		cmd, err := server(second)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Env = append(s.environment, cmd.Env...)
		return cmd
	}}
	p.run(t)
	s.programs["second"] = p
	control := httptest.NewServer(controls(s.programs))
	t.Cleanup(control.Close)
	s.control = control.URL
	return s, second
}

// TestDotNetMigration ends one of two app servers that asks for its clients to be moved.
func TestDotNetMigration(t *testing.T) {
	s, second := twoServers(t, withArguments(dotnetServer(t), "--shutdown", "migrate"))
	s.node(t, "migration", "client/migration.test.mjs", "SECOND_URL="+second)
}

// TestGoMigration is the same with the Go SDK.
func TestGoMigration(t *testing.T) {
	s, second := twoServers(t, withArguments(goServer(t), "--shutdown", "migrate"))
	s.node(t, "migration", "client/migration.test.mjs", "SECOND_URL="+second)
}

// TestStatefulReconnect cuts the network of many clients.
func TestStatefulReconnect(t *testing.T) {
	s := setUp(t, direct, dotnetServer(t))
	s.node(t, "stateful reconnect", "client/stateful.test.mjs")
}

// TestDotNetTwoServers ends one of two app servers in the other ways.
func TestDotNetTwoServers(t *testing.T) {
	s, second := twoServers(t, dotnetServer(t))
	s.node(t, "two app servers", "client/servers.test.mjs", "SECOND_URL="+second)
}

// TestDotNetTwoEndpoints gives one app server the connection strings of two services, of which one is lost and comes back.
func TestDotNetTwoEndpoints(t *testing.T) {
	server := dotnetServer(t)
	other := &stage{topology: direct}
	second := other.newService(t)
	ready := second.run(t)
	endpoint, err := clientEndpoint(ready.ConnectionString)
	if err != nil {
		t.Fatal(err)
	}
	s := setUp(t, direct, func(url string) (*exec.Cmd, error) {
		cmd, err := server(url)
		if err == nil {
			cmd.Env = append(cmd.Env, "Azure__SignalR__ConnectionString__second__primary="+ready.ConnectionString)
		}
		return cmd, err
	})
	s.programs["second"] = second
	s.node(t, "two endpoints", "client/endpoints.test.mjs", "SECOND_ENDPOINT="+endpoint)
}
