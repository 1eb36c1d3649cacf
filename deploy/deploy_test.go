// Package deploy tests what Hubgate is deployed with: the images, the Compose file, the service of systemd and their configurations.
package deploy

import (
	"bufio"
	"context"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/hubgate/hubgate/internal/config"
)

const version = "1.2.3-test"

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ignored are the rules of Dockerfile.dockerignore, of which the last that matches decides.
func ignored(t *testing.T) func(name string) bool {
	t.Helper()
	type rule struct {
		pattern string
		keep    bool
	}
	var rules []rule
	for line := range strings.Lines(read(t, "Dockerfile.dockerignore")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, keep := strings.CutPrefix(line, "!")
		rules = append(rules, rule{pattern, keep})
	}
	return func(name string) bool {
		out := false
		for _, r := range rules {
			pattern, anywhere := strings.CutPrefix(r.pattern, "**/")
			for at := name; at != "."; at = path.Dir(at) { // a directory that matches takes what is in it along
				against := at
				if anywhere {
					against = path.Base(at)
				}
				if ok, err := path.Match(pattern, against); err != nil {
					t.Fatal(err)
				} else if ok {
					out = !r.keep
				}
			}
		}
		return out
	}
}

// buildContext copies what a build of the images would see.
func buildContext(t *testing.T) string {
	t.Helper()
	out := ignored(t)
	dir := t.TempDir()
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel("..", name)
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(relative)
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && slashed != "." || d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || out(slashed) {
			return nil
		}
		target := filepath.Join(dir, relative)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var buildLine = regexp.MustCompile(`(?m)go build (.*) -ldflags="([^"]*)" -o /out/ (.*)$`)

// TestImages is row 90 of the feature table as far as it goes without a container engine: what the Dockerfile builds, out of what it would see and with
// its flags, are static programs that run with the configurations that come with them.
func TestImages(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the programs")
	}
	if runtime.GOOS == "windows" {
		t.Skip("the images are of Linux, and ended by signals")
	}
	file := read(t, "Dockerfile")
	found := buildLine.FindStringSubmatch(file)
	if found == nil || !strings.Contains(file, "ENV CGO_ENABLED=0") {
		t.Fatal("the Dockerfile has no static build")
	}
	source, out := buildContext(t), t.TempDir()
	args := append([]string{"build"}, strings.Fields(found[1])...)
	args = append(args, "-ldflags="+strings.ReplaceAll(found[2], "$VERSION", version), "-o", out+string(filepath.Separator))
	build := exec.CommandContext(t.Context(), "go", append(args, strings.Fields(found[3])...)...)
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	for _, copied := range regexp.MustCompile(`(?m)^COPY .*/src/(\S+) `).FindAllStringSubmatch(file, -1) {
		if _, err := os.Stat(filepath.Join(source, filepath.FromSlash(copied[1]))); err != nil {
			t.Errorf("the Dockerfile copies a file that the build does not see: %v", err)
		}
	}
	hubgate, chatroom := filepath.Join(out, "hubgate"), filepath.Join(out, "chatroom")
	for _, program := range []string{hubgate, chatroom} {
		static(t, program)
	}
	for _, c := range []struct {
		program string
		args    []string
		want    string
	}{
		{hubgate, []string{"version"}, "hubgate " + version + " " + runtime.Version()},
		{hubgate, []string{"--help"}, "serve"},
		{hubgate, []string{"serve", "--help"}, "--config"},
		{chatroom, []string{"--help"}, "-listen"},
	} {
		text, err := exec.CommandContext(t.Context(), c.program, c.args...).CombinedOutput()
		if err != nil || !strings.Contains(string(text), c.want) {
			t.Errorf("%s %s: %v\n%s", filepath.Base(c.program), c.args, err, text)
		}
	}
	t.Run("stand-in for the emulator", func(t *testing.T) {
		a, end := serve(t, hubgate, "image.yaml", nil)
		if want := "AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;"; !strings.Contains(a.ConnectionString, want) {
			t.Errorf("the connection string is %s, which lacks the emulator's key", a.ConnectionString)
		}
		for _, url := range []string{a.SignalR + "/api/health", a.Metrics + "/readyz"} {
			if status, body := request(t, http.MethodGet, url, ""); status != http.StatusOK {
				t.Errorf("%s: %d %s", url, status, body)
			}
		}
		end()
	})
	t.Run("chat room", func(t *testing.T) { chatRoom(t, hubgate, chatroom) })
	t.Run("systemd", func(t *testing.T) { verifyUnit(t, hubgate) })
}

