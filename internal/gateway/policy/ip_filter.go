package policy

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// ipFilter is the ip-filter policy (ip-filter-policy).
type ipFilter struct {
	allow     Value[string]
	addresses []Value[string]
	ranges    []addressRange
}

type addressRange struct{ from, to netip.Addr }

func newIPFilter(b *Builder) Policy {
	f := &ipFilter{allow: b.OneOf("action", 0, "allow", "forbid")}
	for _, child := range b.Children("address", "address-range") {
		if child.Element() == "address" {
			v := child.Text(Required)
			if text, known := v.Known(); known && text != "" {
				if _, err := netip.ParseAddr(text); err != nil {
					child.Errorf("%q is not an IP address", text)
				}
			}
			f.addresses = append(f.addresses, v)
		} else {
			f.ranges = append(f.ranges, addressRange{from: child.address("from"), to: child.address("to")})
		}
		child.Done()
	}
	if len(f.addresses)+len(f.ranges) == 0 {
		b.Errorf("At least one 'address' or 'address-range' is required")
	}
	for _, r := range f.ranges {
		if r.from.IsValid() && r.to.IsValid() && (r.from.BitLen() != r.to.BitLen() || r.to.Less(r.from)) {
			b.Errorf("The range from %s to %s is empty", r.from, r.to)
		}
	}
	return f
}

func (b *Builder) address(name string) netip.Addr {
	text := b.Literal(name, "", Required)
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil && text != "" {
		b.Errorf("The attribute '%s': %q is not an IP address", name, text)
	}
	return a.Unmap()
}

// Run lets through or refuses the caller by its address.
func (f *ipFilter) Run(x *Exchange) (Outcome, error) {
	action, err := f.allow.Get(x)
	if err != nil {
		return End, err
	}
	deny := func(reason, message string) (Outcome, error) {
		return End, &Failure{Status: http.StatusForbidden, Public: "Forbidden", Reason: reason, Message: message}
	}
	caller, ok := x.CallerAddress()
	if !ok {
		return deny("FailedToParseCallerIP", "Failed to establish IP address for the caller. Access denied.")
	}
	listed, err := f.lists(x, caller)
	if err != nil {
		return End, err
	}
	switch {
	case action == "allow" && !listed:
		return deny("CallerIpNotAllowed", "Caller IP address "+caller.String()+" is not allowed. Access denied.")
	case action == "forbid" && listed:
		return deny("CallerIpBlocked", "Caller IP address is blocked. Access denied.")
	}
	return Continue, nil
}

func (f *ipFilter) lists(x *Exchange, caller netip.Addr) (bool, error) {
	for i := range f.addresses {
		text, err := f.addresses[i].Get(x)
		if err != nil {
			return false, err
		}
		if a, err := netip.ParseAddr(text); err == nil && a.Unmap() == caller {
			return true, nil
		}
	}
	for _, r := range f.ranges {
		if r.from.BitLen() == caller.BitLen() && !caller.Less(r.from) && !r.to.Less(caller) {
			return true, nil
		}
	}
	return false, nil
}

// CallerAddress is the client's address, context.Request.IpAddress: that behind the trusted proxies, else that of the peer.
func (x *Exchange) CallerAddress() (netip.Addr, bool) {
	if x.Client.IsValid() {
		return x.Client, true
	}
	return PeerAddress(x.Inbound)
}

// PeerAddress is the address of the other end of the connection.
func PeerAddress(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	a, err := netip.ParseAddr(host)
	return a.Unmap().WithZone(""), err == nil
}
