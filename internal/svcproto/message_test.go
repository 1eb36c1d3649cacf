package svcproto

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tinylib/msgp/msgp"
)

// TestEveryType makes sure that the tests below see all types and all fields.
func TestEveryType(t *testing.T) {
	t.Parallel()
	messages := everyMessage()
	if len(messages) != int(TypeUpdateConnectionClaims) {
		t.Fatalf("%d messages for %d types", len(messages), int(TypeUpdateConnectionClaims))
	}
	for i, m := range messages {
		if want := Type(i + 1); m.Type() != want {
			t.Errorf("message %d is of type %s, want %s", i, m.Type(), want)
		}
		if got := newMessage(m.Type()); reflect.TypeOf(got) != reflect.TypeOf(m) {
			t.Errorf("newMessage(%s) is a %T", m.Type(), got)
		}
		if got := reflect.TypeOf(m).Elem().Name(); got != m.Type().String() {
			t.Errorf("%s has the name %q", got, m.Type())
		}
		v := reflect.ValueOf(m).Elem()
		for f := range v.NumField() {
			name := v.Type().Field(f).Name
			if v.Field(f).IsZero() && !strings.HasSuffix(name, "IsNil") {
				t.Errorf("%s: field %s is not set, so nothing tests it", m.Type(), name)
			}
		}
	}
	for _, unknown := range []Type{-1, 0, 44, 1000} {
		if m := newMessage(unknown); m != nil {
			t.Errorf("newMessage(%d) is a %T", unknown, m)
		}
	}
}

// TestRoundTrip decodes what Append wrote, into new values and into ones that held something else before.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, m := range everyMessage() {
		t.Run(m.Type().String(), func(t *testing.T) {
			t.Parallel()
			body := bodyOf(t, m.Append(nil))
			got := decode(t, body)
			if diff := cmp.Diff(m, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("into a new value (-want +got):\n%s", diff)
			}

			// An empty message must leave nothing of the one before, and must itself be readable.
			empty := newMessage(m.Type())
			if err := got.Decode(bodyOf(t, empty.Append(nil))); err != nil {
				t.Fatalf("empty: %v", err)
			}
			if diff := cmp.Diff(empty, got, cmpopts.EquateEmpty(), nilOrEmpty(m.Type())); diff != "" {
				t.Errorf("empty into a used value (-want +got):\n%s", diff)
			}
			if err := got.Decode(body); err != nil {
				t.Fatalf("again: %v", err)
			}
			if diff := cmp.Diff(m, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("into a used value (-want +got):\n%s", diff)
			}
		})
	}
}

// nilOrEmpty lets a zero time pass that has been on the wire, where it has a location.
func nilOrEmpty(t Type) cmp.Option {
	if t != TypeRefreshAuth {
		return nil
	}
	return cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })
}

// elementsOf cuts the elements of a body apart, with the library's own reader.
func elementsOf(tb testing.TB, body []byte) [][]byte {
	tb.Helper()
	n, rest, err := msgp.ReadArrayHeaderBytes(body)
	if err != nil {
		tb.Fatal(err)
	}
	var elements [][]byte
	for range n {
		next, err := msgp.Skip(rest)
		if err != nil {
			tb.Fatal(err)
		}
		elements = append(elements, rest[:len(rest)-len(next)])
		rest = next
	}
	if len(rest) != 0 {
		tb.Fatalf("%d bytes behind the array", len(rest))
	}
	return elements
}

func bodyFrom(elements ...[]byte) []byte {
	return append(msgp.AppendArrayHeader(nil, uint32(len(elements))), slices.Concat(elements...)...)
}

// TestLayouts reads every type in all lengths: the shortest that the protocol allows up to longer than known.
func TestLayouts(t *testing.T) {
	t.Parallel()
	layouts := layouts()
	for _, m := range everyMessage() {
		t.Run(m.Type().String(), func(t *testing.T) {
			t.Parallel()
			elements := elementsOf(t, bodyOf(t, m.Append(nil)))
			least := layouts[m.Type()].least
			for n := 1; n < len(elements); n++ {
				_, err := Decode(bodyFrom(elements[:n]...))
				if n < least && (err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has %d elements, want at least %d", n, least))) {
					t.Errorf("%d elements: error %v, want one about the least of %d", n, err, least)
				}
				if n >= least && err != nil {
					t.Errorf("%d elements: %v", n, err)
				}
			}
			if m.Type() == TypePing {
				return // all elements of a ping are pairs
			}
			longer := append(slices.Clone(elements), msgp.AppendString(nil, "new field"), msgp.AppendMapHeader(nil, 0))
			got := decode(t, bodyFrom(longer...))
			if diff := cmp.Diff(m, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("with two elements more (-want +got):\n%s", diff)
			}
			// Every cut inside the array must be noticed, whatever it cuts.
			body := bodyFrom(elements...)
			for n := range body {
				if _, err := Decode(body[:n]); err == nil {
					t.Errorf("the first %d of %d bytes decode", n, len(body))
				}
			}
		})
	}
}

