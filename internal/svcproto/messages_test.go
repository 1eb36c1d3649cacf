package svcproto

import "time"

// everyMessage returns one message of each type, in the order of the types. Every field has a value that Append must
// carry over and Decode must find again; fields that only choose between two forms of an empty value are left alone.
func everyMessage() []Message {
	payloads := func() []Payload {
		return []Payload{{[]byte("json"), []byte("{}\x1e")}, {[]byte("messagepack"), []byte{0x01, 0x90}}}
	}
	list := func(texts ...string) [][]byte {
		var l [][]byte
		for _, t := range texts {
			l = append(l, []byte(t))
		}
		return l
	}
	claims := func() []Claim { return []Claim{{"role", "a"}, {"sub", "u"}, {"role", "b"}} }
	headers := func() []Header { return []Header{{"Accept", []string{"a", "b"}}, {"X-Empty", nil}} }
	filter := []byte("userId eq 'u'")
	return []Message{
		&HandshakeRequest{1, ConnectionOnDemand, "i-7", MigrationLevelShutdownOnly, true, true},
		&HandshakeResponse{Error: "no", ConnectionID: Some("sc-1")},
		&Ping{[]PingValue{{PingStatus, "1"}, {PingClientCount, "7"}}},
		&OpenConnection{"c1", claims(), headers(), "?hub=chat", "json", 9},
		&CloseConnection{ConnectionID: "c1", Error: "gone", Headers: headers(), TracingID: 1 << 40},
		&ConnectionData{[]byte("c1"), []byte("{}\x1e"), DataMessageTypeInvocation, true, 255},
		&MultiConnectionData{list("c1", "c2"), payloads(), filter, 256},
		&UserData{[]byte("u1"), payloads(), filter, 65535},
		&MultiUserData{list("u1", ""), payloads(), filter, 65536},
		&BroadcastData{list("c1", "c2", "c3"), payloads(), filter, 1<<64 - 1},
		&JoinGroup{"c1", "g1", 127},
		&LeaveGroup{"c1", Some("g1"), 128},
		&GroupBroadcastData{[]byte("g1"), list("c1"), payloads(), filter, 3, list("u1", "u2"), []byte("u3")},
		&MultiGroupBroadcastData{list("g1", "g2"), payloads(), filter, 4},
		&ServiceError{"full"},
		&UserJoinGroup{"u1", "g1", SomeInt(60), 5},
		&UserLeaveGroup{"u1", Some("g1"), 6},
		&JoinGroupWithAck{"c1", "g1", 300, 7},
		&LeaveGroupWithAck{"c1", Some("g1"), 70000, 8},
		&Ack{AckID: 1 << 40, Status: AckNotFound, Message: "none", Payload: []byte{1, 2}, HasPayload: true},
		&CheckUserInGroupWithAck{"u1", "g1", 1, 9},
		&ServiceEvent{ServiceEventUser, "u1", ServiceEventNotExisted, "User u1 is not existed."},
		&CheckGroupExistenceWithAck{"g1", -1, 10},
		&CheckConnectionExistenceWithAck{"c1", -40, 11},
		&CheckUserExistenceWithAck{"u1", 1<<63 - 1, 12},
		&UserJoinGroupWithAck{"u1", "g1", 2, SomeInt(0), 13},
		&UserLeaveGroupWithAck{"u1", Some("g1"), 3, 14},
		&AccessKeyRequest{"entra", Some("kid")},
		&AccessKeyResponse{Some("kid"), Some("key"), Some("Forbidden"), Some("no role")},
		&CloseConnectionWithAck{"c1", Some("why"), 4, 15},
		&CloseConnectionsWithAck{Some("why"), 5, []string{"c1"}, 16},
		&CloseUserConnectionsWithAck{"u1", Some("why"), 6, []string{"c1", "c2"}, 17},
		&CloseGroupConnectionsWithAck{"g1", Some("why"), 7, []string{"c1"}, 18},
		&ClientInvocation{"i1", "c1", "web1_a", payloads(), 19},
		&ClientCompletion{"i1", "c1", "web1_a", "json", []byte("{}\x1e"), 20},
		&ErrorCompletion{InvocationID: "i1", ConnectionID: "c1", CallerServerID: "web1_a", Error: "no", TracingID: 21},
		&ServiceMapping{"i1", "c1", "instance1"},
		&ConnectionReconnect{"c1"},
		&ConnectionFlowControl{"c1", ConnectionTypeClient, FlowControlResume},
		&GroupMemberQuery{"g1", 8, SomeInt(1000), Some("next"), SomeInt(200), true, 22},
		&RefreshAuth{"token", claims(), time.Unix(1893456000, 500).UTC(), 9},
		&GetConnectionClaims{"token", 10},
		&UpdateConnectionClaims{"c1", claims()},
	}
}

