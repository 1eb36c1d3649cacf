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

// The Java client over WebSockets and long polling, which are the transports that it has.
func TestJava(t *testing.T) {
	for _, tool := range []string{"java", "javac", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			here.skip(t, fmt.Errorf("no %s: install a Java development kit, 17 or later, and Maven", tool))
		}
	}
	command, err := javaClient(filepath.Join(here.temp, "java"))
	if err != nil {
		t.Fatal(err)
	}
	otherClient(t, command)
}

// otherClient runs the scenarios of a client in another language, with either app server and behind a gateway. It gets the addresses in its
// environment.
func otherClient(t *testing.T, command func() *exec.Cmd) {
	t.Helper()
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
			cmd := command()
			cmd.Env = append(cmd.Environ(), "APP_URL="+s.appURL, "CONTROL_URL="+s.control)
			suite := caseCount(nil)
			suite.exitCode = true
			report(t, cmd, 3*time.Minute, suite)
		})
	}
}

// javaClient builds the scenarios of the Java client into a directory, and returns the command that runs them.
func javaClient(output string) (func() *exec.Cmd, error) {
	if err := runTool("java", "mvn", "-B", "-q", "-ntp", "-Doutput="+output, "compile"); err != nil {
		return nil, err
	}
	class := filepath.Join(output, "classes") + string(os.PathListSeparator) + filepath.Join(output, "libraries", "*")
	return func() *exec.Cmd { return exec.Command("java", "-cp", class, "hubgate.conformance.Main") }, nil
}
