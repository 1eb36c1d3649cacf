package resource

import (
	"net/netip"
	"slices"
)

// RequestType is what an access rule of a SignalR instance is about.
type RequestType string

// The request types (networkACLs of Microsoft.SignalRService/signalR).
const (
	ClientConnection RequestType = "ClientConnection" // /client
	ServerConnection RequestType = "ServerConnection" // /server
	RESTAPI          RequestType = "RESTAPI"          // /api
	Trace            RequestType = "Trace"            // live trace
)

// RequestTypes lists them all.
func RequestTypes() []RequestType {
	return []RequestType{ClientConnection, ServerConnection, RESTAPI, Trace}
}

// The actions of access rules.
const (
	Allow = "Allow"
	Deny  = "Deny"
)

// NetworkACLs say which requests from the network an instance takes. A gateway in the same process is no network.
type NetworkACLs struct {
	// DefaultAction is for request types that PublicNetwork does not name: Allow or Deny; "" means Allow.
	DefaultAction string `json:"defaultAction,omitempty"`
	// PublicNetwork names request types. One that is both allowed and denied is denied.
	PublicNetwork NetworkACL `json:"publicNetwork,omitzero"`
	// IPRules are tried in order, and the first that matches decides. An address that none matches is refused when there is a rule
	// that allows some, and taken when all rules deny.
	IPRules []IPRule `json:"ipRules,omitempty"`
}

// NetworkACL names request types to allow and to deny.
type NetworkACL struct {
	Allow []RequestType `json:"allow,omitempty"`
	Deny  []RequestType `json:"deny,omitempty"`
}

// IPRule allows or denies addresses.
type IPRule struct {
	Value  string `json:"value"`  // an address or a range in CIDR notation
	Action string `json:"action"` // Allow or Deny
}

// MaxIPRules is how many rules an instance may have. Azure's limit is 30.
const MaxIPRules = 1000

// ConnectionCountRule bounds how many connections may share one value of something; more are answered 429. Connections without such a value do not count.
type ConnectionCountRule struct {
	// By is what is counted: User, IP, TokenSignature or Claim.
	By string `json:"by"`
	// Claim is the claim's name, for By Claim.
	Claim string `json:"claim,omitempty"`
	// MaxCount is 1 or more; 0 means 20, as in Azure.
	MaxCount int `json:"maxCount,omitempty"`
}

// TrafficRule bounds how much the clients that share a value may send; above it they are closed.
type TrafficRule struct {
	By    string `json:"by"` // as in ConnectionCountRule
	Claim string `json:"claim,omitempty"`
	// MaxBytes is how much in a window; 0 means 1 GB.
	MaxBytes int64 `json:"maxInboundMessageBytes,omitempty"`
	// WindowSeconds is 10 to 3600; 0 means 60.
	WindowSeconds int `json:"aggregationWindowInSeconds,omitempty"`
}

// What rules count by.
const (
	ByUser           = "User"
	ByIP             = "IP"
	ByTokenSignature = "TokenSignature"
	ByClaim          = "Claim"
)

// Quotas bound what an instance does for its clients. Zero values mean no bound.
type Quotas struct {
	// Connections is how many clients may be there at once.
	Connections int `json:"connections,omitempty"`
	// MessagesPerDay is how many messages may go to clients in a day of Coordinated Universal Time.
	MessagesPerDay int64 `json:"messagesPerDay,omitempty"`
	// NegotiatePerSecond is how many clients may negotiate or connect without negotiation in a second; bursts of as many again are let through.
	NegotiatePerSecond int `json:"negotiatePerSecond,omitempty"`
	// MaxConnectionLifetimeSeconds ends a client with leave to reconnect: up to 604800.
	MaxConnectionLifetimeSeconds int `json:"maxClientConnectionLifetimeInSeconds,omitempty"`
	// ConnectionCount and Traffic are the rules by user, address and claim, at most ten of each.
	ConnectionCount []ConnectionCountRule `json:"clientConnectionCountRules,omitempty"`
	Traffic         []TrafficRule         `json:"clientTrafficControlRules,omitempty"`
}

func (s *SignalR) validateAccess() error {
	a := s.NetworkACLs
	if !action(a.DefaultAction) && a.DefaultAction != "" {
		return Invalidf(s.ID, "networkACLs.defaultAction", "must be Allow or Deny, not %q", a.DefaultAction)
	}
	for _, t := range append(slices.Clone(a.PublicNetwork.Allow), a.PublicNetwork.Deny...) {
		if !slices.Contains(RequestTypes(), t) {
			return Invalidf(s.ID, "networkACLs.publicNetwork", "there is no request type %q; there are ClientConnection, ServerConnection, RESTAPI and Trace", t)
		}
	}
	if len(a.IPRules) > MaxIPRules {
		return Invalidf(s.ID, "networkACLs.ipRules", "at most %d rules", MaxIPRules)
	}
	for i, r := range a.IPRules {
		if _, err := ParsePrefix(r.Value); err != nil {
			return Invalidf(s.ID, "networkACLs.ipRules", "rule %d: %q is neither an IP address nor a range like 10.0.0.0/8", i, r.Value)
		}
		if !action(r.Action) {
			return Invalidf(s.ID, "networkACLs.ipRules", "rule %d: the action must be Allow or Deny, not %q", i, r.Action)
		}
	}
	return s.validateQuotas()
}

func action(s string) bool { return s == Allow || s == Deny }

func (s *SignalR) validateQuotas() error {
	q := s.Quotas
	if q.Connections < 0 || q.MessagesPerDay < 0 || q.NegotiatePerSecond < 0 {
		return Invalidf(s.ID, "quotas", "a quota must not be negative; 0 means none")
	}
	if q.MaxConnectionLifetimeSeconds < 0 || q.MaxConnectionLifetimeSeconds > 604800 {
		return Invalidf(s.ID, "quotas.maxClientConnectionLifetimeInSeconds", "must be 0 to 604800")
	}
	if len(q.ConnectionCount) > 10 || len(q.Traffic) > 10 {
		return Invalidf(s.ID, "quotas", "at most ten rules of a kind")
	}
	for i, r := range q.ConnectionCount {
		if err := s.validateBy("quotas.clientConnectionCountRules", i, r.By, r.Claim); err != nil {
			return err
		}
		if r.MaxCount < 0 {
			return Invalidf(s.ID, "quotas.clientConnectionCountRules", "rule %d: maxCount must be 1 or more", i)
		}
	}
	for i, r := range q.Traffic {
		if err := s.validateBy("quotas.clientTrafficControlRules", i, r.By, r.Claim); err != nil {
			return err
		}
		if r.MaxBytes < 0 || r.WindowSeconds != 0 && (r.WindowSeconds < 10 || r.WindowSeconds > 3600) {
			return Invalidf(s.ID, "quotas.clientTrafficControlRules", "rule %d: the window is 10 to 3600 seconds, and the bytes are 1 or more", i)
		}
	}
	return nil
}

func (s *SignalR) validateBy(target string, i int, by, claim string) error {
	switch {
	case by == ByClaim && claim == "":
		return Invalidf(s.ID, target, "rule %d: a rule by Claim names the claim", i)
	case by == ByUser || by == ByIP || by == ByTokenSignature || by == ByClaim:
		return nil
	}
	return Invalidf(s.ID, target, "rule %d: it counts by User, IP, TokenSignature or Claim, not by %q", i, by)
}

// ParsePrefix reads an IP address, which stands for itself alone, or a range in CIDR notation.
func ParsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}
