package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/hubgate/hubgate/internal/config"
)

// acmeDirectory is where certificates are kept below the data directory unless the configuration says otherwise.
const acmeDirectory = "acme"

// The library's names of the events that matter here.
const (
	certObtained = "cert_obtained"
	certFailed   = "cert_failed"
)

// noEmail is what the library calls the account without an e-mail address.
const noEmail = "default"

// How often certificates are looked at for renewal, how long to wait after a failure that the library does not try again by itself, and how long
// for a question to the server when the node ends.
const (
	defaultRenewalCheck = 10 * time.Minute
	acmePause           = 15 * time.Minute
	acmeClose           = 2 * time.Second
)

// acmeCertificates are the certificates that one listener gets from an ACME server (RFC 8555). They are got, renewed and kept in the background;
// a handshake never waits for the server, and what is there is served as long as nothing newer is.
type acmeCertificates struct {
	settings *config.ACME
	log      *slog.Logger
	hosts    map[string]bool // of this listener, in lower case
	proving  map[string]bool // of all listeners: the server asks on one port, whichever listener needs the certificate
	cache    *certmagic.Cache
	config   *certmagic.Config
	issuer   *certmagic.ACMEIssuer
}

// newACME prepares the certificates of a listener; run gets them. The hosts are added to proving.
func newACME(settings *config.ACME, dataDir string, listener net.Addr, proving map[string]bool, check time.Duration, log *slog.Logger) (*acmeCertificates, error) {
	dir := settings.CacheDirectory
	if dir == "" {
		if dataDir == "" {
			return nil, errors.New("acme: there is neither a cacheDirectory nor a data directory to keep certificates in; give one of them")
		}
		dir = filepath.Join(dataDir, acmeDirectory)
	}
	// Made here, so that a directory which cannot be made keeps the node from starting.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("acme: the cache directory: %w", err)
	}
	if check <= 0 {
		check = defaultRenewalCheck
	}
	a := &acmeCertificates{settings: settings, log: log, hosts: make(map[string]bool), proving: proving}
	for _, host := range settings.HostNames {
		a.hosts[strings.ToLower(host)] = true
		proving[strings.ToLower(host)] = true
	}
	template := certmagic.ACMEIssuer{
		CA: settings.Directory(), Email: settings.Email, Agreed: settings.AgreeToTerms, Logger: zap.New(libraryLog{log: log}),
		DisableHTTPChallenge: config.Off(settings.HTTPAddress),
	}
	if template.Email == "" {
		// Without an address the library takes that of another listener, and with it another account, once it has seen one. This is the name under which
		// it keeps the account that has none.
		template.Email = noEmail
		template.NewAccountFunc = func(_ context.Context, _ *certmagic.ACMEIssuer, account acme.Account) (acme.Account, error) {
			account.Contact = nil
			return account, nil
		}
	}
	// The library looks whether somebody listens already where a challenge is asked for, and the node does.
	if tcp, ok := listener.(*net.TCPAddr); ok {
		template.ListenHost, template.AltTLSALPNPort = tcp.IP.String(), tcp.Port
	}
	if !template.DisableHTTPChallenge {
		_, port, err := net.SplitHostPort(settings.HTTPAddress)
		if err == nil {
			template.AltHTTPPort, err = net.LookupPort("tcp", port)
		}
		if err != nil {
			return nil, fmt.Errorf("acme: the address for challenges over HTTP: %w", err)
		}
	}
	if e := settings.ExternalAccount; e.KeyID != "" {
		template.ExternalAccount = &acme.EAB{KeyID: e.KeyID, MACKey: e.Secret.Reveal()}
	}
	if file := settings.TrustedCAFile; file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("acme: the authorities to trust: %w", err)
		}
		template.TrustedRoots = x509.NewCertPool()
		if !template.TrustedRoots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("acme: %s holds no certificate in PEM form", file)
		}
	}
	a.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return a.config, nil },
		RenewCheckInterval: check,
		Logger:             template.Logger,
	})
	a.config = certmagic.New(a.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: dir}, Logger: template.Logger,
		OnEvent: a.event, ShouldEmitFunc: func(name string) bool { return name == certObtained || name == certFailed }, // and not for each handshake
	})
	a.issuer = certmagic.NewACMEIssuer(a.config, template)
	// The library would try again with Let's Encrypt's test server first. Proofs for that one are not found by other nodes with the same storage.
	a.issuer.TestCA = ""
	a.config.Issuers = []certmagic.Issuer{issuer{a.issuer}}
	return a, nil
}

// issuer gets certificates as the library's own does, but a renewal is an order like any other. The library would name the certificate that it replaces
// (RFC 9773, section 5), which authorities refuse when another account has ordered that one: after a change of the e-mail address or of the external
// account every renewal would fail. It does so only for its own type.
type issuer struct{ *certmagic.ACMEIssuer }

