// Package room is the chat room: its hub, and the page that browsers open.
package room

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/hubgate/hubgate/appserver"
)

// HubName is the name of the chat hub at the service.
const HubName = "chat"

// Hub is the chat hub.
type Hub struct{}

// BroadcastMessage sends a message to everyone in the room.
func (Hub) BroadcastMessage(c *appserver.Context, name, message string) error {
	return c.Clients().All().Send(c, "broadcastMessage", name, message)
}

// Echo sends a message back to the one who wrote it.
func (Hub) Echo(c *appserver.Context, name, message string) error {
	return c.Clients().Caller().Send(c, "echo", name, message+" (echo from server)")
}

//go:embed page
var page embed.FS

// contentSecurityPolicy lets the page use its own files only, and connect to wherever the hub redirects it.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self' http: https: ws: wss:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// New adds the chat hub to an app server, which the caller runs, and returns the handler for the page at "/" and for the
// hub's negotiate requests at "/chat/negotiate".
func New(app *appserver.App) (http.Handler, error) {
	hub, err := app.Handle(HubName, Hub{}, appserver.HubOptions{})
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/chat/negotiate", hub.Negotiator())
	mux.Handle("/", pageHeaders(http.FileServerFS(files)))
	return mux, nil
}

// pageHeaders adds the headers that keep the page to itself, and refuses what is no request for a page.
func pageHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the page can only be read", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Security-Policy", contentSecurityPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}
