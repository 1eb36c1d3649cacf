package svcproto

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// TestFrames reads and writes whole frames that were made by hand, element by element, from the description of the
// protocol.
func TestFrames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		hex     string
		want    Message
		written string // what Append makes of it, where that is another form of the same message
	}{
		{name: "handshake request of March 2024", hex: "0796010100a00080", want: &HandshakeRequest{Version: 1}},
		{
			name: "handshake request, on demand", hex: "0b97010101a3692d370180c3",
			want: &HandshakeRequest{1, ConnectionOnDemand, "i-7", MigrationLevelShutdownOnly, true, true},
		},
		{name: "handshake accepted", hex: "099402a080a473632d31", want: &HandshakeResponse{ConnectionID: Some("sc-1")}},
		{
			name: "handshake refused", hex: "229402bd556e737570706f727465642070726f746f636f6c2076657273696f6e2e80c0",
			want: &HandshakeResponse{Error: "Unsupported protocol version."},
		},
		{name: "ping, empty", hex: "029103", want: &Ping{}},
		{
			name: "ping, keep-alive with counts", hex: "1b9503ac23636c69656e74496e487562a133a723636c69656e74a132",
			want: &Ping{[]PingValue{{PingClientInHub, "3"}, {PingClient, "2"}}},
		},
		{
			name: "ping, status with metrics",
			hex:  "369903a6737461747573a131ab636c69656e74636f756e74a23132ab736572766572636f756e74a135a86361706163697479a431303030",
			want: &Ping{[]PingValue{{PingStatus, "1"}, {PingClientCount, "12"}, {PingServerCount, "5"}, {PingCapacity, "1000"}}},
		},
		{
			name: "ping, servers", hex: "2c9303a773657276657273d9203633383430303030303030303030303030303a776562315f613b776562325f62",
			want: &Ping{[]PingValue{{PingServers, "638400000000000000:web1_a;web2_b"}}},
		},
		{
			name: "ping, shutdown", hex: "119303a873687574646f776ea566696e3a32",
			want: &Ping{[]PingValue{{PingShutdown, PingShutdownWaitForClients}}},
		},
		{
			name: "ping, shutdown acknowledged", hex: "129303a873687574646f776ea666696e61636b",
			want: &Ping{[]PingValue{{PingShutdown, PingShutdownAck}}},
		},
		{
			name: "open connection",
			hex: "769604a2633181d944687474703a2f2f736368656d61732e786d6c736f61702e6f72672f77732f323030352f30352f6964656e746974792f" +
				"636c61696d732f6e616d656964656e746966696572a2753181b0417372732d496e7374616e63652d496491a26931a93f6875623d636861748103a46a736f6e",
			want: &OpenConnection{
				ConnectionID: "c1",
				Claims:       []Claim{{"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", "u1"}},
				Headers:      []Header{{HeaderInstanceID, []string{"i1"}}},
				Query:        "?hub=chat",
				Protocol:     "json",
			},
		},
		{
			name: "connection data, handshake", hex: "2a9406a26331c4207b2270726f746f636f6c223a226a736f6e222c2276657273696f6e223a317d1e810501",
			want: &ConnectionData{
				ConnectionID: []byte("c1"), Payload: []byte(`{"protocol":"json","version":1}` + "\x1e"),
				DataMessageType: DataMessageTypeHandshake,
			},
		},
		{
			name: "connection data, handshake response", hex: "0b9406a26331c4037b7d1e80",
			want: &ConnectionData{ConnectionID: []byte("c1"), Payload: []byte("{}\x1e")},
		},
		{
			name: "connection data, partial", hex: "169406a26331c40a7b2274797065223a312c82050206c3",
			want: &ConnectionData{
				ConnectionID: []byte("c1"), Payload: []byte(`{"type":1,`),
				DataMessageType: DataMessageTypeInvocation, Partial: true,
			},
		},
		{
			name: "connection data, prefix of two bytes", hex: "d0019406a26331c4c8" + strings.Repeat("61", 200) + "80",
			want: &ConnectionData{ConnectionID: []byte("c1"), Payload: bytes.Repeat([]byte("a"), 200)},
		},
		{
			name: "close connection, migrated", hex: "209505a26331a081af417372732d4d6967726174652d546f91a6776562325f6280",
			want: &CloseConnection{ConnectionID: "c1", Headers: []Header{{HeaderMigrateTo, []string{"web2_b"}}}},
		},
		{
			name: "broadcast", hex: "3a940a91a2633981a46a736f6ec42b7b2274797065223a312c22746172676574223a226869222c22617267756d656e7473223a5b2261225d7d1e80",
			want: &BroadcastData{
				ExcludedConnectionIDs: [][]byte{[]byte("c9")},
				Payloads:              []Payload{{[]byte("json"), []byte(`{"type":1,"target":"hi","arguments":["a"]}` + "\x1e")}},
			},
		},
		{
			name: "user joins for a minute", hex: "0b9410a27531a2673181023c",
			want: &UserJoinGroup{UserID: "u1", Group: "g1", TTL: SomeInt(60)},
		},
		{
			name: "join with ack", hex: "0e9512a26331a26731cd012c810107",
			want: &JoinGroupWithAck{ConnectionID: "c1", Group: "g1", AckID: 300, TracingID: 7},
		},
		{name: "ack", hex: "089514cd012c01a080", want: &Ack{AckID: 300, Status: AckOK}},
		{
			name: "member query", hex: "0b972880a2673109c0c0ccc8",
			want: &GroupMemberQuery{Group: "g1", AckID: 9, MaxPageSize: SomeInt(200), HasMaxPageSize: true},
		},
		{
			name: "ack to member query", hex: "1796140901a080c40f929292a26331a2753192a26332c0c0",
			want: &Ack{AckID: 9, Status: AckOK, Payload: unhex(t, "929292a26331a2753192a26332c0c0"), HasPayload: true},
		},
		{
			name: "pause in the short form", hex: "089527a26331010180",
			want:    &ConnectionFlowControl{"c1", ConnectionTypeClient, FlowControlPause},
			written: "109527a26331d200000001d20000000180",
		},
		{
			name: "client invocation",
			hex: "5d9622a663312d782d31a26331a6776562315f6181a46a736f6ec4417b2274797065223a312c22696e766f636174696f6e4964223a2263312d782d31222c" +
				"22746172676574223a2261736b222c22617267756d656e7473223a5b5d7d1e80",
			want: &ClientInvocation{
				InvocationID: "c1-x-1", ConnectionID: "c1", CallerServerID: "web1_a",
				Payloads: []Payload{{[]byte("json"), []byte(`{"type":1,"invocationId":"c1-x-1","target":"ask","arguments":[]}` + "\x1e")}},
			},
		},
		{name: "service mapping", hex: "109525a663312d782d31a26331a2693280", want: &ServiceMapping{"c1-x-1", "c1", "i2"}},
		{
			name: "access key response, error", hex: "22961dc0c0a9466f7262696464656eb26e6f20726f6c652061737369676e6d656e7480",
			want: &AccessKeyResponse{ErrorType: Some("Forbidden"), ErrorMessage: Some("no role assignment")},
		},
		{
			name: "refresh", hex: "109629a4746f6b3180d6ff70dbd8800c80",
			want: &RefreshAuth{ConnectionToken: "tok1", ExpireTime: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), AckID: 12},
		},
		{
			name: "update claims, one type twice", hex: "15942ba2633182a4726f6c65a161a4726f6c65a16280",
			want: &UpdateConnectionClaims{"c1", []Claim{{"role", "a"}, {"role", "b"}}},
		},
		{
			name: "service error", hex: "2f920fd92b4d6178696d756d206d65737361676520636f756e74206c696d697420726561636865643a20313030303030",
			want: &ServiceError{"Maximum message count limit reached: 100000"},
		},
		{name: "ack with an absent payload", hex: "0796140101c080c0", want: &Ack{AckID: 1, Status: AckOK, MessageIsNil: true, HasPayload: true}},
		{
			name: "nil lists, maps and payloads", hex: "08940ac081a16ac080",
			want:    &BroadcastData{Payloads: []Payload{{Protocol: []byte("j")}}},
			written: "09940a9081a16ac40080",
		},
		{name: "ping with a key that lacks its value", hex: "089403a161a162a163", want: &Ping{[]PingValue{{"a", "b"}}}, written: "069303a161a162"},
		{name: "ping with nil", hex: "059303a161c0", want: &Ping{[]PingValue{{"a", ""}}}, written: "059303a161a0"},
		{name: "completion without a protocol", hex: "0d9723a169a163a173c0c4017880", want: &ClientCompletion{InvocationID: "i", ConnectionID: "c", CallerServerID: "s", Payload: []byte("x")}},
		{
			name: "completion with two protocols", hex: "109723a169a163a173a16ac4008103a16d",
			want:    &ClientCompletion{InvocationID: "i", ConnectionID: "c", CallerServerID: "s", Protocol: "m"},
			written: "109723a169a163a173a16dc4008103a16d",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			frame := unhex(t, tt.hex)
			if tt.written == "" {
				tt.written = tt.hex
			}
			body, size, _, err := Split(frame, 1<<20)
			if err != nil || size != len(frame) {
				t.Fatalf("split off %d of %d bytes, error %v", size, len(frame), err)
			}
			got := decode(t, body)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
			if got := hex.EncodeToString(got.Append(nil)); got != tt.written {
				t.Errorf("written as\n%s, want\n%s", got, tt.written)
			}
			// Behind other bytes, and with no room to spare, a frame must come out the same.
			dst := append(make([]byte, 0, 3), "abc"...)
			if got := hex.EncodeToString(decode(t, body).Append(dst)); got != "616263"+tt.written {
				t.Errorf("appended as\n%s, want\n%s", got, "616263"+tt.written)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	const limit = 1 << 21
	frame := func(prefix string, size int) []byte {
		return append(unhex(t, prefix), bytes.Repeat([]byte{0x90}, size)...)
	}
	tests := []struct {
		name    string
		in      []byte
		size    int
		needed  int
		wantErr string
	}{
		{name: "nothing"},
		{name: "empty body", in: frame("00", 0), size: 1},
		{name: "one byte", in: frame("01", 1), size: 2},
		{name: "more behind", in: frame("01", 5), size: 2},
		{name: "body missing", in: frame("02", 0), needed: 3},
		{name: "body cut", in: frame("02", 1), needed: 3},
		{name: "largest of one byte", in: frame("7f", 127), size: 128},
		{name: "prefix cut", in: frame("80", 0)},
		{name: "smallest of two bytes", in: frame("8001", 128), size: 130},
		{name: "largest of two bytes", in: frame("ff7f", 16383), size: 16385},
		{name: "smallest of three bytes", in: frame("808001", 16384), size: 16387},
		{name: "three bytes, body cut", in: frame("ffff7f", 10), needed: 2097154},
		{name: "prefix longer than it must be", in: frame("81808000", 1), size: 5},
		{name: "at the limit", in: frame("80808001", 0), needed: 2097156},
		{name: "over the limit", in: frame("81808001", 0), wantErr: "declares a body of 2097153 bytes, allowed are 2097152"},
		{name: "largest of all", in: frame("ffffffff07", 0), wantErr: "declares a body of 2147483647 bytes"},
		{name: "over 31 bits", in: frame("ffffffff08", 0), wantErr: "declares more than 2147483647 bytes"},
		{name: "prefix of four bytes, cut", in: frame("ffffffff", 0)},
		{name: "prefix of six bytes", in: frame("808080808000", 0), wantErr: "longer than 5 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body, size, needed, err := Split(tt.in, limit)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if size != tt.size || needed != tt.needed {
				t.Errorf("size %d, needed %d; want %d, %d", size, needed, tt.size, tt.needed)
			}
			if size > 0 && (body == nil || len(body) > size) {
				t.Errorf("body of %d bytes in a frame of %d", len(body), size)
			}
			if cap(body) != len(body) {
				t.Errorf("body has room for %d bytes beyond its end", cap(body)-len(body))
			}
		})
	}
}

// TestPrefix writes frames around every size where the prefix grows, with hints that are right, too small and too large.
func TestPrefix(t *testing.T) {
	t.Parallel()
	for _, size := range []int{2, 126, 127, 128, 129, 16383, 16384, 16385, 2097151, 2097152} {
		for _, hint := range []int{0, 1, 127, 128, size - 1, size, size + 1, 20000, 3000000} {
			content := bytes.Repeat([]byte{0xc0}, size-2)
			dst, mark := begin([]byte("before"), hint, TypePing, 0)
			dst = end(append(dst, content...), mark)
			body, n, _, err := Split(dst[len("before"):], 1<<22)
			if err != nil || n != len(dst)-len("before") || len(body) != size {
				t.Fatalf("size %d, hint %d: split off %d of %d bytes, body %d, error %v", size, hint, n, len(dst), len(body), err)
			}
			if n != prefixSize(size)+size || !bytes.HasPrefix(dst, []byte("before")) || !bytes.Equal(body[2:], content) {
				t.Fatalf("size %d, hint %d: wrong frame", size, hint)
			}
		}
	}
}
