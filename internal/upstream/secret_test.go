package upstream

import (
	"bytes"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

// secretFile writes a secret into a directory of its own, which the rules allow.
func secretFile(t *testing.T, text string) (string, resource.SecretRules) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "code")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, resource.SecretRules{Directories: []string{dir}, Environment: []string{"HUBGATE_TEST_*"}}
}

// TestSecretReferences is row 52 of the feature table: secrets in a URL come from a file or the environment, are read again when they change, and
// reach neither log nor error. It is not parallel, because it sets an environment variable.
func TestSecretReferences(t *testing.T) {
	t.Setenv("HUBGATE_TEST_CODE", "hunter2 & more")
	file, rules := secretFile(t, "hunter2/+=\n")
	synctest.Test(t, func(t *testing.T) {
		var got string
		var log bytes.Buffer
		fail := false
		d := New(Options{Secrets: rules, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			Transport: answering(func(r *http.Request) (*http.Response, error) {
				got = r.URL.String()
				if fail {
					return nil, http.ErrHandlerTimeout
				}
				return status(200), nil
			})})
		defer d.Close()
		if err := d.Configure(instance(resource.UpstreamTemplate{URLTemplate: "http://x/{event}?code={@file(" + file + ")}&e={@env(HUBGATE_TEST_CODE)}"})); err != nil {
			t.Fatal(err)
		}
		send := func(what, want string) {
			t.Helper()
			got = ""
			_, err := d.Dispatch(t.Context(), &Event{Name: "m"})
			if err != nil && strings.Contains(err.Error(), "hunter") {
				t.Errorf("%s: the error shows the secret: %v", what, err)
			}
			if got != want {
				t.Errorf("%s: sent to %q, want %q (%v)", what, got, want, err)
			}
		}
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(secretCheck)
		}
		const env = "&e=hunter2%20%26%20more"
		send("at first", "http://x/m?code=hunter2%2F%2B%3D"+env)
		write("hunter3")
		send("when the file has changed", "http://x/m?code=hunter3"+env)
		write("")
		send("while the file is empty", "http://x/m?code=hunter3"+env)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		send("when the file is gone", "http://x/m?code=hunter3"+env)
		write("hunter4")
		send("when it is back", "http://x/m?code=hunter4"+env)

		// The same size and the same time: the half hour finds it.
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		write("hunter5")
		if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		send("when nothing shows that it changed", "http://x/m?code=hunter4"+env)
		time.Sleep(secretReread)
		send("half an hour later", "http://x/m?code=hunter5"+env)
		fail = true
		send("when the endpoint fails", "http://x/m?code=hunter5"+env)
		if text := log.String(); strings.Contains(text, "hunter") || strings.Count(text, "cannot be read") != 1 {
			t.Errorf("log:\n%s", text)
		}
	})
}

// TestSecretThatComesLater: an instance works as soon as the file is there, and until then events fail.
func TestSecretThatComesLater(t *testing.T) {
	t.Parallel()
	file, rules := secretFile(t, "x")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		d := New(Options{Secrets: rules, Transport: answering(func(*http.Request) (*http.Response, error) { sent++; return status(200), nil })})
		defer d.Close()
		if err := d.Configure(instance(resource.UpstreamTemplate{URLTemplate: "http://x/?{@file(" + file + ")}"})); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Dispatch(t.Context(), &Event{}); err == nil || sent != 0 {
			t.Errorf("without its secret an event was sent, or: %v", err)
		}
		if err := os.WriteFile(file, []byte("there"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(secretCheck)
		if _, err := d.Dispatch(t.Context(), &Event{}); err != nil || sent != 1 {
			t.Errorf("with the secret: %v", err)
		}
	})
}

func TestSecretsThatAreRefused(t *testing.T) {
	t.Parallel()
	file, rules := secretFile(t, "x")
	d := configured(t, Options{Secrets: rules}, resource.UpstreamTemplate{URLTemplate: "http://good/"})
	for text, want := range map[string]string{
		"http://x/{@file(/etc/passwd)}":                "{@file(/etc/passwd)} is in none of the directories",
		"http://x/{@file(" + file + "/../../code)}":    "is in none of the directories",
		"http://x/{@file(" + filepath.Dir(file) + ")}": "is in none of the directories",
		"http://x/{@env(PATH)}":                        "{@env(PATH)} is none of the environment variables",
		"http://x/{@file(code)}":                       "needs an absolute path",
		"http://x/{@file()}":                           "names no file",
		"http://x/{@vault(a)}":                         "is {@file(/run/secrets/NAME)} or {@env(NAME)}",
		"http://x/{@file(" + file + "}":                "is {@file(/run/secrets/NAME)} or {@env(NAME)}",
		"http://{@file(" + file + ")}/":                "a secret must not be part of the host",
		"http://x/?{@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/code)}": "a Key Vault reference cannot be resolved here",
	} {
		err := d.Configure(instance(resource.UpstreamTemplate{URLTemplate: text}))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if err := d.Configure(instance(resource.UpstreamTemplate{URLTemplate: "http://u:{@file(" + file + ")}@x/"})); err != nil {
		t.Errorf("a password: %v", err)
	}
}
