package serverlink

import (
	"fmt"

	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/telemetry"
)

// trace tells of the link's beginning or end.
func (l *Link) trace(operation, level, text string) {
	t := l.server.Trace
	if !t.Enabled(telemetry.Connectivity) {
		return
	}
	t.Emit(telemetry.TraceEvent{
		Kind: telemetry.Connectivity, Level: level, Collection: "Connection", OperationName: operation, Message: text,
		CallerIP: l.address, HubName: l.hub.Name, ConnectionID: l.id, ConnectionType: "Server", TransportType: "WebSockets", UserID: l.serverID,
	})
}

// traceMessage tells of one message that came from the app server, when messages are traced (the third and fourth leg of message tracing).
func (l *Link) traceMessage(t svcproto.Type, id uint64, receivers int) {
	if !l.server.Trace.Enabled(telemetry.Messaging) {
		return
	}
	e := telemetry.TraceEvent{
		Kind: telemetry.Messaging, Collection: "Message", OperationName: "ReceivedMessage", HubName: l.hub.Name, ConnectionID: l.id, ConnectionType: "Server",
		TracingID: id, MessageType: t.String() + "Message",
		Message: fmt.Sprintf("Received a %sMessage message %d from server connection %s; it goes to %d client connections.", t, id, l.id, receivers),
	}
	switch t {
	case svcproto.TypeGroupBroadcastData:
		e.GroupName = string(l.scratch.group.Group)
	case svcproto.TypeUserData:
		e.UserID = string(l.scratch.user.UserID)
	}
	l.server.Trace.Emit(e)
}

// pingTracing tells the app server to number its messages, or to stop, when somebody has begun or ceased to ask for them.
func (l *Link) pingTracing() {
	on := l.server.Trace.Enabled(telemetry.Messaging)
	if on == l.tracing {
		return
	}
	l.tracing = on
	value := "0"
	if on {
		value = "1"
	}
	_ = l.Send(&svcproto.Ping{Values: []svcproto.PingValue{{Key: "d-m", Value: value}}})
}
