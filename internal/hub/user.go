package hub

import (
	"slices"
	"strings"
	"time"
)

// user is one user of a hub: the clients that are there, and the groups that all of the user's clients belong to, those
// of the future included.
type user struct {
	clients []*Client
	groups  map[string]Membership
}

// Membership is that of a user in a group.
type Membership struct {
	// Until is when it ends, at most MaxMembership after it began.
	Until time.Time
	// Standing says that it was made without a lifetime. Of these a user has at most MaxStandingGroups.
	Standing bool
}

// The bounds of the groups of a user, which are Azure's (parameter ttl of SignalR_AddUserToGroup in the data-plane REST API).
const (
	// MaxMembership is how long a membership lasts unless it is made anew.
	MaxMembership = 365 * 24 * time.Hour
	// MaxStandingGroups is how many memberships without a lifetime are kept; a further one takes the place of the oldest.
	MaxStandingGroups = 100
)

// addToUser counts c among its user's clients, and returns the groups that it has to join for it.
func (h *Hub) addToUser(c *Client) (groups []string) {
	if !c.HasUser {
		return nil
	}
	s := h.users.of(c.UserID)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.m[c.UserID]
	if u == nil {
		u = &user{}
		s.setLocked(c.UserID, u)
	}
	u.clients = append(u.clients, c)
	now := time.Now()
	for g, m := range u.groups {
		if m.Until.After(now) {
			groups = append(groups, g)
		}
	}
	return groups
}

func (h *Hub) removeFromUser(c *Client) {
	if !c.HasUser {
		return
	}
	s := h.users.of(c.UserID)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.m[c.UserID]
	if u == nil {
		return
	}
	u.clients = slices.DeleteFunc(u.clients, func(x *Client) bool { return x == c })
	if len(u.clients) == 0 && len(u.groups) == 0 {
		delete(s.m, c.UserID)
	}
}

// UserExists reports whether a user has a client.
func (h *Hub) UserExists(id string) bool {
	s := h.users.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.m[id]
	return u != nil && len(u.clients) > 0
}

// ClientsOfUser lists a user's clients.
func (h *Hub) ClientsOfUser(id string) []*Client {
	s := h.users.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.m[id]; u != nil {
		return slices.Clone(u.clients)
	}
	return nil
}

