package policy

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"sync/atomic"

	"github.com/hubgate/hubgate/internal/gateway/certificate"
)

// authenticationCertificate is the authentication-certificate policy (authentication-certificate-policy).
type authenticationCertificate struct {
	runtime  *Runtime
	name     Value[string] // of the certificate's resource, or its thumbprint
	body     Value[any]    // instead of a name, the certificate: bytes, or their Base64
	password Value[string]
	last     atomic.Pointer[parsedCertificate] // of a body: opening one costs much, and it is mostly the same
}

// parsedCertificate is a certificate with the hash of what it was read from.
type parsedCertificate struct {
	source [sha256.Size]byte
	parsed *tls.Certificate
}

func newAuthenticationCertificate(b *Builder) Policy { return b.authenticationCertificate() }

func (b *Builder) authenticationCertificate() *authenticationCertificate {
	a := &authenticationCertificate{runtime: b.runtime(), body: b.optionalAny("body"), password: b.String("password", 0)}
	thumbprint, id := b.String("thumbprint", 0), b.String("certificate-id", 0)
	set := 0
	for _, is := range []bool{thumbprint.IsSet(), id.IsSet(), a.body.IsSet()} {
		if is {
			set++
		}
	}
	if set != 1 {
		b.Errorf("Exactly one of the attributes 'thumbprint', 'certificate-id' and 'body' is required")
		return a
	}
	if a.password.IsSet() && !a.body.IsSet() {
		b.Errorf("The attribute 'password' belongs to 'body'")
	}
	if a.name = thumbprint; id.IsSet() {
		a.name = id
	}
	if name, known := a.name.Known(); known && name != "" && b.c.environment.Runtime != nil && !clientCertificate(a.runtime.certificate(name)) {
		b.Errorf("There is no certificate '%s' with a private key", name)
	}
	return a
}

func (r *Runtime) certificate(name string) *tls.Certificate {
	if r.Certificate == nil {
		return nil
	}
	return r.Certificate(name)
}

// Run chooses the certificate for the connection to the backend.
func (a *authenticationCertificate) Run(x *Exchange) (Outcome, error) {
	found, err := a.find(x)
	if err != nil {
		return End, err
	}
	x.Request.Certificate = found
	return Continue, nil
}

func (a *authenticationCertificate) find(x *Exchange) (*tls.Certificate, error) {
	if a.body.IsSet() {
		return a.parse(x)
	}
	name, err := a.name.Get(x)
	if err != nil {
		return nil, err
	}
	found := a.runtime.certificate(name)
	if !clientCertificate(found) {
		return nil, certificateFailure("There is no certificate '" + name + "' with a private key.")
	}
	return found, nil
}

// parse reads the certificate of the attribute body.
func (a *authenticationCertificate) parse(x *Exchange) (*tls.Certificate, error) {
	value, err := a.body.Get(x)
	if err != nil {
		return nil, err
	}
	password, err := a.password.Get(x)
	if err != nil {
		return nil, err
	}
	var text string
	switch value := value.(type) {
	case []byte:
		text = base64.StdEncoding.EncodeToString(value)
	case string:
		text = value
	}
	source := sha256.Sum256([]byte(password + "\x00" + text))
	if last := a.last.Load(); last != nil && last.source == source {
		return last.parsed, nil
	}
	parsed, err := certificate.Parse(text, password)
	if err != nil {
		return nil, certificateFailure("The certificate in the attribute 'body' cannot be read: " + err.Error())
	}
	if !clientCertificate(parsed) {
		return nil, certificateFailure("The certificate in the attribute 'body' has no private key.")
	}
	a.last.Store(&parsedCertificate{source: source, parsed: parsed})
	return parsed, nil
}

func certificateFailure(message string) *Failure {
	return &Failure{Status: http.StatusInternalServerError, Source: "authentication-certificate", Reason: "CertificateNotFound", Message: message}
}
