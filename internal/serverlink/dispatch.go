package serverlink

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// serviceVersion is the version of the service protocol that is spoken here.
const serviceVersion = 1

// greet answers the handshake, which is an app server's first message (service protocol §7.1).
func (l *Link) greet(body []byte) error {
	var m svcproto.HandshakeRequest
	if err := m.Decode(body); err != nil {
		return &protocolError{"the first message must be a handshake request: " + err.Error()}
	}
	refuse := func(text string) error {
		_ = l.Send(&svcproto.HandshakeResponse{Error: text})
		return errors.New(text)
	}
	if m.Version != serviceVersion {
		return refuse(fmt.Sprintf("Version %d of the service protocol is not supported; this service speaks version %d.", m.Version, serviceVersion))
	}
	if m.ConnectionType != svcproto.ConnectionWeak && l.server.serverless.Load() {
		return refuse(textServerless)
	}
	l.kind, l.migration, l.stateful = m.ConnectionType, m.MigrationLevel, m.AllowStatefulReconnects
	l.mu.Lock()
	l.held = true // until clients can be given to it, for the app server may send them here as soon as it is greeted
	l.mu.Unlock()
	if err := l.Send(&svcproto.HandshakeResponse{ConnectionID: svcproto.Some(l.id)}); err != nil {
		return err
	}
	l.server.Logger.Info("server connection opened", "hub", l.hub.Name, "server", l.serverID, "connection", l.id, "type", int(l.kind))
	return errGreeted
}

// dispatch does what one message asks for. An error ends the link.
func (l *Link) dispatch(body []byte) error {
	t, err := svcproto.TypeOf(body)
	if err != nil {
		return &protocolError{err.Error()}
	}
	switch t {
	// What there is most of is decoded into values that are used again.
	case svcproto.TypeConnectionData:
		return l.connectionData(body)
	case svcproto.TypeMultiConnectionData, svcproto.TypeUserData, svcproto.TypeMultiUserData, svcproto.TypeBroadcastData,
		svcproto.TypeGroupBroadcastData, svcproto.TypeMultiGroupBroadcastData:
		return l.multicast(t, body)
	}
	m, err := svcproto.Decode(body)
	if err != nil {
		if _, unknown := errors.AsType[*svcproto.UnknownTypeError](err); unknown {
			return nil // something newer
		}
		return &protocolError{err.Error()}
	}
	l.control(m)
	return nil
}

// scratch holds the decoded data messages of a link, so that decoding makes no garbage.
type scratch struct {
	data        svcproto.ConnectionData
	connections svcproto.MultiConnectionData
	user        svcproto.UserData
	users       svcproto.MultiUserData
	all         svcproto.BroadcastData
	group       svcproto.GroupBroadcastData
	groups      svcproto.MultiGroupBroadcastData
}

func (l *Link) connectionData(body []byte) error {
	m := &l.scratch.data
	if err := m.Decode(body); err != nil {
		return &protocolError{err.Error()}
	}
	c := l.hub.ClientBytes(m.ConnectionID)
	if c == nil || c.Link() != hub.Link(l) {
		return nil // late words for a client that is gone, or that another link carries
	}
	if !l.maySend(1) {
		return nil
	}
	c.Receiver.Data(m, &l.batch)
	l.server.Observer.Outbound(1, len(m.Payload))
	l.traceMessage(svcproto.TypeConnectionData, m.TracingID, 1)
	return nil
}

