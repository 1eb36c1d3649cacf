package resource

import (
	"regexp"
	"strings"
)

// ServiceMode says who handles the messages of an instance's clients (signalr-concept-service-mode).
type ServiceMode string

// The service modes.
const (
	ModeDefault    ServiceMode = "Default"    // app servers do; a hub without one refuses clients
	ModeServerless ServiceMode = "Serverless" // upstream endpoints and the data-plane REST API do; app servers are refused
	ModeClassic    ServiceMode = "Classic"    // decided for each client as it connects
)

// SignalR is a SignalR instance: Microsoft.SignalRService/signalR.
type SignalR struct {
	ID   ID          `json:"id"`
	Mode ServiceMode `json:"mode"` // "" means Default

	// PrimaryKey and SecondaryKey sign tokens; both are valid at once. They are used as the UTF-8 bytes of the text.
	PrimaryKey   string `json:"primaryKey"`
	SecondaryKey string `json:"secondaryKey"`

	// HostNames picks the instance when several share a port; without regard to case, no port. Empty: only as the default one.
	HostNames []string `json:"hostNames,omitempty"`

	// AllowedOrigins answers cross-origin requests of browsers: exact origins, or "*" for any origin.
	// Empty means "*", as a new resource in Azure has it.
	AllowedOrigins []string `json:"allowedOrigins,omitempty"`

	// Upstream lists the endpoints that serverless clients' events go to; the first template that matches wins.
	Upstream []UpstreamTemplate `json:"upstream,omitempty"`

	// UpstreamIdentity is what requests to those endpoints authenticate with where a template says so, and UpstreamRequests how they are made.
	UpstreamIdentity UpstreamIdentity `json:"upstreamIdentity,omitzero"`
	UpstreamRequests UpstreamRequests `json:"upstreamRequests,omitzero"`

	// Events is where events go that tell of serverless clients who come and go.
	Events ClientEvents `json:"events,omitzero"`

	// KeepAliveSeconds and ClientTimeoutSeconds hold for serverless clients: 1 to 120; 0 means 15 and 30.
	KeepAliveSeconds     int `json:"keepAliveSeconds,omitempty"`
	ClientTimeoutSeconds int `json:"clientTimeoutSeconds,omitempty"`

	// DisableLocalAuth refuses tokens that are signed with the access keys.
	DisableLocalAuth bool `json:"disableLocalAuth,omitempty"`

	// DisableAADAuth refuses access tokens of the issuers in Identity, and what was signed with temporary access keys.
	DisableAADAuth bool `json:"disableAadAuth,omitempty"`

	// Identity says whose access tokens are good, beside those that are signed with the access keys.
	Identity Identity `json:"identity,omitzero"`

	// Salt is the secret that temporary access keys are made of; a new one ends all of them. It is never shown, not even to whom the access
	// keys are. "" makes them of the access keys, unless local authentication is disabled: then there are none.
	Salt string `json:"salt,omitempty"`

	// Logs says which resource logs are written (features EnableConnectivityLogs and EnableMessagingLogs, resourceLogConfiguration).
	Logs ResourceLogs `json:"logs,omitzero"`

	NetworkACLs NetworkACLs `json:"networkACLs,omitzero"`
	Quotas      Quotas      `json:"quotas,omitzero"`
}

// ResourceLogs are the switches of Azure's three resource logs.
type ResourceLogs struct {
	Connectivity bool `json:"connectivity,omitempty"` // connections that come and go
	Messaging    bool `json:"messaging,omitempty"`    // messages, with their tracing ids
	HTTPRequest  bool `json:"httpRequest,omitempty"`  // requests
}

// UpstreamTemplate sends the events that it matches to a URL (signalr upstream settings, "templates").
// Each pattern is "*", "" (the same) or a list with commas.
type UpstreamTemplate struct {
	HubPattern      string `json:"hubPattern,omitempty"`
	CategoryPattern string `json:"categoryPattern,omitempty"`
	EventPattern    string `json:"eventPattern,omitempty"`
	URLTemplate     string `json:"urlTemplate"`

	Auth UpstreamAuth `json:"auth,omitzero"`
}

// ResourceID is the id of the instance.
func (s *SignalR) ResourceID() ID { return s.ID }

var signalRName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]{1,61}[a-zA-Z0-9]$`)

// Validate checks the name, the mode, that there are keys, and the ranges of the rest.
func (s *SignalR) Validate() error {
	if s.ID.Type() != SignalRService+"/signalR" {
		return Invalidf(s.ID, "id", "%q is not the id of a SignalR instance; it should look like %s", s.ID, NewID(SignalRService, "signalR", "NAME"))
	}
	if !signalRName.MatchString(s.ID.Name()) {
		return Invalidf(s.ID, "name", "a SignalR instance's name has 3 to 63 letters, digits and hyphens, begins with a letter and does not end with a hyphen")
	}
	switch s.Mode {
	case "", ModeDefault, ModeServerless, ModeClassic:
	default:
		return Invalidf(s.ID, "mode", "the service mode is Default, Serverless or Classic, not %q", s.Mode)
	}
	if s.PrimaryKey == "" || s.SecondaryKey == "" {
		return Invalidf(s.ID, "primaryKey", "an instance needs both access keys, the primary and the secondary one")
	}
	for i, o := range s.AllowedOrigins {
		if o != "*" && !strings.Contains(o, "://") {
			return Invalidf(s.ID, "allowedOrigins", "origin %d, %q, is neither * nor a scheme, a host and a port like https://app.example", i, o)
		}
	}
	if err := s.validateUpstream(); err != nil {
		return err
	}
	for target, v := range map[string]int{"keepAliveSeconds": s.KeepAliveSeconds, "clientTimeoutSeconds": s.ClientTimeoutSeconds} {
		if v < 0 || v > 120 {
			return Invalidf(s.ID, target, "must be 1 to 120 seconds, or 0 for the default")
		}
	}
	if err := s.validateIdentity(); err != nil {
		return err
	}
	return s.validateAccess()
}

var _ Resource = (*SignalR)(nil)
