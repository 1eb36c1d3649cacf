// Package natsbus is the bus over NATS: a topic is a subject, and a message is one of core NATS, which keeps nothing.
package natsbus

import (
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/hubgate/hubgate/internal/bus"
)

// prefix is put before topics, so that they meet no other subjects of a NATS that others use too.
const prefix = "hubgate.bus."

// flushTimeout is how long a subscription waits for a server that does not answer.
const flushTimeout = 2 * time.Second

// Bus is a [bus.Bus] over a connection, which stays the caller's.
type Bus struct {
	conn *nats.Conn
}

// New makes the bus of a connection.
func New(conn *nats.Conn) *Bus { return &Bus{conn} }

// Publish is [bus.Bus.Publish]. While the connection is away it fails at once.
func (b *Bus) Publish(topic string, body []byte) error {
	if err := bus.Check(topic, body); err != nil {
		return err
	}
	if err := b.conn.Publish(prefix+topic, body); err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	return nil
}

// Subscribe is [bus.Bus.Subscribe]. The subscription outlives a loss of the connection.
func (b *Bus) Subscribe(topic string, receive func([]byte)) (func(), error) {
	if err := bus.CheckTopic(topic); err != nil {
		return nil, err
	}
	// The lock makes cancel wait for a call that has begun, and keeps one that is about to begin from doing so.
	var mu sync.Mutex
	cancelled := false
	s, err := b.conn.Subscribe(prefix+topic, func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		if !cancelled {
			receive(m.Data)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("topic %s: %w", topic, err)
	}
	// The server knows of the subscription when Subscribe returns, unless it is away; then the connection tells it once it is back.
	_ = b.conn.FlushTimeout(flushTimeout)
	return func() {
		_ = s.Unsubscribe() // it fails when the connection is closed, and then nothing comes anyway
		mu.Lock()
		cancelled = true
		mu.Unlock()
	}, nil
}

var _ bus.Bus = (*Bus)(nil)
