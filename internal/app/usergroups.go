package app

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
)

// userGroupsBucket is where the groups of users are kept, apart from the resources.
const userGroupsBucket = "hubgate-user-groups"

// userGroups keeps the groups of users in a store, so that they outlive the node (signalr-service, "user groups"). Changes are written one
// after the other, in the order in which they were made.
type userGroups struct {
	store store.Store
	log   *slog.Logger

	mu      sync.Mutex
	ready   sync.Cond // of mu: something is queued, or it is over
	queue   []userGroupChange
	closed  bool
	written sync.WaitGroup
}

// userGroupChange is one change, and whom to tell about it.
type userGroupChange struct {
	ids  []resource.ID
	kept keptGroup
	drop bool
	done func(error)
}

func newUserGroups(s store.Store, log *slog.Logger) *userGroups {
	u := &userGroups{store: s, log: log}
	u.ready.L = &u.mu
	u.written.Go(u.write)
	return u
}

// of is the keeper of one instance, whose kept groups it restores first.
func (u *userGroups) of(ctx context.Context, instance string, registry *hub.Registry) error {
	records, err := u.store.List(ctx, userGroupID(instance))
	if err != nil {
		return err
	}
	for _, r := range records {
		hubName, user, group, ok := parseUserGroupID(r.ID)
		if !ok {
			continue
		}
		m, err := parseMembership(r.Value)
		if err != nil {
			u.log.Error("a kept group of a user cannot be read", "hub", hubName, "reason", err)
			continue
		}
		registry.Hub(hubName).RestoreUserGroup(user, group, m)
	}
	registry.Keeper = &instanceUserGroups{u, instance}
	return nil
}

// userGroupID names an entry. Names of users and groups may hold anything, so they are encoded.
func userGroupID(parts ...string) resource.ID {
	var b strings.Builder
	for i, p := range parts {
		b.WriteByte('/')
		if i < 2 {
			b.WriteString(strings.ToLower(p)) // instance and hub: plain names, the same in every case
		} else {
			b.WriteString(encodeName(p))
		}
	}
	return resource.ID(b.String())
}

// names encodes without padding and in lower case.
var names = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// encodeName encodes a name in lower case alone: ids are equal without regard to case, names of users and groups are not.
func encodeName(s string) string {
	return "n" + names.EncodeToString([]byte(s))
}

func parseUserGroupID(id resource.ID) (hubName, user, group string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(string(id), "/"), "/")
	if len(parts) != 4 {
		return "", "", "", false
	}
	u, err := decodeName(parts[2])
	g, err2 := decodeName(parts[3])
	return parts[1], u, g, err == nil && err2 == nil
}

func decodeName(s string) (string, error) {
	rest, ok := strings.CutPrefix(s, "n")
	if !ok {
		return "", errors.New("not an encoded name")
	}
	b, err := names.DecodeString(rest)
	return string(b), err
}

// keptGroup is a membership as it is stored.
type keptGroup struct {
	Until    time.Time `json:"until"`
	Standing bool      `json:"standing,omitempty"`
}

func parseMembership(value []byte) (hub.Membership, error) {
	var k keptGroup
	err := json.Unmarshal(value, &k)
	return hub.Membership(k), err
}

// write works through the queue until it is closed and empty.
func (u *userGroups) write() {
	for {
		u.mu.Lock()
		for len(u.queue) == 0 && !u.closed {
			u.ready.Wait()
		}
		if len(u.queue) == 0 {
			u.mu.Unlock()
			return
		}
		changes := u.queue
		u.queue = nil
		u.mu.Unlock()
		for _, c := range changes {
			err := u.apply(c)
			if c.done != nil {
				c.done(err)
			} else if err != nil {
				u.log.Error("a change of a user's groups could not be kept", "reason", err)
			}
		}
	}
}

func (u *userGroups) apply(c userGroupChange) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	for _, id := range c.ids {
		if c.drop {
			if err := u.store.Delete(ctx, id, store.AnyRevision); err != nil && resource.KindOf(err) != resource.NotFound {
				errs = append(errs, err)
			}
			continue
		}
		value, err := json.Marshal(c.kept)
		if err == nil {
			_, err = u.store.Put(ctx, id, value, store.AnyRevision)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (u *userGroups) add(c userGroupChange) {
	u.mu.Lock()
	if u.closed {
		u.mu.Unlock()
		if c.done != nil {
			c.done(errors.New("the node ends"))
		}
		return
	}
	u.queue = append(u.queue, c)
	u.ready.Signal()
	u.mu.Unlock()
}

// close writes what is queued and ends.
func (u *userGroups) close() {
	u.mu.Lock()
	u.closed = true
	u.ready.Signal()
	u.mu.Unlock()
	u.written.Wait()
}

// instanceUserGroups is the keeper of one instance.
type instanceUserGroups struct {
	all      *userGroups
	instance string
}

// Keep notes a membership.
func (i *instanceUserGroups) Keep(hubName, user, group string, m hub.Membership, done func(error)) {
	i.all.add(userGroupChange{ids: []resource.ID{userGroupID(i.instance, hubName, user, group)}, kept: keptGroup(m), done: done})
}

// Drop forgets memberships.
func (i *instanceUserGroups) Drop(hubName, user string, groups []string, done func(error)) {
	c := userGroupChange{drop: true, done: done}
	for _, g := range groups {
		c.ids = append(c.ids, userGroupID(i.instance, hubName, user, g))
	}
	i.all.add(c)
}

var _ hub.Keeper = (*instanceUserGroups)(nil)
