package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/mholt/acmez/v3/acme"

	"github.com/hubgate/hubgate/internal/config"
)

// authority is Pebble, the ACME server that Let's Encrypt tests clients with. All names lead to this machine for it.
type authority struct {
	url    string
	caFile string         // trusted for the server itself
	roots  *x509.CertPool // of the certificates that it gives
	server *httptest.Server
	orders atomic.Int32 // how many certificates were asked for
	refuse atomic.Bool  // answers orders as if there had been too many
	hurry  atomic.Bool  // tells the next who asks to renew a certificate at once
}

// authorityOptions say which ports the authority asks on, in the place of 443 and 80, and how long its certificates are valid.
type authorityOptions struct {
	tlsPort, httpPort int
	validity          time.Duration
	asked             bool   // says when certificates are to be renewed, as hurry wants it
	keyID, key        string // of the external account without which nobody gets an account
}

// pebbleSettings let Pebble neither wait nor fail at random, and prove each host again for each certificate.
var pebbleSettings = sync.OnceFunc(func() {
	for name, value := range map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"} {
		_ = os.Setenv(name, value)
	}
})

func startAuthority(t *testing.T, o authorityOptions) *authority {
	t.Helper()
	pebbleSettings()
	discard := log.New(io.Discard, "", 0)
	if testing.Verbose() {
		discard = log.New(t.Output(), "pebble: ", 0)
	}
	resolver := loopback(quietPort(t))
	names, err := challtestsrv.New(challtestsrv.Config{Log: discard, DNSAddrs: []string{resolver}})
	if err != nil {
		t.Fatal(err)
	}
	names.SetDefaultDNSIPv4("127.0.0.1")
	names.SetDefaultDNSIPv6("")
	names.Run()
	t.Cleanup(names.Shutdown)
	memory := db.NewMemoryStore()
	if o.keyID != "" {
		if err := memory.AddExternalAccountKeyByID(o.keyID, o.key); err != nil {
			t.Fatal(err)
		}
	}
	issuing := ca.New(discard, memory, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "default", ValidityPeriod: uint64(o.validity / time.Second)}})
	front := wfe.New(discard, memory, va.New(discard, o.httpPort, o.tlsPort, true, resolver, memory), issuing, []string{"ca.test"}, true, o.keyID != "", 1, 1)
	handler := front.Handler()
	a := &authority{roots: x509.NewCertPool()}
	a.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/order-plz" {
			a.orders.Add(1)
			if a.refuse.Load() {
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = io.WriteString(w, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates for this name","status":429}`)
				return
			}
		}
		if r.URL.Path == wfe.DirectoryPath && !o.asked {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, r)
			var directory map[string]any
			if err := json.Unmarshal(answer.Body.Bytes(), &directory); err != nil {
				t.Error(err)
			}
			delete(directory, "renewalInfo")
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(directory) // to a client that may have gone
			return
		}
		if strings.Contains(r.URL.Path, "/renewalInfo/") {
			start := time.Now().Add(10 * time.Hour)
			if a.hurry.CompareAndSwap(true, false) {
				start = time.Now().Add(-10 * time.Hour)
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After", "1")
			fmt.Fprintf(w, `{"suggestedWindow":{"start":%q,"end":%q}}`, start.UTC().Format(time.RFC3339), start.Add(time.Hour).UTC().Format(time.RFC3339))
			return
		}
		handler.ServeHTTP(w, r)
	}))
	a.server.Config.ErrorLog = discard
	a.server.StartTLS()
	t.Cleanup(a.server.Close)
	a.url = a.server.URL + wfe.DirectoryPath
	a.caFile = filepath.Join(t.TempDir(), "directory.pem")
	write(t, a.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.server.Certificate().Raw}))
	a.roots.AddCert(rootOf(t, issuing))
	return a
}

