package hub

import (
	"bytes"
	"strings"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// prepared makes each payload of a multicast into a message when the first receiver needs it, and then shares it.
type prepared struct {
	payloads []svcproto.Payload
	made     [4]struct {
		protocol string
		message  *message.Message // nil: there is no payload for that protocol
	}
	n     int
	sent  int
	bytes int
}

// message is the one for c's hub protocol, or nil.
func (p *prepared) message(c *Client) *message.Message {
	for i := range p.n {
		if p.made[i].protocol == c.Protocol {
			return p.made[i].message
		}
	}
	var m *message.Message
	for _, pl := range p.payloads {
		if strings.EqualFold(string(pl.Protocol), c.Protocol) {
			m = message.New(pl.Data, c.Binary)
			break
		}
	}
	if p.n < len(p.made) { // more protocols than places: the rest is made again for each receiver
		p.made[p.n].protocol, p.made[p.n].message = c.Protocol, m
		p.n++
	}
	return m
}

func (p *prepared) deliver(c *Client, b *message.Batch) {
	if m := p.message(c); m != nil {
		c.Receiver.Deliver(m, b)
		p.sent++
		p.bytes += m.Size()
	}
}

// excluded tells quickly whether an id is on a list of a few, or of many.
type excluded struct {
	few  [][]byte
	many map[string]struct{}
}

func newExcluded(ids [][]byte) excluded {
	if len(ids) <= 8 {
		return excluded{few: ids}
	}
	many := make(map[string]struct{}, len(ids))
	for _, id := range ids {
		many[string(id)] = struct{}{}
	}
	return excluded{many: many}
}

func (e *excluded) has(id string) bool {
	for _, x := range e.few {
		if string(x) == id {
			return true
		}
	}
	if e.many == nil {
		return false
	}
	_, in := e.many[id]
	return in
}

// Sent is what a multicast came to.
type Sent struct {
	Clients int // receivers
	Bytes   int // of payload, all receivers together
}

func (p *prepared) result() Sent { return Sent{p.sent, p.bytes} }

// Broadcast sends to all clients of the hub but some.
func (h *Hub) Broadcast(payloads []svcproto.Payload, except [][]byte, b *message.Batch) Sent {
	p := prepared{payloads: payloads}
	not := newExcluded(except)
	scratch := lists.Get().(*[]*Client)
	for i := range h.lists {
		s := &h.clients[i]
		s.mu.Lock()
		*scratch = append((*scratch)[:0], h.lists[i]...)
		s.mu.Unlock()
		for _, c := range *scratch {
			if not.has(c.ID) {
				continue
			}
			p.deliver(c, b)
		}
		clear(*scratch)
	}
	putList(scratch)
	return p.result()
}

// putList gives a scratch list back; it must not keep clients alive.
func putList(l *[]*Client) {
	clear(*l)
	*l = (*l)[:0]
	lists.Put(l)
}

// SendToGroup sends to the members of a group but some connections and some users.
func (h *Hub) SendToGroup(name []byte, payloads []svcproto.Payload, except, exceptUsers [][]byte, b *message.Batch) Sent {
	p := prepared{payloads: payloads}
	not, notUser := newExcluded(except), newExcluded(exceptUsers)
	scratch := lists.Get().(*[]*Client)
	*scratch = h.membersInto((*scratch)[:0], name)
	for _, c := range *scratch {
		if not.has(c.ID) || c.HasUser && notUser.has(c.UserID) {
			continue
		}
		p.deliver(c, b)
	}
	putList(scratch)
	return p.result()
}

// SendToGroups sends to several groups; a client gets a copy for each of them that it is in.
func (h *Hub) SendToGroups(names [][]byte, payloads []svcproto.Payload, b *message.Batch) Sent {
	p := prepared{payloads: payloads}
	scratch := lists.Get().(*[]*Client)
	for _, name := range names {
		*scratch = h.membersInto((*scratch)[:0], name)
		for _, c := range *scratch {
			p.deliver(c, b)
		}
	}
	putList(scratch)
	return p.result()
}

// SendToUsers sends to all clients of some users; a user named twice gets one copy.
func (h *Hub) SendToUsers(ids [][]byte, payloads []svcproto.Payload, b *message.Batch) Sent {
	p := prepared{payloads: payloads}
	scratch := lists.Get().(*[]*Client)
	for i, id := range ids {
		if before(ids[:i], id) {
			continue
		}
		*scratch = h.userInto((*scratch)[:0], id)
		for _, c := range *scratch {
			p.deliver(c, b)
		}
	}
	putList(scratch)
	return p.result()
}

// SendToUser sends to all clients of one user.
func (h *Hub) SendToUser(id []byte, payloads []svcproto.Payload, b *message.Batch) Sent {
	p := prepared{payloads: payloads}
	scratch := lists.Get().(*[]*Client)
	*scratch = h.userInto((*scratch)[:0], id)
	for _, c := range *scratch {
		p.deliver(c, b)
	}
	putList(scratch)
	return p.result()
}

// SendToClients sends to some clients; one named twice gets one copy, one that is not there is passed over.
func (h *Hub) SendToClients(ids [][]byte, payloads []svcproto.Payload, b *message.Batch) Sent {
	p := prepared{payloads: payloads}
	var seen map[string]struct{}
	if len(ids) > 32 {
		seen = make(map[string]struct{}, len(ids))
	}
	for i, id := range ids {
		if seen != nil {
			if _, twice := seen[string(id)]; twice {
				continue
			}
			seen[string(id)] = struct{}{}
		} else if before(ids[:i], id) {
			continue
		}
		if c := h.ClientBytes(id); c != nil {
			p.deliver(c, b)
		}
	}
	return p.result()
}

func before(ids [][]byte, id []byte) bool {
	for _, x := range ids {
		if bytes.Equal(x, id) {
			return true
		}
	}
	return false
}