// TestExtensionKeys gives every type every key. It must take those that the protocol allows for the type, skip the
// others and go on behind them; and Append must never write a key that is not allowed.
func TestExtensionKeys(t *testing.T) {
	t.Parallel()
	values := map[int][]byte{
		1: msgp.AppendUint64(nil, 77),
		2: msgp.AppendInt(nil, 33),
		3: msgp.AppendString(nil, "blazorpack"),
		4: msgp.AppendString(nil, "filter"),
		5: msgp.AppendInt(nil, 3),
		6: msgp.AppendBool(nil, true),
		7: msgp.AppendArrayHeader(nil, 0),
		// Nested values of all kinds, which must be passed over as a whole.
		1000: slices.Concat(
			msgp.AppendMapHeader(nil, 2), msgp.AppendInt(nil, 1), msgp.AppendArrayHeader(nil, 3), msgp.AppendNil(nil),
			msgp.AppendBytes(nil, make([]byte, 300)), msgp.AppendFloat64(nil, 1.5), msgp.AppendString(nil, "k"),
			msgp.AppendTimeExt(nil, time.Unix(1, 1)),
		),
		-5: msgp.AppendInt(nil, 1),
	}
	layouts := layouts()
	for _, m := range everyMessage() {
		layout := layouts[m.Type()]
		if layout.extension == 0 {
			continue
		}
		t.Run(m.Type().String(), func(t *testing.T) {
			t.Parallel()
			elements := elementsOf(t, bodyOf(t, m.Append(nil)))
			for _, key := range extensionKeys(t, elements[layout.extension]) {
				if !slices.Contains(layout.keys, key) {
					t.Errorf("Append writes the key %d", key)
				}
			}
			for key, value := range values {
				changed := slices.Clone(elements)
				changed[layout.extension] = slices.Concat(msgp.AppendMapHeader(nil, 1), msgp.AppendInt(nil, key), value)
				if m.Type() == TypeClientCompletion {
					changed[4] = msgp.AppendNil(nil) // the protocol travels here as well
				}
				got := decode(t, bodyFrom(changed...))
				written := elementsOf(t, bodyOf(t, got.Append(nil)))
				var want []int
				if slices.Contains(layout.keys, key) {
					want = []int{key}
				}
				if keys := extensionKeys(t, written[layout.extension]); !slices.Equal(keys, want) {
					t.Errorf("key %d: read and written as keys %v, want %v", key, keys, want)
				} else if want != nil && !bytes.HasSuffix(written[layout.extension], value) {
					t.Errorf("key %d: value %x became %x", key, value, written[layout.extension])
				}
				for i := range elements {
					if i != layout.extension && m.Type() != TypeClientCompletion && !bytes.Equal(written[i], elements[i]) {
						t.Errorf("key %d: element %d became %x, want %x", key, i, written[i], elements[i])
					}
				}
			}
			nilMap := slices.Clone(elements)
			nilMap[layout.extension] = msgp.AppendNil(nil)
			if _, err := Decode(bodyFrom(nilMap...)); !errors.Is(err, errNilMap) {
				t.Errorf("nil in place of the map: error %v", err)
			}
		})
	}
}

