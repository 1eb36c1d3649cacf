package auth

import (
	"net/netip"
	"testing"

	"github.com/hubgate/hubgate/internal/resource"
)

func TestNetwork(t *testing.T) {
	t.Parallel()
	const client, server, rest = resource.ClientConnection, resource.ServerConnection, resource.RESTAPI
	rule := func(value, action string) resource.IPRule { return resource.IPRule{Value: value, Action: action} }
	types := func(t ...resource.RequestType) []resource.RequestType { return t }
	for name, c := range map[string]struct {
		acls resource.NetworkACLs
		kind resource.RequestType
		peer string
		want bool
	}{
		"nothing said":                    {kind: client, peer: "192.0.2.1", want: true},
		"default deny":                    {acls: resource.NetworkACLs{DefaultAction: "Deny"}, kind: client, peer: "192.0.2.1"},
		"default deny, type allowed":      {acls: resource.NetworkACLs{DefaultAction: "Deny", PublicNetwork: resource.NetworkACL{Allow: types(client)}}, kind: client, peer: "192.0.2.1", want: true},
		"default deny, other type":        {acls: resource.NetworkACLs{DefaultAction: "Deny", PublicNetwork: resource.NetworkACL{Allow: types(client)}}, kind: server, peer: "192.0.2.1"},
		"type denied":                     {acls: resource.NetworkACLs{PublicNetwork: resource.NetworkACL{Deny: types(rest)}}, kind: rest, peer: "192.0.2.1"},
		"deny wins over allow":            {acls: resource.NetworkACLs{PublicNetwork: resource.NetworkACL{Allow: types(rest), Deny: types(rest)}}, kind: rest, peer: "192.0.2.1"},
		"address denied":                  {acls: resource.NetworkACLs{IPRules: []resource.IPRule{rule("192.0.2.1", "Deny")}}, kind: client, peer: "192.0.2.1"},
		"another address denied":          {acls: resource.NetworkACLs{IPRules: []resource.IPRule{rule("192.0.2.1", "Deny")}}, kind: client, peer: "192.0.2.2", want: true},
		"range allowed":                   {acls: resource.NetworkACLs{IPRules: []resource.IPRule{rule("192.0.2.0/24", "Allow")}}, kind: client, peer: "192.0.2.77", want: true},
		"outside of the range":            {acls: resource.NetworkACLs{IPRules: []resource.IPRule{rule("192.0.2.0/24", "Allow")}}, kind: client, peer: "198.51.100.1"},
		"first match decides":             {acls: resource.NetworkACLs{IPRules: []resource.IPRule{rule("192.0.2.7", "Deny"), rule("192.0.2.0/24", "Allow")}}, kind: client, peer: "192.0.2.7"},
		"IPv4 in an IPv6 socket":          {acls: resource.NetworkACLs{IPRules: []resource.IPRule{rule("192.0.2.0/24", "Allow")}}, kind: client, peer: "::ffff:192.0.2.7", want: true},
		"IPv6 range":                      {acls: resource.NetworkACLs{IPRules: []resource.IPRule{rule("2001:db8::/32", "Allow")}}, kind: client, peer: "2001:db8::1", want: true},
		"a host's bits in a range":        {acls: resource.NetworkACLs{IPRules: []resource.IPRule{rule("10.1.2.3/8", "Allow")}}, kind: client, peer: "10.9.9.9", want: true},
		"type denied though address good": {acls: resource.NetworkACLs{PublicNetwork: resource.NetworkACL{Deny: types(client)}, IPRules: []resource.IPRule{rule("0.0.0.0/0", "Allow")}}, kind: client, peer: "192.0.2.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := NewNetwork(c.acls).Allows(c.kind, netip.MustParseAddr(c.peer)); got != c.want {
				t.Errorf("allowed: %v, want %v", got, c.want)
			}
		})
	}
	if new(Network).Allows(client, netip.Addr{}) != true {
		t.Error("the zero value must allow everything")
	}
	if NewNetwork(resource.NetworkACLs{IPRules: []resource.IPRule{rule("::/0", "Allow"), rule("0.0.0.0/0", "Allow")}}).Allows(client, netip.Addr{}) {
		t.Error("an unreadable address must not slip through a list of allowed ones")
	}
}