func (l *Link) multicast(t svcproto.Type, body []byte) error {
	var sent hub.Sent
	var id uint64 // for tracing
	var err error
	if !l.maySend(0) {
		return nil
	}
	h, b, s := l.hub, &l.batch, &l.scratch
	switch t {
	case svcproto.TypeMultiConnectionData:
		if err = s.connections.Decode(body); err == nil {
			id = s.connections.TracingID
			sent = h.SendToClients(s.connections.ConnectionIDs, s.connections.Payloads, b)
		}
	case svcproto.TypeUserData:
		if err = s.user.Decode(body); err == nil {
			id = s.user.TracingID
			sent = h.SendToUser(s.user.UserID, s.user.Payloads, b)
		}
	case svcproto.TypeMultiUserData:
		if err = s.users.Decode(body); err == nil {
			id = s.users.TracingID
			sent = h.SendToUsers(s.users.UserIDs, s.users.Payloads, b)
		}
	case svcproto.TypeBroadcastData:
		if err = s.all.Decode(body); err == nil {
			id = s.all.TracingID
			sent = h.Broadcast(s.all.Payloads, s.all.ExcludedConnectionIDs, b)
		}
	case svcproto.TypeGroupBroadcastData:
		if err = s.group.Decode(body); err == nil {
			id = s.group.TracingID
			sent = h.SendToGroup(s.group.Group, s.group.Payloads, s.group.ExcludedConnectionIDs, s.group.ExcludedUserIDs, b)
		}
	case svcproto.TypeMultiGroupBroadcastData:
		if err = s.groups.Decode(body); err == nil {
			id = s.groups.TracingID
			sent = h.SendToGroups(s.groups.Groups, s.groups.Payloads, b)
		}
	}
	if err != nil {
		return &protocolError{err.Error()}
	}
	l.maySend(sent.Clients)
	l.server.Observer.Outbound(sent.Clients, sent.Bytes)
	l.traceMessage(t, id, sent.Clients)
	return nil
}

// maySend counts messages against the instance's quota. Handshakes and pings count too: the service does not look into what it carries.
func (l *Link) maySend(messages int) bool {
	return l.server.MaySend == nil || l.server.MaySend(messages)
}

// control does what the less frequent messages ask for.
func (l *Link) control(m svcproto.Message) {
	h := l.hub
	switch m := m.(type) {
	case *svcproto.Ping:
		l.ping(m)
	case *svcproto.CloseConnection:
		l.closeConnection(m)
	case *svcproto.JoinGroup:
		l.join(m.ConnectionID, m.Group)
	case *svcproto.LeaveGroup:
		l.leave(m.ConnectionID, m.Group)
	case *svcproto.JoinGroupWithAck:
		l.ackIf(m.AckID, l.join(m.ConnectionID, m.Group), "connection")
	case *svcproto.LeaveGroupWithAck:
		l.ackIf(m.AckID, l.leave(m.ConnectionID, m.Group), "connection")
	case *svcproto.UserJoinGroup:
		l.userJoin(m.UserID, m.Group, m.TTL, nil)
	case *svcproto.UserLeaveGroup:
		l.userLeave(m.UserID, m.Group, nil)
	case *svcproto.UserJoinGroupWithAck:
		l.userJoin(m.UserID, m.Group, m.TTL, l.ackDurable(m.AckID))
	case *svcproto.UserLeaveGroupWithAck:
		l.userLeave(m.UserID, m.Group, l.ackDurable(m.AckID))
	case *svcproto.CheckUserInGroupWithAck:
		l.ackIf(m.AckID, h.UserInGroup(m.UserID, m.Group), "user in the group")
	case *svcproto.CheckGroupExistenceWithAck:
		l.ackIf(m.AckID, h.GroupExists(m.Group), "group")
	case *svcproto.CheckConnectionExistenceWithAck:
		l.ackIf(m.AckID, h.Client(m.ConnectionID) != nil, "connection")
	case *svcproto.CheckUserExistenceWithAck:
		l.ackIf(m.AckID, h.UserExists(m.UserID), "user")
	case *svcproto.CloseConnectionWithAck:
		c := h.Client(m.ConnectionID)
		if c != nil {
			c.Receiver.Kick(m.Reason.Value, &l.batch)
		}
		l.ackIf(m.AckID, c != nil, "connection")
	case *svcproto.CloseConnectionsWithAck:
		l.kick(h.All(), m.ExcludedConnectionIDs, m.Reason.Value)
		l.ackIf(m.AckID, true, "")
	case *svcproto.CloseUserConnectionsWithAck:
		l.kick(h.ClientsOfUser(m.UserID), m.ExcludedConnectionIDs, m.Reason.Value)
		l.ackIf(m.AckID, true, "")
	case *svcproto.CloseGroupConnectionsWithAck:
		l.kick(h.Members(m.Group), m.ExcludedConnectionIDs, m.Reason.Value)
		l.ackIf(m.AckID, true, "")
	case *svcproto.GroupMemberQuery:
		l.members(m)
	case *svcproto.ClientInvocation:
		h.Invoke(l, m, &l.batch, l.settleTime())
	case *svcproto.ClientCompletion:
		h.Complete(l, m)
	case *svcproto.ErrorCompletion:
		h.CompleteWithError(l, m)
	case *svcproto.ConnectionFlowControl:
		if c := h.Client(m.ConnectionID); c != nil && m.Operation == svcproto.FlowControlPauseAck && c.Link() == hub.Link(l) {
			c.Receiver.Paused()
		}
	case *svcproto.AccessKeyRequest:
		l.keys.request(l, m)
	case *svcproto.RefreshAuth, *svcproto.GetConnectionClaims:
		l.refresh(m)
	}
}

