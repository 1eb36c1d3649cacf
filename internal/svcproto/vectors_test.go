package svcproto

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// vector is one encoding of testdata/vectors.json: a body without its length prefix. The names say where it comes from:
// "compat/" are older layouts that readers must accept, "2024-03/" and "newer/" what SDKs write.
type vector struct {
	Name        string
	Description string
	Base64      string
}

func readVectors(tb testing.TB) []vector {
	tb.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		tb.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		tb.Fatal(err)
	}
	return vectors
}

func (v vector) body(tb testing.TB) []byte {
	tb.Helper()
	body, err := base64.StdEncoding.DecodeString(v.Base64)
	if err != nil {
		tb.Fatalf("%s: %v", v.Name, err)
	}
	return body
}

// TestVectors decodes every vector to the message that its description tells, and writes what SDKs write byte for byte.
func TestVectors(t *testing.T) {
	t.Parallel()
	want := vectorMessages()
	vectors := readVectors(t)
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			m, ok := want[v.Name]
			if !ok {
				t.Fatalf("no message is written down for this vector (%s)", v.Description)
			}
			body := v.body(t)
			got := decode(t, body)
			if diff := cmp.Diff(m, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
			frame := got.Append(nil)
			if !strings.HasPrefix(v.Name, "compat/") {
				if got := bodyOf(t, frame); string(got) != string(body) {
					t.Errorf("written as\n%x, want\n%x", got, body)
				}
				return
			}
			again := decode(t, bodyOf(t, frame))
			if diff := cmp.Diff(m, again, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("written in the current layout and decoded (-want +got):\n%s", diff)
			}
		})
	}
	if len(want) != len(vectors) {
		t.Errorf("%d messages are written down for %d vectors", len(want), len(vectors))
	}
}