func extensionKeys(tb testing.TB, m []byte) []int {
	tb.Helper()
	n, rest, err := msgp.ReadMapHeaderBytes(m)
	if err != nil {
		tb.Fatal(err)
	}
	var keys []int
	for range n {
		var key int
		if key, rest, err = msgp.ReadIntBytes(rest); err != nil {
			tb.Fatal(err)
		}
		if rest, err = msgp.Skip(rest); err != nil {
			tb.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	deep := slices.Concat(unhex(t, "940a90808163"), bytes.Repeat([]byte{0x91}, 5_000_000))
	tests := []struct {
		name string
		body []byte
		want string
	}{
		{"nothing", nil, "body is not an array"},
		{"not an array", unhex(t, "80"), "body is not an array"},
		{"empty array", unhex(t, "90"), "message type is missing"},
		{"type is a text", unhex(t, "91a131"), "message type: "},
		{"type missing", unhex(t, "91"), "message type: "},
		{"type over 32 bits", unhex(t, "91cf0000000100000000"), "message type: "},
		{"too short", unhex(t, "920b"), "JoinGroup has 2 elements, want at least 3"},
		{"wrong kind", unhex(t, "930ba16301"), "JoinGroup, element 2 (group) near byte 4: "},
		{"nil that is not allowed", unhex(t, "930bc0a167"), "JoinGroup, element 1 (connection id) near byte 2: "},
		{"nil in a list", unhex(t, "930791c080"), "MultiConnectionData, element 1 (connection ids) near byte 3: "},
		{"text cut", unhex(t, "930ba163a567"), "element 2 (group) near byte 4: "},
		{"text of four gigabytes", unhex(t, "930bdbffffffff61"), "element 1 (connection id) near byte 2: "},
		{"payload of four gigabytes", unhex(t, "9306a163c6ffffffff61"), "element 2 (payload) near byte 4: "},
		{"payload is a text", unhex(t, "9306a163a161"), "element 2 (payload) near byte 4: "},
		{"list of four billion", unhex(t, "930addffffffff80"), "element 1 (excluded connection ids) near byte 2: declares more entries than bytes follow"},
		{"payloads of four billion", unhex(t, "930a90dfffffffff80"), "element 2 (payloads) near byte 3: declares more entries"},
		{"claims of four billion", unhex(t, "9304a163dfffffffff80"), "element 2 (claims) near byte 4: declares more entries"},
		{"headers of four billion", unhex(t, "9504a16380dfffffffffa0"), "element 3 (headers) near byte 5: declares more entries"},
		{"header values of four billion", unhex(t, "9504a1638081a168ddffffffffa0"), "element 3 (header values) near byte 8: declares more entries"},
		{"ping of four billion", unhex(t, "ddffffffff03a161a162"), "Ping, element 3 (ping key) near byte 10: "},
		{"extension of four billion", unhex(t, "940ba163a167dfffffffff01"), "element 3 (extension map) near byte 6: declares more entries"},
		{"extension key is a text", unhex(t, "940ba163a16781a16101"), "element 3 (extension key) near byte 7: "},
		{"tracing id is negative", unhex(t, "940ba163a1678101ff"), "element 3 (tracing id) near byte 8: "},
		{"ttl is a text", unhex(t, "9410a163a1678102a161"), "element 3 (ttl) near byte 8: "},
		{"protocol is a number", unhex(t, "9604a1638080a0810301"), "element 5 (protocol) near byte 9: "},
		{"filter is a number", unhex(t, "940a9080810401"), "element 3 (filter) near byte 6: "},
		{"data message type is a text", unhex(t, "9406a163c4008105a161"), "element 3 (data message type) near byte 8: "},
		{"partial is a number", unhex(t, "9406a163c400810601"), "element 3 (partial) near byte 8: "},
		{"extension value missing", unhex(t, "940ba163a1678163"), "element 3 (extension map) near byte 6: declares more entries"},
		{"skipped text cut", unhex(t, "940ba163a1678163a5"), "element 3 (extension value) near byte 8: "},
		{"skipped array of four billion", unhex(t, "940ba163a1678163ddffffffff"), "element 3 (extension value) near byte 8: declares more entries"},
		{"nested five million deep", deep, "BroadcastData, element 3 (extension value) near byte 6: "},
		{"status over 32 bits", unhex(t, "941401cf0000000100000000a0"), "Ack, element 2 (status) near byte 3: "},
		{"ack id over 63 bits", unhex(t, "9414cfffffffffffffffff01a0"), "Ack, element 1 (ack id) near byte 2: "},
		{"top is a text", unhex(t, "962880a16701a161c0"), "GroupMemberQuery, element 4 (top) near byte 6: "},
		{"time is a number", unhex(t, "9529a1748001010a"), "RefreshAuth, element 3 (expire time) near byte 5: want a timestamp"},
		{"time cut", unhex(t, "9529a17480d6ff0000"), "element 3 (expire time) near byte 5: want a timestamp"},
		{"time of another extension", unhex(t, "9529a17480d6050000000001"), "element 3 (expire time) near byte 5: want a timestamp"},
		{"time with too many nanoseconds", unhex(t, "9529a17480d7ffffffffff0000000001"), "element 3 (expire time) near byte 5: want a timestamp"},
		{"time after the year 9999", unhex(t, "9529a17480c70cff000000007fffffffffffffff01"), "element 3 (expire time) near byte 5: want a timestamp"},
		{"stateful reconnects is a number", unhex(t, "97010100a0008001"), "HandshakeRequest, element 6 (allow stateful reconnects) near byte 7: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := Decode(tt.body)
			if err == nil {
				t.Fatalf("decoded as %+v", m)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want one with %q", err, tt.want)
			}
			if !strings.HasPrefix(err.Error(), "svcproto: ") {
				t.Errorf("error %q does not say where it comes from", err)
			}
		})
	}
}

func TestUnknownType(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		body string
		want Type
	}{{"9200a0", 0}, {"912c", 44}, {"92cd03e8c3", 1000}, {"91ff", -1}} {
		m, err := Decode(unhex(t, tt.body))
		var unknown *UnknownTypeError
		if m != nil || !errors.As(err, &unknown) || unknown.Type != tt.want {
			t.Errorf("%s: message %v, error %v; want the unknown type %d", tt.body, m, err, tt.want)
		} else if want := fmt.Sprintf("svcproto: message type %d is unknown", int(tt.want)); err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}
		if got, err := TypeOf(unhex(t, tt.body)); err != nil || got != tt.want {
			t.Errorf("%s: type %d, error %v; want %d", tt.body, got, err, tt.want)
		}
	}
}

