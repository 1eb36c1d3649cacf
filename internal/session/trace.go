package session

import "github.com/hubgate/hubgate/internal/telemetry"

// trace tells of the connection's beginning or end.
func (c *Session) trace(operation, level, text string) {
	t := c.service.Trace
	if !t.Enabled(telemetry.Connectivity) {
		return
	}
	t.Emit(telemetry.TraceEvent{
		Kind: telemetry.Connectivity, Level: level, Collection: "Connection", OperationName: operation, Message: text,
		CallerIP: c.address, HubName: c.hub.Name, ConnectionID: c.client.ID, ConnectionType: "Client",
		TransportType: c.kind.String(), UserID: c.client.UserID,
	})
}

// traceEnd says how the connection ended: as usual, or by an abort with its reason.
func (c *Session) traceEnd(reason error) {
	switch {
	case reason != nil:
		c.trace("ConnectionAborted", telemetry.Warning, string(c.category)+": "+reason.Error())
	case c.category == Normal || c.category == ClosedByAppServer:
		c.trace("ConnectionEnded", telemetry.Informational, string(c.category))
	default:
		c.trace("ConnectionAborted", telemetry.Warning, string(c.category))
	}
}
