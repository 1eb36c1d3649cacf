// Package certificate reads the certificates of an API Management service: PKCS #12 as Azure takes it, and PEM.
package certificate

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// Parse reads a certificate with its chain and its private key, if it has one. The data are PKCS #12, PEM or the DER of one
// certificate, in Base64. Errors never show the data or the password.
func Parse(data, password string) (*tls.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
	if err != nil {
		if !strings.Contains(data, "-----BEGIN ") {
			return nil, errors.New("the data are not Base64")
		}
		der = []byte(data)
	}
	if bytes.Contains(der, []byte("-----BEGIN ")) {
		return parsePEM(der)
	}
	if leaf, err := x509.ParseCertificate(der); err == nil {
		return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, Leaf: leaf}, nil
	}
	key, leaf, chain, err := pkcs12.DecodeChain(der, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, errors.New("the password is wrong")
	case err != nil:
		if leaves, err := pkcs12.DecodeTrustStore(der, password); err == nil && len(leaves) > 0 {
			return &tls.Certificate{Certificate: [][]byte{leaves[0].Raw}, Leaf: leaves[0]}, nil
		}
		return nil, errors.New("the data are neither PKCS #12 nor PEM nor a certificate")
	}
	c := &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	for _, other := range chain {
		c.Certificate = append(c.Certificate, other.Raw)
	}
	return c, nil
}

func parsePEM(text []byte) (*tls.Certificate, error) {
	c := &tls.Certificate{}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		switch {
		case block.Type == "CERTIFICATE":
			c.Certificate = append(c.Certificate, block.Bytes)
		case strings.HasSuffix(block.Type, "PRIVATE KEY") && c.PrivateKey == nil:
			key, err := parseKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			c.PrivateKey = key
		}
	}
	if len(c.Certificate) == 0 {
		return nil, errors.New("the PEM text has no certificate")
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return nil, errors.New("the first certificate of the PEM text cannot be parsed")
	}
	c.Leaf = leaf
	if c.PrivateKey != nil {
		signer, ok := c.PrivateKey.(crypto.Signer)
		if !ok || !samePublicKey(signer.Public(), leaf.PublicKey) {
			return nil, errors.New("the private key is not that of the first certificate")
		}
	}
	return c, nil
}

func parseKey(der []byte) (crypto.PrivateKey, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return nil, errors.New("the private key cannot be parsed; keys of their own password are not supported")
}

func samePublicKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// Thumbprint is the SHA-1 hash of the certificate in capital hexadecimal digits, by which Azure names certificates.
func Thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}
