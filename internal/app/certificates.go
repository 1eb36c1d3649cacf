package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/config"
)

// certificates are those of one listener. They are read again when a file has changed, at most once a second, so that a renewed certificate
// needs no restart; while the new files cannot be used, the old ones stay.
type certificates struct {
	files config.TLS
	acme  *acmeCertificates // in the place of certificate files, or nil
	log   *slog.Logger

	mu      sync.Mutex
	checked time.Time
	changed time.Time // newest modification of the files that were read
	current *tls.Config
}

// recheck is how often files are looked at.
const recheck = time.Second

// newCertificates reads the files for the first time; then they must be right. With acme there is at most a file of authorities.
func newCertificates(files config.TLS, acme *acmeCertificates, log *slog.Logger) (*certificates, error) {
	c := &certificates{files: files, acme: acme, log: log}
	changed, err := c.modified()
	if err != nil {
		return nil, err
	}
	if c.current, err = c.read(); err != nil {
		return nil, err
	}
	c.changed, c.checked = changed, time.Now()
	return c, nil
}

// server is the configuration of a listener that follows the files.
func (c *certificates) server() *tls.Config {
	t := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.config(), nil },
	}
	if c.acme != nil {
		proof := c.acme.proof()
		t.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if asksForProof(hello) {
				return proof, nil
			}
			return c.config(), nil
		}
	}
	return t
}

func (c *certificates) config() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.checked) < recheck {
		return c.current
	}
	c.checked = now
	changed, err := c.modified()
	if err == nil && changed.Equal(c.changed) {
		return c.current
	}
	var next *tls.Config
	if err == nil {
		next, err = c.read()
	}
	if err != nil {
		c.log.Error("the changed certificate cannot be used; the old one stays", "reason", err)
		return c.current
	}
	c.changed, c.current = changed, next
	c.log.Info("the certificate files were read again")
	return next
}

// modified is when the newest of the files was changed.
func (c *certificates) modified() (newest time.Time, err error) {
	for _, name := range []string{c.files.CertificateFile, c.files.KeyFile, c.files.ClientCAFile} {
		if name == "" {
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return newest, err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest, nil
}

// authorities are those that sign the certificates of clients, or nil when clients need none.
func (c *certificates) authorities() *x509.CertPool { return c.config().ClientCAs }

func (c *certificates) read() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if c.acme != nil {
		t.GetCertificate = c.acme.certificate
	} else {
		pair, err := tls.LoadX509KeyPair(c.files.CertificateFile, c.files.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("certificate %s with key %s: %w", c.files.CertificateFile, c.files.KeyFile, err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	if c.files.ClientCAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.files.ClientCAFile)
	if err != nil {
		return nil, err
	}
	t.ClientCAs = x509.NewCertPool()
	if !t.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", c.files.ClientCAFile)
	}
	t.ClientAuth = tls.RequireAndVerifyClientCert
	return t, nil
}
