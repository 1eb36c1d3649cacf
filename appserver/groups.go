package appserver

import (
	"context"
	"time"

	"github.com/hubgate/hubgate/internal/svcproto"
)

// Groups changes who is in the groups of a hub. Names are compared with case and have 1 to 1024 characters. Each call
// returns when the service has confirmed the change. A connection leaves its groups when it ends.
type Groups struct {
	sender sender
}

// Add puts a client into a group; ErrNotFound when there is no such client. To be in it already is no error.
func (g Groups) Add(ctx context.Context, connectionID, group string) error {
	if group == "" {
		return errEmptyName
	}
	return found(g.sender.request(ctx, connectionID, func(ackID int64) svcproto.Message {
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
	return found(g.sender.request(ctx, connectionID, func(ackID int64) svcproto.Message {
		return &svcproto.LeaveGroupWithAck{ConnectionID: connectionID, Group: group, AckID: ackID}
	}))
}

// Exists reports whether a group has at least one client.
func (g Groups) Exists(ctx context.Context, group string) (bool, error) {
	return g.sender.request(ctx, group, func(ackID int64) svcproto.Message {
		return &svcproto.CheckGroupExistenceWithAck{Group: group, AckID: ackID}
	})
}

// UserGroups changes which users are in the groups of a hub: with all their connections, those that they open later
// included.
type UserGroups struct {
	sender sender
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
	return found(g.sender.request(ctx, userID, func(ackID int64) svcproto.Message {
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
	return found(g.sender.request(ctx, userID, func(ackID int64) svcproto.Message {
		return &svcproto.UserLeaveGroupWithAck{UserID: userID, Group: group, AckID: ackID}
	}))
}

// Contains reports whether a user is in a group.
func (g UserGroups) Contains(ctx context.Context, userID, group string) (bool, error) {
	return g.sender.request(ctx, userID, func(ackID int64) svcproto.Message {
		return &svcproto.CheckUserInGroupWithAck{UserID: userID, Group: group, AckID: ackID}
	})
}

// found turns NotFound into an error.
func found(ok bool, err error) error {
	if err == nil && !ok {
		return ErrNotFound
	}
	return err
}
