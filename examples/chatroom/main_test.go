package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const wanted = "Endpoint=http://localhost;AccessKey=key"

func TestReadSecret(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, content, want, failure string }{
		{"flat", `{"Azure:SignalR:ConnectionString":"` + wanted + `"}`, wanted, ""},
		{"nested", `{"Azure":{"SignalR":{"ConnectionString":"` + wanted + `"}},"Other":1}`, wanted, ""},
		{"any case", `{"azure":{"signalr":{"connectionstring":"` + wanted + `"}}}`, wanted, ""},
		{"byte order mark", "\ufeff" + `{"Azure:SignalR:ConnectionString":"` + wanted + `"}`, wanted, ""},
		{"without", `{}`, "", "has no Azure:SignalR:ConnectionString"},
		{"broken", `{`, "", "user-secrets file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "secrets.json")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readSecret(path)
			if got != c.want || (err == nil) != (c.failure == "") || err != nil && !strings.Contains(err.Error(), c.failure) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestFindConnectionString changes the environment, so it runs alone.
func TestFindConnectionString(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv(connectionStringVariable, "")
	if _, err := findConnectionString("", ""); err == nil || !strings.Contains(err.Error(), "--connection-string") {
		t.Errorf("nothing given: %v", err)
	}
	if _, err := findConnectionString("", filepath.Join(home, "missing.json")); err == nil {
		t.Error("a file that was asked for is missing, and nothing was said")
	}
	folder := filepath.Join(home, ".microsoft", "usersecrets", secretsID)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "secrets.json"), []byte(`{"Azure:SignalR:ConnectionString":"from the file"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	want := func(given, want string) {
		t.Helper()
		if got, err := findConnectionString(given, ""); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	want("", "from the file")
	t.Setenv(connectionStringVariable, "from the environment")
	want("", "from the environment")
	want("from the flag", "from the flag")
}
