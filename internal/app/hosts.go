package app

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
)

// hosts picks a handler by the Host header. It is replaced whole when something changes.
type hosts struct {
	table atomic.Pointer[hostTable]
}

type hostTable struct {
	byName   map[string]http.Handler // lower case, no port
	fallback http.Handler            // for every other name; nil answers 404
}

func (h *hosts) set(t *hostTable) { h.table.Store(t) }

// find is the handler of a host name with or without a port.
func (h *hosts) find(host string) http.Handler {
	t := h.table.Load()
	if t == nil {
		return nil
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if found := t.byName[strings.ToLower(host)]; found != nil {
		return found
	}
	return t.fallback
}

// ServeHTTP hands the request to whoever has its Host.
func (h *hosts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler := h.find(r.Host); handler != nil {
		handler.ServeHTTP(w, r)
		return
	}
	http.Error(w, "nothing is served under this host name", http.StatusNotFound)
}
