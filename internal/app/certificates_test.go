package app

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hubgate/hubgate/internal/config"
)

// issue writes a certificate for localhost, signed by itself, and its key.
func issue(t *testing.T, dir, name string, serial int64) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")
	write(t, certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	return certificate, key
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, key := issue(t, dir, "server", 1)
	c := config.Default()
	c.Listeners.SignalRTLS = config.TLS{CertificateFile: certificate, KeyFile: key}
	a, _ := run(t, Options{Config: c})
	if !strings.HasPrefix(a.SignalR, "https://") {
		t.Fatalf("the listener's address is %s", a.SignalR)
	}
	pool := x509.NewCertPool()
	data, err := os.ReadFile(certificate)
	if err != nil || !pool.AppendCertsFromPEM(data) {
		t.Fatal("the certificate cannot be read", err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	res, err := client.Get(a.SignalR + "/nothing-here")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("over TLS the answer is %s", res.Status)
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, key := issue(t, dir, "one", 1)
	var out bytes.Buffer
	c, err := newCertificates(config.TLS{CertificateFile: certificate, KeyFile: key}, nil, slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		c.checked = time.Time{} // as if a second had gone by
		leaf, err := x509.ParseCertificate(c.config().Certificates[0].Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	if serial() != 1 {
		t.Fatal("it is not the certificate of the file")
	}
	write(t, certificate, []byte("this is no certificate"))
	touch(t, certificate, time.Now().Add(time.Minute))
	if serial() != 1 || !strings.Contains(out.String(), "the old one stays") {
		t.Errorf("a broken file does not leave the old certificate in place; the log says %s", &out)
	}
	two, twoKey := issue(t, dir, "two", 2)
	for from, to := range map[string]string{two: certificate, twoKey: key} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, to, data)
		touch(t, to, time.Now().Add(2*time.Minute))
	}
	if serial() != 2 {
		t.Error("a renewed certificate is not taken")
	}
	if strings.Contains(out.String(), "PRIVATE") {
		t.Error("a key is in the log")
	}
}

func touch(t *testing.T, file string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
}