func rootOf(t *testing.T, issuing *ca.CAImpl) *x509.Certificate {
	t.Helper()
	root, err := x509.ParseCertificate(issuing.GetRootCert(0).DER)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

var portsInUse sync.Map

// quietPort is a port that nobody listens on. It is below those that the system hands out, so that no other test gets it meanwhile.
func quietPort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 20000 + rand.IntN(10000)
		if _, taken := portsInUse.LoadOrStore(port, true); taken {
			continue
		}
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		_ = l.Close()
		return port
	}
	t.Fatal("there is no free port")
	return 0
}

func loopback(port int) string {
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String()
}

// logText is a log that a test reads while it is written.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// lines are those that contain some text.
func (l *logText) lines(containing string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, containing) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func (l *logText) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// node runs a node whose SignalR listener gets its certificates from the authority.
func (a *authority) node(t *testing.T, port int, settings config.ACME, out *logText, more func(*config.Config)) *node {
	t.Helper()
	if settings.DirectoryURL == "" {
		settings.DirectoryURL, settings.TrustedCAFile = a.url, a.caFile
	}
	settings.AgreeToTerms = true
	c := config.Default()
	c.Listeners.SignalRTLS.ACME = &settings
	c.SignalR = []config.Instance{{Name: "asrs1"}}
	if more != nil {
		more(c)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	gateway := ""
	if c.Listeners.Gateway != config.DefaultGatewayAddress {
		gateway = c.Listeners.Gateway
	}
	_, n := run(t, Options{Config: c, SignalRAddress: loopback(port), GatewayAddress: gateway, Logger: out.logger(), renewalCheck: 200 * time.Millisecond})
	return n
}

// dial shakes hands with the listener as a client of the host and returns the certificate that it is shown.
func (a *authority) dial(port int, host string, client ...tls.Certificate) (*x509.Certificate, error) {
	conn, err := tls.Dial("tcp", loopback(port), &tls.Config{ServerName: host, RootCAs: a.roots, Certificates: client, NextProtos: []string{"http/1.1"}, MaxVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

// shown waits until the listener has a certificate for the host, other than some older one.
func (a *authority) shown(t *testing.T, port int, host string, older *x509.Certificate) *x509.Certificate {
	t.Helper()
	var got *x509.Certificate
	var last error
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		if got, last = a.dial(port, host); last == nil && (older == nil || !got.Equal(older)) {
			return got
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the listener has no new certificate for %s: %v", host, last)
	return nil
}

// TestACME lets a node get a certificate by tls-alpn-01 on its own listener, serve it, and renew it while clients come and go.
func TestACME(t *testing.T) {
	t.Parallel()
	const host, second = "chat.acme.test", "chat2.acme.test"
	port := quietPort(t)
	a := startAuthority(t, authorityOptions{tlsPort: port, httpPort: quietPort(t), validity: 15 * time.Second})
	var out logText
	cache := filepath.Join(t.TempDir(), "certificates")
	n := a.node(t, port, config.ACME{HostNames: []string{host, strings.ToUpper(second)}, CacheDirectory: cache, Email: "admin@acme.test"}, &out, nil)
	if got, want := n.url(listenSignalR), "https://"+net.JoinHostPort(host, portOf(port)); got != want {
		t.Errorf("the listener's URL is %s, want %s, for which it has a certificate", got, want)
	}

	first := a.shown(t, port, host, nil)
	if err := first.VerifyHostname(host); err != nil {
		t.Error(err)
	}
	a.shown(t, port, second, nil)
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: a.roots}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, loopback(port))
		},
	}}
	defer client.CloseIdleConnections()
	res, err := client.Get(n.url(listenSignalR) + "/api/health")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK || res.ProtoMajor != 2 {
		t.Errorf("over TLS the instance answers %s with %s", res.Status, res.Proto)
	}

	// Whoever asks for another host gets nothing, and nothing is tried for it: the library logs each host that it works for.
	for _, name := range []string{"other.acme.test", "sub." + host, "localhost", ""} {
		config := &tls.Config{ServerName: name, InsecureSkipVerify: true}
		if conn, err := tls.Dial("tcp", loopback(port), config); err == nil {
			_ = conn.Close()
			t.Errorf("a client of %q is served", name)
		} else if !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("a client of %q is told %v", name, err)
		}
	}
	for _, line := range out.lines("other.acme.test") {
		t.Errorf("the log has %s", line)
	}

	// A connection that offers the protocol of proofs alone carries no request.
	conn, err := tls.Dial("tcp", loopback(port), &tls.Config{ServerName: host, InsecureSkipVerify: true, NextProtos: []string{"acme-tls/1"}})
	if err == nil {
		_, _ = io.WriteString(conn, "GET /api/health HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if body, _ := io.ReadAll(conn); len(body) > 0 {
			t.Errorf("a connection for proofs is answered %q", body)
		}
		_ = conn.Close()
	}

	// Renewal.
	renewed := a.shown(t, port, host, first)
	if !renewed.NotAfter.After(first.NotAfter) {
		t.Errorf("the certificate ends %v, and the one before it %v", renewed.NotAfter, first.NotAfter)
	}
	if third := first.NotBefore.Add(8 * time.Second); renewed.NotBefore.Before(third) {
		t.Errorf("the certificate was renewed at %v, before two thirds of its life were over at about %v", renewed.NotBefore, third)
	}
	if len(out.lines("renewal=true")) == 0 {
		t.Error("the log does not tell of the renewal")
	}
	for _, line := range out.lines("level=ERROR") {
		t.Errorf("the log has %s", line)
	}
	private(t, cache)
}

