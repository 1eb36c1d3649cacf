package config

import "github.com/hubgate/hubgate/internal/resource"

// Access says which requests from the network an instance takes. A gateway in the same process is no network. What is refused is answered with 403.
//
// Request types are ClientConnection, ServerConnection, RESTAPI and Trace.
type Access struct {
	// DefaultAction is for request types that are in neither list: Allow or Deny. Default: Allow.
	DefaultAction string `yaml:"defaultAction"`
	// Allow and Deny are request types. One in both lists is denied.
	Allow []string `yaml:"allow"`
	Deny  []string `yaml:"deny"`
	// IPRules are tried in order, and the first that matches decides. An address that none matches is refused when a rule allows some.
	IPRules []IPRule `yaml:"ipRules"`
}

// IPRule allows or denies addresses.
type IPRule struct {
	// Value is an IP address, or a range like 10.0.0.0/8. It is needed.
	Value string `yaml:"value"`
	// Action is Allow or Deny. It is needed.
	Action string `yaml:"action"`
}

// Quotas bound what an instance does for its clients. Each is off by default.
type Quotas struct {
	// Connections is how many clients may be there at once; more are answered 429. Default: 0, which is limits.connections.
	Connections int `yaml:"connections"`
	// MessagesPerDay is how many messages may go to clients in a day of Coordinated Universal Time. Further ones are dropped. Default: 0, no bound.
	MessagesPerDay int `yaml:"messagesPerDay"`
	// NegotiatePerSecond is how many clients may come in a second, with bursts of twice as many; more are answered 429. Default: 0, no bound.
	NegotiatePerSecond int `yaml:"negotiatePerSecond"`
	// ConnectionLifetime ends a client after that time, with leave to reconnect: whole seconds up to a week. Default: 0s, never.
	ConnectionLifetime Duration `yaml:"connectionLifetime"`
	// ConnectionRules bound how many clients may share a user, an address, a token or a claim; more are answered 429. At most ten.
	ConnectionRules []ConnectionRule `yaml:"connectionRules"`
	// TrafficRules bound how much the clients that share one of these may send; then they are closed. At most ten.
	TrafficRules []TrafficRule `yaml:"trafficRules"`
}

// ConnectionRule bounds how many clients may share a value.
type ConnectionRule struct {
	// By is User, IP, TokenSignature or Claim. It is needed.
	By string `yaml:"by"`
	// Claim is the name of the claim, for by: Claim.
	Claim string `yaml:"claim"`
	// MaxCount is 1 or more. Default: 20.
	MaxCount int `yaml:"maxCount"`
}

// TrafficRule bounds how much the clients that share a value may send.
type TrafficRule struct {
	// By and Claim are as in a ConnectionRule.
	By    string `yaml:"by"`
	Claim string `yaml:"claim"`
	// MaxBytes is how much in a window. Default: 1GiB.
	MaxBytes Size `yaml:"maxBytes"`
	// Window is 10s to 1h in whole seconds. Default: 1m.
	Window Duration `yaml:"window"`
}

// Logs says which of Azure's resource logs an instance writes into the node's log.
type Logs struct {
	// Connectivity tells of connections that come and go. Default: false.
	Connectivity bool `yaml:"connectivity"`
	// Messaging tells of each message that an app server sends, with its tracing id. Default: false.
	Messaging bool `yaml:"messaging"`
	// HTTPRequest tells of each request. Default: false.
	HTTPRequest bool `yaml:"httpRequest"`
}

// TLS are the certificates of a listener. Without them it speaks plain HTTP.
type TLS struct {
	// CertificateFile and KeyFile are PEM files: the certificate with its chain, and its key. They are read again when they change.
	CertificateFile string `yaml:"certificateFile"`
	KeyFile         string `yaml:"keyFile"`
	// ClientCAFile is a PEM file of authorities. When it is given, clients must show a certificate that one of them signed. Default: none are asked for.
	ClientCAFile string `yaml:"clientCAFile"`
	// ACME gets certificates from a certificate authority, in the place of the files. Default: none are got.
	ACME *ACME `yaml:"acme"`
}

// On says whether the listener speaks TLS.
func (t TLS) On() bool { return t.CertificateFile != "" || t.KeyFile != "" || t.ACME != nil }

func (t TLS) validate(report reporter, path string, c *Config) {
	if t.ACME != nil {
		if t.CertificateFile != "" || t.KeyFile != "" {
			report(path+".acme", "stands beside a certificateFile or a keyFile; a listener has its certificates from one of them")
		}
		t.ACME.validate(report, path+".acme", c)
		return
	}
	if (t.CertificateFile == "") != (t.KeyFile == "") {
		report(path, "certificateFile and keyFile go together")
	}
	if t.ClientCAFile != "" && !t.On() {
		report(path+".clientCAFile", "needs certificateFile and keyFile, or acme: without TLS there are no client certificates")
	}
}

func (a Access) resource() resource.NetworkACLs {
	acls := resource.NetworkACLs{DefaultAction: a.DefaultAction}
	for _, t := range a.Allow {
		acls.PublicNetwork.Allow = append(acls.PublicNetwork.Allow, resource.RequestType(t))
	}
	for _, t := range a.Deny {
		acls.PublicNetwork.Deny = append(acls.PublicNetwork.Deny, resource.RequestType(t))
	}
	for _, r := range a.IPRules {
		acls.IPRules = append(acls.IPRules, resource.IPRule(r))
	}
	return acls
}

func (q Quotas) resource() resource.Quotas {
	out := resource.Quotas{
		Connections:                  q.Connections,
		MessagesPerDay:               int64(q.MessagesPerDay),
		NegotiatePerSecond:           q.NegotiatePerSecond,
		MaxConnectionLifetimeSeconds: seconds(q.ConnectionLifetime),
	}
	for _, r := range q.ConnectionRules {
		out.ConnectionCount = append(out.ConnectionCount, resource.ConnectionCountRule(r))
	}
	for _, r := range q.TrafficRules {
		out.Traffic = append(out.Traffic, resource.TrafficRule{By: r.By, Claim: r.Claim, MaxBytes: int64(r.MaxBytes), WindowSeconds: seconds(r.Window)})
	}
	return out
}