// static checks that a program asks for no loader, which the image does not have.
func static(t *testing.T, program string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Errorf("%s is linked dynamically", filepath.Base(program))
		}
	}
}

// addresses is the line that a node prints for scripts.
type addresses struct {
	SignalR, Gateway, Metrics, ConnectionString string
	Ready                                       bool
}

// start runs a program, and hands over its output. The end is graceful, and must be: a container engine waits for it.
func start(t *testing.T, program string, env []string, args ...string) (*bufio.Reader, func()) {
	t.Helper()
	command := exec.Command(program, args...)
	command.Env = append(os.Environ(), env...)
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end := func() {
		if ended {
			return
		}
		ended = true
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		late := time.AfterFunc(time.Minute, func() { _ = command.Process.Kill() })
		defer late.Stop()
		_, _ = io.Copy(io.Discard, output)
		if err := command.Wait(); err != nil {
			t.Errorf("%s ended with %v", filepath.Base(program), err)
		}
	}
	t.Cleanup(end)
	return bufio.NewReader(output), end
}

// serve runs a node with a configuration, on free ports where args do not say otherwise.
func serve(t *testing.T, program, file string, env []string, args ...string) (addresses, func()) {
	t.Helper()
	if args == nil {
		const free = "127.0.0.1:0"
		args = []string{"--signalr-address", free, "--metrics-address", free}
	}
	output, end := start(t, program, env, append([]string{"serve", "--config", file, "--json", "--data", t.TempDir()}, args...)...)
	line, err := output.ReadString('\n')
	if err != nil {
		t.Fatalf("the node does not get ready: %v", err)
	}
	var a addresses
	if err := json.Unmarshal([]byte(line), &a); err != nil || !a.Ready {
		t.Fatalf("the node prints %s", line)
	}
	return a, end
}

func request(t *testing.T, method, url, token string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// freePort is one that nobody has just now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// chatRoom runs what compose.yaml runs, on other ports: a client is sent to the gateway, and negotiates there.
func chatRoom(t *testing.T, hubgate, chatroom string) {
	ports := strings.NewReplacer("0.0.0.0:9100", "127.0.0.1:0", "0.0.0.0", "127.0.0.1", "8888", freePort(t), "8080", freePort(t), "//hubgate;", "//127.0.0.1;")
	file := filepath.Join(t.TempDir(), "hubgate.yaml")
	if err := os.WriteFile(file, []byte(ports.Replace(read(t, "chatroom.yaml"))), 0o600); err != nil {
		t.Fatal(err)
	}
	services := readCompose(t).Services
	env := func(service string) []string {
		var all []string
		for name, value := range services[service].Environment {
			// ${NAME:-otherwise} with NAME not set.
			value = regexp.MustCompile(`\$\{\w+:-(\w+)\}`).ReplaceAllString(value, "$1")
			all = append(all, name+"="+ports.Replace(value))
		}
		return all
	}
	a, _ := serve(t, hubgate, file, env("hubgate"), []string{}...)
	output, _ := start(t, chatroom, env("chatroom"), "--listen", "127.0.0.1:0")
	line, err := output.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Fields(line)[3]
	var redirect struct{ URL, AccessToken string }
	status, body := request(t, http.MethodPost, page+"/chat/negotiate?negotiateVersion=1", "")
	// The page is there before the app server has connected; nothing but asking tells when it has.
	for deadline := time.Now().Add(20 * time.Second); status == http.StatusInternalServerError && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
		status, body = request(t, http.MethodPost, page+"/chat/negotiate?negotiateVersion=1", "")
	}
	if err := json.Unmarshal([]byte(body), &redirect); err != nil || status != http.StatusOK {
		t.Fatalf("the chat room's negotiate: %d %s", status, body)
	}
	gateway := strings.Replace(a.Gateway, "127.0.0.1", "localhost", 1)
	if !strings.HasPrefix(redirect.URL, gateway+"/client/?") {
		t.Errorf("clients are sent to %s, not to the gateway at %s", redirect.URL, gateway)
	}
	status, body = request(t, http.MethodPost, strings.Replace(redirect.URL, "/client/?", "/client/negotiate?negotiateVersion=1&", 1), redirect.AccessToken)
	if status != http.StatusOK || !strings.Contains(body, `"connectionToken"`) {
		t.Errorf("negotiate at the gateway: %d %s", status, body)
	}
}

