package expr

import (
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // a certificate's thumbprint is defined by SHA-1.
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// certificate is X509Certificate2.
type certificate struct{ cert *x509.Certificate }

func (c *certificate) typeIn(e *Environment) *netType { return e.named("X509Certificate2") }

func (c *certificate) equals(other Value) bool {
	o, ok := other.(*certificate)
	return ok && c.cert.Equal(o.cert)
}

func (c *certificate) hashKey() any { return structuralKey{"certificate", string(c.cert.Raw)} }

// attributeNames are the short names of the attributes of a distinguished name in .NET's text.
var attributeNames = map[string]string{"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "S", "2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU",
	"2.5.4.12": "T", "2.5.4.42": "G", "2.5.4.43": "I", "1.2.840.113549.1.9.1": "E", "0.9.2342.19200300.100.1.25": "DC"}

// distinguishedName is a name as .NET writes it: the last part first.
func distinguishedName(raw []byte) string {
	var sequence pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &sequence); err != nil {
		return ""
	}
	var parts []string
	for _, set := range slices.Backward(sequence) {
		var pieces []string
		for _, a := range set {
			name, ok := attributeNames[a.Type.String()]
			if !ok {
				name = "OID." + a.Type.String()
			}
			value, _ := a.Value.(string)
			if strings.ContainsAny(value, ",+=\"\n<>#;") || strings.TrimSpace(value) != value {
				value = `"` + strings.ReplaceAll(value, `"`, `""`) + `"`
			}
			pieces = append(pieces, name+"="+value)
		}
		parts = append(parts, strings.Join(pieces, " + "))
	}
	return strings.Join(parts, ", ")
}

// thumbprint is the SHA-1 of the certificate in hexadecimal.
func (c *certificate) thumbprint() string {
	sum := sha1.Sum(c.cert.Raw) //nolint:gosec // see the import.
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// verify checks the chain up to the roots of the machine. Revocation lists are not read.
func (c *certificate) verify() Value {
	_, err := c.cert.Verify(x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

// simpleName is GetNameInfo.
func simpleName(name pkix.Name, cert *x509.Certificate, kind int64) string {
	switch kind {
	case 1:
		if len(cert.EmailAddresses) > 0 {
			return cert.EmailAddresses[0]
		}
		return ""
	case 3, 4:
		if len(cert.DNSNames) > 0 {
			return cert.DNSNames[0]
		}
		return name.CommonName
	case 5:
		if len(cert.URIs) > 0 {
			return cert.URIs[0].String()
		}
		return ""
	}
	if name.CommonName == "" && len(name.OrganizationalUnit) > 0 {
		return name.OrganizationalUnit[0]
	}
	return name.CommonName
}

// certificates declares X509Certificate and X509Certificate2.
func (b *library) certificates() {
	cert := func(v Value) *x509.Certificate { return v.(*certificate).cert }
	local := func(t time.Time) Value { return DateTime{ticksOf(t.UTC()), localKind} }
	b.on("X509Certificate")
	b.property("string Subject", func(v Value) Value { return distinguishedName(cert(v).RawSubject) })
	b.property("string Issuer", func(v Value) Value { return distinguishedName(cert(v).RawIssuer) })
	serial := func(v Value) Value {
		s := strings.ToUpper(cert(v).SerialNumber.Text(16))
		if len(s)%2 == 1 {
			s = "0" + s
		}
		if s[0] >= '8' && cert(v).SerialNumber.Sign() > 0 {
			s = "00" + s
		}
		return s
	}
	b.property("string GetSerialNumberString()", serial)
	b.property("string GetCertHashString()", func(v Value) Value { return v.(*certificate).thumbprint() })
	b.property("byte[] GetRawCertData()", func(v Value) Value { return &Bytes{slices.Clone(cert(v).Raw)} })
	b.property("byte[] GetCertHash()", func(v Value) Value { sum := sha1.Sum(cert(v).Raw); return &Bytes{sum[:]} }) //nolint:gosec // see the import.
	b.native("string GetExpirationDateString()", func(m *machine, a []Value) Value { return m.text(local(cert(a[0]).NotAfter)) })
	b.native("string GetEffectiveDateString()", func(m *machine, a []Value) Value { return m.text(local(cert(a[0]).NotBefore)) })
	b.on("X509Certificate2")
	b.native("new(byte[] rawData)", func(m *machine, a []Value) Value {
		data := bytesOf(a[0], "rawData")
		m.charge(len(data))
		m.step(200)
		c, err := x509.ParseCertificate(data)
		if err != nil {
			throwCrypto("The certificate data cannot be read.")
		}
		return &certificate{c}
	})
	b.property("string Thumbprint", func(v Value) Value { return v.(*certificate).thumbprint() })
	b.property("string SerialNumber", serial)
	b.property("DateTime NotBefore", func(v Value) Value { return local(cert(v).NotBefore) })
	b.property("DateTime NotAfter", func(v Value) Value { return local(cert(v).NotAfter) })
	b.property("string FriendlyName", func(Value) Value { return "" })
	b.property("int Version", func(v Value) Value { return int32(cert(v).Version) })
	b.property("bool HasPrivateKey", func(Value) Value { return false })
	b.property("byte[] RawData", func(v Value) Value { return &Bytes{slices.Clone(cert(v).Raw)} })
	b.property("X500DistinguishedName SubjectName", func(v Value) Value { return &x500Name{cert(v).RawSubject} })
	b.property("X500DistinguishedName IssuerName", func(v Value) Value { return &x500Name{cert(v).RawIssuer} })
	b.method("string GetNameInfo(X509NameType nameType, bool forIssuer)", func(a []Value) Value {
		name := cert(a[0]).Subject
		if a[2].(bool) {
			name = cert(a[0]).Issuer
		}
		return simpleName(name, cert(a[0]), a[1].(Enum).n)
	})
	public := func(v Value) Value {
		if k, ok := cert(v).PublicKey.(*rsa.PublicKey); ok {
			return &rsaValue{public: k}
		}
		return nil
	}
	b.on("RSACertificateExtensions")
	b.native("static RSA GetRSAPublicKey(this X509Certificate2 certificate)", func(_ *machine, a []Value) Value { return public(a[0]) })
	b.native("static RSA GetRSAPrivateKey(this X509Certificate2 certificate)", func(*machine, []Value) Value { return nil })
	b.on("X509Certificate2")
	b.method("string GetCertHashString(HashAlgorithmName hashAlgorithm)", func(a []Value) Value {
		if a[1].(hashName).name == "SHA256" {
			sum := sha256.Sum256(cert(a[0]).Raw)
			return strings.ToUpper(hex.EncodeToString(sum[:]))
		}
		return a[0].(*certificate).thumbprint()
	})
	for _, name := range []string{"Verify", "VerifyNoRevocation"} {
		b.native("bool "+name+"()", func(m *machine, a []Value) Value { m.step(1000); return a[0].(*certificate).verify() })
	}
	b.on("X500DistinguishedName").property("string Name", func(v Value) Value { return distinguishedName(v.(*x500Name).raw) })
}

// x500Name is X500DistinguishedName.
type x500Name struct{ raw []byte }

func (n *x500Name) typeIn(e *Environment) *netType { return e.named("X500DistinguishedName") }
