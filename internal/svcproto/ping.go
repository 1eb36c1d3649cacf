package svcproto

import "github.com/tinylib/msgp/msgp"

// The keys that a ping may hold. One that is not known is to be ignored.
const (
	PingClientInHub = "#clientInHub" // A to S: clients of the hub in this process, decimal
	PingClient      = "#client"      // A to S: clients on this server connection, decimal
	PingStatus      = "status"       // A to S "1" asks whether the app has clients; S to A "0" or "1" answers
	PingClientCount = "clientcount"  // S to A: decimal
	PingServerCount = "servercount"  // S to A: decimal
	PingCapacity    = "capacity"     // S to A: decimal
	PingServers     = "servers"      // A to S empty asks; S to A "{number}:{server1};{server2}…" answers
	PingTarget      = "target"       // S to A: instance id that one more server connection should go to
	PingOffline     = "offline"      // S to A: id of an instance that is gone; empty for all
	PingShutdown    = "shutdown"     // both ways: one of the PingShutdown… values
	PingEcho        = "echo"         // S to A: the app server sends the ping back as it is
	PingMessageLog  = "d-m"          // S to A: "1" or "0" turns the logging of messages on or off
)

// The values of the key [PingShutdown].
const (
	PingShutdownOff            = "fin:0"  // A to S: close my clients
	PingShutdownMigrateClients = "fin:1"  // A to S: migrate my clients
	PingShutdownWaitForClients = "fin:2"  // A to S: leave my clients until they go
	PingShutdownAck            = "finack" // S to A: nothing new will be routed to this connection
)

// PingValue is one pair of a ping.
type PingValue struct{ Key, Value string }

// Ping keeps a server connection alive and carries what the two sides tell each other about it; type 3, both ways.
type Ping struct {
	Values []PingValue // in the order of the wire
}

// Get returns the value of the first pair with this key, and whether there is one.
func (m *Ping) Get(key string) (string, bool) {
	for _, v := range m.Values {
		if v.Key == key {
			return v.Value, true
		}
	}
	return "", false
}

// Type is TypePing.
func (*Ping) Type() Type { return TypePing }

// Decode implements [Message]. Nil reads as an empty text, and a last key without a value is left out.
func (m *Ping) Decode(body []byte) error {
	var r reader
	r.open(body, TypePing, 1)
	m.Values = reuse(m.Values)
	for r.has(r.next + 1) {
		var v PingValue
		v.Key, _ = r.emptyOrNil("ping key")
		v.Value, _ = r.emptyOrNil("ping value")
		if r.err != nil {
			break
		}
		m.Values = append(m.Values, v)
	}
	return r.close()
}

// Append implements [Message].
func (m *Ping) Append(dst []byte) []byte {
	hint := 2
	for _, v := range m.Values {
		hint += len(v.Key) + len(v.Value) + 2
	}
	dst, mark := begin(dst, hint, TypePing, uint32(1+2*len(m.Values)))
	for _, v := range m.Values {
		dst = msgp.AppendString(dst, v.Key)
		dst = msgp.AppendString(dst, v.Value)
	}
	return end(dst, mark)
}

// ServiceError tells an app server why its connection is about to end. The service sends it; type 15.
type ServiceError struct {
	Error string // an empty one does nothing
}

// Type is TypeServiceError.
func (*ServiceError) Type() Type { return TypeServiceError }

// Decode implements [Message].
func (m *ServiceError) Decode(body []byte) error {
	var r reader
	r.open(body, TypeServiceError, 2)
	*m = ServiceError{Error: r.text("error message")}
	return r.close()
}

// Append implements [Message].
func (m *ServiceError) Append(dst []byte) []byte {
	dst, mark := begin(dst, 4+len(m.Error), TypeServiceError, 2)
	dst = msgp.AppendString(dst, m.Error)
	return end(dst, mark)
}

// ServiceEvent is information for the app server's log. The service sends it; type 22.
type ServiceEvent struct {
	ObjectType ServiceEventObjectType // what kind of thing the event is about
	ID         string                 // which one
	Kind       ServiceEventKind       // what happened to it
	Message    string                 // a sentence for people
}

// Type is TypeServiceEvent.
func (*ServiceEvent) Type() Type { return TypeServiceEvent }

// Decode implements [Message].
func (m *ServiceEvent) Decode(body []byte) error {
	var r reader
	r.open(body, TypeServiceEvent, 6)
	*m = ServiceEvent{
		ObjectType: ServiceEventObjectType(r.int("object type")),
		ID:         r.text("id"),
		Kind:       ServiceEventKind(r.int("kind")),
		Message:    r.text("message"),
	}
	r.extension(keysNone)
	return r.close()
}

// Append implements [Message].
func (m *ServiceEvent) Append(dst []byte) []byte {
	dst, mark := begin(dst, 12+len(m.ID)+len(m.Message), TypeServiceEvent, 6)
	dst = appendInt(dst, int64(m.ObjectType))
	dst = msgp.AppendString(dst, m.ID)
	dst = appendInt(dst, int64(m.Kind))
	dst = msgp.AppendString(dst, m.Message)
	dst = appendNoExtension(dst)
	return end(dst, mark)
}

var (
	_ Message = (*Ping)(nil)
	_ Message = (*ServiceError)(nil)
	_ Message = (*ServiceEvent)(nil)
)
