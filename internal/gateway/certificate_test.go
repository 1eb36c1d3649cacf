package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

// authorityOf makes a certificate authority and what it signs for a client.
func authorityOf(t *testing.T) (roots *x509.CertPool, client tls.Certificate) {
	t.Helper()
	make := func(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if signer == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c, key
	}
	now := time.Now()
	root, rootKey := make(&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	leaf, key := make(&x509.Certificate{SerialNumber: big.NewInt(0xabc), Subject: pkix.Name{CommonName: "ada"}, DNSNames: []string{"ada.example"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, root, rootKey)
	roots = x509.NewCertPool()
	roots.AddCert(root)
	return roots, tls.Certificate{Certificate: [][]byte{leaf.Raw, root.Raw}, PrivateKey: key, Leaf: leaf}
}

func TestValidateClientCertificate(t *testing.T) {
	t.Parallel()
	roots, client := authorityOf(t)
	_, stranger := authorityOf(t)
	identity := func(attributes string) string {
		return `<inbound><validate-client-certificate validate-revocation="false"><identities><identity common-name="nobody"/><identity ` + attributes + `/></identities></validate-client-certificate></inbound>
			<on-error><set-header name="X-Reason"><value>@(context.LastError.Reason)</value></set-header></on-error>`
	}
	for name, c := range map[string]struct {
		policies string
		show     *tls.Certificate
		reason   string
	}{
		"any that is trusted": {`<inbound><validate-client-certificate validate-revocation="false"/></inbound>`, &client, ""},
		"not trusted":         {identity(`common-name="ada"`), &stranger, "ClientCertificateNotTrusted"},
		"trust is not asked":  {`<inbound><validate-client-certificate validate-revocation="false" validate-trust="false"/></inbound>`, &stranger, ""},
		"none":                {identity(`common-name="ada"`), nil, "ClientCertificateNotPresent"},
		"common name":         {identity(`common-name="Ada"`), &client, ""},
		"subject":             {identity(`subject="CN=ada" issuer-subject="CN=Root"`), &client, ""},
		"serial number":       {identity(`serial-number="0A:BC"`), &client, ""},
		"dns name":            {identity(`dns-name="ADA.example"`), &client, ""},
		"another dns name":    {identity(`dns-name="bob.example"`), &client, "ClientCertificateIdentityNotMatched"},
		"thumbprint":          {identity(`thumbprint="00"`), &client, "ClientCertificateIdentityNotMatched"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := localOptions(fine)
			o.Service, o.ClientRoots = testService, roots
			g := New(o)
			t.Cleanup(g.Close)
			configure(t, g, c.policies)
			server := httptest.NewUnstartedServer(g)
			server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
			server.StartTLS()
			defer server.Close()
			h := server.Client()
			if c.show != nil {
				h.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{*c.show}
			}
			response, err := h.Get(server.URL + "/a/x")
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if want := map[bool]int{true: 200, false: 403}[c.reason == ""]; response.StatusCode != want || response.Header.Get("X-Reason") != c.reason {
				t.Errorf("%d %s", response.StatusCode, response.Header.Get("X-Reason"))
			}
		})
	}
}

func TestAuthenticationCertificate(t *testing.T) {
	t.Parallel()
	roots, client := authorityOf(t)
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.PeerCertificates[0].Subject.CommonName)
	}))
	backend.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots}
	backend.Config.ErrorLog = discardLog()
	backend.StartTLS()
	defer backend.Close()
	key, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: client.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	certificate := &resource.Certificate{ID: testService.Child("certificates", "mine"), Data: base64.StdEncoding.EncodeToString(text)}
	trusted := x509.NewCertPool()
	trusted.AddCert(backend.Certificate())
	o := Options{Service: testService}
	o.Proxy.RootCAs = trusted
	g := New(o)
	t.Cleanup(g.Close)
	send := `<send-request mode="new" response-variable-name="r"><set-url>` + backend.URL + `</set-url><set-method>GET</set-method><authentication-certificate certificate-id="mine"/></send-request><return-response response-variable-name="r"/>`
	for name, policies := range map[string]string{
		"by id":           `<inbound><authentication-certificate certificate-id="mine"/></inbound>`,
		"by expression":   `<inbound><authentication-certificate certificate-id="@("mi" + "ne")"/></inbound>`,
		"in a body":       `<inbound><authentication-certificate body="@(Convert.FromBase64String("` + certificate.Data + `"))"/></inbound>`,
		"in send-request": `<inbound>` + send + `</inbound>`,
	} {
		list := append(httpAPI("a", "a", backend.URL, "GET /x"), certificate, policyOf(testService.Child("apis", "a"), "<policies>"+policies+"</policies>"))
		if err := g.Update(list); err != nil {
			t.Fatal(name, err)
		}
		if w := call(g, "GET", "/a/x", ""); w.Code != 200 || w.Body.String() != "ada" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if err := g.Update(httpAPI("a", "a", backend.URL, "GET /x")); err != nil {
		t.Fatal(err)
	}
	if w := call(g, "GET", "/a/x", ""); w.Code != 500 {
		t.Errorf("without the certificate: %d %s", w.Code, w.Body)
	}
}

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
