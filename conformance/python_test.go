//go:build conformance

package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The Python clients over WebSockets, which is the transport that they have behind a service.
func TestPython(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		here.skip(t, fmt.Errorf("no Python: install Python 3.10 or later"))
	}
	directory := filepath.Join(here.temp, "python")
	if err := runTool(".", "python3", "-m", "venv", directory); err != nil {
		here.skip(t, fmt.Errorf("no virtual environments: install Python's venv module: %w", err))
	}
	interpreter := filepath.Join(directory, "bin", "python")
	if err := runTool("python", interpreter, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "-r", "requirements.txt"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		top    topology
		server func(*testing.T) appServer
	}{
		{".NET app server", direct, dotnetServer},
		{"Go app server", direct, goServer},
		{"Go app server behind a gateway", sharedSuffix, goServer},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := setUp(t, c.top, c.server(t))
			cmd := exec.Command(interpreter, "main.py")
			cmd.Dir = "python"
			cmd.Env = append(os.Environ(), "APP_URL="+s.appURL, "CONTROL_URL="+s.control, "PYTHONDONTWRITEBYTECODE=1")
			suite := caseCount(nil)
			suite.exitCode = true
			report(t, cmd, 3*time.Minute, suite)
		})
	}
}
