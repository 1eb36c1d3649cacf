package resource

// BackendAuthorization is an Authorization header: scheme, space, parameter.
type BackendAuthorization struct {
	Scheme    string `json:"scheme"`
	Parameter string `json:"parameter"` // secret
}

// BackendCredentials are sent with each request to a backend.
type BackendCredentials struct {
	Header        map[string][]string   `json:"header,omitempty"` // values may be secret
	Query         map[string][]string   `json:"query,omitempty"`  // values may be secret
	Authorization *BackendAuthorization `json:"authorization,omitempty"`
	// CertificateIDs are the client certificates: ids of certificate resources, of which the first that has a private key is shown.
	CertificateIDs []string `json:"certificateIds,omitempty"`
	// Certificate are thumbprints of certificate resources, for the same.
	Certificate []string `json:"certificate,omitempty"`
}

// BackendTLS says what of a backend's certificate is checked. A nil field means true.
type BackendTLS struct {
	ValidateCertificateChain *bool `json:"validateCertificateChain,omitempty"`
	ValidateCertificateName  *bool `json:"validateCertificateName,omitempty"`
}

// Backend is Microsoft.ApiManagement/service/backends: a backend that policies name by its id.
type Backend struct {
	ID          ID                  `json:"id"`
	Title       string              `json:"title,omitempty"`
	Description string              `json:"description,omitempty"`
	Type        string              `json:"type,omitempty"`     // Single or Pool; "" means Single
	URL         string              `json:"url"`                // "" for a pool
	Protocol    string              `json:"protocol,omitempty"` // http; "" means http
	Credentials *BackendCredentials `json:"credentials,omitempty"`
	TLS         BackendTLS          `json:"tls,omitzero"`
	Proxy       *BackendProxy       `json:"proxy,omitempty"`

	CircuitBreaker *CircuitBreaker `json:"circuitBreaker,omitempty"`
	Pool           *BackendPool    `json:"pool,omitempty"` // of the type Pool only
}

// ResourceID is the id of the backend.
func (b *Backend) ResourceID() ID { return b.ID }

// Validate checks the id, the URL, the protocol and the names of headers.
func (b *Backend) Validate() error {
	if err := checkType(b.ID, "service/backends", "a backend", "APIM1", "backends", "NAME"); err != nil {
		return err
	}
	if err := checkName(b.ID, b.ID.Name(), 80); err != nil {
		return err
	}
	if b.Protocol != "" && b.Protocol != "http" {
		return Invalidf(b.ID, "protocol", "the protocol is http, not %q; SOAP backends are not supported", b.Protocol)
	}
	switch b.Type {
	case "", BackendSingle:
		if b.Pool != nil {
			return Invalidf(b.ID, "pool", "only a backend of the type Pool has one")
		}
	case BackendPooled:
		return b.validatePool()
	default:
		return Invalidf(b.ID, "type", "the type of a backend is Single or Pool, not %q", b.Type)
	}
	if err := b.validateBreaker(); err != nil {
		return err
	}
	if b.Proxy != nil {
		if err := checkURL(b.ID, "proxy.url", b.Proxy.URL, "http", "https"); err != nil {
			return err
		}
	}
	if err := checkURL(b.ID, "url", b.URL, "http", "https", "ws", "wss"); err != nil {
		return err
	}
	if b.Credentials != nil {
		for name := range b.Credentials.Header {
			if !httpToken.MatchString(name) {
				return Invalidf(b.ID, "credentials.header", "%q is not a header name", name)
			}
		}
	}
	return nil
}

var _ Resource = (*Backend)(nil)