// verifyUnit has systemd check the service, where there is one.
func verifyUnit(t *testing.T, program string) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not there")
	}
	unit := read(t, "hubgate.service")
	const start = "ExecStart=/usr/local/bin/hubgate serve --config /etc/hubgate/hubgate.yaml\n"
	if !strings.Contains(unit, start) {
		t.Fatalf("the service does not start with %s", start)
	}
	file := filepath.Join(t.TempDir(), "hubgate.service")
	if err := os.WriteFile(file, []byte(strings.Replace(unit, "/usr/local/bin/hubgate", program, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := exec.CommandContext(t.Context(), tool, "verify", "--man=no", file)
	if text, err := verify.CombinedOutput(); err != nil || len(text) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, text)
	}
}

// TestConfigurations reads the configurations as a node does.
func TestConfigurations(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	credentials := t.TempDir()
	for _, name := range []string{"primary-key", "secondary-key"} {
		if err := os.WriteFile(filepath.Join(credentials, name), []byte("key"), 0o600); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(read(t, "hubgate.service"), "LoadCredential="+name+":") {
			t.Errorf("hubgate.service loads no %s", name)
		}
	}
	for _, name := range files {
		if name == "compose.yaml" {
			continue
		}
		text := strings.ReplaceAll(read(t, name), "/run/credentials/hubgate.service", credentials)
		c, err := config.Parse([]byte(text), filepath.Join(t.TempDir(), name), func(name string) (string, bool) { return "key", name == "HUBGATE_ACCESS_KEY" })
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if c.DataDirectory != "/var/lib/hubgate" || !strings.HasSuffix(c.Listeners.SignalR, ":8888") {
			t.Errorf("%s: data are in %s, and clients come to %s", name, c.DataDirectory, c.Listeners.SignalR)
		}
	}
}

type compose struct {
	Services map[string]struct {
		Build struct{ Context, Dockerfile, Target string }
		// The images have no shell, and their file systems cannot be written to but for volumes.
		ReadOnly    bool `yaml:"read_only"`
		Environment map[string]string
		Volumes     []string
		Ports       []string
	}
	Volumes map[string]any
}

func readCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	if err := yaml.Unmarshal([]byte(read(t, "compose.yaml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCompose holds compose.yaml against the Dockerfile and the files that it names.
func TestCompose(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	file := read(t, "Dockerfile")
	if len(c.Services) != 2 {
		t.Errorf("%d services", len(c.Services))
	}
	for name, s := range c.Services {
		if s.Build.Context != ".." || s.Build.Dockerfile != "deploy/Dockerfile" || !strings.Contains(file, " AS "+s.Build.Target+"\n") {
			t.Errorf("%s: no such stage: %+v", name, s.Build)
		}
		if !s.ReadOnly {
			t.Errorf("%s may write into its image", name)
		}
		for _, p := range s.Ports {
			parts := strings.Split(p, ":")
			if len(parts) != 3 || parts[0] != "127.0.0.1" || !slices.Contains(strings.Fields(file), parts[2]) {
				t.Errorf("%s: the port %s is for others than this machine, or none of the image", name, p)
			}
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			_, named := c.Volumes[from]
			if _, err := os.Stat(from); err != nil && !named {
				t.Errorf("%s: there is no %s", name, from)
			}
		}
	}
}
