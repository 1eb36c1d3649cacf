package svcproto

import "strconv"

// Type is the type of a message, the first element of every body.
type Type int

// The types of the protocol. Arrows tell who sends them: A is the app server, S the service.
const (
	TypeHandshakeRequest                Type = 1  // A to S, first on every server connection
	TypeHandshakeResponse               Type = 2  // S to A, answers HandshakeRequest
	TypePing                            Type = 3  // both ways
	TypeOpenConnection                  Type = 4  // S to A, a client has come
	TypeCloseConnection                 Type = 5  // both ways, a client leaves or is to leave
	TypeConnectionData                  Type = 6  // both ways, bytes from or for one client
	TypeMultiConnectionData             Type = 7  // A to S, bytes for a list of clients
	TypeUserData                        Type = 8  // A to S, bytes for the clients of a user
	TypeMultiUserData                   Type = 9  // A to S, bytes for the clients of a list of users
	TypeBroadcastData                   Type = 10 // A to S, bytes for every client of the hub
	TypeJoinGroup                       Type = 11 // A to S
	TypeLeaveGroup                      Type = 12 // A to S
	TypeGroupBroadcastData              Type = 13 // A to S, bytes for a group
	TypeMultiGroupBroadcastData         Type = 14 // A to S, bytes for a list of groups
	TypeServiceError                    Type = 15 // S to A
	TypeUserJoinGroup                   Type = 16 // A to S
	TypeUserLeaveGroup                  Type = 17 // A to S
	TypeJoinGroupWithAck                Type = 18 // A to S, answered by Ack
	TypeLeaveGroupWithAck               Type = 19 // A to S, answered by Ack
	TypeAck                             Type = 20 // S to A
	TypeCheckUserInGroupWithAck         Type = 21 // A to S, answered by Ack
	TypeServiceEvent                    Type = 22 // S to A
	TypeCheckGroupExistenceWithAck      Type = 23 // A to S, answered by Ack
	TypeCheckConnectionExistenceWithAck Type = 24 // A to S, answered by Ack
	TypeCheckUserExistenceWithAck       Type = 25 // A to S, answered by Ack
	TypeUserJoinGroupWithAck            Type = 26 // A to S, answered by Ack
	TypeUserLeaveGroupWithAck           Type = 27 // A to S, answered by Ack
	TypeAccessKeyRequest                Type = 28 // A to S, answered by AccessKeyResponse
	TypeAccessKeyResponse               Type = 29 // S to A
	TypeCloseConnectionWithAck          Type = 30 // A to S, answered by Ack; obsolete
	TypeCloseConnectionsWithAck         Type = 31 // A to S, answered by Ack; obsolete
	TypeCloseUserConnectionsWithAck     Type = 32 // A to S, answered by Ack
	TypeCloseGroupConnectionsWithAck    Type = 33 // A to S, answered by Ack
	TypeClientInvocation                Type = 34 // both ways
	TypeClientCompletion                Type = 35 // both ways
	TypeErrorCompletion                 Type = 36 // both ways
	TypeServiceMapping                  Type = 37 // S to A
	TypeConnectionReconnect             Type = 38 // S to A
	TypeConnectionFlowControl           Type = 39 // both ways
	TypeGroupMemberQuery                Type = 40 // A to S, answered by Ack with a payload
	TypeRefreshAuth                     Type = 41 // A to S, answered by Ack with a payload
	TypeGetConnectionClaims             Type = 42 // A to S, answered by Ack with a payload
	TypeUpdateConnectionClaims          Type = 43 // S to A
)

// String is the name of the type, or "Type(n)" when it has none.
func (t Type) String() string {
	names := [...]string{
		TypeHandshakeRequest:                "HandshakeRequest",
		TypeHandshakeResponse:               "HandshakeResponse",
		TypePing:                            "Ping",
		TypeOpenConnection:                  "OpenConnection",
		TypeCloseConnection:                 "CloseConnection",
		TypeConnectionData:                  "ConnectionData",
		TypeMultiConnectionData:             "MultiConnectionData",
		TypeUserData:                        "UserData",
		TypeMultiUserData:                   "MultiUserData",
		TypeBroadcastData:                   "BroadcastData",
		TypeJoinGroup:                       "JoinGroup",
		TypeLeaveGroup:                      "LeaveGroup",
		TypeGroupBroadcastData:              "GroupBroadcastData",
		TypeMultiGroupBroadcastData:         "MultiGroupBroadcastData",
		TypeServiceError:                    "ServiceError",
		TypeUserJoinGroup:                   "UserJoinGroup",
		TypeUserLeaveGroup:                  "UserLeaveGroup",
		TypeJoinGroupWithAck:                "JoinGroupWithAck",
		TypeLeaveGroupWithAck:               "LeaveGroupWithAck",
		TypeAck:                             "Ack",
		TypeCheckUserInGroupWithAck:         "CheckUserInGroupWithAck",
		TypeServiceEvent:                    "ServiceEvent",
		TypeCheckGroupExistenceWithAck:      "CheckGroupExistenceWithAck",
		TypeCheckConnectionExistenceWithAck: "CheckConnectionExistenceWithAck",
		TypeCheckUserExistenceWithAck:       "CheckUserExistenceWithAck",
		TypeUserJoinGroupWithAck:            "UserJoinGroupWithAck",
		TypeUserLeaveGroupWithAck:           "UserLeaveGroupWithAck",
		TypeAccessKeyRequest:                "AccessKeyRequest",
		TypeAccessKeyResponse:               "AccessKeyResponse",
		TypeCloseConnectionWithAck:          "CloseConnectionWithAck",
		TypeCloseConnectionsWithAck:         "CloseConnectionsWithAck",
		TypeCloseUserConnectionsWithAck:     "CloseUserConnectionsWithAck",
		TypeCloseGroupConnectionsWithAck:    "CloseGroupConnectionsWithAck",
		TypeClientInvocation:                "ClientInvocation",
		TypeClientCompletion:                "ClientCompletion",
		TypeErrorCompletion:                 "ErrorCompletion",
		TypeServiceMapping:                  "ServiceMapping",
		TypeConnectionReconnect:             "ConnectionReconnect",
		TypeConnectionFlowControl:           "ConnectionFlowControl",
		TypeGroupMemberQuery:                "GroupMemberQuery",
		TypeRefreshAuth:                     "RefreshAuth",
		TypeGetConnectionClaims:             "GetConnectionClaims",
		TypeUpdateConnectionClaims:          "UpdateConnectionClaims",
	}
	return nameOf("Type", int(t), names[:])
}

// nameOf picks the name of an enumeration's value, or makes "Kind(n)" for a value that has none.
func nameOf(kind string, n int, names []string) string {
	if n >= 0 && n < len(names) && names[n] != "" {
		return names[n]
	}
	return kind + "(" + strconv.Itoa(n) + ")"
}
