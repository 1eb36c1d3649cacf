//go:build conformance

package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// machine is what this machine has for the suites. Each part is made ready once, when a test first asks for it.
type machine struct {
	root string // the project
	temp string // what is built goes here

	hubgate   func() (string, error) // path of the program
	goapp     func() (string, error)
	packages  func() error // the npm packages
	chromium  func() error
	dotnetApp func(name string) (func(arg ...string) *exec.Cmd, error)

	totals struct {
		sync.Mutex
		passed, failed, skipped int
	}
}

var here *machine // set by TestMain and only read after

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	root, err := filepath.Abs("..")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	temp, err := os.MkdirTemp("", "hubgate-conformance-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(temp)
	here = newMachine(root, temp)
	code := m.Run()
	t := &here.totals
	if code != 0 && t.failed == 0 {
		t.failed = 1 // outside of any case, as when a program does not start
	}
	fmt.Printf("conformance: %d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	if code == 0 && t.failed > 0 {
		code = 1
	}
	return code
}

func newMachine(root, temp string) *machine {
	m := &machine{root: root, temp: temp}
	build := func(name, pkg string) func() (string, error) {
		return sync.OnceValues(func() (string, error) {
			path := filepath.Join(temp, name)
			return path, runTool(root, "go", "build", "-o", path, pkg)
		})
	}
	m.hubgate = build("hubgate", "./cmd/hubgate")
	if path := os.Getenv("HUBGATE"); path != "" { // a program that is built already
		m.hubgate = func() (string, error) { return path, nil }
	}
	m.goapp = build("goapp", "./conformance/goapp")
	m.packages = sync.OnceValue(m.installPackages)
	m.chromium = sync.OnceValue(installChromium)
	appserver := sync.OnceValues(func() (func(...string) *exec.Cmd, error) { return m.findDotNet("appserver") })
	client := sync.OnceValues(func() (func(...string) *exec.Cmd, error) { return m.findDotNet("client") })
	m.dotnetApp = func(name string) (func(arg ...string) *exec.Cmd, error) {
		if name == "client" {
			return client()
		}
		return appserver()
	}
	return m
}

// installPackages runs npm ci unless what is there is as new as the lock file.
func (m *machine) installPackages() error {
	if _, err := exec.LookPath("node"); err != nil {
		return fmt.Errorf("no Node: install Node 20 or later")
	}
	dir := filepath.Join(m.root, "conformance", "js")
	lock, err := os.Stat(filepath.Join(dir, "package-lock.json"))
	if err != nil {
		return err
	}
	if have, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json")); err == nil && !have.ModTime().Before(lock.ModTime()) {
		return nil
	}
	return runTool(dir, "npm", "ci", "--no-audit", "--no-fund")
}

// installChromium installs the distribution's Chromium where it is missing and this process may. The browser suites skip
// themselves where there is none in the end.
func installChromium() error {
	for _, path := range []string{os.Getenv("CHROMIUM"), "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"} {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err == nil {
			return nil
		}
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		return fmt.Errorf("no Chromium: install the package chromium, or name the program in CHROMIUM")
	}
	if err := runTool("/", "apt-get", "update", "-qq"); err != nil {
		return err
	}
	return runTool("/", "apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-liberation")
}

// findDotNet finds one of the .NET programs: packed ones in HUBGATE_DOTNET (default ../shared/dotnet, from the project), else
// built from conformance/dotnet by the dotnet of the PATH.
func (m *machine) findDotNet(name string) (func(arg ...string) *exec.Cmd, error) {
	packed := os.Getenv("HUBGATE_DOTNET")
	if packed == "" {
		packed = filepath.Join(m.root, "..", "shared", "dotnet")
	}
	run := filepath.Join(packed, "run")
	if _, err := os.Stat(run); err == nil {
		return func(arg ...string) *exec.Cmd { return exec.Command(run, append([]string{name}, arg...)...) }, nil
	}
	if _, err := exec.LookPath("dotnet"); err != nil {
		return nil, fmt.Errorf("no .NET: neither packed programs at HUBGATE_DOTNET nor dotnet in the PATH")
	}
	if name == "appserver" { // its chat page takes the JavaScript client from there
		if err := m.packages(); err != nil {
			return nil, err
		}
	}
	out := filepath.Join(m.temp, "dotnet", name)
	if err := runTool(filepath.Join(m.root, "conformance", "dotnet", name), "dotnet", "publish", "-c", "Release", "-o", out); err != nil {
		return nil, err
	}
	return func(arg ...string) *exec.Cmd {
		cmd := exec.Command("dotnet", append([]string{name + ".dll"}, arg...)...)
		cmd.Dir = out
		return cmd
	}, nil
}

// add counts a suite's cases into the totals.
func (m *machine) add(passed, failed, skipped int) {
	m.totals.Lock()
	defer m.totals.Unlock()
	m.totals.passed += passed
	m.totals.failed += failed
	m.totals.skipped += skipped
}
