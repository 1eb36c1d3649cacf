package hub

import (
	"slices"
	"strings"
)

// AttachTo makes c reachable over a link that the caller chose, rather than one of the hub's server connections. From then on c.Receiver is
// called. It counts the client on the link.
func (h *Hub) AttachTo(c *Client, link Link) error {
	link.Add(1)
	return h.attach(c, link)
}

// attach makes c reachable over a link on which it is counted already; when that fails it is counted no more.
func (h *Hub) attach(c *Client, link Link) error {
	groups, err := h.enter(c, link)
	if err != nil {
		link.Add(-1)
		return err
	}
	for _, g := range groups {
		h.join(c, g, fromUser)
	}
	return nil
}

// enter puts c where it is found. It holds c.mu all the while, because a Detach may come at any time: that finds either nothing of the client
// or all of it. The groups are those that c's user brings.
func (h *Hub) enter(c *Client, link Link) (groups []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := hash(c.ID) % shardCount
	s := &h.clients[i]
	s.mu.Lock()
	if _, taken := s.m[c.ID]; taken {
		s.mu.Unlock()
		return nil, ErrDuplicate
	}
	s.setLocked(c.ID, c)
	c.position = len(h.lists[i])
	h.lists[i] = append(h.lists[i], c)
	s.mu.Unlock()
	c.link = link
	h.count.Add(1)
	return h.addToUser(c), nil
}

// MembersAfter is a page of a group's clients: at most size of them, in the order of their connection ids, from the first one behind the
// id after ("" begins at the start). more reports whether others follow.
func (h *Hub) MembersAfter(group, after string, size int) (page []*Client, more bool) {
	all := h.Members(group)
	if after != "" {
		at, found := slices.BinarySearchFunc(all, after, func(c *Client, id string) int { return strings.Compare(c.ID, id) })
		if found {
			at++
		}
		all = all[at:]
	}
	return all[:min(size, len(all))], len(all) > size
}

// Forget gives up an invocation that its caller no longer waits for. A late result goes nowhere.
func (h *Hub) Forget(invocationID string) { h.take(invocationID) }
