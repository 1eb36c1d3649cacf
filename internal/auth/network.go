package auth

import (
	"net/netip"
	"slices"

	"github.com/hubgate/hubgate/internal/resource"
)

// Network decides by request type and address who may use an instance from the network (networkACLs). It is immutable; the zero value
// allows everything.
type Network struct {
	denied map[resource.RequestType]bool
	rules  []networkRule
	// otherwise is for addresses that no rule matches.
	denyOthers bool
}

type networkRule struct {
	prefix netip.Prefix
	deny   bool
}

// NewNetwork compiles access rules that are valid.
func NewNetwork(a resource.NetworkACLs) *Network {
	n := &Network{denied: make(map[resource.RequestType]bool)}
	for _, t := range resource.RequestTypes() {
		switch {
		case slices.Contains(a.PublicNetwork.Deny, t):
			n.denied[t] = true
		case slices.Contains(a.PublicNetwork.Allow, t):
		default:
			n.denied[t] = a.DefaultAction == resource.Deny
		}
	}
	for _, r := range a.IPRules {
		p, err := resource.ParsePrefix(r.Value)
		if err != nil {
			continue // an invalid resource is not applied
		}
		n.rules = append(n.rules, networkRule{p, r.Action == resource.Deny})
		n.denyOthers = n.denyOthers || r.Action == resource.Allow
	}
	return n
}

// Allows reports whether a peer may make a request of a type. An address that cannot be read counts as one that no rule matches.
func (n *Network) Allows(t resource.RequestType, peer netip.Addr) bool {
	if n.denied[t] {
		return false
	}
	peer = peer.Unmap().WithZone("")
	for _, r := range n.rules {
		if r.prefix.Contains(peer) {
			return !r.deny
		}
	}
	return !n.denyOthers
}