func TestDecodeOfAnotherType(t *testing.T) {
	t.Parallel()
	body := bodyOf(t, (&Ping{}).Append(nil))
	for _, m := range everyMessage() {
		if m.Type() == TypePing {
			continue
		}
		want := fmt.Sprintf("svcproto: message type is 3, want %d (%s)", int(m.Type()), m.Type())
		if err := m.Decode(body); err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
		for _, garbage := range []string{"", "80", "90", "91", "91a0"} {
			if err := m.Decode(unhex(t, garbage)); err == nil {
				t.Errorf("%s decodes the body %q", m.Type(), garbage)
			}
		}
	}
}

// TestErrorsHideValues makes sure that a secret in a bad message does not get into a log by way of the error.
func TestErrorsHideValues(t *testing.T) {
	t.Parallel()
	secret := msgp.AppendString(nil, "S3CRET")
	bad := msgp.AppendInt(nil, 1)
	for _, body := range [][]byte{
		bodyFrom([]byte{28}, secret, bad, []byte{0x80}),
		bodyFrom([]byte{29}, secret, secret, bad, bad),
		bodyFrom([]byte{41}, secret, bad, bad, bad),
		bodyFrom([]byte{42}, secret, secret, []byte{0x80}),
		bodyFrom([]byte{15}, append([]byte{0xc4, 6}, "S3CRET"...)),
	} {
		_, err := Decode(body)
		if err == nil {
			t.Fatalf("%x decodes", body)
		}
		if strings.Contains(err.Error(), "S3CRET") {
			t.Errorf("error %q shows the value", err)
		}
	}
}

// TestViews makes sure that the texts and payloads of the data messages are views into the body, and that a value that
// is used again does not hold on to the bodies before.
func TestViews(t *testing.T) {
	t.Parallel()
	body := bodyOf(t, (&BroadcastData{
		ExcludedConnectionIDs: [][]byte{[]byte("c1"), []byte("c2")},
		Payloads:              []Payload{{[]byte("json"), []byte("{}")}},
	}).Append(nil))
	var m BroadcastData
	if err := m.Decode(body); err != nil {
		t.Fatal(err)
	}
	copy(body[bytes.Index(body, []byte("c2")):], "XX")
	copy(body[bytes.Index(body, []byte("{}")):], "[]")
	if string(m.ExcludedConnectionIDs[1]) != "XX" || string(m.Payloads[0].Data) != "[]" {
		t.Errorf("a field is a copy: %+v", m)
	}
	if err := m.Decode(bodyOf(t, (&BroadcastData{}).Append(nil))); err != nil {
		t.Fatal(err)
	}
	for _, v := range m.ExcludedConnectionIDs[:cap(m.ExcludedConnectionIDs)] {
		if v != nil {
			t.Errorf("the emptied list still holds %q", v)
		}
	}
	for _, p := range m.Payloads[:cap(m.Payloads)] {
		if p.Protocol != nil || p.Data != nil {
			t.Errorf("the emptied payloads still hold %q", p.Data)
		}
	}
}

