package telemetry_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/telemetry"
	"github.com/hubgate/hubgate/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }

// tokenText is a JSON Web Token in form only.
const tokenText = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJlLWh1bnRlcjI"

type secretStruct struct {
	Name       string
	PrimaryKey string
}

func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	address, err := url.Parse("nats://user:hunter2@host/path?access_token=hunter2&hub=chat")
	if err != nil {
		t.Fatal(err)
	}
	for name, attr := range map[string]slog.Attr{
		"access_token":       slog.String("access_token", "hunter2"),
		"accessToken":        slog.String("accessToken", "hunter2"),
		"Authorization":      slog.String("Authorization", "hunter2"),
		"AccessKey":          slog.String("AccessKey", "hunter2"),
		"number":             slog.Int("token", 4242424242),
		"in a URL text":      slog.String("url", "/client/?hub=chat&access_token=hunter2"),
		"in a URL":           slog.Any("url", address),
		"in an error":        slog.Any("error", errors.New(`dial "ws://x/?access_token=hunter2": refused`)),
		"bearer":             slog.String("header", "Bearer hunter2hunter2"),
		"JSON Web Token":     slog.String("text", "got "+tokenText+" from the client"),
		"connection string":  slog.String("text", "Endpoint=http://localhost;Port=8888;AccessKey=hunter2;Version=1.0;"),
		"header map":         slog.Any("headers", http.Header{"Authorization": {"Basic hunter2"}, "Accept": {"text/html"}}),
		"struct":             slog.Any("instance", secretStruct{"ASRS1", "hunter2"}),
		"pointer":            slog.Any("instance", &secretStruct{"ASRS1", "hunter2"}),
		"list":               slog.Any("instances", []secretStruct{{"ASRS1", "hunter2"}}),
		"bytes":              slog.Any("body", []byte(`{"accessToken":"hunter2"}`)),
		"JSON text":          slog.String("body", `{"primaryKey": "hunter2", "name": "ASRS1"}`),
		"group":              slog.Group("request", slog.String("cookie", "hunter2")),
		"group of that name": slog.Group("authorization", slog.String("parameter", "hunter2")),
		"header text":        slog.String("text", "POST / HTTP/1.1\r\nauthorization: Custom hunter2\r\naccept: x"),
	} {
		for _, format := range []string{"text", "json"} {
			t.Run(name+" as "+format, func(t *testing.T) {
				t.Parallel()
				var out strings.Builder
				logger, err := telemetry.NewLogger(&out, telemetry.LogOptions{Format: format})
				if err != nil {
					t.Fatal(err)
				}
				logger.Info("message with access_token=hunter2 in it", attr)
				logger.With(attr).WithGroup("g").Info("message", attr)
				for _, secret := range []string{"hunter2", "4242424242", "aHVudGVyMg", "odW50ZXIy"} {
					if strings.Contains(out.String(), secret) {
						t.Errorf("the log shows %s:\n%s", secret, &out)
					}
				}
				if !strings.Contains(out.String(), telemetry.Redacted) {
					t.Errorf("nothing is redacted:\n%s", &out)
				}
			})
		}
	}
}

func TestHarmlessThingsStay(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "connection 3f2 closed", "tokens: 5", "http://localhost:8888/client/?hub=chat&id=abc", "the basic rules", "password", "AccessKey=" + telemetry.Redacted,
		"user@example.com", "bearer of news",
	} {
		if got := telemetry.RedactText(text); got != text {
			t.Errorf("RedactText(%q) = %q", text, got)
		}
	}
	var out strings.Builder
	logger, err := telemetry.NewLogger(&out, telemetry.LogOptions{Level: "debug", Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	logger.Debug("m", "counts", map[string]int{"a": 1}, "n", 5, "ok", true, "name", secretStruct{Name: "x"}.Name)
	if want := `"level":"DEBUG","msg":"m","counts":{"a":1},"n":5,"ok":true,"name":"x"}`; !strings.Contains(out.String(), want) {
		t.Errorf("got %s, want it to end in %s", &out, want)
	}
}

func TestLoggerOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []telemetry.LogOptions{{Level: "loud"}, {Format: "xml"}} {
		if _, err := telemetry.NewLogger(io.Discard, o); err == nil {
			t.Errorf("NewLogger(%+v) is accepted", o)
		}
	}
	for level, want := range map[string]string{"": "iwe", "debug": "diwe", "info": "iwe", "warn": "we", "ERROR": "e"} {
		var out strings.Builder
		logger, err := telemetry.NewLogger(&out, telemetry.LogOptions{Level: level})
		if err != nil {
			t.Fatal(err)
		}
		logger.Debug("d")
		logger.Info("i")
		logger.Warn("w")
		logger.Error("e")
		got := ""
		for line := range strings.Lines(out.String()) {
			_, after, _ := strings.Cut(line, "msg=")
			got += strings.TrimSpace(after)
		}
		if got != want {
			t.Errorf("level %q logs %q, want %q", level, got, want)
		}
	}
}

func get(t *testing.T, h http.Handler, path string) (status int, body string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var health telemetry.Health
	handler := telemetry.NewHandler(telemetry.NewRegistry("1.2.3"), &health)
	type answer struct {
		Status int
		Body   string
	}
	check := func(path string, want answer) {
		t.Helper()
		status, body := get(t, handler, path)
		if diff := cmp.Diff(want, answer{status, body}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	check("/healthz", answer{200, "ok\n"})
	check("/readyz", answer{200, "ok\n"})
	health.Add("store", func(context.Context) error { return nil })
	check("/readyz", answer{200, "store: ok\n"})
	var failure error
	health.Add("nats", func(context.Context) error { return failure })
	check("/readyz", answer{200, "store: ok\nnats: ok\n"})
	failure = errors.New("no connection to nats://user:hunter2@host")
	check("/readyz", answer{503, "store: ok\nnats: no connection to nats://[redacted]@host\n"})
	health.Add("gateway", func(context.Context) error { panic("hunter2") })
	check("/readyz", answer{503, "store: ok\nnats: no connection to nats://[redacted]@host\ngateway: the check itself failed\n"})
	health.Drain()
	check("/readyz", answer{503, "draining\n"})
	check("/healthz", answer{200, "ok\n"})
	check("/else", answer{404, "404 page not found\n"})
}

func TestHealthWithHangingCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var health telemetry.Health
		release := make(chan struct{})
		health.Add("store", func(context.Context) error { <-release; return nil })
		status, body := get(t, http.HandlerFunc(health.Ready), "/readyz")
		if status != 503 || body != "store: did not answer within 3s\n" {
			t.Errorf("got %d %q", status, body)
		}
		close(release)
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	status, body := get(t, telemetry.NewHandler(telemetry.NewRegistry("1.2.3"), new(telemetry.Health)), "/metrics")
	if status != 200 {
		t.Fatalf("status %d", status)
	}
	for _, want := range []string{`hubgate_build_info{go_version="go`, `version="1.2.3"} 1`, "go_goroutines ", "process_cpu_seconds_total "} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics does not have %q", want)
		}
	}
}

func FuzzRedactText(f *testing.F) {
	for _, text := range []string{"access_token=x", "Authorization: y", tokenText, "a://b:c@d", "AccessKey=[redacted];"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		once := telemetry.RedactText(text)
		if twice := telemetry.RedactText(once); twice != once {
			t.Errorf("redacting %q again changes %q to %q", text, once, twice)
		}
	})
}
