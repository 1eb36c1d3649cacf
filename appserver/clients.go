package appserver

import (
	"context"
	"fmt"

	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// HubClients addresses clients of a hub, from inside of a hub method and from anywhere else. Addressing sends nothing and
// cannot fail; clients, groups and users that do not exist get nothing.
type HubClients struct {
	sender sender
}

// HubCallerClients is HubClients as seen by the client that calls.
type HubCallerClients struct {
	HubClients
	caller string
}

// ClientProxy stands for a set of clients.
type ClientProxy struct {
	sender sender
	key    string // sends with one key keep their order
	to     func(payloads []svcproto.Payload) svcproto.Message
}

// SingleClientProxy stands for one client, which can be asked for a result.
type SingleClientProxy struct {
	ClientProxy
	connectionID string
}

// Send invokes a method of the clients. It returns when the message is on its way, which says nothing of its arrival; it
// waits only while more is sent than the service takes. Sends from one hub method keep their order, as do sends to one
// group, user or connection.
func (p ClientProxy) Send(ctx context.Context, target string, args ...any) error {
	payloads, err := p.sender.payloads(&hubproto.Message{Type: hubproto.Invocation, Target: target}, args)
	if err != nil {
		return err
	}
	return p.sender.send(ctx, p.key, p.to(payloads))
}

// Invoke invokes a method of the client, waits for its answer and decodes it into what result points to; nil for no
// interest in it. Bound the time by ctx. An error that the client answered with is a *HubError; ErrClientDisconnected, or
// a *HubError with the words of the service, means that it is not there. It is refused in OnConnected, where nothing is
// read from the client yet.
func (p SingleClientProxy) Invoke(ctx context.Context, result any, target string, args ...any) error {
	return p.sender.invokeClient(ctx, p.connectionID, result, target, args)
}

// All are all clients of the hub.
func (c HubClients) All() ClientProxy { return c.AllExcept() }

// AllExcept are all clients but those with the given connection ids.
func (c HubClients) AllExcept(connectionIDs ...string) ClientProxy {
	return ClientProxy{c.sender, "", func(payloads []svcproto.Payload) svcproto.Message {
		return &svcproto.BroadcastData{ExcludedConnectionIDs: byteSlices(connectionIDs), Payloads: payloads}
	}}
}

// Client is the client with a connection id, whichever app server it is connected to.
func (c HubClients) Client(connectionID string) SingleClientProxy {
	return SingleClientProxy{c.Clients(connectionID), connectionID}
}

// Clients are the clients with the given connection ids.
func (c HubClients) Clients(connectionIDs ...string) ClientProxy {
	return ClientProxy{c.sender, first(connectionIDs), func(payloads []svcproto.Payload) svcproto.Message {
		return &svcproto.MultiConnectionData{ConnectionIDs: byteSlices(connectionIDs), Payloads: payloads}
	}}
}

// Group are the members of a group.
func (c HubClients) Group(group string) ClientProxy { return c.GroupExcept(group) }

// GroupExcept are the members of a group but those with the given connection ids.
func (c HubClients) GroupExcept(group string, connectionIDs ...string) ClientProxy {
	return ClientProxy{c.sender, group, func(payloads []svcproto.Payload) svcproto.Message {
		return &svcproto.GroupBroadcastData{Group: []byte(group), ExcludedConnectionIDs: byteSlices(connectionIDs), Payloads: payloads}
	}}
}

// Groups are the members of several groups. A client in two of them gets two copies.
func (c HubClients) Groups(groups ...string) ClientProxy {
	return ClientProxy{c.sender, first(groups), func(payloads []svcproto.Payload) svcproto.Message {
		return &svcproto.MultiGroupBroadcastData{Groups: byteSlices(groups), Payloads: payloads}
	}}
}

// User are the connections of a user.
func (c HubClients) User(userID string) ClientProxy {
	return ClientProxy{c.sender, userID, func(payloads []svcproto.Payload) svcproto.Message {
		return &svcproto.UserData{UserID: []byte(userID), Payloads: payloads}
	}}
}

// Users are the connections of several users.
func (c HubClients) Users(userIDs ...string) ClientProxy {
	return ClientProxy{c.sender, first(userIDs), func(payloads []svcproto.Payload) svcproto.Message {
		return &svcproto.MultiUserData{UserIDs: byteSlices(userIDs), Payloads: payloads}
	}}
}

// Caller is the client that calls.
func (c HubCallerClients) Caller() SingleClientProxy { return c.Client(c.caller) }

// Others are all clients but the one that calls.
func (c HubCallerClients) Others() ClientProxy { return c.AllExcept(c.caller) }

// OthersInGroup are the members of a group but the one that calls.
func (c HubCallerClients) OthersInGroup(group string) ClientProxy {
	return c.GroupExcept(group, c.caller)
}

// payloads encodes an invocation once for each hub protocol; the service gives each client its own.
func (a *App) payloads(m *hubproto.Message, args []any) ([]svcproto.Payload, error) {
	payloads := make([]svcproto.Payload, 0, 2)
	for _, protocol := range []hubproto.Protocol{hubproto.JSON, hubproto.MessagePack} {
		m.Arguments = make([]hubproto.RawValue, len(args))
		for i, arg := range args {
			raw, err := a.encode(protocol, arg)
			if err != nil {
				return nil, fmt.Errorf("argument %d of %s as %v: %w", i, m.Target, protocol, err)
			}
			m.Arguments[i] = raw
		}
		frame, err := protocol.Append(nil, m)
		if err != nil {
			return nil, err
		}
		payloads = append(payloads, svcproto.Payload{Protocol: []byte(protocol.String()), Data: frame})
	}
	return payloads, nil
}

func byteSlices(texts []string) [][]byte {
	slices := make([][]byte, len(texts))
	for i, text := range texts {
		slices[i] = []byte(text)
	}
	return slices
}

func first(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}