// layout says what the protocol's description says about the array of one type.
type layout struct {
	least     int   // elements of the shortest array that readers accept
	extension int   // index of the extension map; 0 for none
	keys      []int // keys that the extension map may hold
}

// layouts is written from the description, not from the code, so that the two check each other.
func layouts() map[Type]layout {
	send := []int{1, 4}
	trace := []int{1}
	return map[Type]layout{
		TypeHandshakeRequest:                {2, 5, nil},
		TypeHandshakeResponse:               {2, 2, nil},
		TypePing:                            {1, 0, nil},
		TypeOpenConnection:                  {3, 5, []int{1, 3}},
		TypeCloseConnection:                 {3, 4, trace},
		TypeConnectionData:                  {3, 3, []int{1, 5, 6}},
		TypeMultiConnectionData:             {3, 3, send},
		TypeUserData:                        {3, 3, send},
		TypeMultiUserData:                   {3, 3, send},
		TypeBroadcastData:                   {3, 3, send},
		TypeJoinGroup:                       {3, 3, trace},
		TypeLeaveGroup:                      {3, 3, trace},
		TypeGroupBroadcastData:              {4, 4, send},
		TypeMultiGroupBroadcastData:         {3, 3, send},
		TypeServiceError:                    {2, 0, nil},
		TypeUserJoinGroup:                   {3, 3, []int{1, 2}},
		TypeUserLeaveGroup:                  {3, 3, trace},
		TypeJoinGroupWithAck:                {4, 4, trace},
		TypeLeaveGroupWithAck:               {4, 4, trace},
		TypeAck:                             {4, 4, nil},
		TypeCheckUserInGroupWithAck:         {4, 4, trace},
		TypeServiceEvent:                    {6, 5, nil},
		TypeCheckGroupExistenceWithAck:      {3, 3, trace},
		TypeCheckConnectionExistenceWithAck: {3, 3, trace},
		TypeCheckUserExistenceWithAck:       {3, 3, trace},
		TypeUserJoinGroupWithAck:            {5, 4, []int{1, 2}},
		TypeUserLeaveGroupWithAck:           {5, 4, trace},
		TypeAccessKeyRequest:                {3, 3, nil},
		TypeAccessKeyResponse:               {5, 5, nil},
		TypeCloseConnectionWithAck:          {4, 4, trace},
		TypeCloseConnectionsWithAck:         {4, 4, trace},
		TypeCloseUserConnectionsWithAck:     {5, 5, trace},
		TypeCloseGroupConnectionsWithAck:    {5, 5, trace},
		TypeClientInvocation:                {6, 5, trace},
		TypeClientCompletion:                {7, 6, []int{1, 3}},
		TypeErrorCompletion:                 {6, 5, trace},
		TypeServiceMapping:                  {5, 4, nil},
		TypeConnectionReconnect:             {2, 2, nil},
		TypeConnectionFlowControl:           {4, 4, nil},
		TypeGroupMemberQuery:                {6, 1, trace},
		TypeRefreshAuth:                     {5, 5, nil},
		TypeGetConnectionClaims:             {3, 3, nil},
		TypeUpdateConnectionClaims:          {3, 3, nil},
	}
}
