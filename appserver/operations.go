package appserver

import (
	"context"

	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// sender is how what is meant for a hub reaches the service: over server connections, or request by request over REST. What is
// to be done is told as a message of the service protocol either way.
type sender interface {
	// payloads encodes an invocation once for each hub protocol.
	payloads(m *hubproto.Message, args []any) ([]svcproto.Payload, error)
	// send does what m asks for. Messages with one key keep their order as far as the way to the service has one.
	send(ctx context.Context, key string, m svcproto.Message) error
	// request does what the message asks for that is made for an acknowledgement's id: true for Ok, false for NotFound.
	request(ctx context.Context, key string, message func(ackID int64) svcproto.Message) (bool, error)
	// members is one page of a group's members.
	members(ctx context.Context, q svcproto.GroupMemberQuery) (svcproto.GroupMembers, error)
	// invokeClient asks one client and waits for its answer, which is decoded into what result points to.
	invokeClient(ctx context.Context, connectionID string, result any, target string, args []any) error
}

// operations are what can be done to the clients of a hub from anywhere.
type operations struct {
	sender sender
}

// Clients addresses the clients of the hub.
func (o operations) Clients() HubClients { return HubClients(o) }

// Groups changes who is in the groups of the hub.
func (o operations) Groups() Groups { return Groups(o) }

// UserGroups changes which users are in the groups of the hub.
func (o operations) UserGroups() UserGroups { return UserGroups(o) }

// ConnectionExists reports whether the hub has a client with that connection id, whichever app server it is connected to.
func (o operations) ConnectionExists(ctx context.Context, connectionID string) (bool, error) {
	if connectionID == "" {
		return false, nil
	}
	return o.sender.request(ctx, connectionID, func(ackID int64) svcproto.Message {
		return &svcproto.CheckConnectionExistenceWithAck{ConnectionID: connectionID, AckID: ackID}
	})
}

// UserExists reports whether a user has at least one connection.
func (o operations) UserExists(ctx context.Context, userID string) (bool, error) {
	if userID == "" {
		return false, errEmptyName
	}
	return o.sender.request(ctx, userID, func(ackID int64) svcproto.Message {
		return &svcproto.CheckUserExistenceWithAck{UserID: userID, AckID: ackID}
	})
}

// CloseConnection ends the connection of a client, whichever app server it is connected to. The client is told the reason,
// unless that is empty. A client that is gone already is no error.
func (o operations) CloseConnection(ctx context.Context, connectionID, reason string) error {
	if connectionID == "" {
		return nil
	}
	return o.sender.send(ctx, connectionID, &svcproto.CloseConnection{ConnectionID: connectionID, Error: reason})
}

// CloseConnections ends the connections of all clients of the hub but those with the given connection ids. The clients are
// told the reason, unless that is empty.
func (o operations) CloseConnections(ctx context.Context, reason string, exceptConnectionIDs ...string) error {
	return done(o.sender.request(ctx, "", func(ackID int64) svcproto.Message {
		return &svcproto.CloseConnectionsWithAck{Reason: optionalText(reason), ExcludedConnectionIDs: exceptConnectionIDs, AckID: ackID}
	}))
}

// CloseGroupConnections is CloseConnections for the members of a group.
func (o operations) CloseGroupConnections(ctx context.Context, group, reason string, exceptConnectionIDs ...string) error {
	if group == "" {
		return errEmptyName
	}
	return done(o.sender.request(ctx, group, func(ackID int64) svcproto.Message {
		return &svcproto.CloseGroupConnectionsWithAck{Group: group, Reason: optionalText(reason), ExcludedConnectionIDs: exceptConnectionIDs, AckID: ackID}
	}))
}

// CloseUserConnections is CloseConnections for the connections of a user.
func (o operations) CloseUserConnections(ctx context.Context, userID, reason string, exceptConnectionIDs ...string) error {
	if userID == "" {
		return errEmptyName
	}
	return done(o.sender.request(ctx, userID, func(ackID int64) svcproto.Message {
		return &svcproto.CloseUserConnectionsWithAck{UserID: userID, Reason: optionalText(reason), ExcludedConnectionIDs: exceptConnectionIDs, AckID: ackID}
	}))
}

// done takes NotFound for success: whom the call was about is gone already.
func done(_ bool, err error) error { return err }

// optionalText is nil on the wire for an empty text.
func optionalText(text string) svcproto.OptionalString {
	return svcproto.OptionalString{Value: text, Valid: text != ""}
}
