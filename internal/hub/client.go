package hub

import (
	"sync"
	"sync/atomic"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// Receiver is a client's session as the router sees it. Its methods never block and may be called concurrently.
type Receiver interface {
	// Deliver queues a message that was sent to many.
	Deliver(m *message.Message, b *message.Batch)
	// Data queues bytes that the client's own app server sent it.
	Data(d *svcproto.ConnectionData, b *message.Batch)
	// Close ends the client because its own app server said so; errorText may be empty.
	Close(errorText string, b *message.Batch)
	// Kick ends the client because somebody else said so: management, or another app server.
	Kick(reason string, b *message.Batch)
	// Migrate moves the client to another app server because its own one goes down, or ends it when that cannot be.
	Migrate(b *message.Batch)
	// Paused is told that the client's app server has stopped sending, as it was asked to.
	Paused()
	// LinkLost ends the client, or moves it, because its server connection is gone.
	LinkLost(b *message.Batch)
}

// Client is one client connection of a hub.
type Client struct {
	// Static once the client is attached.
	ID       string
	UserID   string // with HasUser
	HasUser  bool
	Protocol string // hub protocol, in lower case
	Binary   bool   // whether that protocol travels in binary frames
	Receiver Receiver

	position int // in its shard's list; guarded by that shard

	settles atomic.Int64 // Unix time in nanoseconds before which nothing of the client is passed on; 0: no app server asked it lately

	mu      sync.Mutex
	link    Link
	removed bool
	groups  []membership
}

// membership is one group of a client.
type membership struct {
	group  string
	source source
}

// source says why a client is in a group; both may hold.
type source uint8

const (
	direct   source = 1 << iota // it was put there itself
	fromUser                    // its user was
)

// Link is the server connection that carries the client, or nil.
func (c *Client) Link() Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link
}

// Link is a server connection as the router sees it. Its methods may be called concurrently.
type Link interface {
	// ServerID is the app server's id (header X-ASRS-Server-Id); several links may share it.
	ServerID() string
	// Send queues m for the app server. It never blocks, and fails once the link is over.
	Send(m svcproto.Message) error
	// Data queues bytes of a client without making garbage. It blocks while too much waits for the app server, so that the
	// client is read no further; nobody but that client's own reader may call it.
	Data(client, payload []byte, kind svcproto.DataMessageType) error
	// Stateful says whether the app server lets clients use stateful reconnect.
	Stateful() bool
	// Migrates says whether the app server lets its clients be moved to another one when it goes down.
	Migrates() bool
	// Load is how many clients the link carries; Add changes it.
	Load() int
	Add(n int)
}