func portOf(port int) string {
	_, p, _ := net.SplitHostPort(loopback(port))
	return p
}

// private looks at the modes of the files that hold keys.
func private(t *testing.T, dir string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return
	}
	keys := 0
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a lock that was there a moment ago
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		}
		if strings.HasSuffix(name, ".key") {
			keys++
		}
		if strings.HasSuffix(name, ".lock") {
			return nil // holds the time alone
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %o, want %o", name, got, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if keys < 3 { // of the account and of two hosts
		t.Errorf("%s has %d keys", dir, keys)
	}
}

// TestACMECache starts a node a second time: it serves what is kept although the authority is gone.
func TestACMECache(t *testing.T) {
	t.Parallel()
	const host = "chat.cache.test"
	port := quietPort(t)
	a := startAuthority(t, authorityOptions{tlsPort: port, httpPort: quietPort(t), validity: 24 * time.Hour})
	cache := t.TempDir()
	var first *x509.Certificate
	t.Run("first start", func(t *testing.T) {
		var out logText
		a.node(t, port, config.ACME{HostNames: []string{host}, CacheDirectory: cache}, &out, nil)
		first = a.shown(t, port, host, nil)
	})
	if first == nil || a.orders.Load() != 1 {
		t.Fatalf("the authority was asked %d times", a.orders.Load())
	}
	a.server.Close()
	t.Run("second start", func(t *testing.T) {
		var out logText
		a.node(t, port, config.ACME{HostNames: []string{host}, CacheDirectory: cache}, &out, nil)
		if again := a.shown(t, port, host, nil); !again.Equal(first) {
			t.Error("the second start has another certificate")
		}
		for _, line := range out.lines("level=ERROR") {
			t.Errorf("the log has %s", line)
		}
	})
}

// TestACMEEarlyRenewal renews when the authority says so (RFC 9773), also when the account is another one since the e-mail address has changed.
func TestACMEEarlyRenewal(t *testing.T) {
	t.Parallel()
	const host = "chat.early.test"
	port := quietPort(t)
	a := startAuthority(t, authorityOptions{tlsPort: port, httpPort: quietPort(t), validity: 24 * time.Hour, asked: true})
	cache := t.TempDir()
	for _, email := range []string{"", "one@early.test", "two@early.test", ""} {
		t.Run("as "+email, func(t *testing.T) {
			var out logText
			a.node(t, port, config.ACME{HostNames: []string{host}, CacheDirectory: cache, Email: email}, &out, nil)
			before := a.shown(t, port, host, nil)
			a.hurry.Store(true)
			deadline := time.Now().Add(30 * time.Second)
			for len(out.lines("renewal=true")) == 0 && len(out.lines("level=ERROR")) == 0 && time.Now().Before(deadline) {
				time.Sleep(20 * time.Millisecond)
			}
			a.shown(t, port, host, before)
			for _, line := range out.lines("level=ERROR") {
				t.Errorf("the log has %s", line)
			}
		})
	}
}

