package policy

import (
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/certificate"
)

// maxIdentities is how many identities the policy takes (validate-client-certificate-policy, "Elements").
const maxIdentities = 10

// validateClientCertificate is the validate-client-certificate policy (validate-client-certificate-policy).
type validateClientCertificate struct {
	runtime                    *Runtime
	trust, notBefore, notAfter bool
	ignoreError                bool
	identities                 []certificateIdentity
}

// certificateIdentity is what a certificate must be; empty fields do not count.
type certificateIdentity struct {
	thumbprint, serialNumber, commonName, subject, dnsName, issuerSubject, issuerThumbprint, issuerCertificateID string
}

func newValidateClientCertificate(b *Builder) Policy {
	literal := func(name string, fallback bool) bool {
		v := b.Bool(name, fallback, LiteralOnly)
		on, _ := v.Known()
		return on
	}
	v := &validateClientCertificate{
		runtime: b.runtime(),
		trust:   literal("validate-trust", true), notBefore: literal("validate-not-before", true), notAfter: literal("validate-not-after", true),
		ignoreError: literal("ignore-error", false),
	}
	if literal("validate-revocation", true) {
		// The default is true, so a document that says nothing expects a check that there is not.
		b.Errorf("Revocation of certificates cannot be checked; write validate-revocation=\"false\"")
	}
	for _, list := range b.Children("identities") {
		for _, child := range list.Children("identity") {
			i := certificateIdentity{
				thumbprint: thumbprintOf(child.Literal("thumbprint", "", 0)), serialNumber: thumbprintOf(child.Literal("serial-number", "", 0)),
				commonName: child.Literal("common-name", "", 0), subject: child.Literal("subject", "", 0), dnsName: child.Literal("dns-name", "", 0),
				issuerSubject: child.Literal("issuer-subject", "", 0), issuerThumbprint: thumbprintOf(child.Literal("issuer-thumbprint", "", 0)),
				issuerCertificateID: child.Literal("issuer-certificate-id", "", 0),
			}
			if i == (certificateIdentity{}) {
				child.Errorf("An identity needs at least one attribute")
			}
			child.Done()
			v.identities = append(v.identities, i)
		}
		list.Done()
	}
	if len(v.identities) > maxIdentities {
		b.Errorf("There are %d identities; at most %d are allowed", len(v.identities), maxIdentities)
	}
	return v
}

// thumbprintOf is a number in hexadecimal as certificates' are compared: without separators, in lower case.
func thumbprintOf(text string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", ":", "", "-", "").Replace(text))
}

// Run refuses a client without the right certificate.
func (v *validateClientCertificate) Run(x *Exchange) (Outcome, error) {
	reason, message := v.check(x)
	if reason == "" {
		return Continue, nil
	}
	if v.ignoreError {
		x.trace("validate-client-certificate", "error", "The certificate is refused, which is ignored: "+message)
		return Continue, nil
	}
	return End, &Failure{Status: http.StatusForbidden, Public: "Invalid client certificate", Reason: reason, Message: message}
}

func (v *validateClientCertificate) check(x *Exchange) (reason, message string) {
	state := x.Inbound.TLS
	if state == nil || len(state.PeerCertificates) == 0 {
		return "ClientCertificateNotPresent", "Client certificate is missing."
	}
	leaf, now := state.PeerCertificates[0], time.Now()
	if v.notBefore && now.Before(leaf.NotBefore) {
		return "ClientCertificateNotYetValid", "Client certificate is not valid yet."
	}
	if v.notAfter && now.After(leaf.NotAfter) {
		return "ClientCertificateExpired", "Client certificate has expired."
	}
	if v.trust {
		o := x509.VerifyOptions{Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, CurrentTime: inValidity(leaf, now), Roots: v.runtime.ClientRoots}
		for _, c := range state.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		if _, err := leaf.Verify(o); err != nil {
			return "ClientCertificateNotTrusted", "Client certificate is not trusted: " + err.Error()
		}
	}
	if len(v.identities) == 0 {
		return "", ""
	}
	var issuer *x509.Certificate
	if len(state.PeerCertificates) > 1 {
		issuer = state.PeerCertificates[1]
	}
	for i := range v.identities {
		if v.identities[i].matches(v.runtime, leaf, issuer) {
			return "", ""
		}
	}
	return "ClientCertificateIdentityNotMatched", "Client certificate matches none of the identities."
}

// inValidity is a time at which the chain is checked: dates have checks, and attributes, of their own.
func inValidity(c *x509.Certificate, now time.Time) time.Time {
	switch {
	case now.Before(c.NotBefore):
		return c.NotBefore
	case now.After(c.NotAfter):
		return c.NotAfter
	}
	return now
}

func (i *certificateIdentity) matches(r *Runtime, c, issuer *x509.Certificate) bool {
	same := func(want, got string) bool { return want == "" || strings.EqualFold(want, got) }
	if !same(i.thumbprint, certificate.Thumbprint(c)) || !same(strings.TrimLeft(i.serialNumber, "0"), c.SerialNumber.Text(16)) || !same(i.commonName, c.Subject.CommonName) ||
		!sameName(i.subject, c.Subject.String()) || !sameName(i.issuerSubject, c.Issuer.String()) {
		return false
	}
	if i.dnsName != "" && !slices.ContainsFunc(c.DNSNames, func(name string) bool { return strings.EqualFold(name, i.dnsName) }) {
		return false
	}
	if i.issuerThumbprint != "" && (issuer == nil || !strings.EqualFold(i.issuerThumbprint, certificate.Thumbprint(issuer)) || c.CheckSignatureFrom(issuer) != nil) {
		return false
	}
	if i.issuerCertificateID != "" {
		known := r.certificate(i.issuerCertificateID)
		if known == nil || len(known.Certificate) == 0 {
			return false
		}
		parsed, err := x509.ParseCertificate(known.Certificate[0])
		return err == nil && c.CheckSignatureFrom(parsed) == nil
	}
	return true
}

// sameName compares distinguished names without regard to the spaces after commas.
func sameName(want, got string) bool {
	normal := func(s string) string {
		parts := strings.Split(s, ",")
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		return strings.Join(parts, ",")
	}
	return want == "" || strings.EqualFold(normal(want), normal(got))
}
