//go:build conformance

package conformance

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The real .NET app server without a service: what the suites say about SignalR has to hold there, before it says anything
// about the service.
func TestPlainAspNetCore(t *testing.T) {
	s := setUp(t, plain, dotnetServer(t))
	s.node(t, "npm client", "client/client.test.mjs")
	s.node(t, "restarts", "client/restart.test.mjs")
	s.browser(t, "pages of the app server", "browser/dotnet.test.mjs")
}

func TestDotNetDirect(t *testing.T) {
	s := setUp(t, direct, dotnetServer(t))
	s.probes(t)
	s.node(t, "npm client", "client/client.test.mjs")
	s.dotnetClient(t)
	s.browser(t, "pages of the app server", "browser/dotnet.test.mjs")
	s.node(t, "restarts", "client/restart.test.mjs")
	s.node(t, "crowd", "client/crowd.test.mjs")
}

func TestDotNetSharedSuffix(t *testing.T) {
	s := setUp(t, sharedSuffix, dotnetServer(t))
	s.probes(t)
	s.node(t, "npm client", "client/client.test.mjs")
	s.dotnetClient(t)
	s.browser(t, "pages of the app server", "browser/dotnet.test.mjs")
	s.node(t, "restarts", "client/restart.test.mjs")
	s.node(t, "crowd", "client/crowd.test.mjs")
}

func TestDotNetTwoSuffixes(t *testing.T) {
	s := setUp(t, twoSuffixes, dotnetServer(t))
	s.node(t, "npm client", "client/client.test.mjs")
	s.browser(t, "pages of the app server", "browser/dotnet.test.mjs")
	s.node(t, "restarts", "client/restart.test.mjs")
}

func TestDotNetHTTPOnly(t *testing.T) {
	s := setUp(t, httpOnly, dotnetServer(t))
	s.node(t, "npm client", "client/client.test.mjs")
	s.browser(t, "pages of the app server", "browser/dotnet.test.mjs")
}

func TestGoDirect(t *testing.T) {
	s := setUp(t, direct, goServer(t))
	s.probes(t)
	s.node(t, "npm client", "client/client.test.mjs")
	s.dotnetClient(t)
	s.node(t, "restarts", "client/restart.test.mjs")
	s.node(t, "crowd", "client/crowd.test.mjs")
}

func TestGoSharedSuffix(t *testing.T) {
	s := setUp(t, sharedSuffix, goServer(t))
	s.node(t, "npm client", "client/client.test.mjs")
	s.node(t, "restarts", "client/restart.test.mjs")
}

// The chat room of hubgate demo in a browser: the whole story of an instance, a gateway in front of it, and an app whose
// clients only ever see the gateway.
func TestChatRoom(t *testing.T) {
	path, err := here.hubgate()
	if err != nil {
		t.Fatal(err)
	}
	demo := &program{name: "hubgate demo", command: func() *exec.Cmd {
		const free = "127.0.0.1:0"
		return exec.Command(path, "demo", "--json", "--chatroom-address", free, "--gateway-address", free,
			"--signalr-address", free, "--management-address", free, "--metrics-address", free)
	}}
	ready := demo.run(t)
	endpoint, err := clientEndpoint(ready.ConnectionString)
	if err != nil {
		t.Fatal(err)
	}
	if endpoint != strings.TrimRight(ready.Gateway, "/") {
		t.Errorf("the connection string sends clients to %s, but the gateway is %s", endpoint, ready.Gateway)
	}
	screenshots, err := os.MkdirTemp("", "hubgate-chatroom-")
	if err != nil {
		t.Fatal(err)
	}
	control := httptest.NewServer(controls(map[string]*program{"service": demo}))
	t.Cleanup(control.Close)
	s := &stage{topology: sharedSuffix, appURL: ready.ChatRoom, clientEndpoint: endpoint, control: control.URL}
	s.browser(t, "chat room", "browser/chatroom.test.mjs", "SCREENSHOTS="+screenshots)
	t.Logf("screenshots are in %s", screenshots)
}

// node runs a suite of the JavaScript client.
func (s *stage) node(t *testing.T, name, file string, more ...string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		if err := here.packages(); err != nil {
			here.skip(t, err)
		}
		cmd := exec.Command("node", "--test", "--test-reporter=spec", file)
		cmd.Dir = "js"
		cmd.Env = append(os.Environ(), "APP_URL="+s.appURL, "CLIENT_ENDPOINT="+s.clientEndpoint, "REACH="+s.reach, "CONTROL_URL="+s.control, "METRICS_URL="+s.metrics)
		cmd.Env = append(cmd.Env, more...)
		report(t, cmd, 15*time.Minute, nodeCount())
	})
}

