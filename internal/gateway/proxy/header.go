package proxy

import (
	"net"
	"net/http"
	"strings"
)

// hopByHop are the headers that belong to one connection (RFC 9110 §7.6.1), with those that older peers send. Canonical form.
var hopByHop = [...]string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// RequestHeader is a copy of a request's header without what belongs to its connection. "TE: trailers" stays, for gRPC
// wants it. For a WebSocket handshake the upgrade stays too.
func RequestHeader(r *http.Request, webSocket bool) http.Header {
	h := make(http.Header, len(r.Header)+1)
	// One array for all values, as http.Header.Clone has it.
	total := 0
	for _, values := range r.Header {
		total += len(values)
	}
	all := make([]string, total)
	for name, values := range r.Header {
		n := copy(all, values)
		h[name] = all[:n:n]
		all = all[n:]
	}
	trailers := hasToken(h["Te"], "trailers")
	removeHopByHop(h)
	if trailers {
		h["Te"] = []string{"trailers"}
	}
	if webSocket {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	return h
}

// removeHopByHop takes out the headers of the connection, those that the Connection header names included.
func removeHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" {
				delete(h, http.CanonicalHeaderKey(name))
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// AddForwardedFor appends the client's address to X-Forwarded-For of the header that goes to the backend.
func AddForwardedFor(h http.Header, remoteAddr string) {
	client, _, err := net.SplitHostPort(remoteAddr)
	if err != nil {
		return
	}
	if before := h["X-Forwarded-For"]; len(before) > 0 {
		client = strings.Join(before, ", ") + ", " + client
	}
	h["X-Forwarded-For"] = []string{client}
}

// IsWebSocket says whether the request is a WebSocket handshake (RFC 6455 §4.1).
func IsWebSocket(r *http.Request) bool {
	return r.Method == http.MethodGet && len(r.Header["Upgrade"]) > 0 && hasToken(r.Header["Upgrade"], "websocket") && hasToken(r.Header["Connection"], "upgrade")
}

// hasToken says whether a list header has the token, without regard to case.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for field := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(field), token) {
				return true
			}
		}
	}
	return false
}

// IsEventStream says whether a response is a stream of server-sent events.
func IsEventStream(h http.Header) bool {
	for _, v := range h["Content-Type"] {
		if len(v) >= 17 && strings.EqualFold(v[:17], "text/event-stream") {
			return true
		}
	}
	return false
}
