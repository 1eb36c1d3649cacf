package app

import (
	"net"
	"net/http"
	"net/netip"

	"github.com/hubgate/hubgate/internal/resource"
)

// guard lets requests of a type through that the instance's access rules allow. Requests of a gateway in this process do not come from
// the network, so they do not pass here.
func (i *instance) guard(t resource.RequestType, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := i.network.Load(); n != nil && !n.Allows(t, peer(r)) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("The access rules of this instance do not allow " + string(t) + " requests from this address."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// peer is the address of the other end of the connection; the zero value when it cannot be read.
func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(host)
	return a
}