// TestHugeListIsForgotten makes sure that one huge list does not stay with a value for ever.
func TestHugeListIsForgotten(t *testing.T) {
	t.Parallel()
	huge := &MultiUserData{UserIDs: slices.Repeat([][]byte{[]byte("u")}, 10*maxKept)}
	body := bodyOf(t, huge.Append(nil))
	var m MultiUserData
	if err := m.Decode(body); err != nil || len(m.UserIDs) != 10*maxKept {
		t.Fatalf("%d users, error %v", len(m.UserIDs), err)
	}
	if err := m.Decode(bodyOf(t, (&MultiUserData{}).Append(nil))); err != nil || cap(m.UserIDs) > maxKept {
		t.Errorf("room for %d users is kept, error %v", cap(m.UserIDs), err)
	}
}

func TestIntegerForms(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		ackID int64
		hex   string
	}{
		{0, "00"}, {127, "7f"}, {128, "cc80"}, {255, "ccff"}, {256, "cd0100"}, {65535, "cdffff"}, {65536, "ce00010000"},
		{math.MaxUint32, "ceffffffff"}, {math.MaxUint32 + 1, "cf0000000100000000"}, {math.MaxInt64, "cf7fffffffffffffff"},
		{-1, "ff"}, {-32, "e0"}, {-33, "d0df"}, {-129, "d1ff7f"}, {-32769, "d2ffff7fff"}, {math.MinInt64, "d38000000000000000"},
	} {
		body := bodyOf(t, (&CheckUserExistenceWithAck{UserID: "u", AckID: tt.ackID}).Append(nil))
		if got := fmt.Sprintf("%x", elementsOf(t, body)[2]); got != tt.hex {
			t.Errorf("%d is written as %s, want %s", tt.ackID, got, tt.hex)
		}
	}
	// A reader takes every form in which a number fits.
	for _, form := range []string{"07", "cc07", "cd0007", "ce00000007", "cf0000000000000007", "d007", "d10007", "d200000007", "d30000000000000007"} {
		number := unhex(t, form)
		body := slices.Concat(unhex(t, "9514"), number, number, unhex(t, "a080"))
		got := decode(t, body).(*Ack)
		if got.AckID != 7 || got.Status != 7 {
			t.Errorf("%s: ack id %d, status %d; want 7", form, got.AckID, got.Status)
		}
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		time time.Time
		hex  string
	}{
		{time.Unix(0, 0), "d6ff00000000"},
		{time.Unix(math.MaxUint32, 0), "d6ffffffffff"},
		{time.Unix(math.MaxUint32+1, 0), "d7ff0000000100000000"},
		{time.Unix(0, 1), "d7ff0000000400000000"},
		{time.Unix(1<<34-1, 999999999), "d7ffee6b27ffffffffff"},
		{time.Unix(1<<34, 0), "c70cff000000000000000400000000"},
		{time.Unix(-1, 0), "c70cff00000000ffffffffffffffff"},
		{time.Time{}, "c70cff00000000fffffff1886e0900"},
		{MaxTime(), "c70cff3b9ac99c0000003afff4417f"},
	} {
		m := &RefreshAuth{ConnectionToken: "t", ExpireTime: tt.time}
		body := bodyOf(t, m.Append(nil))
		if got := fmt.Sprintf("%x", elementsOf(t, body)[3]); got != tt.hex {
			t.Errorf("%v is written as %s, want %s", tt.time.UTC(), got, tt.hex)
		}
		got := decode(t, body).(*RefreshAuth)
		if !got.ExpireTime.Equal(tt.time) || got.ExpireTime.Location() != time.UTC {
			t.Errorf("%v is read as %v", tt.time.UTC(), got.ExpireTime)
		}
		if want := tt.time.Equal(MaxTime()); got.KeepsDeadline() != want {
			t.Errorf("%v: KeepsDeadline is %t", tt.time.UTC(), got.KeepsDeadline())
		}
	}
}

