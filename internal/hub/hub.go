package hub

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Registry holds the hubs of one SignalR instance.
type Registry struct {
	InstanceID string // names this node to app servers; the value of Asrs-Instance-Id
	Keeper     Keeper // of the groups of users; nil keeps them as long as the process lives

	mu   sync.RWMutex
	hubs map[string]*Hub
}

// Keeper keeps the groups of users beyond the life of a node. Its methods do not block; done, unless it is nil, is called when the change is
// durable, or cannot be made so.
type Keeper interface {
	// Keep notes that a user is in a group.
	Keep(hub, user, group string, m Membership, done func(error))
	// Drop forgets that a user is in some groups.
	Drop(hub, user string, groups []string, done func(error))
}

// NewRegistry makes an empty registry.
func NewRegistry(instanceID string) *Registry {
	return &Registry{InstanceID: instanceID, hubs: make(map[string]*Hub)}
}

// Hub is the hub of that name, made when it is first asked for. Names are compared in lower case, as clients and app servers send them.
func (r *Registry) Hub(name string) *Hub {
	r.mu.RLock()
	h := r.hubs[name]
	r.mu.RUnlock()
	if h != nil {
		return h
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h = r.hubs[name]; h == nil {
		h = &Hub{Name: name, registry: r}
		r.hubs[name] = h
	}
	return h
}

// Hubs lists the hubs that there are, by name.
func (r *Registry) Hubs() []*Hub {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]*Hub, 0, len(r.hubs))
	for _, h := range r.hubs {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b *Hub) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

// Tick does what is due: memberships that run out and client results that nobody gave. It is called about once a second.
func (r *Registry) Tick(now time.Time) {
	for _, h := range r.Hubs() {
		h.expireUserGroups(now)
		h.expireInvocations(now)
	}
}

// Hub is one hub of an instance.
type Hub struct {
	Name     string
	registry *Registry

	clients shards[*Client]
	lists   [shardCount][]*Client // the same clients as a list, guarded by the shard of clients with that number
	groups  shards[*group]
	users   shards[*user]
	count   atomic.Int64

	firstUserGroupEnd atomic.Int64 // Unix second before which no user's membership ends; 0: there is none

	mu          sync.Mutex
	links       []Link
	invocations map[string]*invocation
}

// Why a client cannot be attached.
var (
	ErrNoServer       = errors.New("no app server is connected to the hub")
	ErrServerNotFound = errors.New("the app server which the client is sticky to is not found")
	ErrDuplicate      = errors.New("there is a client of that id already")
)

// Sticky says how firmly a client belongs to one app server (claims asrs.s.sn and asrs.s.ssticky).
type Sticky int

// The sticky modes.
const (
	StickyDisabled Sticky = iota
	StickyPreferred
	StickyRequired
)

// AddLink makes a server connection available to clients.
func (h *Hub) AddLink(l Link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.links = append(h.links, l)
}

// RemoveLink takes a server connection out, so that no more clients get it. Those that have it are untouched.
func (h *Hub) RemoveLink(l Link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.links = slices.DeleteFunc(h.links, func(x Link) bool { return x == l })
}

// Links lists the server connections that take clients.
func (h *Hub) Links() []Link {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.links)
}

// Servers lists the ids of the app servers that take clients, sorted.
func (h *Hub) Servers() []string {
	var ids []string
	for _, l := range h.Links() {
		ids = append(ids, l.ServerID())
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Stateful reports whether an app server of the hub lets clients use stateful reconnect.
func (h *Hub) Stateful() bool {
	return slices.ContainsFunc(h.Links(), Link.Stateful)
}

// Count is how many clients the hub has.
func (h *Hub) Count() int { return int(h.count.Load()) }

// choose picks the least loaded link, and counts the client on it at once, so that many clients at the same moment spread.
func (h *Hub) choose(sticky Sticky, server string) (Link, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var best, bestOfServer Link
	for _, l := range h.links {
		if best == nil || l.Load() < best.Load() {
			best = l
		}
		if sticky != StickyDisabled && l.ServerID() == server && (bestOfServer == nil || l.Load() < bestOfServer.Load()) {
			bestOfServer = l
		}
	}
	if bestOfServer != nil {
		best = bestOfServer
	} else if sticky == StickyRequired {
		return nil, ErrServerNotFound
	}
	if best == nil {
		return nil, ErrNoServer
	}
	best.Add(1)
	return best, nil
}

// Attach gives c a server connection and makes it reachable. From then on c.Receiver is called.
func (h *Hub) Attach(c *Client, sticky Sticky, server string) (Link, error) {
	link, err := h.choose(sticky, server)
	if err != nil {
		return nil, err
	}
	if err := h.attach(c, link); err != nil {
		return nil, err
	}
	return link, nil
}

// Move gives c to a link of another app server than the one of from, which carries it now.
func (h *Hub) Move(c *Client, from Link) (Link, error) {
	h.mu.Lock()
	var next Link
	for _, l := range h.links {
		if l.ServerID() != from.ServerID() && (next == nil || l.Load() < next.Load()) {
			next = l
		}
	}
	h.mu.Unlock()
	if next == nil {
		return nil, ErrNoServer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.removed || c.link != from {
		return nil, ErrNoServer
	}
	c.link = next
	next.Add(1)
	from.Add(-1)
	return next, nil
}

// Detach makes c unreachable and forgets its groups. It returns the link that carried it, or nil when it was detached before.
func (h *Hub) Detach(c *Client) Link {
	c.mu.Lock()
	if c.removed || c.link == nil {
		c.mu.Unlock()
		return nil
	}
	c.removed = true
	link, groups := c.link, c.groups
	c.groups = nil
	for _, m := range groups {
		h.leaveLocked(c, m.group)
	}
	c.mu.Unlock()

	i := hash(c.ID) % shardCount
	s := &h.clients[i]
	s.mu.Lock()
	delete(s.m, c.ID)
	list := h.lists[i]
	last := len(list) - 1
	list[c.position] = list[last]
	list[c.position].position = c.position
	list[last] = nil
	h.lists[i] = list[:last]
	s.mu.Unlock()
	h.count.Add(-1)
	h.removeFromUser(c)
	link.Add(-1)
	h.failInvocationsOf(c)
	return link
}

// Client finds a client by id.
func (h *Hub) Client(id string) *Client {
	s := h.clients.of(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[id]
}

// ClientBytes is [Hub.Client] for an id that is still in a frame.
func (h *Hub) ClientBytes(id []byte) *Client {
	s := h.clients.ofBytes(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[string(id)]
}

// ClientsOf lists the clients that a link carries.
func (h *Hub) ClientsOf(l Link) []*Client {
	var all []*Client
	h.each(func(c *Client) {
		if c.Link() == l {
			all = append(all, c)
		}
	})
	return all
}

// All lists the hub's clients, in no order.
func (h *Hub) All() []*Client {
	var all []*Client
	h.each(func(c *Client) { all = append(all, c) })
	return all
}

var lists = sync.Pool{New: func() any { l := make([]*Client, 0, 256); return &l }}

// each calls f for every client, without a lock held.
func (h *Hub) each(f func(*Client)) {
	scratch := lists.Get().(*[]*Client)
	defer putList(scratch)
	for i := range h.lists {
		s := &h.clients[i]
		s.mu.Lock()
		*scratch = append((*scratch)[:0], h.lists[i]...)
		s.mu.Unlock()
		for _, c := range *scratch {
			f(c)
		}
		clear(*scratch)
	}
}
