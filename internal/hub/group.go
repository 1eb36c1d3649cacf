package hub

import "slices"

// group is the members of one group: a list to walk and a place for each to leave quickly.
type group struct {
	members []*Client
	place   map[*Client]int
}

// Join puts a client into a group. Joining twice is fine. It returns false when the client is gone.
func (h *Hub) Join(c *Client, name string) bool { return h.join(c, name, direct) }

func (h *Hub) join(c *Client, name string, why source) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.removed {
		return false
	}
	if i := c.membershipLocked(name); i >= 0 {
		c.groups[i].source |= why
		return true
	}
	c.groups = append(c.groups, membership{name, why})
	s := h.groups.of(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.m[name]
	if g == nil {
		g = &group{place: make(map[*Client]int)}
		s.setLocked(name, g)
	}
	g.place[c] = len(g.members)
	g.members = append(g.members, c)
	return true
}

func (c *Client) membershipLocked(name string) int {
	return slices.IndexFunc(c.groups, func(m membership) bool { return m.group == name })
}

// Leave takes a client out of a group, however it came in. Leaving without being in it is fine. It returns false when the client is gone.
func (h *Hub) Leave(c *Client, name string) bool { return h.leave(c, name, direct|fromUser) }

// leave takes one reason for a membership away; the last one ends it.
func (h *Hub) leave(c *Client, name string, why source) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.removed {
		return false
	}
	i := c.membershipLocked(name)
	if i < 0 {
		return true
	}
	if c.groups[i].source &^= why; c.groups[i].source == 0 {
		c.groups = slices.Delete(c.groups, i, i+1)
		h.leaveLocked(c, name)
	}
	return true
}

// LeaveAll takes a client out of all groups. It returns false when the client is gone.
func (h *Hub) LeaveAll(c *Client) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.removed {
		return false
	}
	for _, m := range c.groups {
		h.leaveLocked(c, m.group)
	}
	c.groups = nil
	return true
}

// leaveLocked takes c off the group's list; c.mu is held.
func (h *Hub) leaveLocked(c *Client, name string) {
	s := h.groups.of(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.m[name]
	if g == nil {
		return
	}
	i, in := g.place[c]
	if !in {
		return
	}
	last := len(g.members) - 1
	moved := g.members[last]
	g.members[i] = moved
	g.place[moved] = i
	g.members[last] = nil
	g.members = g.members[:last]
	delete(g.place, c)
	if last == 0 {
		delete(s.m, name)
	}
}

// Groups lists the groups that the client is in.
func (c *Client) Groups() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, len(c.groups))
	for i, m := range c.groups {
		names[i] = m.group
	}
	return names
}

// GroupExists reports whether a group has a member.
func (h *Hub) GroupExists(name string) bool {
	s := h.groups.of(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[name] != nil
}

// Members lists a group's clients by connection id.
func (h *Hub) Members(name string) []*Client {
	s := h.groups.of(name)
	s.mu.Lock()
	var all []*Client
	if g := s.m[name]; g != nil {
		all = slices.Clone(g.members)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *Client) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return all
}

// membersInto appends the members of a group that is named in a frame.
func (h *Hub) membersInto(into []*Client, name []byte) []*Client {
	s := h.groups.ofBytes(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.m[string(name)]; g != nil {
		into = append(into, g.members...)
	}
	return into
}
