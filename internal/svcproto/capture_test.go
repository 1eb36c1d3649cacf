package svcproto

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// capturedFrame is one frame that a real SDK sent or understood. The fields were decoded by another program.
type capturedFrame struct {
	Dir    string         // "A>S" or "S>A"
	Type   Type           // of the message
	Name   string         // of the type
	Fields map[string]any // by their names in the capture
	Raw    []byte         // whole frame
}

func readCaptures(tb testing.TB) map[string][]capturedFrame {
	tb.Helper()
	files, err := filepath.Glob("testdata/captures/*.jsonl")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no captures (error %v)", err)
	}
	captures := make(map[string][]capturedFrame)
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			tb.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var c capturedFrame
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				tb.Fatalf("%s: %v", file, err)
			}
			captures[filepath.Base(file)] = append(captures[filepath.Base(file)], c)
		}
		if err := lines.Err(); err != nil {
			tb.Fatalf("%s: %v", file, err)
		}
	}
	return captures
}

// TestCaptures reads every frame of the captures, compares its fields, and writes it back byte for byte.
func TestCaptures(t *testing.T) {
	t.Parallel()
	for file, frames := range readCaptures(t) {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			for i, frame := range frames {
				got := decode(t, bodyOf(t, frame.Raw))
				if got.Type() != frame.Type || got.Type().String() != frame.Name {
					t.Errorf("frame %d: type %d (%s), want %d (%s)", i, got.Type(), got.Type(), frame.Type, frame.Name)
				}
				if diff := cmp.Diff(frame.Fields, capturedFields(t, got)); diff != "" {
					t.Errorf("frame %d, %s: fields (-want +got):\n%s", i, frame.Name, diff)
				}
				if written := got.Append(nil); !bytes.Equal(written, frame.Raw) {
					t.Errorf("frame %d, %s: written as\n%x, want\n%x", i, frame.Name, written, frame.Raw)
				}
			}
		})
	}
}

