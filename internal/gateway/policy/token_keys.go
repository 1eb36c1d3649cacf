package policy

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// The algorithms that tokens may be signed and encrypted with.
var (
	asymmetricSignatures = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA}
	symmetricSignatures  = []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}
	allSignatures        = append(append([]jose.SignatureAlgorithm(nil), asymmetricSignatures...), symmetricSignatures...)
	keyAlgorithms        = []jose.KeyAlgorithm{jose.DIRECT, jose.A128KW, jose.A192KW, jose.A256KW, jose.RSA_OAEP, jose.RSA_OAEP_256}
	contentEncryptions   = []jose.ContentEncryption{jose.A128CBC_HS256, jose.A192CBC_HS384, jose.A256CBC_HS512, jose.A128GCM, jose.A192GCM, jose.A256GCM}
)

// tokenKey is a key in a document: bytes, or one of a certificate of the service.
type tokenKey struct {
	id    string
	bytes Value[[]byte]
	key   any // of a certificate or of n and e; nil for bytes
}

// keys reads the elements key.
func (b *Builder) keys(private bool) []tokenKey {
	var list []tokenKey
	for _, child := range b.Children("key") {
		k := tokenKey{id: child.Literal("id", "", 0)}
		certificate := child.Literal("certificate-id", "", 0)
		n, e := child.Literal("n", "", 0), child.Literal("e", "", 0)
		switch {
		case certificate != "":
			child.text = true
			k.key = child.certificateKey(certificate, private)
		case n != "" || e != "":
			child.text = true
			key, ok := rsaKey(n, e)
			if !ok || private {
				child.Errorf("The attributes 'n' and 'e' must be the Base64url numbers of a public RSA key")
			}
			k.key = key
		default:
			k.bytes = child.base64Text()
		}
		child.Done()
		list = append(list, k)
	}
	if len(list) == 0 {
		b.Errorf("At least one 'key' is required")
	}
	return list
}

func (b *Builder) certificateKey(name string, private bool) any {
	var found *tls.Certificate
	if b.c.environment.Runtime != nil {
		if found = b.runtime().certificate(name); found == nil || len(found.Certificate) == 0 {
			b.Errorf("There is no certificate '%s'", name)
			return nil
		}
	}
	if found == nil {
		return nil
	}
	if private {
		if found.PrivateKey == nil {
			b.Errorf("The certificate '%s' has no private key", name)
		}
		return found.PrivateKey
	}
	parsed, err := x509.ParseCertificate(found.Certificate[0])
	if err != nil {
		b.Errorf("The certificate '%s' cannot be read", name)
		return nil
	}
	return parsed.PublicKey
}

func (b *Builder) base64Text() Value[[]byte] {
	b.text = true
	v := makeValue(b, "The key", b.e.content, 0, decodeKey, func(x *Exchange, e Expression) ([]byte, error) {
		text, err := e.Text(x)
		if err != nil {
			return nil, err
		}
		return decodeKey(text)
	})
	if data, known := v.Known(); known && len(data) == 0 && len(b.c.errors) == 0 {
		b.Errorf("The key is empty")
	}
	return v
}

// keyError does not show the key.
type keyError struct{}

func (keyError) Error() string { return "it must be the key's bytes in Base64" }

func decodeKey(text string) ([]byte, error) {
	text = strings.TrimRight(strings.Join(strings.Fields(text), ""), "=")
	if data, err := base64.RawStdEncoding.DecodeString(text); err == nil {
		return data, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, keyError{}
	}
	return data, nil
}

func rsaKey(n, e string) (*rsa.PublicKey, bool) {
	modulus, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(n, "="))
	if err != nil || len(modulus) < 128 || len(modulus) > 2048 {
		return nil, false
	}
	exponent, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(e, "="))
	if err != nil || len(exponent) == 0 || len(exponent) > 4 {
		return nil, false
	}
	k := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(new(big.Int).SetBytes(exponent).Int64())}
	return k, k.E >= 3 && k.E%2 == 1
}

// get is the key for this exchange.
func (k *tokenKey) get(x *Exchange) (any, error) {
	if k.key != nil {
		return k.key, nil
	}
	return k.bytes.Get(x)
}

// decrypt takes the encryption off a token (RFC 7516). A token in three parts has none.
func decrypt(x *Exchange, text string, keys []tokenKey) (string, error) {
	if strings.Count(text, ".") != 4 {
		return text, nil
	}
	encrypted, err := jose.ParseEncryptedCompact(text, keyAlgorithms, contentEncryptions)
	if err != nil {
		return "", err
	}
	for i := range keys {
		if keys[i].id != "" && encrypted.Header.KeyID != "" && keys[i].id != encrypted.Header.KeyID {
			continue
		}
		key, err := keys[i].get(x)
		if err != nil {
			return "", err
		}
		if data, err := encrypted.Decrypt(key); err == nil {
			return string(data), nil
		}
	}
	return "", errNoDecryptionKey
}
