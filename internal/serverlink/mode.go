package serverlink

import (
	"net/http"
	"strings"

	"github.com/gobwas/ws"

	"github.com/hubgate/hubgate/internal/resource"
)

// textServerless is what an app server is told that the service mode has no place for.
const textServerless = "Server connections are not allowed in the Serverless service mode."

// SetMode takes the instance's service mode. In Serverless mode no app server may have clients: those that are connected are sent away, and only
// connections of the weak type, which the Management SDK sends messages over, are accepted.
func (s *Server) SetMode(mode resource.ServiceMode) {
	serverless := mode == resource.ModeServerless
	if s.serverless.Swap(serverless) || !serverless {
		return
	}
	for _, h := range s.Registry.Hubs() {
		for _, l := range h.Links() {
			if l, ok := l.(*Link); ok {
				l.end(ws.StatusPolicyViolation, textServerless)
			}
		}
	}
}

// refusedByMode tells from the request alone that an app server will want clients: the official SDKs name themselves, and only the one for
// management opens weak connections. Others show what they are in their first message.
func (s *Server) refusedByMode(r *http.Request) bool {
	product, _, _ := strings.Cut(r.Header.Get("Asrs-User-Agent"), "/")
	return s.serverless.Load() && (product == "Microsoft.Azure.SignalR" || product == "Microsoft.Azure.SignalR.AspNet")
}
