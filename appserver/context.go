package appserver

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// Context is one call of a hub method, or one event, of one client. It is done when the client disconnects or cancels the
// invocation, so it can be passed on wherever a context.Context is wanted. It may be kept and used after the call.
type Context struct {
	context.Context

	client *clientConnection
	slot   *invocation // whose slot a client result gives back; nil in events

	connecting bool // inside OnConnected
}

// contextKey finds the Context in contexts derived from it.
type contextKey struct{}

// Value is that of the context beneath.
func (c *Context) Value(key any) any {
	if _, ok := key.(contextKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// hubContextOf is the call that ctx belongs to, nil for none.
func hubContextOf(ctx context.Context) *Context {
	c, _ := ctx.Value(contextKey{}).(*Context)
	return c
}

// ConnectionID is the id of the client connection, which Clients.Client and Groups.Add take.
func (c *Context) ConnectionID() string { return c.client.id }

// UserID is the id of the user, "" when the client is anonymous.
func (c *Context) UserID() string {
	if u := c.User(); u != nil {
		return u.ID
	}
	return ""
}

// User is who the client is: nil when it is anonymous. It must not be changed.
func (c *Context) User() *User { return c.client.user.Load() }

// Path is the path of the hub that the client asked the app server for, such as "/chat". It is "" when a client went to the
// service without that.
func (c *Context) Path() string { return c.client.path }

// Query is the query of the client's request. It must not be changed.
func (c *Context) Query() url.Values { return c.client.query }

// Header holds the headers of the client's request to the service, Host among them. It must not be changed.
func (c *Context) Header() http.Header { return c.client.header }

// RemoteAddress is the client's IP address as the service saw it, "" when it did not say.
func (c *Context) RemoteAddress() string {
	first, _, _ := strings.Cut(c.client.header.Get("X-Forwarded-For"), ",")
	if ip := net.ParseIP(strings.TrimSpace(first)); ip != nil {
		return ip.String()
	}
	return ""
}

// Items keeps values of the application's own as long as the connection lives. It is shared by all calls of the client.
func (c *Context) Items() *sync.Map { return &c.client.items }

// MigratedFrom is the id of the app server that the client came from, "" when it did not migrate.
func (c *Context) MigratedFrom() string { return c.client.migratedFrom }

// MigratingTo is, in OnDisconnected, the id of the app server that the client lives on with, "" when it is gone.
func (c *Context) MigratingTo() string { return c.client.migratingTo() }

// Abort ends the client's connection. Nothing more is read from it.
func (c *Context) Abort() {
	c.client.stop(ending{closeRecord: true, discardInput: true})
}

// Clients addresses the clients of the hub, as seen by the one that calls.
func (c *Context) Clients() HubCallerClients {
	return HubCallerClients{c.client.hub.Clients(), c.client.id}
}

// Groups changes who is in the groups of the hub.
func (c *Context) Groups() Groups { return c.client.hub.Groups() }

// UserGroups changes which users are in the groups of the hub.
func (c *Context) UserGroups() UserGroups { return c.client.hub.UserGroups() }

// Hub is the hub that the client is connected to.
func (c *Context) Hub() *Hub { return c.client.hub }
