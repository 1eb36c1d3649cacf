package appserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Credential is how an app server proves to the service who it is.
type Credential int

const (
	// CredentialAccessKey signs tokens with the access key of the connection string.
	CredentialAccessKey Credential = iota
	// CredentialEntra asks Microsoft Entra ID for tokens. This package understands such a connection string but cannot
	// start with it: App.Run gives ErrEntraUnsupported.
	CredentialEntra
)

// String is "access key" or "Entra".
func (c Credential) String() string {
	if c == CredentialEntra {
		return "Entra"
	}
	return "access key"
}

// ConnectionString is a parsed connection string of Azure SignalR Service.
type ConnectionString struct {
	// Endpoint is scheme://host, with the port when it is not the scheme's own: the address of the service.
	Endpoint string
	// ClientEndpoint is put in front of "client/" for the URL that clients are redirected to: ClientEndpoint where the
	// connection string has one, else Endpoint. Nothing is added to its path, so a path should end with "/".
	ClientEndpoint string
	// ServerEndpoint is put in front of "server/" for server connections: ServerEndpoint where the connection string has
	// one, else Endpoint. As with ClientEndpoint a path should end with "/".
	ServerEndpoint string
	// Credential is the access key where there is one, whatever AuthType says, else Entra.
	Credential Credential
	// Version is the version of the connection string's own format, "1.0" where it is not given.
	Version string

	audience  string // scheme://host/ of Endpoint: tokens name it as their audience, never with a port
	accessKey string
}

// String is the connection string without its secrets.
func (c ConnectionString) String() string {
	return fmt.Sprintf("Endpoint=%s;ClientEndpoint=%s;ServerEndpoint=%s;Credential=%s;Version=%s", c.Endpoint, c.ClientEndpoint, c.ServerEndpoint, c.Credential, c.Version)
}

// Format prints String for every verb, so that no verb prints the access key.
func (c ConnectionString) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// LogValue logs String.
func (c ConnectionString) LogValue() slog.Value { return slog.StringValue(c.String()) }

// The properties of a connection string, in lower case as they are compared.
const (
	propertyEndpoint       = "endpoint"
	propertyAccessKey      = "accesskey"
	propertyPort           = "port"
	propertyVersion        = "version"
	propertyClientEndpoint = "clientendpoint"
	propertyServerEndpoint = "serverendpoint"
	propertyAuthType       = "authtype"
	propertyClientID       = "clientid"
	propertyTenantID       = "tenantid"
	propertyClientSecret   = "clientsecret"
	propertyClientCert     = "clientcert"
	propertyClientCertPath = "clientcertpath"
)

var versionPattern = regexp.MustCompile(`^1\.\d+(?:[\w\-.]+)?$`)

// ParseConnectionString reads a connection string: "key=value" pairs between semicolons, keys in any case, unknown keys
// ignored. Endpoint is required; AccessKey too unless an AuthType names an Entra credential. No error holds a secret.
func ParseConnectionString(text string) (ConnectionString, error) {
	properties, err := splitProperties(text)
	if err != nil {
		return ConnectionString{}, fmt.Errorf("connection string: %w", err)
	}
	c, err := newConnectionString(properties)
	if err != nil {
		return ConnectionString{}, fmt.Errorf("connection string: %w", err)
	}
	return c, nil
}

// splitProperties cuts the text into its properties; the keys of the map are in lower case.
func splitProperties(text string) (map[string]string, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("it is empty; it should look like Endpoint=https://NAME.service.signalr.net;AccessKey=KEY;Version=1.0;")
	}
	properties := map[string]string{}
	position := 0
	for part := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		position++
		key, value, ok := strings.Cut(part, "=")
		if !ok { // The part may be a secret that lost its key, so it is not shown.
			return nil, fmt.Errorf("property %d has no '=': properties look like key=value and stand between semicolons", position)
		}
		key = strings.TrimSpace(key)
		folded := strings.ToLower(key)
		if _, ok := properties[folded]; ok {
			return nil, fmt.Errorf("the property %q stands in it twice", key)
		}
		properties[folded] = strings.TrimSpace(value)
	}
	return properties, nil
}

