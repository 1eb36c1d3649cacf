package config_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/resource"
)

var update = flag.Bool("update", false, "rewrite the .good.json and .bad.txt files from what comes out")

// environment is what lookupEnv sees in the tests.
func environment(name string) (string, bool) {
	v, ok := map[string]string{"ASRS1_KEY": "key-from-environment", "EMPTY": ""}[name]
	return v, ok
}

func storedInstance(id resource.ID) *resource.SignalR {
	return &resource.SignalR{ID: id, PrimaryKey: "stored-primary", SecondaryKey: "stored-secondary", Salt: "stored-salt"}
}

// TestGood reads testdata/NAME.good.yaml and compares the resources that it makes with NAME.good.json.
func TestGood(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.good.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("good files: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			c, err := config.Load(file, environment)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Validate(); err != nil {
				t.Errorf("valid when read, but not by Validate: %v", err)
			}
			resources, err := c.Resources(storedInstance)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(resources, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, strings.TrimSuffix(file, ".yaml")+".json", string(got)+"\n")
		})
	}
}

// TestBad reads testdata/NAME.bad.yaml and compares the error, without the directory of the file, with NAME.bad.txt.
func TestBad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("bad files: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(file, environment)
			if err == nil {
				t.Fatal("accepted")
			}
			got := strings.ReplaceAll(filepath.ToSlash(err.Error()), "testdata/", "") + "\n"
			compareGolden(t, strings.TrimSuffix(file, ".yaml")+".txt", got)
			if strings.Contains(got, "hunter2") {
				t.Error("the error shows a secret")
			}
		})
	}
}

func compareGolden(t *testing.T, golden, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); rewrite with -update:\n%s", golden, diff)
	}
}

func TestDefault(t *testing.T) {
	t.Parallel()
	if err := config.Default().Validate(); err != nil {
		t.Errorf("the defaults are not valid: %v", err)
	}
	empty, err := config.Parse(nil, "hubgate.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), empty, cmp.AllowUnexported(config.Secret{})); diff != "" {
		t.Errorf("an empty file (-default +got):\n%s", diff)
	}
}

func TestValidateWithoutFile(t *testing.T) {
	t.Parallel()
	c := config.Default()
	c.Domain = "a/b"
	c.Limits.ClientQueue = 0
	err := c.Validate()
	want := "configuration: domain: \"a/b\" is not a domain name like localhost or example.com\n" +
		"configuration: limits.clientQueue: must be above 0; a limit cannot be switched off"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	c := config.Default()
	c.SignalR = []config.Instance{{Name: "both", PrimaryKey: config.NewSecret("p"), SecondaryKey: config.NewSecret("s")}, {Name: "one", PrimaryKey: config.NewSecret("p")}, {Name: "none"}, {Name: "new"}}
	resources, err := c.Resources(func(id resource.ID) *resource.SignalR {
		if id.Name() == "new" {
			return nil
		}
		return storedInstance(id)
	})
	if err != nil {
		t.Fatal(err)
	}
	keys := func(i int) [2]string {
		s := resources[i].(*resource.SignalR)
		return [2]string{s.PrimaryKey, s.SecondaryKey}
	}
	for i, want := range [][2]string{{"p", "s"}, {"p", "stored-secondary"}, {"stored-primary", "stored-secondary"}} {
		if keys(i) != want {
			t.Errorf("keys of instance %d: %q, want %q", i, keys(i), want)
		}
	}
	issued := config.Default()
	issued.SignalR = []config.Instance{{Name: "new", Identity: config.Identity{Issuers: []config.Issuer{{Issuer: "https://login.example.com"}}}}}
	salted, err := issued.Resources(func(resource.ID) *resource.SignalR { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if made := salted[0].(*resource.SignalR); len(made.Salt) != 44 || made.Salt == made.PrimaryKey {
		t.Errorf("the salt of a new instance is %q, want a secret of its own", made.Salt)
	}
	if made := keys(3); len(made[0]) != 44 || len(made[1]) != 44 || made[0] == made[1] {
		t.Errorf("new keys: %q, want two different ones of 44 characters", made)
	}
}

// TestTelemetry reads what makes no resources of a file.
func TestTelemetry(t *testing.T) {
	t.Parallel()
	c, err := config.Load("testdata/everything.good.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	tracing := c.Telemetry.Tracing
	if len(tracing.Headers) != 1 || tracing.Headers[0].Name != "x-token" || tracing.Headers[0].Value.Reveal() != "key-from-environment" {
		t.Errorf("the headers are %v", tracing.Headers)
	}
	tracing.Headers = nil
	want := config.Tracing{Endpoint: "https://collector.example/otlp/v1/traces", Protocol: config.ProtocolHTTP, CAFile: filepath.Join("testdata", "collector.pem"), SamplingRatio: 0.25, ServiceName: "gateway-1"}
	if diff := cmp.Diff(want, tracing, cmp.AllowUnexported(config.Secret{})); diff != "" || !tracing.On() || config.Default().Telemetry.Tracing.On() {
		t.Errorf("tracing (-want +got):\n%s", diff)
	}
	if got := c.APIManagement[0].DebugKey.Reveal(); got != "a-debug-key-of-32-characters-000" {
		t.Errorf("the debug key is %q", got)
	}
}

func TestSecretStaysHidden(t *testing.T) {
	t.Parallel()
	c := config.Default()
	c.NATS.URL = config.NewSecret("hunter2")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "config", c, "url", c.NATS.URL)
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "config", c, "url", c.NATS.URL)
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprintf("%v %+v %#v %s %q", c.NATS, c.NATS, c.NATS, c.NATS.URL, c.NATS.URL), string(encoded), log.String()} {
		if strings.Contains(shown, "hunter2") {
			t.Errorf("the secret shows: %s", shown)
		}
	}
	if c.NATS.URL.Reveal() != "hunter2" {
		t.Error("Reveal does not give the text")
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("signalr: &a [{name: x}]\napiManagement: *a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// The directory does not exist, so that no content makes the test read a file of the machine by a relative name.
		c, err := config.Parse(data, filepath.Join("missing", "hubgate.yaml"), environment)
		if err != nil {
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("accepted, but not valid: %v", err)
		}
		if _, err := c.Resources(storedInstance); err != nil {
			t.Errorf("accepted, but its resources are not valid: %v", err)
		}
	})
}
