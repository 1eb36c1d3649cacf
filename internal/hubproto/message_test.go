package hubproto

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var rawType = reflect.TypeFor[RawValue]()

// The cases are those of the recorded probes of ASP.NET Core 10, and their neighbours.
func TestParseJSON(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct {
		name, text string
		want       *Message // nil: refused
	}{
		{"call", `{"type":1,"invocationId":"1","target":"Add","arguments":[1,2]}`,
			&Message{Type: Invocation, InvocationID: "1", HasInvocationID: true, Target: "Add", Arguments: []RawValue{RawValue("1"), RawValue("2")}}},
		{"fields in another order", `{"arguments":[1, 2 ],"target":"Add","invocationId":"7","type":1}`,
			&Message{Type: Invocation, InvocationID: "7", HasInvocationID: true, Target: "Add", Arguments: []RawValue{RawValue("1"), RawValue("2")}}},
		{"empty id is none", `{"type":1,"invocationId":"","target":"Add","arguments":[]}`,
			&Message{Type: Invocation, Target: "Add", Arguments: []RawValue{}}},
		{"values stay as they are", `{"type":1,"target":"\u0041","arguments":[ {"b" : [null]} , "\ud800", 1e400]}`,
			&Message{Type: Invocation, Target: "A", Arguments: []RawValue{RawValue(`{"b" : [null]}`), RawValue(`"\ud800"`), RawValue("1e400")}}},
		{"a field twice, the last counts", `{"type":6,"target":"a","type":1,"target":"b","arguments":[],"headers":{"x":"1","x":"2"}}`,
			&Message{Type: Invocation, Target: "b", Arguments: []RawValue{}, Headers: map[string]string{"x": "2"}}},
		{"something behind the object", `{"type":6}]]`, &Message{Type: Ping}},
		{"stream item null", `{"type":2,"invocationId":"1","item":null}`,
			&Message{Type: StreamItem, InvocationID: "1", HasInvocationID: true, Item: RawValue("null")}},
		{"close with an error", `{"type":7,"error":"my error"}`, &Message{Type: Close, Error: "my error", HasError: true}},
		{"unknown type", `{"type":99,"target":"x"}`, &Message{Type: 99}},
		{"type 0 is unknown", `{"type":0}`, &Message{}},
		{"fields of other types have no effect", `{"type":6,"target":"x","arguments":[1],"invocationId":"1","headers":{"a":"b"}}`, &Message{Type: Ping}},
		{"ack", `{"type":8,"sequenceId":9007199254740993}`, &Message{Type: Ack, SequenceID: 9007199254740993}},
		{"nested as deep as allowed", `{"type":1,"target":"x","arguments":[` + deep(62) + `]}`,
			&Message{Type: Invocation, Target: "x", Arguments: []RawValue{RawValue(deep(62))}}},

		{"nested too deep", `{"type":1,"target":"x","arguments":[` + deep(63) + `]}`, nil},
		{"nested far too deep", `{"type":6,"x":` + deep(100_000) + `}`, nil},
		{"no arguments field", `{"type":1,"invocationId":"1","target":"Add"}`, nil},
		{"no target", `{"type":1,"invocationId":"1","arguments":[]}`, nil},
		{"empty target", `{"type":1,"target":"","arguments":[]}`, nil},
		{"stream without an id", `{"type":4,"target":"Count","arguments":[3,0]}`, nil},
		{"stream item without an id", `{"type":2,"item":1}`, nil},
		{"stream item without item", `{"type":2,"invocationId":"1"}`, nil},
		{"completion without an id", `{"type":3,"result":1}`, nil},
		{"completion with both", `{"type":3,"invocationId":"0","result":null,"error":"x"}`, nil},
		{"cancel without an id", `{"type":5}`, nil},
		{"ack without a number", `{"type":8}`, nil},
		{"sequence as text", `{"type":9,"sequenceId":"1"}`, nil},
		{"sequence with fraction", `{"type":9,"sequenceId":1.5}`, nil},
		{"no type", `{"target":"Add"}`, nil},
		{"type null", `{"type":null}`, nil},
		{"type as text", `{"type":"1","target":"Add","arguments":[]}`, nil},
		{"type with fraction", `{"type":1.0,"target":"Add","arguments":[]}`, nil},
		{"type too large", `{"type":2147483648}`, nil},
		{"not an object", `[1]`, nil},
		{"broken text", `{"type":1,`, nil},
		{"empty record", ``, nil},
		{"id as number", `{"type":1,"invocationId":1,"target":"Add","arguments":[]}`, nil},
		{"id null", `{"type":1,"invocationId":null,"target":"Add","arguments":[]}`, nil},
		{"arguments as object", `{"type":1,"target":"Add","arguments":{}}`, nil},
		{"broken argument", `{"type":1,"target":"Add","arguments":[1,nul]}`, nil},
		{"stream ids as text", `{"type":1,"target":"Add","arguments":[],"streamIds":"1"}`, nil},
		{"stream id as number", `{"type":1,"target":"Add","arguments":[],"streamIds":[1]}`, nil},
		{"header as number", `{"type":1,"target":"Add","arguments":[],"headers":{"a":1}}`, nil},
		{"error as number", `{"type":7,"error":1}`, nil},
		{"allowReconnect as text", `{"type":7,"allowReconnect":"true"}`, nil},
		{"known field of the wrong kind in a ping", `{"type":6,"target":1}`, nil},
		{"target with half a surrogate pair", `{"type":1,"target":"\ud800","arguments":[]}`, nil},
		{"bytes that are not UTF-8", "{\"type\":1,\"target\":\"x\",\"arguments\":[\"\xff\"]}", nil},
		{"comment", `{"type":6/**/}`, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := JSON.Parse([]byte(test.text))
			if test.want == nil {
				if !IsMalformed(err) || got != nil {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestParseMessagePack(t *testing.T) {
	t.Parallel()
	call := &Message{Type: Invocation, InvocationID: "1", HasInvocationID: true, Target: "Add"}
	tests := []struct {
		name, hex string
		want      *Message // nil: refused
		payload   bool     // the values are refused, the message is not
	}{
		{name: "call", hex: "950180a131a3416464920102",
			want: &Message{Type: Invocation, InvocationID: "1", HasInvocationID: true, Target: "Add", Arguments: []RawValue{{1}, {2}}}},
		{name: "no id", hex: "950180c0a341646490", want: &Message{Type: Invocation, Target: "Add"}},
		{name: "empty id is none", hex: "950180a0a341646490", want: &Message{Type: Invocation, Target: "Add"}},
		{name: "type in another width", hex: "91d300000000000000" + "06", want: &Message{Type: Ping}},
		{name: "array in another width", hex: "dd0000000106", want: &Message{Type: Ping}},
		{name: "unknown type", hex: "9263a178", want: &Message{Type: 99}},
		{name: "something behind", hex: "9106ff", want: &Message{Type: Ping}},
		{name: "void completion of an upload", hex: "940380a13102", want: &Message{Type: Completion, InvocationID: "1", HasInvocationID: true}},
		{name: "target that is not UTF-8", hex: "950180c0a1ff90", want: &Message{Type: Invocation, Target: "\uFFFD"}},
		{name: "empty close error is one", hex: "9307a0c2", want: &Message{Type: Close, HasError: true}},
		{name: "negative sequence", hex: "9208ff", want: &Message{Type: Ack, SequenceID: -1}},

		{name: "arguments cut off", hex: "950180a131a341646492", want: call, payload: true},
		{name: "arguments of the wrong kind", hex: "950180a131a341646405", want: call, payload: true},
		{name: "arguments missing", hex: "940180a131a3416464", want: call, payload: true},
		{name: "argument cut off", hex: "950180a131a3416464" + "91a541", want: call, payload: true},
		{name: "argument of the format that is never used", hex: "950180a131a3416464" + "91c1", want: call, payload: true},
		{name: "arguments that cannot be there", hex: "950180a131a3416464" + "ddffffffff01", want: call, payload: true},
		{name: "argument nested too deep", hex: "950180a131a3416464" + "91" + strings.Repeat("91", 5000) + "c0", want: call, payload: true},
		{name: "item missing", hex: "930280a131", want: &Message{Type: StreamItem, InvocationID: "1", HasInvocationID: true}, payload: true},
		{name: "item cut off", hex: "940280a131a5", want: &Message{Type: StreamItem, InvocationID: "1", HasInvocationID: true}, payload: true},

		{name: "nothing", hex: ""},
		{name: "rubbish", hex: "ffffff"},
		{name: "a map", hex: "81a16101"},
		{name: "empty array", hex: "90"},
		{name: "type as text", hex: "91a131"},
		{name: "type too large", hex: "91ce80000000"},
		{name: "type cut off", hex: "91ce80"},
		{name: "headers nil", hex: "9501c0c0a16190"},
		{name: "headers cut off", hex: "950182a178a179"},
		{name: "headers that cannot be there", hex: "9501dfffffffffa178a179"},
		{name: "header twice", hex: "950182a178a179a178a17ac0a16190"},
		{name: "header value as number", hex: "950181a17801c0a16190"},
		{name: "id as number", hex: "95018001a16190"},
		{name: "target nil", hex: "950180c0c090"},
		{name: "target missing", hex: "930180c0"},
		{name: "target as bytes", hex: "950180c0c4016190"},
		{name: "stream invocation without id", hex: "950480c0a16190"},
		{name: "stream ids of the wrong kind", hex: "960180c0a1619005"},
		{name: "stream id nil", hex: "960180c0a1619091c0"},
		{name: "completion without id", hex: "940380c002"},
		{name: "completion of an unknown kind", hex: "940380a13104"},
		{name: "completion without its result", hex: "940380a13103"},
		{name: "completion with a broken result", hex: "950380a13103c1"},
		{name: "cancel without id", hex: "930580c0"},
		{name: "close without error", hex: "9107"},
		{name: "close with a number", hex: "920705"},
		{name: "close with allowReconnect as number", hex: "9307c001"},
		{name: "ack without a number", hex: "9108"},
		{name: "ack too large", hex: "9208cfffffffffffffffff"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := MessagePack.Parse(unhex(t, test.hex))
			if test.want == nil {
				if !IsMalformed(err) || got != nil {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if isPayload := errors.As(err, new(*PayloadError)); isPayload != test.payload || err != nil && !isPayload {
				t.Fatal(err)
			}
			if test.payload && IsMalformed(err) {
				t.Error("broken values count as a broken message")
			}
			if d := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestTypeOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]MessageType{
		`{"type":6}`:       Ping,
		` { "type" : 7 } `: Close,
		`{"a":"type","b":{"type":3},"c":[":",4],"type":1}`: Invocation,
		`{"x":"\\","type":5}`:                              CancelInvocation,
		`{"x":"\"type\":9","type":2}`:                      StreamItem,
		`{"\u0074ype":4}`:                                  StreamInvocation,
		`{"type":1,"type":3}`:                              Completion,
		`{"type":-2147483648}`:                             -2147483648,
		`{"type":-0}`:                                      0,
	} {
		if got, err := JSON.TypeOf([]byte(text)); err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{``, `6`, `{}`, `{"type":}`, `{"type":01}`, `{"type":1e0}`, `{"type":"1"}`, `{"type":[1]}`,
		`{"type":6`, `{"a":"`, `{"a":{"type":1}}`, `{"type":99999999999999999999}`, `["type",1]`} {
		if got, err := JSON.TypeOf([]byte(text)); !IsMalformed(err) {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	if Invocation.String() != "Invocation" || MessageType(77).String() != "77" {
		t.Error("names of types")
	}
	for mt := MessageType(0); mt < 11; mt++ {
		if got, want := mt.Counted(), mt >= 1 && mt <= 5; got != want {
			t.Errorf("%v counted: %v", mt, got)
		}
	}
}

func TestReadyMadeFrames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ got, want string }{
		{string(JSON.AppendPing(nil)), "{\"type\":6}\x1e"},
		{string(JSON.AppendClose(nil, "", false)), "{\"type\":7}\x1e"},
		{string(JSON.AppendClose(nil, ClosedWithError, true)), "{\"type\":7,\"error\":\"Connection closed with an error.\",\"allowReconnect\":true}\x1e"},
		{string(JSON.AppendClose(nil, "", true)), "{\"type\":7,\"allowReconnect\":true}\x1e"},
		{string(JSON.AppendAck(nil, 36)), "{\"type\":8,\"sequenceId\":36}\x1e"},
		{string(JSON.AppendSequence(nil, 19)), "{\"type\":9,\"sequenceId\":19}\x1e"},
		{string(JSON.AppendCompletionError(nil, "1", "no")), "{\"type\":3,\"invocationId\":\"1\",\"error\":\"no\"}\x1e"},
		{hex.EncodeToString(MessagePack.AppendPing(nil)), "029106"},
		{hex.EncodeToString(MessagePack.AppendClose(nil, "", false)), "049307c0c2"},
		{hex.EncodeToString(MessagePack.AppendClose(nil, ClosedWithError, true)), "25" + "9307d920" + hex.EncodeToString([]byte(ClosedWithError)) + "c3"},
		{hex.EncodeToString(MessagePack.AppendAck(nil, 36)), "03920824"},
		{hex.EncodeToString(MessagePack.AppendAck(nil, 70000)), "079208ce00011170"},
		{hex.EncodeToString(MessagePack.AppendSequence(nil, 200)), "049209ccc8"},
		{hex.EncodeToString(MessagePack.AppendCompletionError(nil, "xyz", "Error")), "0e950380a378797a01a54572726f72"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

// TestAppendString compares with what ASP.NET Core answers to the probe "json: characters in a result", and with .NET's
// documented rules.
func TestAppendString(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"<é🎈\"\\/\u001e\n>":                    `"<é\uD83C\uDF88\"\\/\u001E\n>"`,
		"plain 'text' &+`":                     `"plain 'text' &+` + "`" + `"`,
		"\b\f\r\t\x00\x7f":                     `"\b\f\r\t\u0000\u007F"`,
		"\u0085\u00a0\u2028\u3000\ue000\ufffe": `"\u0085\u00A0\u2028\u3000\uE000\uFFFE"`,
		"漢字 ß € \u200d":                        "\"漢字 ß € \u200d\"",
		"a\xffb":                               "\"a\uFFFDb\"",
		"":                                     `""`,
	} {
		if got := string(appendString(nil, in)); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	id := func(m Message) *Message { m.InvocationID, m.HasInvocationID = "1", true; return &m }
	both := []*Message{
		{},
		{Type: 99},
		{Type: Invocation},
		{Type: StreamInvocation, Target: "x"},
		{Type: StreamItem},
		{Type: Completion},
		{Type: CancelInvocation, InvocationID: "1"},
		id(Message{Type: Completion, HasError: true, HasResult: true}),
	}
	refused := map[Protocol][]*Message{
		JSON: append(both,
			id(Message{Type: StreamItem, Item: RawValue("{")}),
			id(Message{Type: StreamItem, Item: RawValue{}}),
			id(Message{Type: StreamItem, Item: RawValue("1\x1e")}),
			id(Message{Type: StreamItem, Item: RawValue(`1},{"a":1`)}),
			id(Message{Type: StreamItem, Item: RawValue("\"\xff\"")}),
			id(Message{Type: StreamItem, Item: RawValue(`"a`)}),
			id(Message{Type: StreamItem, Item: RawValue(strings.Repeat("[", 63) + strings.Repeat("]", 63))}),
			&Message{Type: Invocation, Target: "x", Arguments: []RawValue{RawValue("1"), RawValue("1,2")}},
		),
		MessagePack: append(both,
			id(Message{Type: StreamItem, Item: RawValue{0x92, 1}}),
			id(Message{Type: StreamItem, Item: RawValue{}}),
			id(Message{Type: StreamItem, Item: RawValue{1, 2}}),
			id(Message{Type: StreamItem, Item: RawValue{0xc1}}),
			&Message{Type: Invocation, Target: "x", Arguments: []RawValue{{0xa5, 'x'}}},
			&Message{Type: Invocation, Target: "x", StreamIDs: []string{""}},
			&Message{Type: Invocation, Target: "x", Headers: map[string]string{"a": ""}},
		),
	}
	for p, messages := range refused {
		for _, m := range messages {
			got, err := p.Append([]byte("before"), m)
			if err == nil || string(got) != "before" {
				t.Errorf("%v %+v: got %q, %v", p, m, got, err)
			}
		}
	}
}

// TestAppend checks the forms that the vectors do not hold.
func TestAppend(t *testing.T) {
	t.Parallel()
	m := &Message{
		Type: StreamInvocation, InvocationID: "i", HasInvocationID: true, Target: "T", Arguments: []RawValue{nil},
		StreamIDs: []string{"s"}, Headers: map[string]string{"b": "2", "a": "1"},
	}
	got, err := JSON.Append(nil, m)
	want := "{\"type\":4,\"headers\":{\"a\":\"1\",\"b\":\"2\"},\"invocationId\":\"i\",\"target\":\"T\",\"arguments\":[null],\"streamIds\":[\"s\"]}\x1e"
	if err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = MessagePack.Append(nil, m)
	if want := "14960482a161a131a162a132a169a15491c091a173"; err != nil || hex.EncodeToString(got) != want {
		t.Errorf("got %x, %v", got, err)
	}
	// An error without a text stays an error.
	for p, want := range map[Protocol]string{
		JSON:        "{\"type\":3,\"invocationId\":\"i\",\"error\":\"\"}\x1e",
		MessagePack: "\x07\x95\x03\x80\xa1i\x01\xa0",
	} {
		got, err := p.Append(nil, &Message{Type: Completion, InvocationID: "i", HasInvocationID: true, HasError: true})
		if err != nil || string(got) != want {
			t.Errorf("%v: got %q, %v", p, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range loadVectors(f) {
		p := ProtocolFor(v.Protocol)
		if message, size, err := p.Next(v.bytes(f), 0); size > 0 && err == nil {
			f.Add(message, p == MessagePack)
		}
	}
	f.Add([]byte(`{"\u0074ype":1,"target":"\ud83d\ude00","arguments":["\ud800",-0.0e1],"headers":{"":""},"streamIds":["",""]}`), false)
	f.Add([]byte("\x95\x01\x80\xa1\xff\xa1\xff\x91\xc7\x00\x00"), true)
	f.Fuzz(func(t *testing.T, b []byte, binary bool) {
		p := JSON
		if binary {
			p = MessagePack
		}
		mt, typeErr := p.TypeOf(b)
		before := bytes.Clone(b)
		m, err := p.Parse(b)
		if !bytes.Equal(before, b) {
			t.Fatal("Parse changed its input")
		}
		if err != nil {
			if !IsMalformed(err) && !errors.As(err, new(*PayloadError)) {
				t.Fatalf("an error of no known kind: %v", err)
			}
			return
		}
		if typeErr != nil || mt != m.Type {
			t.Fatalf("TypeOf says %v, %v; Parse says %v", mt, typeErr, m.Type)
		}
		frame, err := p.Append(nil, m)
		if m.Type < Invocation || m.Type > Sequence {
			if err == nil {
				t.Fatalf("type %v was written", m.Type)
			}
			return
		}
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", m, err)
		}
		message, size, err := p.Next(frame, 0)
		if err != nil || size != len(frame) {
			t.Fatalf("%q is not one frame: %d, %v", frame, size, err)
		}
		again, err := p.Parse(message)
		if err != nil {
			t.Fatalf("%q: %v", message, err)
		}
		if d := cmp.Diff(m, again, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("%q (-before +after):\n%s", frame, d)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	text := []byte(`{"type":1,"invocationId":"17","target":"newMessage","arguments":["` + strings.Repeat("x", 100) + `",42]}`)
	binary := append(unhex(b, "950180a23137aa6e65774d65737361676592d964"), append(bytes.Repeat([]byte("x"), 100), 42)...)
	for _, in := range []struct {
		p       Protocol
		message []byte
	}{{JSON, text}, {MessagePack, binary}} {
		b.Run(in.p.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := in.p.Parse(in.message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	buffer := make([]byte, 0, 1024)
	for p, m := range map[Protocol]*Message{
		JSON:        {Type: Invocation, Target: "newMessage", Arguments: []RawValue{RawValue(`"` + strings.Repeat("x", 100) + `"`), RawValue("42")}},
		MessagePack: {Type: Invocation, Target: "newMessage", Arguments: []RawValue{append(RawValue{0xd9, 100}, bytes.Repeat([]byte("x"), 100)...), {42}}},
	} {
		b.Run(p.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Append(buffer, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