func TestGroupMembers(t *testing.T) {
	t.Parallel()
	page := GroupMembers{
		Members:           []GroupMember{{"c1", Some("u1")}, {ConnectionID: "c2"}},
		ContinuationToken: Some("next"),
	}
	payload := page.Append(nil)
	if got := fmt.Sprintf("%x", payload); got != "929292a26331a2753192a26332c0a46e657874" {
		t.Errorf("written as %s", got)
	}
	var got GroupMembers
	if err := got.Decode(payload); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		name, hex string
		want      GroupMembers
		wantErr   string
	}{
		{name: "the last page", hex: "929192a26331a27531c0", want: GroupMembers{Members: []GroupMember{{"c1", Some("u1")}}}},
		{name: "an empty group", hex: "9290c0"},
		{name: "without a token", hex: "9190"},
		{name: "longer page", hex: "9390a474657874c3", want: GroupMembers{ContinuationToken: Some("text")}},
		{name: "longer members", hex: "929194a163c091a17801c0", want: GroupMembers{Members: []GroupMember{{ConnectionID: "c"}}}},
		{name: "members without users", hex: "929191a163c0", want: GroupMembers{Members: []GroupMember{{ConnectionID: "c"}}}},
		{name: "nothing", wantErr: "group members page"},
		{name: "nil", hex: "c0", wantErr: "group members page"},
		{name: "empty array", hex: "90", wantErr: "group members page"},
		{name: "empty member", hex: "929190c0", wantErr: "group member"},
		{name: "four billion members", hex: "92ddffffffffc0", wantErr: "declares more entries"},
		{name: "cut", hex: "929192a16391", wantErr: "user id"},
		{name: "token missing", hex: "9290", wantErr: "declares more entries"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := GroupMembers{Members: []GroupMember{{ConnectionID: "old"}}, ContinuationToken: Some("old")}
			err := got.Decode(unhex(t, tt.hex))
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClaimsPayload(t *testing.T) {
	t.Parallel()
	claims := []Claim{{"role", "a"}, {"role", "b"}, {"sub", ""}}
	payload := AppendClaims([]byte{0xff}, claims)[1:]
	if got := fmt.Sprintf("%x", payload); got != "83a4726f6c65a161a4726f6c65a162a3737562a0" {
		t.Errorf("written as %s", got)
	}
	got, err := DecodeClaims(payload)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(claims, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	for _, none := range []string{"c0", "80"} {
		if got, err := DecodeClaims(unhex(t, none)); err != nil || len(got) != 0 {
			t.Errorf("%s: claims %v, error %v", none, got, err)
		}
	}
	for _, bad := range []string{"", "90", "81a161", "dfffffffff", "81a16101"} {
		if got, err := DecodeClaims(unhex(t, bad)); err == nil {
			t.Errorf("%q: claims %v, want an error", bad, got)
		}
	}
}

func TestPingGet(t *testing.T) {
	t.Parallel()
	ping := &Ping{[]PingValue{{PingStatus, "1"}, {PingStatus, "0"}, {PingServers, ""}}}
	for _, tt := range []struct {
		key, want string
		ok        bool
	}{{PingStatus, "1", true}, {PingServers, "", true}, {PingEcho, "", false}} {
		if got, ok := ping.Get(tt.key); got != tt.want || ok != tt.ok {
			t.Errorf("Get(%q) = %q, %t", tt.key, got, ok)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for got, want := range map[fmt.Stringer]string{
		TypeUpdateConnectionClaims:   "UpdateConnectionClaims",
		Type(0):                      "Type(0)",
		Type(44):                     "Type(44)",
		DataMessageTypeClose:         "Close",
		ConnectionWeak:               "Weak",
		MigrationLevelAny:            "Any",
		AckForbidden:                 "Forbidden",
		AckStatus(0):                 "AckStatus(0)",
		AckStatus(-1):                "AckStatus(-1)",
		ServiceEventServerConnection: "ServerConnection",
		ServiceEventBufferFull:       "BufferFull",
		ConnectionTypeServer:         "Server",
		FlowControlOffline:           "Offline",
	} {
		if got.String() != want {
			t.Errorf("%#v has the name %q, want %q", got, got, want)
		}
	}
}