// run gets the certificates that are not kept yet, and ends when all are there; from then on the library renews them.
func (a *acmeCertificates) run(ctx context.Context) {
	var all sync.WaitGroup
	for host := range a.hosts {
		all.Go(func() { a.keep(ctx, host) })
	}
	all.Wait()
}

// keep loads or gets the certificate of a host, however long it takes. The library tries again by itself, later and later, for a month.
func (a *acmeCertificates) keep(ctx context.Context, host string) {
	for {
		_, err := a.config.CacheManagedCertificate(ctx, host)
		if errors.Is(err, fs.ErrNotExist) {
			if err = a.config.ObtainCertAsync(ctx, host); err == nil {
				_, err = a.config.CacheManagedCertificate(ctx, host)
			}
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			// One that was kept may be due since the node was last here.
			if err := a.cache.RenewManagedCertificates(ctx); err != nil {
				a.failed(host, true, err)
			}
			return
		}
		if _, said := errors.AsType[certmagic.ErrNoRetry](err); !said {
			a.failed(host, false, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(acmePause):
		}
	}
}

// close ends the renewals. The library lets a question to the server end first, for which a node that ends has little time.
func (a *acmeCertificates) close() {
	stopped := make(chan struct{})
	go func() {
		a.cache.Stop()
		close(stopped)
	}()
	select {
	case <-stopped:
	case <-time.After(acmeClose):
	}
}

// asksForProof says whether a client is an ACME server which wants to see the proof of a host (RFC 8737, section 3). It offers that protocol alone,
// so a connection that it opens carries nothing else: the HTTP server closes it after the handshake.
func asksForProof(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acmez.ACMETLS1Protocol
}

// proof is the configuration of such a handshake. An ACME server has no client certificate, whatever other clients need.
func (a *acmeCertificates) proof() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{acmez.ACMETLS1Protocol},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return a.lookUp(a.proving, hello) },
	}
}

// certificate is that of the host which a client asks for. Hosts that are not listed get none: the handshake ends with unrecognized_name.
func (a *acmeCertificates) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return a.lookUp(a.hosts, hello)
}

func (a *acmeCertificates) lookUp(hosts map[string]bool, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if !hosts[strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))] {
		return nil, nil // which the standard library takes for "no certificate", and says so to the client
	}
	return a.config.GetCertificateWithContext(hello.Context(), hello)
}

// overHTTP answers challenges of the kind http-01 (RFC 8555, section 8.3) before next answers anything else.
func (a *acmeCertificates) overHTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if a.proving[strings.ToLower(host)] && a.issuer.HandleHTTPChallenge(w, r) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// event hears of certificates that came, and of those that did not.
func (a *acmeCertificates) event(_ context.Context, name string, data map[string]any) error {
	host, _ := data["identifier"].(string)
	renewal, _ := data["renewal"].(bool)
	switch name {
	case certObtained:
		a.log.Info("the authority gave a certificate", "host", host, "renewal", renewal, "directory", a.settings.Directory())
	case certFailed:
		if err, ok := data["error"].(error); ok && !errors.Is(err, context.Canceled) {
			a.failed(host, renewal, err)
		}
	}
	return nil
}

// failed says once for each attempt what went wrong. Attempts come a minute after the first failure, and then later and later.
func (a *acmeCertificates) failed(host string, renewal bool, err error) {
	message := "the authority gave no certificate; clients of this host cannot connect yet"
	if renewal {
		message = "the certificate was not renewed; the old one stays"
	}
	a.log.Error(message, "host", host, "reason", err, "do", a.advice(host, err))
}

// advice is what to do about a failure.
func (a *acmeCertificates) advice(host string, err error) string {
	directory := a.settings.Directory()
	reach := fmt.Sprintf("let the DNS name lead to this node, and port 443 of it to this listener: the server at %s connects there", directory)
	if !config.Off(a.settings.HTTPAddress) {
		reach += "; or port 80 to " + a.settings.HTTPAddress
	}
	if p, ok := errors.AsType[acme.Problem](err); ok {
		switch p.Type {
		case acme.ProblemTypeRateLimited:
			return "wait; the node tries again by itself, later and later. If other machines ask for this name too, let them share a cacheDirectory"
		case acme.ProblemTypeDNS:
			return "make a DNS record of " + host + " that leads to this node"
		case acme.ProblemTypeCAA:
			return "let the CAA record of " + host + " name this authority"
		case acme.ProblemTypeConnection, acme.ProblemTypeTLS, acme.ProblemTypeIncorrectResponse:
			return reach
		case acme.ProblemTypeUnauthorized:
			return reach + "; if the account is what it refuses, look at externalAccount"
		case acme.ProblemTypeExternalAccountRequired:
			return "set externalAccount to the key id and the secret that the authority gave you"
		case acme.ProblemTypeInvalidContact, acme.ProblemTypeUnsupportedContact:
			return "set email to an address that the authority takes"
		case acme.ProblemTypeRejectedIdentifier, acme.ProblemTypeUnsupportedIdentifier:
			return "take " + host + " out of hostNames, or use an authority that issues for it"
		case acme.ProblemTypeUserActionRequired:
			return "read the terms of service of the authority, which have changed: " + p.Instance
		}
		return "the reason is the authority's own; the node tries again by itself"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the server at " + directory + " is not trusted: set trustedCAFile to the authority of its own certificate"
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return "see whether this node reaches " + directory + ", and whether directoryUrl is right; the node tries again by itself"
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return "let the node write to the cache directory"
	}
	return "look at the reason; the node tries again by itself"
}