// userInto appends the clients of a user that is named in a frame.
func (h *Hub) userInto(into []*Client, id []byte) []*Client {
	s := h.users.ofBytes(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.m[string(id)]; u != nil {
		into = append(into, u.clients...)
	}
	return into
}

// Forever is the lifetime of a user's membership to which none is given. It lasts for MaxMembership, unless MaxStandingGroups later ones of the kind
// replace it.
const Forever time.Duration = -1

// UserJoin puts all clients of a user into a group: those that are there and, for the given time, those that will come. A lifetime of 0 means
// only those that are there; one above MaxMembership is cut to that.
func (h *Hub) UserJoin(id, name string, lifetime time.Duration) {
	h.UserJoinThen(id, name, lifetime, nil)
}

// UserJoinThen is [Hub.UserJoin] that calls done, unless it is nil, once the membership outlives this node.
func (h *Hub) UserJoinThen(id, name string, lifetime time.Duration, done func(error)) {
	s := h.users.of(id)
	s.mu.Lock()
	u := s.m[id]
	if u == nil && lifetime != 0 {
		u = &user{}
		s.setLocked(id, u)
	}
	var clients []*Client
	var replaced []string
	m := newMembership(lifetime)
	if u != nil {
		if lifetime != 0 {
			replaced = h.setUserGroupLocked(u, name, m)
		}
		clients = slices.Clone(u.clients)
	}
	s.mu.Unlock()
	for _, c := range clients {
		h.join(c, name, fromUser)
	}
	if k := h.registry.Keeper; k != nil && lifetime != 0 {
		k.Keep(h.Name, id, name, m, done)
		if len(replaced) > 0 {
			k.Drop(h.Name, id, replaced, nil)
		}
	} else if done != nil {
		done(nil)
	}
}

// newMembership is one that begins now.
func newMembership(lifetime time.Duration) Membership {
	standing := lifetime < 0
	if standing || lifetime > MaxMembership {
		lifetime = MaxMembership
	}
	return Membership{time.Now().Add(lifetime), standing}
}

// RestoreUserGroup takes a membership over that was kept. One that is over already is passed over.
func (h *Hub) RestoreUserGroup(id, name string, m Membership) {
	if !m.Until.After(time.Now()) {
		return
	}
	s := h.users.of(id)
	s.mu.Lock()
	u := s.m[id]
	if u == nil {
		u = &user{}
		s.setLocked(id, u)
	}
	h.setUserGroupLocked(u, name, m)
	clients := slices.Clone(u.clients)
	s.mu.Unlock()
	for _, c := range clients {
		h.join(c, name, fromUser)
	}
}

// setUserGroupLocked notes a membership, and forgets the oldest standing ones that it leaves no room for. Clients that are there stay in the groups of
// those: like an end of its own, it is about clients that will come.
func (h *Hub) setUserGroupLocked(u *user, name string, m Membership) (replaced []string) {
	if u.groups == nil {
		u.groups = make(map[string]Membership)
	}
	u.groups[name] = m
	h.endsAt(m.Until)
	if !m.Standing || len(u.groups) <= MaxStandingGroups {
		return nil
	}
	var standing []string
	for g, m := range u.groups {
		if m.Standing {
			standing = append(standing, g)
		}
	}
	if len(standing) <= MaxStandingGroups {
		return nil
	}
	// All standing ones last equally long, so the oldest end first. Names decide between equal times, so that every node comes to the same.
	slices.SortFunc(standing, func(a, b string) int {
		if order := u.groups[a].Until.Compare(u.groups[b].Until); order != 0 {
			return order
		}
		return strings.Compare(a, b)
	})
	for _, g := range standing {
		if len(standing)-len(replaced) <= MaxStandingGroups {
			break
		}
		if g == name {
			continue
		}
		replaced = append(replaced, g)
		delete(u.groups, g)
	}
	return replaced
}

// UserLeave takes a user out of a group, with the memberships that this made.
func (h *Hub) UserLeave(id, name string) { h.UserLeaveThen(id, name, nil) }

// UserLeaveThen is [Hub.UserLeave] that calls done, unless it is nil, once nothing would bring the membership back.
func (h *Hub) UserLeaveThen(id, name string, done func(error)) {
	h.dropUserGroups(id, func(g string) bool { return g == name }, done)
}

// UserLeaveAll takes a user out of all groups.
func (h *Hub) UserLeaveAll(id string) { h.UserLeaveAllThen(id, nil) }

// UserLeaveAllThen is [Hub.UserLeaveAll] that calls done, unless it is nil, once nothing would bring a membership back.
func (h *Hub) UserLeaveAllThen(id string, done func(error)) {
	h.dropUserGroups(id, func(string) bool { return true }, done)
}

func (h *Hub) dropUserGroups(id string, which func(string) bool, done func(error)) {
	s := h.users.of(id)
	s.mu.Lock()
	u := s.m[id]
	if u == nil {
		s.mu.Unlock()
		if done != nil {
			done(nil)
		}
		return
	}
	var dropped []string
	for g := range u.groups {
		if which(g) {
			dropped = append(dropped, g)
			delete(u.groups, g)
		}
	}
	clients := slices.Clone(u.clients)
	if len(clients) == 0 && len(u.groups) == 0 {
		delete(s.m, id)
	}
	s.mu.Unlock()
	// Memberships of lifetime 0 have no entry, so look at the clients and not at what was deleted.
	for _, c := range clients {
		for _, g := range c.Groups() {
			if which(g) {
				h.leave(c, g, fromUser)
			}
		}
	}
	if k := h.registry.Keeper; k != nil && len(dropped) > 0 {
		k.Drop(h.Name, id, dropped, done)
	} else if done != nil {
		done(nil)
	}
}

// UserInGroup reports whether a user has an entry in a group, or a client in it.
func (h *Hub) UserInGroup(id, name string) bool {
	s := h.users.of(id)
	s.mu.Lock()
	u := s.m[id]
	if u == nil {
		s.mu.Unlock()
		return false
	}
	m, entry := u.groups[name]
	entry = entry && m.Until.After(time.Now())
	clients := slices.Clone(u.clients)
	s.mu.Unlock()
	return entry || slices.ContainsFunc(clients, func(c *Client) bool { return slices.Contains(c.Groups(), name) })
}

// endsAt notes that a membership ends then; the caller holds the lock of its user.
func (h *Hub) endsAt(until time.Time) {
	at := until.Unix()
	for {
		first := h.firstUserGroupEnd.Load()
		if first != 0 && first <= at || h.firstUserGroupEnd.CompareAndSwap(first, at) {
			return
		}
	}
}

// expireUserGroups ends the memberships whose time is over. It looks at none before the first of them may be.
func (h *Hub) expireUserGroups(now time.Time) {
	if first := h.firstUserGroupEnd.Load(); first == 0 || now.Unix() < first {
		return
	}
	h.firstUserGroupEnd.Store(0) // and who stays says when it ends
	type end struct{ user, group string }
	for i := range h.users {
		s := &h.users[i]
		var ends []end
		s.mu.Lock()
		for id, u := range s.m {
			for g, m := range u.groups {
				if m.Until.After(now) {
					h.endsAt(m.Until)
				} else {
					ends = append(ends, end{id, g})
				}
			}
		}
		s.mu.Unlock()
		for _, e := range ends {
			h.endUserGroup(e.user, e.group, now)
		}
	}
}

// endUserGroup ends one membership, unless it was renewed meanwhile.
func (h *Hub) endUserGroup(id, name string, now time.Time) {
	s := h.users.of(id)
	s.mu.Lock()
	u := s.m[id]
	if u == nil {
		s.mu.Unlock()
		return
	}
	m, there := u.groups[name]
	if !there || m.Until.After(now) {
		s.mu.Unlock()
		return
	}
	delete(u.groups, name)
	clients := slices.Clone(u.clients)
	if len(clients) == 0 && len(u.groups) == 0 {
		delete(s.m, id)
	}
	s.mu.Unlock()
	for _, c := range clients {
		h.leave(c, name, fromUser)
	}
}
