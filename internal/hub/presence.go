package hub

import (
	"cmp"
	"slices"
)

// Present is a group or a user of a hub, with how many clients it has.
type Present struct {
	Name    string
	Clients int
}

// PresentGroups lists the groups that have a member, by name: at most limit of those behind the name after.
func (h *Hub) PresentGroups(after string, limit int) []Present {
	var all []Present
	for i := range h.groups {
		s := &h.groups[i]
		s.mu.Lock()
		for name, g := range s.m {
			if name > after {
				all = append(all, Present{name, len(g.members)})
			}
		}
		s.mu.Unlock()
	}
	return page(all, limit)
}

// PresentUsers lists the users that have a client, by id: at most limit of those behind the id after.
func (h *Hub) PresentUsers(after string, limit int) []Present {
	var all []Present
	for i := range h.users {
		s := &h.users[i]
		s.mu.Lock()
		for id, u := range s.m {
			if id > after && len(u.clients) > 0 {
				all = append(all, Present{id, len(u.clients)})
			}
		}
		s.mu.Unlock()
	}
	return page(all, limit)
}

// PresentClients lists the clients by id: at most limit of those behind the id after.
func (h *Hub) PresentClients(after string, limit int) []*Client {
	var all []*Client
	h.each(func(c *Client) {
		if c.ID > after {
			all = append(all, c)
		}
	})
	slices.SortFunc(all, func(a, b *Client) int { return cmp.Compare(a.ID, b.ID) })
	return all[:min(limit, len(all))]
}

func page(all []Present, limit int) []Present {
	slices.SortFunc(all, func(a, b Present) int { return cmp.Compare(a.Name, b.Name) })
	return all[:min(limit, len(all))]
}