// capturedFields names the fields of a message as the captures do.
func capturedFields(tb testing.TB, m Message) map[string]any {
	tb.Helper()
	type fields = map[string]any
	ext := func(tracingID uint64, more fields) fields {
		if more == nil {
			more = fields{}
		}
		if tracingID != 0 {
			more["tracingId"] = tracingID
		}
		return more
	}
	ttl := func(ttl OptionalInt) fields {
		if !ttl.Valid {
			return nil
		}
		return fields{"ttl": ttl.Value}
	}
	texts := func(list [][]byte) []string {
		s := []string{}
		for _, v := range list {
			s = append(s, string(v))
		}
		return s
	}
	optional := func(s OptionalString) any {
		if !s.Valid {
			return nil
		}
		return s.Value
	}
	orNil := func(s string, isNil bool) any { return optional(OptionalString{Value: s, Valid: !isNil}) }
	data := func(b []byte) any {
		if utf8.Valid(b) {
			return string(b)
		}
		return fields{"base64": base64.StdEncoding.EncodeToString(b)}
	}
	payloads := func(list []Payload) fields {
		f := fields{}
		for _, p := range list {
			f[string(p.Protocol)] = data(p.Data)
		}
		return f
	}
	headers := func(list []Header) []any {
		h := []any{}
		for _, v := range list {
			h = append(h, []any{v.Name, v.Values})
		}
		return h
	}

	var f fields
	switch m := m.(type) {
	case *HandshakeRequest:
		f = fields{
			"version": m.Version, "connectionType": m.ConnectionType, "target": m.Target, "migrationLevel": m.MigrationLevel,
			"ext": ext(0, nil),
		}
		if m.HasAllowStatefulReconnects {
			f["allowStatefulReconnects"] = m.AllowStatefulReconnects
		}
	case *HandshakeResponse:
		f = fields{"errorMessage": orNil(m.Error, m.ErrorIsNil), "ext": ext(0, nil), "connectionId": optional(m.ConnectionID)}
	case *Ping:
		pairs := []any{}
		for _, v := range m.Values {
			pairs = append(pairs, []any{v.Key, v.Value})
		}
		f = fields{"pairs": pairs}
	case *OpenConnection:
		claims := []any{}
		for _, c := range m.Claims {
			claims = append(claims, []any{c.Type, c.Value})
		}
		f = fields{
			"connectionId": m.ConnectionID, "claims": claims, "headers": headers(m.Headers), "queryString": m.Query,
			"ext": ext(m.TracingID, fields{"protocol": m.Protocol}),
		}
	case *CloseConnection:
		f = fields{
			"connectionId": m.ConnectionID, "errorMessage": orNil(m.Error, m.ErrorIsNil), "headers": headers(m.Headers),
			"ext": ext(m.TracingID, nil),
		}
	case *ConnectionData:
		more := fields{}
		if m.DataMessageType != DataMessageTypeUnknown {
			more["dataMessageType"] = m.DataMessageType
		}
		if m.Partial {
			more["isPartial"] = true
		}
		f = fields{"connectionId": string(m.ConnectionID), "payload": data(m.Payload), "ext": ext(m.TracingID, more)}
	case *MultiConnectionData:
		f = fields{"connectionIds": texts(m.ConnectionIDs), "payloads": payloads(m.Payloads), "ext": ext(m.TracingID, nil)}
	case *UserData:
		f = fields{"userId": string(m.UserID), "payloads": payloads(m.Payloads), "ext": ext(m.TracingID, nil)}
	case *MultiUserData:
		f = fields{"userIds": texts(m.UserIDs), "payloads": payloads(m.Payloads), "ext": ext(m.TracingID, nil)}
	case *BroadcastData:
		f = fields{"excluded": texts(m.ExcludedConnectionIDs), "payloads": payloads(m.Payloads), "ext": ext(m.TracingID, nil)}
	case *GroupBroadcastData:
		f = fields{
			"group": string(m.Group), "excluded": texts(m.ExcludedConnectionIDs), "payloads": payloads(m.Payloads),
			"ext": ext(m.TracingID, nil), "excludedUserIds": texts(m.ExcludedUserIDs),
			"callerUserId": orNil(string(m.CallerUserID), m.CallerUserID == nil),
		}
	case *MultiGroupBroadcastData:
		f = fields{"groups": texts(m.Groups), "payloads": payloads(m.Payloads), "ext": ext(m.TracingID, nil)}
	case *JoinGroupWithAck:
		f = fields{"connectionId": m.ConnectionID, "group": m.Group, "ackId": m.AckID, "ext": ext(m.TracingID, nil)}
	case *LeaveGroupWithAck:
		f = fields{"connectionId": m.ConnectionID, "group": optional(m.Group), "ackId": m.AckID, "ext": ext(m.TracingID, nil)}
	case *Ack:
		f = fields{"ackId": m.AckID, "status": m.Status, "message": orNil(m.Message, m.MessageIsNil), "ext": ext(0, nil)}
	case *CheckUserInGroupWithAck:
		f = fields{"userId": m.UserID, "group": m.Group, "ackId": m.AckID, "ext": ext(m.TracingID, nil)}
	case *CheckGroupExistenceWithAck:
		f = fields{"group": m.Group, "ackId": m.AckID, "ext": ext(m.TracingID, nil)}
	case *CheckConnectionExistenceWithAck:
		f = fields{"connectionId": m.ConnectionID, "ackId": m.AckID, "ext": ext(m.TracingID, nil)}
	case *CheckUserExistenceWithAck:
		f = fields{"userId": m.UserID, "ackId": m.AckID, "ext": ext(m.TracingID, nil)}
	case *UserJoinGroupWithAck:
		f = fields{"userId": m.UserID, "group": m.Group, "ackId": m.AckID, "ext": ext(m.TracingID, ttl(m.TTL))}
	case *UserLeaveGroupWithAck:
		f = fields{"userId": m.UserID, "group": optional(m.Group), "ackId": m.AckID, "ext": ext(m.TracingID, nil)}
	case *ClientInvocation:
		f = fields{
			"invocationId": m.InvocationID, "connectionId": m.ConnectionID, "callerServerId": m.CallerServerID,
			"payloads": payloads(m.Payloads), "ext": ext(m.TracingID, nil),
		}
	case *ClientCompletion:
		f = fields{
			"invocationId": m.InvocationID, "connectionId": m.ConnectionID, "callerServerId": m.CallerServerID,
			"protocol": m.Protocol, "payload": data(m.Payload), "ext": ext(m.TracingID, fields{"protocol": m.Protocol}),
		}
	default:
		tb.Fatalf("%s: the captures had none of this type when this was written; add its fields", m.Type())
	}

	// A turn through JSON gives every value the Go type that the capture's values have.
	encoded, err := json.Marshal(f)
	if err != nil {
		tb.Fatal(err)
	}
	var plain fields
	if err := json.Unmarshal(encoded, &plain); err != nil {
		tb.Fatal(err)
	}
	return plain
}
