package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hubgate/hubgate/internal/config"
)

// clientAuthority writes a certificate authority to a file and returns that and a client's certificate which it has signed.
func clientAuthority(t *testing.T, dir, name, client string) (file string, certificate tls.Certificate) {
	t.Helper()
	now := time.Now()
	sign := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			signer = key
		}
		template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		return der, key
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootDER, rootKey := sign(root, root, nil)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: client}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	leafDER, leafKey := sign(leaf, root, rootKey)
	file = filepath.Join(dir, name+".pem")
	write(t, file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}))
	return file, tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}
}

// showing is a client that shows a certificate, whatever authorities the server names, or none.
func showing(t *testing.T, roots *x509.CertPool, certificate *tls.Certificate) *http.Client {
	t.Helper()
	settings := &tls.Config{RootCAs: roots}
	if certificate != nil {
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	transport := &http.Transport{TLSClientConfig: settings}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

const withClientCertificates = `
signalr:
  - {name: asrs1, mode: Serverless, primaryKey: ` + guardedKey + `}
apiManagement:
  - name: apim1
    apis:
      - name: who
        path: who
        subscriptionRequired: false
        operations:
          - method: GET
            policy: |
              <policies><inbound><return-response><set-status code="200" /><set-body>@(context.Request.Certificate.Subject)</set-body></return-response></inbound></policies>
`

// TestClientCertificates lets only those clients in whose certificate an authority in the file has signed, on both listeners.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificate, key := issue(t, dir, "server", 1)
	authorities, ada := clientAuthority(t, dir, "authority", "ada")
	_, mallory := clientAuthority(t, dir, "other", "ada")
	c, err := config.Parse([]byte(withClientCertificates), "hubgate.yaml", os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	c.Listeners.SignalRTLS = config.TLS{CertificateFile: certificate, KeyFile: key, ClientCAFile: authorities}
	c.Listeners.GatewayTLS = c.Listeners.SignalRTLS
	a, _ := run(t, Options{Config: c})
	roots := x509.NewCertPool()
	data, err := os.ReadFile(certificate)
	if err != nil || !roots.AppendCertsFromPEM(data) {
		t.Fatal("the certificate cannot be read", err)
	}
	token := clientToken(t, "ada")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()

	for name, bad := range map[string]struct {
		show *tls.Certificate
		told string
	}{
		"without a certificate": {nil, "certificate required"},
		"of another authority":  {&mallory, "unknown certificate authority"},
	} {
		client := showing(t, roots, bad.show)
		for _, url := range []string{a.SignalR + "/client/negotiate?hub=chat&negotiateVersion=1", a.SignalR + "/api/health", a.Gateway + "/who"} {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			res, err := client.Do(r)
			if err == nil {
				_ = res.Body.Close()
				t.Errorf("a client %s is answered %s at %s", name, res.Status, url)
			} else if !strings.Contains(err.Error(), bad.told) {
				t.Errorf("a client %s is told %v at %s, want %q", name, err, url, bad.told)
			}
		}
		conn, _, err := websocket.Dial(ctx, a.SignalR+"/client/?hub=chat&access_token="+token, &websocket.DialOptions{HTTPClient: client})
		if err == nil {
			_ = conn.CloseNow()
			t.Errorf("a client %s has a WebSocket", name)
		}
	}

	good := showing(t, roots, &ada)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.SignalR+"/client/negotiate?hub=chat&negotiateVersion=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := good.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ ConnectionToken string }
	err = json.NewDecoder(res.Body).Decode(&answer)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK || answer.ConnectionToken == "" {
		t.Fatalf("negotiate with a certificate: %s, %+v, %v", res.Status, answer, err)
	}
	conn, _, err := websocket.Dial(ctx, a.SignalR+"/client/?hub=chat&id="+answer.ConnectionToken+"&access_token="+token, &websocket.DialOptions{HTTPClient: good})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	shakeHands(t, conn)

	res, err = good.Get(a.Gateway + "/who")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK || string(body) != "CN=ada" {
		t.Errorf("the gateway answers %s %q, %v; want the subject of the client's certificate", res.Status, body, err)
	}
}

// TestACMEWithClientCertificates gets a certificate for a listener whose clients need one: the ACME server has none, and still sees its proof.
func TestACMEWithClientCertificates(t *testing.T) {
	t.Parallel()
	const host = "clients.acme.test"
	authorities, ada := clientAuthority(t, t.TempDir(), "authority", "ada")
	port := quietPort(t)
	a := startAuthority(t, authorityOptions{tlsPort: port, httpPort: quietPort(t), validity: time.Hour})
	var out logText
	a.node(t, port, config.ACME{HostNames: []string{host}}, &out, func(c *config.Config) { c.Listeners.SignalRTLS.ClientCAFile = authorities })
	eventually(t, "the listener has a certificate", func() bool {
		_, err := a.dial(port, host, ada)
		return err == nil
	})
	if _, err := a.dial(port, host); err == nil || !strings.Contains(err.Error(), "tls:") {
		t.Errorf("a client without a certificate is told %v", err)
	}
}
