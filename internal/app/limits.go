package app

import (
	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/serverlink"
	"github.com/hubgate/hubgate/internal/session"
)

// limits are those of a configuration in the forms of the parts that hold them.
type limits struct {
	clients session.Limits
	servers serverlink.Limits
	secrets resource.SecretRules
}

func newLimits(c config.Limits) limits {
	var l limits
	l.clients.QueueBytes = int(c.ClientQueue)
	l.clients.MessageBytes = int64(c.ClientMessage)
	l.clients.PostBytes = int64(c.ClientPost)
	l.clients.Connections = c.Connections
	l.clients.ConnectTimeout = c.ConnectTimeout.Std()
	l.clients.HandshakeTimeout = c.HandshakeTimeout.Std()
	l.clients.PollTimeout = c.PollTimeout.Std()
	l.clients.PollGap = c.PollGap.Std()
	l.servers.FrameBytes = int(c.ServerMessage)
	l.servers.HandshakeTimeout = c.HandshakeTimeout.Std()
	return l
}
