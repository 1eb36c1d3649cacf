package hub

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// crowd is a hub with clients a to e: b and c are user u, d is user v, and e speaks MessagePack. a and b are in group g, b and c in h.
func crowd(t *testing.T) (*Hub, map[string]*Client) {
	h, _ := newHub()
	all := make(map[string]*Client)
	for id, user := range map[string]string{"a": "", "b": "u", "c": "u", "d": "v"} {
		all[id] = client(t, h, id, user, "json")
	}
	all["e"] = client(t, h, "e", "", "messagepack")
	for _, j := range [][2]string{{"a", "g"}, {"b", "g"}, {"b", "h"}, {"c", "h"}, {"e", "h"}} {
		if !h.Join(all[j[0]], j[1]) {
			t.Fatal("a client cannot join")
		}
	}
	return h, all
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	both := []svcproto.Payload{{Protocol: []byte("JSON"), Data: []byte("j")}, {Protocol: []byte("messagepack"), Data: []byte("m")}}
	b := new(message.Batch)
	for _, test := range []struct {
		name string
		send func(h *Hub) Sent
		want map[string]int // copies
	}{
		{"all", func(h *Hub) Sent { return h.Broadcast(both, nil, b) }, map[string]int{"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}},
		{"all but some", func(h *Hub) Sent { return h.Broadcast(both, byteSlices("b", "nobody", "e"), b) }, map[string]int{"a": 1, "c": 1, "d": 1}},
		{
			"all but many", func(h *Hub) Sent {
				return h.Broadcast(both, byteSlices("1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "d"), b)
			}, map[string]int{"c": 1, "e": 1},
		},
		{"one protocol alone", func(h *Hub) Sent { return h.Broadcast(json("j"), nil, b) }, map[string]int{"a": 1, "b": 1, "c": 1, "d": 1}},
		{"no payload", func(h *Hub) Sent { return h.Broadcast(nil, nil, b) }, map[string]int{}},
		{"a group", func(h *Hub) Sent { return h.SendToGroup([]byte("g"), both, nil, nil, b) }, map[string]int{"a": 1, "b": 1}},
		{"a group but some", func(h *Hub) Sent { return h.SendToGroup([]byte("g"), both, byteSlices("a"), nil, b) }, map[string]int{"b": 1}},
		{"a group but a user", func(h *Hub) Sent { return h.SendToGroup([]byte("g"), both, nil, byteSlices("u", ""), b) }, map[string]int{"a": 1}},
		{"no such group", func(h *Hub) Sent { return h.SendToGroup([]byte("x"), both, nil, nil, b) }, map[string]int{}},
		{"groups: a copy for each", func(h *Hub) Sent { return h.SendToGroups(byteSlices("g", "h", "x"), both, b) }, map[string]int{"a": 1, "b": 2, "c": 1, "e": 1}},
		{"a group twice counts twice", func(h *Hub) Sent { return h.SendToGroups(byteSlices("g", "g"), both, b) }, map[string]int{"a": 2, "b": 2}},
		{"a user", func(h *Hub) Sent { return h.SendToUser([]byte("u"), both, b) }, map[string]int{"b": 1, "c": 1}},
		{"users: one copy", func(h *Hub) Sent { return h.SendToUsers(byteSlices("u", "v", "u", "x"), both, b) }, map[string]int{"b": 1, "c": 1, "d": 1}},
		{"clients: one copy", func(h *Hub) Sent { return h.SendToClients(byteSlices("a", "e", "a", "x"), both, b) }, map[string]int{"a": 1, "e": 1}},
		{
			"many clients: one copy", func(h *Hub) Sent {
				var ids []string
				for i := range 40 {
					ids = append(ids, fmt.Sprint(i), "a", "b")
				}
				return h.SendToClients(byteSlices(ids...), both, b)
			}, map[string]int{"a": 1, "b": 1},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, clients := crowd(t)
			sent := test.send(h)
			got, total := make(map[string]int), 0
			for id, c := range clients {
				want := "j"
				if id == "e" {
					want = "m"
				}
				for _, text := range c.took() {
					if text != want {
						t.Errorf("client %s got %q, want %q", id, text, want)
					}
					got[id]++
					total++
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if sent != (Sent{Clients: total, Bytes: total}) {
				t.Errorf("counted %+v, want %d of both", sent, total)
			}
		})
	}
}

// More protocols than are remembered still give each client its own payload.
func TestManyProtocols(t *testing.T) {
	t.Parallel()
	h, _ := newHub()
	var payloads []svcproto.Payload
	clients := make(map[string]*Client)
	for i := range 7 {
		p := fmt.Sprintf("protocol%d", i)
		payloads = append(payloads, svcproto.Payload{Protocol: []byte(p), Data: []byte(p)})
		clients[p] = client(t, h, p, "", p)
		client(t, h, p+" twin", "", p)
	}
	if sent := h.Broadcast(payloads, nil, nil); sent.Clients != 14 {
		t.Errorf("%d got it, want 14", sent.Clients)
	}
	for p, c := range clients {
		if diff := cmp.Diff([]string{p}, c.took()); diff != "" {
			t.Error(diff)
		}
	}
}

// shared keeps the message itself.
type shared struct {
	receiver
	message *message.Message
}

func (s *shared) Deliver(m *message.Message, _ *message.Batch) { s.message = m }

func TestReceiversShareTheMessage(t *testing.T) {
	t.Parallel()
	h, _ := newHub()
	var all []*shared
	for i := range 100 {
		s := new(shared)
		all = append(all, s)
		if _, err := h.Attach(&Client{ID: fmt.Sprint(i), Protocol: "json", Receiver: s}, StickyDisabled, ""); err != nil {
			t.Fatal(err)
		}
	}
	h.Broadcast(json("x"), nil, nil)
	for i, s := range all {
		if s.message == nil || s.message != all[0].message {
			t.Fatalf("client %d has a message of its own", i)
		}
	}
}

// nothing does nothing with a message, so that what is measured is the hub.
type nothing struct{ receiver }

func (*nothing) Deliver(*message.Message, *message.Batch) {}

func populate(tb testing.TB, clients int) *Hub {
	h, _ := newHub()
	for i := range clients {
		c := &Client{ID: fmt.Sprint("client", i), UserID: fmt.Sprint("user", i%10), HasUser: true, Protocol: "json", Receiver: new(nothing)}
		if _, err := h.Attach(c, StickyDisabled, ""); err != nil {
			tb.Fatal(err)
		}
		h.Join(c, "g")
	}
	return h
}

// A broadcast allocates the message, and nothing for a receiver.
func TestDeliverAllocations(t *testing.T) { // not parallel: it counts the allocations of the process
	if raceEnabled {
		t.Skip("allocations cannot be counted under the race detector")
	}
	payloads := json("hello")
	group, user, two := []byte("g"), []byte("user1"), byteSlices("client1", "client2")
	const most = 2 // the message and its bytes
	for _, clients := range []int{10, 10_000} {
		h := populate(t, clients)
		for name, send := range map[string]func(){
			"Broadcast":     func() { h.Broadcast(payloads, two, nil) },
			"SendToGroup":   func() { h.SendToGroup(group, payloads, two, nil, nil) },
			"SendToUser":    func() { h.SendToUser(user, payloads, nil) },
			"SendToClients": func() { h.SendToClients(two, payloads, nil) },
		} {
			for range 3 {
				send() // fills the pool
			}
			if n := testing.AllocsPerRun(20, send); n > most {
				t.Errorf("%s to a hub of %d clients: %v allocations, want %d", name, clients, n, most)
			}
		}
	}
}

func BenchmarkBroadcast(b *testing.B) {
	for _, clients := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			h := populate(b, clients)
			payloads := json("hello")
			b.ReportAllocs()
			for b.Loop() {
				h.Broadcast(payloads, nil, nil)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(clients), "ns/receiver")
		})
	}
}

func BenchmarkSendToGroup(b *testing.B) {
	h := populate(b, 1000)
	payloads, group := json("hello"), []byte("g")
	b.ReportAllocs()
	for b.Loop() {
		h.SendToGroup(group, payloads, nil, nil, nil)
	}
}

func BenchmarkSendToClient(b *testing.B) {
	h := populate(b, 10_000)
	payloads, ids := json("hello"), byteSlices("client77")
	b.ReportAllocs()
	for b.Loop() {
		h.SendToClients(ids, payloads, nil)
	}
}

func BenchmarkAttachDetach(b *testing.B) {
	h := populate(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		c := &Client{ID: "passer-by", UserID: "user1", HasUser: true, Protocol: "json", Receiver: new(nothing)}
		if _, err := h.Attach(c, StickyDisabled, ""); err != nil {
			b.Fatal(err)
		}
		h.Join(c, "g")
		h.Detach(c)
	}
}
