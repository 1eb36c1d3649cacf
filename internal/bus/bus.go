// Package bus carries messages between the nodes of a cluster: what is published on a topic reaches all that subscribe to it, at most once.
//
// A message that is on its way when a connection breaks is lost. Who needs more numbers what it sends and asks again.
package bus

import (
	"errors"
	"fmt"
	"sync"
)

// MaxMessage is the largest message in bytes. Every NATS takes it: the default of max_payload is 1 MiB.
const MaxMessage = 1 << 20

// maxTopic is the longest topic in bytes.
const maxTopic = 200

// Bus publishes and subscribes. It may be used by any number of goroutines.
type Bus interface {
	// Publish hands body to the bus and does not wait for anybody. The bus keeps no reference to it. An error says that it went nowhere.
	Publish(topic string, body []byte) error
	// Subscribe calls receive with each message on the topic, one after the other, also with those that this bus publishes itself.
	// receive keeps no reference to body. After cancel has returned it is not called any more, so receive must not call cancel.
	Subscribe(topic string, receive func(body []byte)) (cancel func(), err error)
}

// ErrTooLarge is the error of a message of more than [MaxMessage] bytes.
var ErrTooLarge = fmt.Errorf("a message between nodes has at most %d bytes", MaxMessage)

// Check reports why a message cannot be published. A topic is one or several names with dots between them, like "limits.apim1"; a name has
// lower-case letters, digits, '-' and '_'.
func Check(topic string, body []byte) error {
	if err := CheckTopic(topic); err != nil {
		return err
	}
	if len(body) > MaxMessage {
		return ErrTooLarge
	}
	return nil
}

// CheckTopic is [Check] for a topic alone.
func CheckTopic(topic string) error {
	if len(topic) > maxTopic {
		return fmt.Errorf("a topic has at most %d characters; this one has %d", maxTopic, len(topic))
	}
	dot := true // an empty name would follow
	for i := range len(topic) {
		switch c := topic[i]; {
		case c == '.' && !dot:
			dot = true
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			dot = false
		default:
			return fmt.Errorf("%q is no topic; it needs names of lower-case letters, digits, '-' and '_' with dots between them", topic)
		}
	}
	if dot {
		return errors.New("a topic is empty or ends with a dot")
	}
	return nil
}

// Memory is the bus of one process. The zero value is ready for use.
type Memory struct {
	mu            sync.Mutex
	subscriptions map[string]map[*subscription]struct{}
}

// NewMemory makes a bus without subscriptions.
func NewMemory() *Memory { return new(Memory) }

// Publish is [Bus.Publish].
func (m *Memory) Publish(topic string, body []byte) error {
	if err := Check(topic, body); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.subscriptions[topic] {
		s.put(append([]byte(nil), body...))
	}
	return nil
}

// Subscribe is [Bus.Subscribe].
func (m *Memory) Subscribe(topic string, receive func([]byte)) (func(), error) {
	if err := CheckTopic(topic); err != nil {
		return nil, err
	}
	s := &subscription{ended: make(chan struct{})}
	s.changed.L = &s.mu
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.subscriptions == nil {
		m.subscriptions = map[string]map[*subscription]struct{}{}
	}
	if m.subscriptions[topic] == nil {
		m.subscriptions[topic] = map[*subscription]struct{}{}
	}
	m.subscriptions[topic][s] = struct{}{}
	go s.run(receive)
	return func() {
		m.mu.Lock()
		delete(m.subscriptions[topic], s)
		if len(m.subscriptions[topic]) == 0 {
			delete(m.subscriptions, topic)
		}
		m.mu.Unlock()
		s.close()
		<-s.ended
	}, nil
}

// subscription has a queue of its own, so that a slow receiver holds up nobody.
type subscription struct {
	ended chan struct{}

	mu      sync.Mutex
	changed sync.Cond // of mu
	queue   [][]byte
	closed  bool
}

func (s *subscription) put(body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, body)
	s.changed.Signal()
}

func (s *subscription) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.changed.Signal()
}

func (s *subscription) run(receive func([]byte)) {
	defer close(s.ended)
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.closed {
			s.changed.Wait()
		}
		if s.closed {
			s.mu.Unlock()
			return
		}
		body := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()
		receive(body)
	}
}

var _ Bus = (*Memory)(nil)