// decode decodes a body that must be good.
func decode(tb testing.TB, body []byte) Message {
	tb.Helper()
	m, err := Decode(body)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// bodyOf cuts the length prefix off what must be exactly one frame.
func bodyOf(tb testing.TB, frame []byte) []byte {
	tb.Helper()
	body, size, _, err := Split(frame, 1<<30)
	if err != nil || size != len(frame) {
		tb.Fatalf("frame of %d bytes: split off %d, error %v", len(frame), size, err)
	}
	return body
}

func vectorMessages() map[string]Message {
	list := func(texts ...string) [][]byte {
		var l [][]byte
		for _, t := range texts {
			l = append(l, []byte(t))
		}
		return l
	}
	payloads := func(j, m string) []Payload {
		data := func(s string) []byte {
			b, err := hex.DecodeString(s)
			if err != nil {
				panic(err)
			}
			return b
		}
		return []Payload{{[]byte("json"), data(j)}, {[]byte("messagepack"), data(m)}}
	}
	data := []byte{1, 2, 3, 4, 5, 6, 7}
	toConnections := payloads("02030405060701", "03040506070102")
	toMost := payloads("06070102030405", "07010203040506")
	toAll := payloads("04050607010203", "05060701020304")
	toGroups := payloads("0102030405060708", "0708010203040506")
	userClaims := []Claim{{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", "user1"}}
	headers := []Header{
		{"header-key-1", []string{"header-value-1"}},
		{"header-key-2", []string{"heaer-value-2a", "header-value-2b"}},
		{"header-key-3", []string{"heaer-value-3a", "header-value-3b", "header-value-3c"}},
	}
	const query2 = "query1=value1&query2=query2&query3=value3"
	mismatch := &HandshakeResponse{Error: "Version mismatch."}

	return map[string]Message{
		"compat/CloseConnection":                                      &CloseConnection{ConnectionID: "conn3", ErrorIsNil: true},
		"compat/CloseConnectionWithError":                             &CloseConnection{ConnectionID: "conn4", Error: "Error message."},
		"compat/CloseConnectionWithHeaders":                           &CloseConnection{ConnectionID: "conn4", Error: "Error message.", Headers: []Header{{"foo", []string{"bar"}}}},
		"compat/HandshakeRequest":                                     &HandshakeRequest{Version: 1},
		"compat/HandshakeRequestWithProperty":                         &HandshakeRequest{Version: 1, ConnectionType: ConnectionOnDemand, Target: "abc"},
		"compat/HandshakeRequest_NoOptionalField":                     &HandshakeRequest{Version: 1},
		"compat/HandshakeRequestWithProperty_NoOptionalField":         &HandshakeRequest{Version: 1, ConnectionType: ConnectionOnDemand, Target: "abc"},
		"compat/HandshakeRequestWithMigratableStatus_NoOptionalField": &HandshakeRequest{Version: 1, MigrationLevel: MigrationLevelShutdownOnly},
		"compat/HandshakeResponse_NoOptionalField":                    &HandshakeResponse{},
		"compat/HandshakeResponse_NoConnectionId":                     &HandshakeResponse{},
		"compat/HandshakeResponseWithError_NoOptionalField":           mismatch,
		"compat/HandshakeResponseWithError_NoConnectionId":            mismatch,
		"compat/OpenConnection_NoOptionalField":                       &OpenConnection{ConnectionID: "conn1"},
		"compat/OpenConnectionWithClaims_NoOptionalField":             &OpenConnection{ConnectionID: "conn2", Claims: userClaims},
		"compat/OpenConnectionWithHeaders_NoOptionalField":            &OpenConnection{ConnectionID: "conn3", Headers: headers},
		"compat/OpenConnectionWithQueryString1_NoOptionalField":       &OpenConnection{ConnectionID: "conn4", Query: "query1=value1"},
		"compat/OpenConnectionWithQueryString2_NoOptionalField":       &OpenConnection{ConnectionID: "conn4", Query: query2},
		"compat/CloseConnection_NoOptionalField":                      &CloseConnection{ConnectionID: "conn3"},
		"compat/CloseConnectionWithError_NoOptionalField":             &CloseConnection{ConnectionID: "conn4", Error: "Error message."},
		"compat/ConnectionData_NoOptionalField":                       &ConnectionData{ConnectionID: []byte("conn5"), Payload: data},
		"compat/MultiConnectionData_NoOptionalField":                  &MultiConnectionData{ConnectionIDs: list("conn6", "conn7"), Payloads: toConnections},
		"compat/UserData_NoOptionalField":                             &UserData{UserID: []byte("user1"), Payloads: toMost},
		"compat/MultiUserData_NoOptionalField":                        &MultiUserData{UserIDs: list("user1", "user2"), Payloads: toMost},
		"compat/Broadcast_NoOptionalField":                            &BroadcastData{Payloads: toAll},
		"compat/BroadcastExcept_NoOptionalField":                      &BroadcastData{ExcludedConnectionIDs: list("conn7", "conn8", "conn9"), Payloads: toMost},
		"compat/JoinGroup_NoOptionalField":                            &JoinGroup{ConnectionID: "conn10", Group: "group1"},
		"compat/LeaveGroup_NoOptionalField":                           &LeaveGroup{ConnectionID: "conn11", Group: Some("group2")},
		"compat/UserJoinGroup_NoOptionalField":                        &UserJoinGroup{UserID: "conn10", Group: "group1"},
		"compat/UserLeaveGroup_NoOptionalField":                       &UserLeaveGroup{UserID: "conn11", Group: Some("group2")},
		"compat/GroupBroadcast_NoOptionalField":                       &GroupBroadcastData{Group: []byte("group3"), Payloads: toMost},
		"compat/GroupBroadcastExcept_NoOptionalField":                 &GroupBroadcastData{Group: []byte("group3"), ExcludedConnectionIDs: list("conn12", "conn13"), Payloads: toMost},
		"compat/MultiGroupBroadcast_NoOptionalField":                  &MultiGroupBroadcastData{Groups: list("group4", "group5"), Payloads: toGroups},
		"compat/JoinGroupWithAck_NoOptionalField":                     &JoinGroupWithAck{ConnectionID: "conn14", Group: "group1", AckID: 1},
		"compat/LeaveGroupWithAck_NoOptionalField":                    &LeaveGroupWithAck{ConnectionID: "conn15", Group: Some("group2"), AckID: 1},
		"compat/Ack_NoOptionalField":                                  &Ack{AckID: 1, Status: 100},
		"compat/AckWithMessage_NoOptionalField":                       &Ack{AckID: 2, Status: 101, Message: "Joined group successfully"},
		"compat/GroupBroadcastExcept":                                 &GroupBroadcastData{Group: []byte("group3"), ExcludedConnectionIDs: list("conn12", "conn13"), Payloads: toMost},
		"compat/GroupBroadcast":                                       &GroupBroadcastData{Group: []byte("group3"), Payloads: toMost},
		"compat/GroupBroadcastWithTracingId":                          &GroupBroadcastData{Group: []byte("group3"), Payloads: toMost, TracingID: 1234},

		"2024-03/HandshakeRequest":                     &HandshakeRequest{Version: 1},
		"2024-03/HandshakeRequestWithProperty":         &HandshakeRequest{Version: 1, ConnectionType: ConnectionOnDemand, Target: "abc"},
		"2024-03/HandshakeRequestWithMigratableStatus": &HandshakeRequest{Version: 1, MigrationLevel: MigrationLevelShutdownOnly},
		"2024-03/HandshakeResponse":                    &HandshakeResponse{},
		"2024-03/HandshakeResponseWithError":           mismatch,
		"2024-03/HandshakeResponseWithConnectionId":    &HandshakeResponse{ConnectionID: Some("abc")},
		"2024-03/AccessKeyRequestMessage":              &AccessKeyRequest{Token: "token"},
		"2024-03/AccessKeyRequestMessageWithKid":       &AccessKeyRequest{Token: "token", KeyID: Some("kid")},
		"2024-03/AccessKeyResponseMessage":             &AccessKeyResponse{KeyID: Some("kid"), AccessKey: Some("key")},
		"2024-03/AccessKeyResponseMessageWithException": &AccessKeyResponse{
			ErrorType: Some("ArgumentNullException"), ErrorMessage: Some("Value cannot be null. (Parameter 'token invalid')"),
		},
		"2024-03/Ping":                              &Ping{},
		"2024-03/Ping+":                             &Ping{Values: []PingValue{{"a", "b"}}},
		"2024-03/OpenConnection":                    &OpenConnection{ConnectionID: "conn1"},
		"2024-03/OpenConnectionWithTracingId":       &OpenConnection{ConnectionID: "conn1", TracingID: 888},
		"2024-03/OpenConnectionWithClaims":          &OpenConnection{ConnectionID: "conn2", Claims: userClaims},
		"2024-03/OpenConnectionWithHeaders":         &OpenConnection{ConnectionID: "conn3", Headers: headers},
		"2024-03/OpenConnectionWithQueryString1":    &OpenConnection{ConnectionID: "conn4", Query: "query1=value1"},
		"2024-03/OpenConnectionWithQueryString2":    &OpenConnection{ConnectionID: "conn4", Query: query2},
		"2024-03/OpenConnection_WithProtocol":       &OpenConnection{ConnectionID: "conn1", Protocol: "json"},
		"2024-03/CloseConnection":                   &CloseConnection{ConnectionID: "conn3"},
		"2024-03/CloseConnectionWithError":          &CloseConnection{ConnectionID: "conn4", Error: "Error message."},
		"2024-03/CloseConnectionWithTracingId":      &CloseConnection{ConnectionID: "conn4", TracingID: 123},
		"2024-03/ConnectionData":                    &ConnectionData{ConnectionID: []byte("conn5"), Payload: data},
		"2024-03/ConnectionData_WithTypeAndPartial": &ConnectionData{ConnectionID: []byte("conn6"), Payload: data, DataMessageType: DataMessageTypeInvocation, Partial: true},
		"2024-03/ConnectionReconnect":               &ConnectionReconnect{ConnectionID: "conn7"},
		"2024-03/MultiConnectionData":               &MultiConnectionData{ConnectionIDs: list("conn6", "conn7"), Payloads: toConnections},
		"2024-03/UserData":                          &UserData{UserID: []byte("user1"), Payloads: toMost},
		"2024-03/MultiUserData":                     &MultiUserData{UserIDs: list("user1", "user2"), Payloads: toMost},
		"2024-03/Broadcast":                         &BroadcastData{Payloads: toAll},
		"2024-03/BroadcastExcept":                   &BroadcastData{ExcludedConnectionIDs: list("conn7", "conn8", "conn9"), Payloads: toMost},
		"2024-03/JoinGroup":                         &JoinGroup{ConnectionID: "conn10", Group: "group1"},
		"2024-03/LeaveGroup":                        &LeaveGroup{ConnectionID: "conn11", Group: Some("group2")},
		"2024-03/UserJoinGroup":                     &UserJoinGroup{UserID: "conn10", Group: "group1"},
		"2024-03/UserJoinGroupWithTtl":              &UserJoinGroup{UserID: "conn10", Group: "group1", TTL: SomeInt(100)},
		"2024-03/UserLeaveGroup":                    &UserLeaveGroup{UserID: "conn11", Group: Some("group2")},
		"2024-03/GroupBroadcast":                    &GroupBroadcastData{Group: []byte("group3"), Payloads: toMost},
		"2024-03/GroupBroadcastExcept":              &GroupBroadcastData{Group: []byte("group3"), ExcludedConnectionIDs: list("conn12", "conn13"), Payloads: toMost},
		"2024-03/GroupBroadcastExceptUser": &GroupBroadcastData{
			Group: []byte("group3"), ExcludedConnectionIDs: list("conn12", "conn13"), Payloads: toMost,
			ExcludedUserIDs: list("user1", "user2"), CallerUserID: []byte("user3"),
		},
		"2024-03/GroupBroadcastWithTracingId":                     &GroupBroadcastData{Group: []byte("group3"), Payloads: toMost, TracingID: 1234},
		"2024-03/MultiGroupBroadcast":                             &MultiGroupBroadcastData{Groups: list("group4", "group5"), Payloads: toGroups},
		"2024-03/ServiceError":                                    &ServiceError{Error: "Maximum message count limit reached: 100000"},
		"2024-03/JoinGroupWithAck":                                &JoinGroupWithAck{ConnectionID: "conn14", Group: "group1", AckID: 1},
		"2024-03/LeaveGroupWithAck":                               &LeaveGroupWithAck{ConnectionID: "conn15", Group: Some("group2"), AckID: 1},
		"2024-03/Ack":                                             &Ack{AckID: 1, Status: 100},
		"2024-03/AckWithMessage":                                  &Ack{AckID: 2, Status: 101, Message: "Joined group successfully"},
		"2024-03/ConnectionDataWithTracingId":                     &ConnectionData{ConnectionID: []byte("conn5"), Payload: data, TracingID: 1234},
		"2024-03/MultiConnectionDataWithTracingId":                &MultiConnectionData{ConnectionIDs: list("conn6", "conn7"), Payloads: toConnections, TracingID: 1234},
		"2024-03/UserDataWithTracingId":                           &UserData{UserID: []byte("user1"), Payloads: toMost, TracingID: 1234},
		"2024-03/MultiUserDataWithTracingId":                      &MultiUserData{UserIDs: list("user1", "user2"), Payloads: toMost, TracingID: 1234},
		"2024-03/BroadcastWithTracingId":                          &BroadcastData{Payloads: toAll, TracingID: 1234},
		"2024-03/JoinGroupWithTracingId":                          &JoinGroup{ConnectionID: "conn10", Group: "group1", TracingID: 1234},
		"2024-03/LeaveGroupWithTracingId":                         &LeaveGroup{ConnectionID: "conn11", Group: Some("group2"), TracingID: 1234},
		"2024-03/UserJoinGroupWithTracingId":                      &UserJoinGroup{UserID: "conn10", Group: "group1", TracingID: 1234},
		"2024-03/UserLeaveGroupWithTracingId":                     &UserLeaveGroup{UserID: "conn11", Group: Some("group2"), TracingID: 1234},
		"2024-03/MultiGroupBroadcastWithTracingId":                &MultiGroupBroadcastData{Groups: list("group4", "group5"), Payloads: toGroups, TracingID: 1234},
		"2024-03/JoinGroupWithAckWithTracingId":                   &JoinGroupWithAck{ConnectionID: "conn14", Group: "group1", AckID: 1, TracingID: 1234},
		"2024-03/LeaveGroupWithAckWithTracingId":                  &LeaveGroupWithAck{ConnectionID: "conn15", Group: Some("group2"), AckID: 1, TracingID: 1234},
		"2024-03/UserJoinGroupWithAckWithTracingId":               &UserJoinGroupWithAck{UserID: "conn14", Group: "group1", AckID: 1, TTL: SomeInt(666), TracingID: 1234},
		"2024-03/UserLeaveGroupWithAckWithTracingId":              &UserLeaveGroupWithAck{UserID: "conn15", Group: Some("group2"), AckID: 1, TracingID: 1234},
		"2024-03/CheckUserInGroupWithAckWithMessage":              &CheckUserInGroupWithAck{UserID: "user", Group: "group", AckID: 3, TracingID: 1234},
		"2024-03/ServiceWarningMessage":                           &ServiceEvent{ObjectType: ServiceEventUser, ID: "abc", Kind: ServiceEventNotExisted, Message: "User abc is not existed."},
		"2024-03/CheckGroupExistenceWithAckMessage":               &CheckGroupExistenceWithAck{Group: "group", AckID: 0, TracingID: 3},
		"2024-03/CheckConnectionExistenceWithAckMessage":          &CheckConnectionExistenceWithAck{ConnectionID: "connId", AckID: 1, TracingID: 2},
		"2024-03/CheckUserExistenceWithAckMessage":                &CheckUserExistenceWithAck{UserID: "uid", AckID: 4, TracingID: 23},
		"2024-03/CloseConnectionWithAckMessage":                   &CloseConnectionWithAck{ConnectionID: "conn1", AckID: 1},
		"2024-03/CloseConnectionWithAckMessage_WithOptional":      &CloseConnectionWithAck{ConnectionID: "conn1", Reason: Some("detail"), AckID: 1, TracingID: 1},
		"2024-03/CloseConnectionsWithAckMessage":                  &CloseConnectionsWithAck{AckID: 1},
		"2024-03/CloseConnectionsWithAckMessage_WithOptional":     &CloseConnectionsWithAck{AckID: 1, ExcludedConnectionIDs: []string{"connId"}, TracingID: 1},
		"2024-03/CloseUserConnectionsWithAckMessage":              &CloseUserConnectionsWithAck{UserID: "user1", AckID: 1},
		"2024-03/CloseUserConnectionsWithAckMessage_WithOptional": &CloseUserConnectionsWithAck{UserID: "conn1", Reason: Some("detail"), AckID: 1, TracingID: 1},
		"2024-03/CloseGroupConnectionsWithAckMessage":             &CloseGroupConnectionsWithAck{Group: "group1", AckID: 1},
		"2024-03/CloseGroupConnectionsWithAckMessage_WithOptional": &CloseGroupConnectionsWithAck{
			Group: "group1", Reason: Some("detail"), AckID: 1, TracingID: 1,
		},
		"2024-03/ClientInvocationMessage": &ClientInvocation{InvocationID: "invocationId", ConnectionID: "conn1", CallerServerID: "server1", Payloads: toConnections},
		"2024-03/ClientCompletionMessage": &ClientCompletion{
			InvocationID: "invocationId", ConnectionID: "conn1", CallerServerID: "server1", Protocol: "json",
			Payload: []byte{2, 3, 4, 5, 6, 7, 1},
		},
		"2024-03/ErrorCompletionMessage": &ErrorCompletion{InvocationID: "invocationId", ConnectionID: "conn1", CallerServerID: "server1", Error: "invocation failed."},
		"2024-03/ServiceMappingMessage":  &ServiceMapping{InvocationID: "invocationId", ConnectionID: "conn1", InstanceID: "instance1"},

		"newer/HandshakeRequest":                       &HandshakeRequest{Version: 1, HasAllowStatefulReconnects: true},
		"newer/HandshakeRequestWithProperty":           &HandshakeRequest{Version: 1, ConnectionType: ConnectionOnDemand, Target: "abc", HasAllowStatefulReconnects: true},
		"newer/HandshakeRequestWithMigratableStatus":   &HandshakeRequest{Version: 1, MigrationLevel: MigrationLevelShutdownOnly, HasAllowStatefulReconnects: true},
		"newer/HandshakeRequestWithStatefulReconnects": &HandshakeRequest{Version: 1, AllowStatefulReconnects: true, HasAllowStatefulReconnects: true},
		"newer/AckWithPayload":                         &Ack{AckID: 2, Status: 0, Payload: []byte{1, 2, 3}, HasPayload: true},
		"newer/FlowControl_PauseClient":                &ConnectionFlowControl{ConnectionID: "conn1", ConnectionType: ConnectionTypeClient, Operation: FlowControlPause},
		"newer/FlowControl_OfflineServer":              &ConnectionFlowControl{ConnectionID: "conn2", ConnectionType: ConnectionTypeServer, Operation: FlowControlOffline},
		"newer/GroupMemberQuery_6Elements":             &GroupMemberQuery{Group: "group", AckID: 1, Top: SomeInt(10), ContinuationToken: Some("token"), TracingID: 1234},
		"newer/RefreshAuth_MaxTime":                    &RefreshAuth{ConnectionToken: "t", ExpireTime: time.Date(9999, 12, 31, 23, 59, 59, 999999900, time.UTC), AckID: 1},
		"newer/RefreshAuth_64BitTime":                  &RefreshAuth{ConnectionToken: "t", ExpireTime: time.Unix(1893456000, 100).UTC(), AckID: 1},
		"newer/GetConnectionClaims":                    &GetConnectionClaims{ConnectionToken: "tok", AckID: 300},
		"newer/UpdateConnectionClaims_None":            &UpdateConnectionClaims{ConnectionID: "c1"},
	}
}
