//go:build conformance

package conformance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
	otherClient(t, func() *exec.Cmd {
		cmd := exec.Command(interpreter, "main.py")
		cmd.Dir = "python"
		cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
		return cmd
	})
}
