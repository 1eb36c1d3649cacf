package appserver

import (
	"context"
	"time"

	"github.com/hubgate/hubgate/internal/svcproto"
)

// Groups changes who is in the groups of a hub. Names are compared with case and have 1 to 1024 characters. Each call
// returns when the service has confirmed the change. A connection leaves its groups when it ends.
type Groups struct {
	hub *Hub
}

// Add puts a client into a group; ErrNotFound when there is no such client. To be in it already is no error.
func (g Groups) Add(ctx context.Context, connectionID, group string) error {
	if group == "" {
		return errEmptyName
	}
	return found(g.hub.request(ctx, connectionID, func(ackID int64) svcproto.Message {
		return &svcproto.JoinGroupWithAck{ConnectionID: connectionID, Group: group, AckID: ackID}
	}))
}

// Remove takes a client out of a group; ErrNotFound when there is no such client. Not to be in it is no error.
func (g Groups) Remove(ctx context.Context, connectionID, group string) error {
	if group == "" {
		return errEmptyName
	}
	return g.leave(ctx, connectionID, svcproto.Some(group))
}

// RemoveFromAll takes a client out of all its groups; ErrNotFound when there is no such client.
func (g Groups) RemoveFromAll(ctx context.Context, connectionID string) error {
	return g.leave(ctx, connectionID, svcproto.OptionalString{})
}

func (g Groups) leave(ctx context.Context, connectionID string, group svcproto.OptionalString) error {
	return found(g.hub.request(ctx, connectionID, func(ackID int64) svcproto.Message {
		return &svcproto.LeaveGroupWithAck{ConnectionID: connectionID, Group: group, AckID: ackID}
	}))
}

// Exists reports whether a group has at least one client.
func (g Groups) Exists(ctx context.Context, group string) (bool, error) {
	return g.hub.request(ctx, group, func(ackID int64) svcproto.Message {
		return &svcproto.CheckGroupExistenceWithAck{Group: group, AckID: ackID}
	})
}

// UserGroups changes which users are in the groups of a hub: with all their connections, those that they open later
// included.
type UserGroups struct {
	hub *Hub
}

// Add puts a user into a group until it is taken out.
func (g UserGroups) Add(ctx context.Context, userID, group string) error {
	return g.add(ctx, userID, group, svcproto.OptionalInt{})
}

// AddFor puts a user into a group for a time, of which whole seconds count. Zero: only the connections that are there now.
func (g UserGroups) AddFor(ctx context.Context, userID, group string, d time.Duration) error {
	return g.add(ctx, userID, group, svcproto.SomeInt(int(max(d, 0)/time.Second)))
}

func (g UserGroups) add(ctx context.Context, userID, group string, ttl svcproto.OptionalInt) error {
	if userID == "" || group == "" {
		return errEmptyName
	}
	return found(g.hub.request(ctx, userID, func(ackID int64) svcproto.Message {
		return &svcproto.UserJoinGroupWithAck{UserID: userID, Group: group, AckID: ackID, TTL: ttl}
	}))
}

// Remove takes a user out of a group.
func (g UserGroups) Remove(ctx context.Context, userID, group string) error {
	if userID == "" || group == "" {
		return errEmptyName
	}
	return g.leave(ctx, userID, svcproto.Some(group))
}

// RemoveFromAll takes a user out of all its groups.
func (g UserGroups) RemoveFromAll(ctx context.Context, userID string) error {
	if userID == "" {
		return errEmptyName
	}
	return g.leave(ctx, userID, svcproto.OptionalString{})
}

func (g UserGroups) leave(ctx context.Context, userID string, group svcproto.OptionalString) error {
	return found(g.hub.request(ctx, userID, func(ackID int64) svcproto.Message {
		return &svcproto.UserLeaveGroupWithAck{UserID: userID, Group: group, AckID: ackID}
	}))
}

// Contains reports whether a user is in a group.
func (g UserGroups) Contains(ctx context.Context, userID, group string) (bool, error) {
	return g.hub.request(ctx, userID, func(ackID int64) svcproto.Message {
		return &svcproto.CheckUserInGroupWithAck{UserID: userID, Group: group, AckID: ackID}
	})
}

// ConnectionExists reports whether the hub has a client with that connection id, whichever app server it is connected to.
func (h *Hub) ConnectionExists(ctx context.Context, connectionID string) (bool, error) {
	return h.request(ctx, connectionID, func(ackID int64) svcproto.Message {
		return &svcproto.CheckConnectionExistenceWithAck{ConnectionID: connectionID, AckID: ackID}
	})
}

// UserExists reports whether a user has at least one connection.
func (h *Hub) UserExists(ctx context.Context, userID string) (bool, error) {
	return h.request(ctx, userID, func(ackID int64) svcproto.Message {
		return &svcproto.CheckUserExistenceWithAck{UserID: userID, AckID: ackID}
	})
}

// CloseConnection ends the connection of a client, whichever app server it is connected to. The client is told the reason,
// unless that is empty. A client that is gone already is no error.
func (h *Hub) CloseConnection(ctx context.Context, connectionID, reason string) error {
	link, err := h.linkFor(ctx, nil, connectionID)
	if err != nil {
		return err
	}
	return link.write(ctx, &svcproto.CloseConnection{ConnectionID: connectionID, Error: reason})
}

// request sends a message that the service confirms: true for Ok, false for NotFound.
func (h *Hub) request(ctx context.Context, key string, message func(ackID int64) svcproto.Message) (bool, error) {
	link, err := h.linkFor(ctx, nil, key)
	if err != nil {
		return false, err
	}
	return h.app.acks.request(ctx, link, message)
}

// found turns NotFound into an error.
func found(ok bool, err error) error {
	if err == nil && !ok {
		return ErrNotFound
	}
	return err
}
