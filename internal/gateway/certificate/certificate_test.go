package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

func selfSigned(t testing.TB) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

func TestParse(t *testing.T) {
	t.Parallel()
	leaf, key := selfSigned(t)
	_, otherKey := selfSigned(t)
	encode := base64.StdEncoding.EncodeToString
	keyDER, _ := x509.MarshalPKCS8PrivateKey(key)
	otherDER, _ := x509.MarshalECPrivateKey(otherKey)
	certificatePEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	otherPEM := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: otherDER})
	modern, err := pkcs12.Modern.Encode(key, leaf, nil, "secret")
	if err != nil {
		t.Fatal(err)
	}
	legacy, err := pkcs12.LegacyDES.Encode(key, leaf, nil, "secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, data, password, fault string
		key                         bool
	}{
		{"modern PKCS #12", encode(modern), "secret", "", true},
		{"legacy PKCS #12", encode(legacy), "secret", "", true},
		{"wrong password", encode(modern), "Secret", "the password is wrong", false},
		{"PEM", encode(append(certificatePEM, keyPEM...)), "", "", true},
		{"PEM without Base64", string(append(keyPEM, certificatePEM...)), "", "", true},
		{"PEM without key", encode(certificatePEM), "", "", false},
		{"other key", encode(append(certificatePEM, otherPEM...)), "", "not that of the first certificate", false},
		{"DER", encode(leaf.Raw), "", "", false},
		{"nothing", "", "", "neither PKCS #12", false},
		{"no Base64", "!", "", "not Base64", false},
		{"key only", encode(keyPEM), "", "no certificate", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(c.data, c.password)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("got %v, want %q", err, c.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !got.Leaf.Equal(leaf) || (got.PrivateKey != nil) != c.key {
				t.Errorf("got %v with key %v", got.Leaf.Subject, got.PrivateKey != nil)
			}
		})
	}
	if got := Thumbprint(leaf); len(got) != 40 || strings.ToUpper(got) != got {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	leaf, _ := selfSigned(f)
	f.Add(base64.StdEncoding.EncodeToString(leaf.Raw), "")
	f.Add("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----", "x")
	f.Add("MIIC", "x")
	f.Fuzz(func(t *testing.T, data, password string) {
		if c, err := Parse(data, password); err == nil && c.Leaf == nil {
			t.Error("no error and no certificate")
		}
	})
}