// libraryLog writes what the library logs: to the debug log, for event says what matters. Failures that it has no event for are errors.
type libraryLog struct {
	log    *slog.Logger
	fields []zapcore.Field
}

// Enabled leaves out what the library says for debugging: it holds whole requests.
func (l libraryLog) Enabled(level zapcore.Level) bool { return level >= zapcore.InfoLevel }

// With adds fields to all that follows.
func (l libraryLog) With(fields []zapcore.Field) zapcore.Core {
	l.fields = append(l.fields[:len(l.fields):len(l.fields)], fields...)
	return l
}

// Check takes part when the level is enabled.
func (l libraryLog) Check(e zapcore.Entry, c *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if l.Enabled(e.Level) {
		return c.AddCore(e, l)
	}
	return c
}

// Write writes one entry.
func (l libraryLog) Write(e zapcore.Entry, fields []zapcore.Field) error {
	encoder := zapcore.NewMapObjectEncoder()
	for _, f := range append(l.fields[:len(l.fields):len(l.fields)], fields...) {
		f.AddTo(encoder)
	}
	// A renewal that fails before it asks anybody, because the cache directory cannot be used, is no event.
	reason := fmt.Sprint(encoder.Fields["error"])
	if e.Message == "job failed" && strings.Contains(reason, "storage") {
		l.log.Error("the certificate was not renewed; the old one stays", "reason", reason, "do", "let the node read and write the cache directory")
		return nil
	}
	l.log.Debug("ACME: "+e.Message, "details", encoder.Fields)
	return nil
}

// Sync has nothing to do: nothing is held back.
func (libraryLog) Sync() error { return nil }

// secureListeners prepares the certificates of the listeners that speak TLS, and takes the ports on which ACME servers may ask over plain HTTP.
func (n *node) secureListeners() error {
	n.secure, n.proofs = make(map[string]*certificates), make(map[string]*acmeCertificates)
	proving := make(map[string]bool)
	for name, files := range map[string]config.TLS{listenSignalR: n.settings.Listeners.SignalRTLS, listenGateway: n.settings.Listeners.GatewayTLS} {
		if !files.On() || n.listeners[name] == nil {
			continue
		}
		log := n.log.With("listener", name)
		var a *acmeCertificates
		if files.ACME != nil {
			var err error
			if a, err = newACME(files.ACME, n.options.DataDir, n.listeners[name].Addr(), proving, n.options.renewalCheck, log); err != nil {
				return fmt.Errorf("the %s listener: %w", name, err)
			}
		}
		c, err := newCertificates(files, a, log)
		if err != nil {
			if a != nil {
				a.close()
			}
			return fmt.Errorf("the %s listener: %w", name, err)
		}
		n.secure[name] = c
	}
	for _, c := range n.secure {
		if c.acme == nil || config.Off(c.acme.settings.HTTPAddress) {
			continue
		}
		if err := n.listenForProofs(c.acme); err != nil {
			return err
		}
	}
	return nil
}

// listenForProofs lets the listener with the address for challenges over HTTP answer them. When there is none, it makes one.
func (n *node) listenForProofs(a *acmeCertificates) error {
	address := a.settings.HTTPAddress
	for name, other := range map[string]string{listenSignalR: n.options.SignalRAddress, listenGateway: n.options.GatewayAddress} {
		if other != address || n.listeners[name] == nil {
			continue
		}
		if n.secure[name] != nil {
			return fmt.Errorf("acme: the address for challenges over HTTP, %s, is that of the %s listener, which speaks TLS; choose another one", address, name)
		}
		n.proofs[name] = a
		return nil
	}
	name := "ACME challenge " + address
	if n.listeners[name] != nil {
		return nil // another listener's challenges are answered there already, and so are these
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("the %s listener: %w; choose another address", name, err)
	}
	n.listeners[name], n.proofs[name] = l, a
	return nil
}

// obtainCertificates begins to get the certificates that ACME servers give, now that the listeners answer.
func (n *node) obtainCertificates(ctx context.Context) {
	for name := range n.proofs {
		if name != listenSignalR && name != listenGateway {
			n.serve(name, http.NotFoundHandler())
		}
	}
	for _, c := range n.secure {
		if c.acme != nil {
			n.spawn(func() error { c.acme.run(ctx); return nil })
		}
	}
}
