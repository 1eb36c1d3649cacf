package resource

// MaxCertificate is the most characters that a certificate's data may have in Base64: 64 KiB.
const MaxCertificate = 64 << 10

// Certificate is Microsoft.ApiManagement/service/certificates: a certificate with its private key that the gateway shows to backends,
// or one without that tokens are checked with.
type Certificate struct {
	ID       ID     `json:"id"`
	Data     string `json:"data"`               // secret: PKCS #12 or PEM in Base64
	Password string `json:"password,omitempty"` // secret, of PKCS #12
}

// ResourceID is the id of the certificate.
func (c *Certificate) ResourceID() ID { return c.ID }

// Validate checks the id and that there are data; they are parsed where they are used.
func (c *Certificate) Validate() error {
	if err := checkType(c.ID, "service/certificates", "a certificate", "APIM1", "certificates", "NAME"); err != nil {
		return err
	}
	if err := checkName(c.ID, c.ID.Name(), 80); err != nil {
		return err
	}
	if c.Data == "" {
		return Invalidf(c.ID, "data", "the certificate has no data; certificates of a key vault are not supported")
	}
	return checkLength(c.ID, "data", c.Data, MaxCertificate)
}

var _ Resource = (*Certificate)(nil)
