package svcproto

// DataMessageType tells what a [ConnectionData] carries, so that whoever passes it on need not look into the payload.
type DataMessageType int

// The kinds of hub messages in a ConnectionData.
const (
	DataMessageTypeUnknown    DataMessageType = 0 // the sender does not say; older SDKs never do
	DataMessageTypeHandshake  DataMessageType = 1 // handshake request or response
	DataMessageTypeInvocation DataMessageType = 2 // invocation, stream item, completion, cancellation
	DataMessageTypeOther      DataMessageType = 3 // ping, ack, sequence
	DataMessageTypeClose      DataMessageType = 4 // close
)

// String is the name of the kind.
func (t DataMessageType) String() string {
	return nameOf("DataMessageType", int(t), []string{"Unknown", "Handshake", "Invocation", "Other", "Close"})
}

// ServiceConnectionType tells what an app server wants a server connection for.
type ServiceConnectionType int

// The kinds of server connections.
const (
	ConnectionDefault  ServiceConnectionType = 0 // carries clients; must be accepted
	ConnectionOnDemand ServiceConnectionType = 1 // carries clients; may be refused
	ConnectionWeak     ServiceConnectionType = 2 // carries no clients, only sends
)

// String is the name of the kind.
func (t ServiceConnectionType) String() string {
	return nameOf("ServiceConnectionType", int(t), []string{"Default", "OnDemand", "Weak"})
}

// MigrationLevel tells when the clients of a server connection may be moved to another app server.
type MigrationLevel int

// The levels of migration. SDKs send Off or ShutdownOnly.
const (
	MigrationLevelOff          MigrationLevel = 0 // never
	MigrationLevelShutdownOnly MigrationLevel = 1 // when the app server shuts down gracefully
	MigrationLevelAny          MigrationLevel = 2 // also when the server connection is lost
)

// String is the name of the level.
func (l MigrationLevel) String() string {
	return nameOf("MigrationLevel", int(l), []string{"Off", "ShutdownOnly", "Any"})
}

// AckStatus is the outcome that an [Ack] reports.
type AckStatus int

// The outcomes. SDKs take Timeout and InternalServerError for a time-out, and understand Forbidden for RefreshAuth only.
const (
	AckOK                  AckStatus = 1
	AckNotFound            AckStatus = 2 // also the "no" of a check
	AckTimeout             AckStatus = 3
	AckInternalServerError AckStatus = 4
	AckForbidden           AckStatus = 5
)

// String is the name of the outcome.
func (s AckStatus) String() string {
	return nameOf("AckStatus", int(s), []string{"", "OK", "NotFound", "Timeout", "InternalServerError", "Forbidden"})
}

// ServiceEventObjectType is the kind of thing that a [ServiceEvent] is about.
type ServiceEventObjectType int

// The kinds of things that events are about.
const (
	ServiceEventServiceInstance  ServiceEventObjectType = 0
	ServiceEventConnection       ServiceEventObjectType = 1
	ServiceEventUser             ServiceEventObjectType = 2
	ServiceEventGroup            ServiceEventObjectType = 3
	ServiceEventServerConnection ServiceEventObjectType = 4
)

// String is the name of the kind.
func (t ServiceEventObjectType) String() string {
	return nameOf("ServiceEventObjectType", int(t), []string{"ServiceInstance", "Connection", "User", "Group", "ServerConnection"})
}

// ServiceEventKind is what happened to the object of a [ServiceEvent].
type ServiceEventKind int

// What events tell.
const (
	ServiceEventReloading  ServiceEventKind = 0 // a restart is near
	ServiceEventInvalid    ServiceEventKind = 1
	ServiceEventNotExisted ServiceEventKind = 2
	ServiceEventBufferFull ServiceEventKind = 3
)

// String is the name of the kind.
func (k ServiceEventKind) String() string {
	return nameOf("ServiceEventKind", int(k), []string{"Reloading", "Invalid", "NotExisted", "BufferFull"})
}

// ConnectionType is the kind of connection that a [ConnectionFlowControl] is about.
type ConnectionType int

// The kinds of connections.
const (
	ConnectionTypeClient ConnectionType = 1
	ConnectionTypeServer ConnectionType = 2
)

// String is the name of the kind.
func (t ConnectionType) String() string {
	return nameOf("ConnectionType", int(t), []string{"", "Client", "Server"})
}

// FlowControlOperation is what a [ConnectionFlowControl] asks for or confirms.
type FlowControlOperation int

// The operations. SDKs throw on any other.
const (
	FlowControlPause    FlowControlOperation = 1 // S to A: send nothing more for the client on this connection
	FlowControlPauseAck FlowControlOperation = 2 // A to S: nothing more will come
	FlowControlResume   FlowControlOperation = 3 // S to A: go on, on the connection that carries this
	FlowControlOffline  FlowControlOperation = 4 // S to A: the server connection is not writable any more
)

// String is the name of the operation.
func (o FlowControlOperation) String() string {
	return nameOf("FlowControlOperation", int(o), []string{"", "Pause", "PauseAck", "Resume", "Offline"})
}