// TestACMEProofOfAnotherNode answers a challenge that another node with the same cache directory has begun.
func TestACMEProofOfAnotherNode(t *testing.T) {
	t.Parallel()
	const host = "chat.cluster.test"
	port := quietPort(t)
	a := startAuthority(t, authorityOptions{tlsPort: port, httpPort: quietPort(t), validity: time.Hour})
	cache := t.TempDir()
	var out logText
	n := a.node(t, port, config.ACME{HostNames: []string{host}, CacheDirectory: cache}, &out, nil)
	a.shown(t, port, host, nil)
	challenge := acme.Challenge{
		Type: acme.ChallengeTypeTLSALPN01, Token: "a-token", KeyAuthorization: "a-token.a-thumbprint",
		Identifier: acme.Identifier{Type: "dns", Value: host},
	}
	stored, err := json.Marshal(challenge)
	if err != nil {
		t.Fatal(err)
	}
	storage := certmagic.FileStorage{Path: cache}
	issuer := certmagic.StorageKeys.Safe(n.secure[listenSignalR].acme.issuer.IssuerKey())
	if err := storage.Store(t.Context(), "acme/"+issuer+"/challenge_tokens/"+host+".json", stored); err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", loopback(port), &tls.Config{ServerName: host, InsecureSkipVerify: true, NextProtos: []string{"acme-tls/1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	proof := sha256.Sum256([]byte(challenge.KeyAuthorization))
	want := append([]byte{4, 32}, proof[:]...) // an octet string in DER (RFC 8737, section 3)
	for _, e := range conn.ConnectionState().PeerCertificates[0].Extensions {
		if e.Id.String() == "1.3.6.1.5.5.7.1.31" && e.Critical && bytes.Equal(e.Value, want) {
			return
		}
	}
	t.Error("the certificate does not have the proof of the challenge that is stored")
}

// TestACMERenewalFails refuses a renewal: the old certificate stays, and the log says so once.
func TestACMERenewalFails(t *testing.T) {
	t.Parallel()
	port := quietPort(t)
	host := "chat" + portOf(port) + ".limit.test" // for the library remembers in the process which renewals failed
	a := startAuthority(t, authorityOptions{tlsPort: port, httpPort: quietPort(t), validity: 12 * time.Second})
	var out logText
	a.node(t, port, config.ACME{HostNames: []string{host}}, &out, nil)
	first := a.shown(t, port, host, nil)
	a.refuse.Store(true)
	deadline := time.Now().Add(30 * time.Second)
	for len(out.lines("level=ERROR")) == 0 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(2 * time.Second) // in which the certificate is looked at ten times
	said := out.lines("level=ERROR")
	if len(said) != 1 {
		t.Fatalf("the log has %d errors: %q", len(said), said)
	}
	for _, want := range []string{"the old one stays", "host=" + host, "too many certificates for this name", "do=", "wait"} {
		if !strings.Contains(said[0], want) {
			t.Errorf("the log does not say %q: %s", want, said[0])
		}
	}
	if got, err := tls.Dial("tcp", loopback(port), &tls.Config{ServerName: host, InsecureSkipVerify: true}); err != nil {
		t.Error("the old certificate is not served any more:", err)
	} else {
		if !got.ConnectionState().PeerCertificates[0].Equal(first) {
			t.Error("another certificate is served")
		}
		_ = got.Close()
	}
}

