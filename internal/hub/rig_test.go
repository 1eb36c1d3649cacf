package hub

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// receiver keeps what it is given.
type receiver struct {
	mu   sync.Mutex
	got  []string
	lost int
}

func (r *receiver) Deliver(m *message.Message, _ *message.Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, string(m.Payload()))
}
func (r *receiver) Data(*svcproto.ConnectionData, *message.Batch) {}
func (r *receiver) Close(string, *message.Batch)                  {}
func (r *receiver) Kick(string, *message.Batch)                   {}
func (r *receiver) Migrate(*message.Batch)                        {}
func (r *receiver) Paused()                                       {}
func (r *receiver) LinkLost(*message.Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost++
}

// take returns what came since the last call.
func (r *receiver) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// server is a link that keeps what is sent on it.
type server struct {
	id       string
	stateful bool
	load     atomic.Int64
	broken   atomic.Bool

	mu   sync.Mutex
	sent []svcproto.Message
}

func (s *server) ServerID() string                                   { return s.id }
func (s *server) Stateful() bool                                     { return s.stateful }
func (s *server) Migrates() bool                                     { return false }
func (s *server) Load() int                                          { return int(s.load.Load()) }
func (s *server) Add(n int)                                          { s.load.Add(int64(n)) }
func (s *server) Data(_, _ []byte, _ svcproto.DataMessageType) error { return nil }
func (s *server) Send(m svcproto.Message) error {
	if s.broken.Load() {
		return fmt.Errorf("link %s is over", s.id)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, m)
	return nil
}

func (s *server) take() []svcproto.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	sent := s.sent
	s.sent = nil
	return sent
}

// newHub is a hub with one app server.
func newHub() (*Hub, *server) {
	h := NewRegistry("node1").Hub("chat")
	s := &server{id: "server1"}
	h.AddLink(s)
	return h, s
}

// client attaches one; user "" means none, and a protocol that ends in "pack" is binary.
func client(t testing.TB, h *Hub, id, user, protocol string) *Client {
	t.Helper()
	c := &Client{ID: id, UserID: user, HasUser: user != "", Protocol: protocol, Binary: protocol == "messagepack", Receiver: new(receiver)}
	if _, err := h.Attach(c, StickyDisabled, ""); err != nil {
		t.Fatalf("attaching %s: %v", id, err)
	}
	return c
}

func (c *Client) took() []string { return c.Receiver.(*receiver).take() }

// json is the payload for clients of the JSON protocol alone.
func json(text string) []svcproto.Payload {
	return []svcproto.Payload{{Protocol: []byte("json"), Data: []byte(text)}}
}

func byteSlices(list ...string) [][]byte {
	all := make([][]byte, len(list))
	for i, s := range list {
		all[i] = []byte(s)
	}
	return all
}

// expectIDs compares clients with ids, in no order.
func expectIDs(t *testing.T, what string, clients []*Client, want ...string) {
	t.Helper()
	var ids []string
	for _, c := range clients {
		ids = append(ids, c.ID)
	}
	slices.Sort(ids)
	slices.Sort(want)
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}