// ackIf answers Ok, or NotFound with the name of what was not found.
func (l *Link) ackIf(id int64, ok bool, what string) {
	m := svcproto.Ack{AckID: id, Status: svcproto.AckOK}
	if !ok {
		m.Status, m.Message = svcproto.AckNotFound, "there is no such "+what
	}
	_ = l.Send(&m)
}

// closeConnection ends a client: quietly when this link carries it, otherwise with news to the link that does.
func (l *Link) closeConnection(m *svcproto.CloseConnection) {
	c := l.hub.Client(m.ConnectionID)
	switch {
	case c == nil:
	case c.Link() == hub.Link(l):
		c.Receiver.Close(m.Error, &l.batch)
	default:
		c.Receiver.Kick(m.Error, &l.batch)
	}
}

func (l *Link) join(client, group string) bool {
	c := l.hub.Client(client)
	return c != nil && l.hub.Join(c, group)
}

func (l *Link) leave(client string, group svcproto.OptionalString) bool {
	c := l.hub.Client(client)
	if c == nil {
		return false
	}
	if !group.Valid {
		return l.hub.LeaveAll(c)
	}
	return l.hub.Leave(c, group.Value)
}

func (l *Link) userJoin(user, group string, ttl svcproto.OptionalInt, done func(error)) {
	lifetime := hub.Forever
	if ttl.Valid {
		lifetime = time.Duration(max(ttl.Value, 0)) * time.Second
	}
	l.hub.UserJoinThen(user, group, lifetime, done)
}

func (l *Link) userLeave(user string, group svcproto.OptionalString, done func(error)) {
	if !group.Valid {
		l.hub.UserLeaveAllThen(user, done)
		return
	}
	l.hub.UserLeaveThen(user, group.Value, done)
}

// ackDurable answers once a change of a user's groups is durable.
func (l *Link) ackDurable(id int64) func(error) {
	return func(err error) {
		m := svcproto.Ack{AckID: id, Status: svcproto.AckOK}
		if err != nil {
			l.server.Logger.Error("a change of a user's groups could not be kept", "hub", l.hub.Name, "reason", err)
			m.Status, m.Message = svcproto.AckInternalServerError, "the change could not be kept"
		}
		_ = l.Send(&m)
	}
}

func (l *Link) kick(clients []*hub.Client, except []string, reason string) {
	for _, c := range clients {
		if !slices.Contains(except, c.ID) {
			c.Receiver.Kick(reason, &l.batch)
		}
	}
}

// maxPage is how many members a page holds at most.
const maxPage = 200