// TestACMEErrors looks at what the log says for each way in which no first certificate comes.
func TestACMEErrors(t *testing.T) {
	t.Parallel()
	key := base64.RawURLEncoding.EncodeToString([]byte("a key of thirty-two bytes, known"))
	wrong := base64.RawURLEncoding.EncodeToString([]byte("a key of thirty-two bytes, other"))
	nowhere := "https://" + loopback(quietPort(t)) + "/directory"
	for name, c := range map[string]struct {
		host     string
		external bool
		settings config.ACME
		prepare  func(*config.ACME, *authority)
		want     []string
	}{
		"challenge": {host: "challenge.error.test", want: []string{"Failed to connect to 127.0.0.1", "tls-alpn-01", "port 443 of it to this listener"}},
		"unreachable": {
			host: "unreachable.error.test", want: []string{"connection refused", "whether this node reaches " + nowhere},
			prepare: func(s *config.ACME, _ *authority) { s.DirectoryURL = nowhere },
		},
		"untrusted": {
			host: "untrusted.error.test", want: []string{"unknown authority", "set trustedCAFile"},
			prepare: func(s *config.ACME, a *authority) { s.DirectoryURL = a.url },
		},
		"no external account": {host: "without.error.test", external: true, want: []string{"externalAccountRequired", "set externalAccount"}},
		"wrong external account": {
			host: "wrong.error.test", external: true, want: []string{"unauthorized", "look at externalAccount"},
			prepare: func(s *config.ACME, _ *authority) {
				s.ExternalAccount = config.ExternalAccount{KeyID: "key-1", Secret: config.NewSecret(wrong)}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := authorityOptions{tlsPort: quietPort(t), httpPort: quietPort(t), validity: time.Hour}
			if c.external {
				o.keyID, o.key = "key-1", key
			}
			a := startAuthority(t, o)
			settings := c.settings
			settings.HostNames = []string{c.host}
			if c.prepare != nil {
				c.prepare(&settings, a)
			}
			var out logText
			a.node(t, quietPort(t), settings, &out, nil)
			deadline := time.Now().Add(30 * time.Second)
			for len(out.lines("level=ERROR")) == 0 && time.Now().Before(deadline) {
				time.Sleep(50 * time.Millisecond)
			}
			time.Sleep(time.Second)
			said := out.lines("level=ERROR")
			if len(said) != 1 {
				t.Fatalf("the log has %d errors: %q", len(said), said)
			}
			for _, want := range append(c.want, "host="+c.host, "gave no certificate", "listener=SignalR") {
				if !strings.Contains(said[0], want) {
					t.Errorf("the log does not say %q: %s", want, said[0])
				}
			}
			for _, secret := range []string{key, wrong, "PRIVATE KEY"} {
				if len(out.lines(secret)) > 0 {
					t.Error("a secret is in the log")
				}
			}
		})
	}
}

// TestACMEOverHTTP lets the authority ask over plain HTTP alone: on a port of its own, and on that of the gateway. It asks for an external account too.
func TestACMEOverHTTP(t *testing.T) {
	t.Parallel()
	key := base64.RawURLEncoding.EncodeToString([]byte("a key of thirty-two bytes, known"))
	for name, host := range map[string]string{"own": "own.http.test", "gateway": "gateway.http.test"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := authorityOptions{tlsPort: quietPort(t), httpPort: quietPort(t), validity: time.Hour, keyID: "key-1", key: key}
			a := startAuthority(t, o)
			settings := config.ACME{
				HostNames: []string{host}, HTTPAddress: loopback(o.httpPort),
				ExternalAccount: config.ExternalAccount{KeyID: o.keyID, Secret: config.NewSecret(key)},
			}
			port := quietPort(t)
			var out logText
			a.node(t, port, settings, &out, func(c *config.Config) {
				if name == "gateway" {
					c.Listeners.Gateway = loopback(o.httpPort)
				}
			})
			a.shown(t, port, host, nil)
			if len(out.lines(key)) > 0 {
				t.Error("the secret of the external account is in the log")
			}
			if got := status(t, http.MethodGet, "http://"+loopback(o.httpPort)+"/.well-known/acme-challenge/made-up", ""); got != http.StatusNotFound {
				t.Errorf("a challenge that nobody set is answered %d", got)
			}
		})
	}
}