func newConnectionString(properties map[string]string) (ConnectionString, error) {
	endpointText, ok := properties[propertyEndpoint]
	if !ok || len(properties) < 2 {
		return ConnectionString{}, errors.New("it needs at least the properties Endpoint and AccessKey, or Endpoint and AuthType")
	}
	c := ConnectionString{Version: "1.0"}
	if version, ok := properties[propertyVersion]; ok {
		if !versionPattern.MatchString(version) {
			return ConnectionString{}, fmt.Errorf("version %q is not supported; it should be 1.0", version)
		}
		c.Version = version
	}
	endpoint, err := parseEndpoint("Endpoint", endpointText)
	if err != nil {
		return ConnectionString{}, err
	}
	c.audience = endpoint.Scheme + "://" + hostOnly(endpoint) + "/"
	if port, ok := properties[propertyPort]; ok {
		number, err := strconv.Atoi(port)
		if err != nil || number < 1 || number > 65535 {
			return ConnectionString{}, fmt.Errorf("port %q is not a number from 1 to 65535", port)
		}
		setPort(endpoint, strconv.Itoa(number))
	}
	c.Endpoint = endpoint.Scheme + "://" + endpoint.Host
	if endpoint.Path = strings.TrimRight(endpoint.Path, "/"); endpoint.Path == "" {
		endpoint.Path = "/"
	}
	endpoint.RawPath = ""
	c.ClientEndpoint = endpoint.String()
	c.ServerEndpoint = c.ClientEndpoint

	for _, e := range []struct {
		key, name string
		into      *string
	}{{propertyClientEndpoint, "ClientEndpoint", &c.ClientEndpoint}, {propertyServerEndpoint, "ServerEndpoint", &c.ServerEndpoint}} {
		value, ok := properties[e.key]
		if !ok {
			continue
		}
		u, err := parseEndpoint(e.name, value)
		if err != nil {
			return ConnectionString{}, err
		}
		if u.Path == "" {
			u.Path = "/"
		}
		*e.into = u.String()
	}
	return c, c.setCredential(properties)
}

// setCredential chooses the credential as the .NET SDK does: an access key wins over any AuthType.
func (c *ConnectionString) setCredential(properties map[string]string) error {
	if key := properties[propertyAccessKey]; key != "" {
		c.Credential, c.accessKey = CredentialAccessKey, key
		return nil
	}
	c.Credential = CredentialEntra
	if !strings.EqualFold(properties[propertyAuthType], "azure.app") {
		return nil
	}
	for _, required := range []struct{ key, name string }{{propertyClientID, "ClientId"}, {propertyTenantID, "TenantId"}} {
		if properties[required.key] == "" {
			return fmt.Errorf("AuthType azure.app needs the property %s", required.name)
		}
	}
	if properties[propertyClientSecret] == "" && properties[propertyClientCert] == "" && properties[propertyClientCertPath] == "" {
		return errors.New("AuthType azure.app needs the property ClientSecret or ClientCert")
	}
	return nil
}

// parseEndpoint reads an absolute http or https URL and brings it into the form that .NET writes: scheme and host in lower
// case, no port where it is the scheme's own.
func parseEndpoint(name, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return nil, fmt.Errorf("%s is not an absolute http or https URL; it should look like https://host or http://host:port", name)
	}
	if port := u.Port(); port != "" {
		if number, err := strconv.Atoi(port); err != nil || number < 1 || number > 65535 {
			return nil, fmt.Errorf("the port of %s is not a number from 1 to 65535", name)
		}
	}
	u.User = nil
	u.Fragment, u.RawFragment = "", ""
	u.Host = strings.ToLower(u.Host)
	setPort(u, u.Port())
	return u, nil
}

// hostOnly is the host of u without a port, an IPv6 address in its brackets.
func hostOnly(u *url.URL) string {
	if host := u.Hostname(); !strings.Contains(host, ":") {
		return host
	}
	return "[" + u.Hostname() + "]"
}

// setPort replaces the port of u and leaves out the one that the scheme implies.
func setPort(u *url.URL, port string) {
	host := hostOnly(u)
	if port == "" || (u.Scheme == "http" && port == "80") || (u.Scheme == "https" && port == "443") {
		u.Host = host
		return
	}
	u.Host = host + ":" + port
}