// members answers a query for the members of a group, page by page: in the order of connection ids, the last one of a page being the token.
func (l *Link) members(m *svcproto.GroupMemberQuery) {
	clients := l.hub.Members(m.Group)
	if m.ContinuationToken.Valid {
		after := m.ContinuationToken.Value
		at, found := slices.BinarySearchFunc(clients, after, func(c *hub.Client, id string) int { return strings.Compare(c.ID, id) })
		if found {
			at++
		}
		clients = clients[at:]
	}
	size := maxPage
	if m.MaxPageSize.Valid && m.MaxPageSize.Value > 0 {
		size = min(size, m.MaxPageSize.Value)
	}
	if m.Top.Valid && m.Top.Value > 0 {
		size = min(size, m.Top.Value)
	}
	var page svcproto.GroupMembers
	more := len(clients) > size
	clients = clients[:min(size, len(clients))]
	for _, c := range clients {
		member := svcproto.GroupMember{ConnectionID: c.ID}
		if c.HasUser {
			member.UserID = svcproto.Some(c.UserID)
		}
		page.Members = append(page.Members, member)
	}
	if more && (!m.Top.Valid || m.Top.Value > size) {
		page.ContinuationToken = svcproto.Some(clients[len(clients)-1].ID)
	}
	_ = l.Send(&svcproto.Ack{AckID: m.AckID, Status: svcproto.AckOK, Payload: page.Append(nil), HasPayload: true})
}

// ping answers what a ping asks (service protocol §7.7); one without a question is a sign of life.
func (l *Link) ping(m *svcproto.Ping) {
	for _, v := range m.Values {
		switch v.Key {
		case "status":
			busy := "0"
			if l.hub.Count() > 0 {
				busy = "1"
			}
			_ = l.Send(&svcproto.Ping{Values: []svcproto.PingValue{
				{Key: "status", Value: busy},
				{Key: "clientcount", Value: strconv.Itoa(l.hub.Count())},
				{Key: "servercount", Value: strconv.Itoa(len(l.hub.Links()))},
			}})
		case "servers":
			list := strconv.FormatInt(time.Now().UnixMicro(), 10) + ":" + strings.Join(l.hub.Servers(), ";")
			_ = l.Send(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "servers", Value: list}}})
		case "shutdown":
			l.shutdown(v.Value)
		}
	}
}

// shutdown is an app server's wish to go. It gets no more clients, and those it has are ended unless it waits for them.
func (l *Link) shutdown(how string) {
	mode, fin := strings.CutPrefix(how, "fin:")
	if !fin {
		return
	}
	l.hub.RemoveLink(l)
	_ = l.Send(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "shutdown", Value: "finack"}}})
	for _, c := range l.hub.ClientsOf(l) {
		switch mode {
		case "0":
			c.Receiver.LinkLost(&l.batch)
		case "1":
			c.Receiver.Migrate(&l.batch)
		}
		// Those of an app server that waits for its clients to leave are let be.
	}
}

// askInterval is how long an app server has to open a link that it was asked for, before it is asked again.
const askInterval = 30 * time.Second

// askForLink asks the app server of a full link for one more (a ping "target"). It opens none when it has as many as it is allowed.
func (l *Link) askForLink(now time.Time) {
	if l.kind == svcproto.ConnectionWeak || l.Load() <= l.server.Limits.ClientsPerLink || now.Sub(l.askedAt) < askInterval {
		return
	}
	for _, other := range l.hub.Links() {
		if other.ServerID() == l.serverID && other.Load() <= l.server.Limits.ClientsPerLink {
			return // new clients go there
		}
	}
	l.askedAt = now
	_ = l.Send(&svcproto.Ping{Values: []svcproto.PingValue{{Key: svcproto.PingTarget, Value: l.server.Registry.InstanceID}}})
}

// keepAlive pings the app server, which answers only pings, and ends the link when nothing has come for too long.
func (l *Link) keepAlive(stop <-chan struct{}) {
	ticker := time.NewTicker(l.server.Limits.PingInterval)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-ticker.C:
			if now.Sub(time.Unix(0, l.lastRead.Load())) > l.server.Limits.Timeout {
				l.cut(errors.New("the app server has been silent for too long"))
				return
			}
			l.pingTracing()
			l.askForLink(now)
			_ = l.Send(&svcproto.Ping{})
		}
	}
}