// browser runs a suite in Chromium.
func (s *stage) browser(t *testing.T, name, file string, more ...string) {
	t.Helper()
	if err := here.chromium(); err != nil {
		t.Log(err) // the suite skips each of its cases with a reason of its own
	}
	s.node(t, name, file, more...)
}

// probes asks the raw questions and compares with the answers of ASP.NET Core.
func (s *stage) probes(t *testing.T) {
	t.Helper()
	t.Run("probes", func(t *testing.T) {
		if _, err := exec.LookPath("node"); err != nil {
			here.skip(t, err)
		}
		exceptions := "oracle/exceptions.json"
		if s.topology != direct {
			exceptions = "oracle/exceptions-gateway.json"
		}
		cmd := exec.Command("node", "oracle/probe.mjs", s.appURL, "--compare", "oracle/aspnetcore-10.json", "--except", exceptions)
		report(t, cmd, 10*time.Minute, sentenceCount())
	})
}

// dotnetClient runs the cases of the .NET client. Those named in dotnet/client-exceptions.json may fail and count as skipped.
func (s *stage) dotnetClient(t *testing.T) {
	t.Helper()
	t.Run(".NET client", func(t *testing.T) {
		command, err := here.dotnetApp("client")
		if err != nil {
			here.skip(t, err)
		}
		data, err := os.ReadFile(filepath.Join("dotnet", "client-exceptions.json"))
		if err != nil {
			t.Fatal(err)
		}
		var exceptions map[string]string
		if err := json.Unmarshal(data, &exceptions); err != nil {
			t.Fatal(err)
		}
		arguments := []string{"--url", s.appURL}
		if !testing.Short() {
			arguments = append(arguments, "--long") // with a case of 40 idle seconds over each transport
		}
		report(t, command(arguments...), 20*time.Minute, caseCount(exceptions))
	})
}

// A count reads a suite's output, line by line, and knows in the end how many cases there were.
type count struct {
	passed, failed, skipped int
	complete                bool // the summary at the end has come
	exitCode                bool // the program's exit code says whether it succeeded
	line                    func(c *count, line string)
}

// nodeCount reads the summary of Node's test runner.
func nodeCount() *count {
	summary := regexp.MustCompile(`^ℹ (pass|fail|cancelled|skipped) (\d+)$`)
	return &count{exitCode: true, line: func(c *count, line string) {
		match := summary.FindStringSubmatch(line)
		if match == nil {
			return
		}
		n, _ := strconv.Atoi(match[2]) // digits, by the expression
		switch match[1] {
		case "pass":
			c.passed += n
		case "fail", "cancelled":
			c.failed += n
		case "skipped":
			c.skipped += n
			c.complete = true
		}
	}}
}

// sentenceCount reads a last line like "116 passed, 0 failed, 0 skipped".
func sentenceCount() *count {
	sentence := regexp.MustCompile(`^(\d+) passed, (\d+) failed, (\d+) skipped$`)
	return &count{exitCode: true, line: func(c *count, line string) {
		if match := sentence.FindStringSubmatch(line); match != nil {
			c.passed, _ = strconv.Atoi(match[1])
			c.failed, _ = strconv.Atoi(match[2])
			c.skipped, _ = strconv.Atoi(match[3])
			c.complete = true
		}
	}}
}

// caseCount reads lines like "ok   ws/json NAME (5 ms)" and "FAIL ws/json NAME (5 ms): reason".
func caseCount(exceptions map[string]string) *count {
	verdict := regexp.MustCompile(`^(ok  |FAIL) \S+ (.*?) \(\d+ ms\)`)
	summary := regexp.MustCompile(`^\d+ passed, \d+ failed$`)
	return &count{line: func(c *count, line string) {
		c.complete = c.complete || summary.MatchString(line)
		match := verdict.FindStringSubmatch(line)
		if match == nil {
			return
		}
		_, excepted := exceptions[match[2]]
		switch {
		case match[1] != "FAIL":
			c.passed++
		case excepted:
			c.skipped++
		default:
			c.failed++
		}
	}}
}

// report runs a suite, counts its cases, and fails the test when one failed, none ran, or the suite broke off.
func report(t *testing.T, cmd *exec.Cmd, limit time.Duration, c *count) {
	t.Helper()
	err := runSuite(cmd, limit, func(line string) { c.line(c, line) })
	switch {
	case !c.complete:
		t.Errorf("the suite did not come to its end: %v", err)
		c.failed++
	case c.passed+c.failed+c.skipped == 0:
		t.Error("the suite ran no case")
		c.failed++
	case c.exitCode && err != nil && c.failed == 0:
		t.Errorf("the suite's program ended with an error: %v", err)
		c.failed++
	}
	if c.failed > 0 {
		t.Fail()
	}
	here.add(c.passed, c.failed, c.skipped)
	t.Logf("%s: %d passed, %d failed, %d skipped", t.Name(), c.passed, c.failed, c.skipped)
}
