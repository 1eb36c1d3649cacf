package appserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// connectionStringCase is what the .NET SDK 1.34.0 makes of a connection string.
type connectionStringCase struct {
	ConnectionString string `json:"connectionString"`
	Endpoint         string `json:"endpoint"`
	Client           string `json:"client"`
	Server           string `json:"server"`
	Credential       string `json:"credential"`
	Throws           string `json:"throws"`
}

func connectionStringCases(t testing.TB) []connectionStringCase {
	t.Helper()
	f, err := os.Open("testdata/connection-strings.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []connectionStringCase
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c connectionStringCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

func TestConnectionStringsComeOutAsInDotNet(t *testing.T) {
	t.Parallel()
	cases := connectionStringCases(t)
	if len(cases) != 61 {
		t.Fatalf("%d cases, want 61", len(cases))
	}
	for _, c := range cases {
		t.Run(c.ConnectionString, func(t *testing.T) {
			t.Parallel()
			got, err := ParseConnectionString(c.ConnectionString)
			if c.Throws != "" {
				if err == nil {
					t.Fatalf("parsed to %v, want an error", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := connectionStringCase{c.ConnectionString, c.Endpoint, c.Client, c.Server, c.Credential, ""}
			if have := (connectionStringCase{c.ConnectionString, got.Endpoint, got.ClientEndpoint, got.ServerEndpoint, got.Credential.String(), ""}); have != want {
				t.Errorf("got  %+v\nwant %+v", have, want)
			}
		})
	}
}

func TestAudienceHasNoPort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Endpoint=http://localhost;Port=8888;AccessKey=k":                                  "http://localhost/",
		"Endpoint=HTTPS://Host.Example:8443/path;AccessKey=k;ClientEndpoint=https://gw/x/": "https://host.example/",
		"Endpoint=http://[::1]:8888;AccessKey=k":                                           "http://[::1]/",
	} {
		c, err := ParseConnectionString(text)
		if err != nil {
			t.Fatal(err)
		}
		if c.audience != want {
			t.Errorf("%s: audience %s, want %s", text, c.audience, want)
		}
	}
}

func TestConnectionStringHidesItsKey(t *testing.T) {
	t.Parallel()
	c, err := ParseConnectionString("Endpoint=http://localhost;AccessKey=very-secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %q", c, c, c), fmt.Sprintf("%v", &c), c.LogValue().String()} {
		if strings.Contains(text, "very-secret") {
			t.Errorf("%q holds the access key", text)
		}
	}
	for _, bad := range []string{"very-secret", "Endpoint=x;AccessKey=very-secret", "AccessKey=very-secret;AccessKey=very-secret", "Endpoint=http://a;very-secret"} {
		if _, err := ParseConnectionString(bad); err == nil || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func FuzzParseConnectionString(f *testing.F) {
	for _, c := range connectionStringCases(f) {
		f.Add(c.ConnectionString)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConnectionString(text)
		if err != nil {
			return
		}
		for _, base := range []string{c.Endpoint, c.ClientEndpoint, c.ServerEndpoint, c.audience} {
			if !strings.HasPrefix(base, "http://") && !strings.HasPrefix(base, "https://") {
				t.Errorf("%q: base %q is not an http URL", text, base)
			}
		}
		if c.Credential == CredentialAccessKey && c.accessKey == "" {
			t.Errorf("%q: an access key credential without a key", text)
		}
	})
}
