package config

import (
	"encoding/base64"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// DefaultACMEDirectory is the directory of Let's Encrypt.
const DefaultACMEDirectory = "https://acme-v02.api.letsencrypt.org/directory"

// ACME says how a listener gets its certificates from a certificate authority by itself (RFC 8555).
type ACME struct {
	// HostNames are the names that the listener has certificates for, one certificate each. At least one is needed. A client that asks for another
	// name is refused.
	HostNames []string `yaml:"hostNames"`
	// DirectoryURL is the https URL of the directory of the ACME server. Default: that of Let's Encrypt.
	DirectoryURL string `yaml:"directoryUrl"`
	// Email is where the authority may write to. Default: none.
	Email string `yaml:"email"`
	// CacheDirectory keeps accounts, keys and certificates. Nodes that share it share them. Default: acme, below the data directory.
	CacheDirectory string `yaml:"cacheDirectory"`
	// TrustedCAFile is a PEM file of the authorities that the ACME server itself is trusted by. Default: those of the system.
	TrustedCAFile string `yaml:"trustedCAFile"`
	// ExternalAccount binds the account to one that the authority knows already.
	ExternalAccount ExternalAccount `yaml:"externalAccount"`
	// AgreeToTerms says that whoever runs the node agrees to the authority's terms of service. It must be true.
	AgreeToTerms bool `yaml:"agreeToTerms"`
	// HTTPAddress is where challenges of the kind http-01 are answered too: an address of its own, or that of a listener that speaks plain HTTP.
	// Default: none, there are challenges of the kind tls-alpn-01 alone.
	HTTPAddress string `yaml:"httpAddress"`
}

// ExternalAccount is an account that the authority has handed out (RFC 8555, section 7.3.4).
type ExternalAccount struct {
	// KeyID is the id of the key that the authority gave.
	KeyID string `yaml:"keyId"`
	// Secret is that key, in base64url as authorities write it.
	Secret Secret `yaml:"secret"`
}

// Directory is the URL of the directory, the default included.
func (a *ACME) Directory() string {
	if a.DirectoryURL == "" {
		return DefaultACMEDirectory
	}
	return a.DirectoryURL
}

// acmeName is a host name in the form that certificates have it in: letters, digits and hyphens.
var acmeName = regexp.MustCompile(`^(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?))*$`)

func (a *ACME) validate(report reporter, path string, c *Config) {
	if len(a.HostNames) == 0 {
		report(path+".hostNames", "is empty; name each host that clients use, for the listener gets a certificate for those alone")
	}
	seen := make(map[string]bool)
	for _, name := range a.HostNames {
		switch lower := strings.ToLower(name); {
		case strings.HasPrefix(name, "*."):
			report(path+".hostNames", "%q has a wildcard, which neither tls-alpn-01 nor http-01 can prove; name each host", name)
		case net.ParseIP(name) != nil:
			report(path+".hostNames", "%q is an IP address; name a host", name)
		case len(name) > 253 || !acmeName.MatchString(name):
			report(path+".hostNames", "%q is not a host name like chat.example.com; names in other scripts are written in their form xn--…", name)
		case seen[lower]:
			report(path+".hostNames", "%q is there twice", name)
		default:
			seen[lower] = true
		}
	}
	if !a.AgreeToTerms {
		report(path+".agreeToTerms", "is not true; read the terms of service of the authority behind %s, and agree to them here", a.Directory())
	}
	if u, err := url.Parse(a.Directory()); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		report(path+".directoryUrl", "is not an https URL like %s", DefaultACMEDirectory)
	}
	if a.Email != "" && (!strings.Contains(a.Email, "@") || strings.ContainsAny(a.Email, " \t,:?<>")) {
		report(path+".email", "%q is not an e-mail address like admin@example.com", a.Email)
	}
	if a.CacheDirectory == "" && c.DataDirectory == "" {
		report(path+".cacheDirectory", "is empty, and so is dataDirectory; say where accounts and certificates are kept")
	}
	if (a.ExternalAccount.KeyID == "") == a.ExternalAccount.Secret.IsSet() {
		report(path+".externalAccount", "keyId and secret go together")
	}
	if _, err := base64.RawURLEncoding.DecodeString(a.ExternalAccount.Secret.Reveal()); err != nil {
		report(path+".externalAccount.secret", "is not base64url without padding, which is how authorities write it; copy it as it is")
	}
	a.validateHTTPAddress(report, path+".httpAddress", &c.Listeners)
}

// validateHTTPAddress lets challenges share an address with a listener that reads plain HTTP from everybody.
func (a *ACME) validateHTTPAddress(report reporter, path string, l *Listeners) {
	if Off(a.HTTPAddress) {
		return
	}
	if err := CheckAddress(a.HTTPAddress); err != nil {
		report(path, "%v", err)
		return
	}
	if strings.HasSuffix(a.HTTPAddress, ":0") {
		report(path, "%q has the port 0; authorities ask port 80, so give the one that port 80 leads to", a.HTTPAddress)
	}
	switch a.HTTPAddress {
	case l.Management, l.Metrics:
		report(path, "is the address of a listener that is not for everybody; choose another one")
	case l.SignalR:
		if l.SignalRTLS.On() {
			report(path, "is the address of listeners.signalr, which speaks TLS; challenges of this kind come over plain HTTP")
		}
	case l.Gateway:
		if l.GatewayTLS.On() {
			report(path, "is the address of listeners.gateway, which speaks TLS; challenges of this kind come over plain HTTP")
		}
	}
}
