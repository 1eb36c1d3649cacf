package gateway

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/hubgate/hubgate/internal/gateway/policy"
)

// maxForwarded is how many addresses of X-Forwarded-For are looked at: chains of proxies are short, and the header is an outsider's.
const maxForwarded = 32

// clientBehind is the address of the client behind the trusted proxies, by the X-Forwarded-For that they send: the right-most one that
// is not trusted itself. Where the chain cannot be read, or is trusted as far as it goes, it is the last address that could. The answer is
// false when the connection comes from nobody trusted: then the header is the client's own word.
func clientBehind(r *http.Request, trusted []netip.Prefix) (netip.Addr, bool) {
	if len(trusted) == 0 {
		return netip.Addr{}, false
	}
	client, ok := policy.PeerAddress(r)
	if !ok || !contains(trusted, client) {
		return netip.Addr{}, false
	}
	lines := r.Header["X-Forwarded-For"]
	looked := 0
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			entry := rest
			comma := strings.LastIndexByte(rest, ',')
			if more = comma >= 0; more {
				rest, entry = rest[:comma], rest[comma+1:]
			}
			if looked++; looked > maxForwarded {
				return client, true
			}
			a, ok := forwardedAddress(entry)
			if !ok {
				return client, true
			}
			if client = a; !contains(trusted, a) {
				return client, true
			}
		}
	}
	return client, true
}

// forwardedAddress reads an entry of X-Forwarded-For: an address, which some proxies write with a port or in brackets.
func forwardedAddress(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t")
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if p, err := netip.ParseAddrPort(text); err == nil {
		return p.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			a, err := netip.ParseAddr(inner)
			return a.Unmap().WithZone(""), err == nil && a.Is6()
		}
	}
	return netip.Addr{}, false
}

func contains(all []netip.Prefix, a netip.Addr) bool {
	for _, p := range all {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
