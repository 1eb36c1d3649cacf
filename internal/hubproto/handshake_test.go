package hubproto

import (
	"strings"
	"testing"
)

// The cases are those of the recorded probes of ASP.NET Core 10, and their neighbours.
func TestParseHandshakeRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, record string
		want         HandshakeRequest
		refused      bool
	}{
		{name: "json", record: `{"protocol":"json","version":1}`, want: HandshakeRequest{"json", 1}},
		{name: "extra fields", record: `{"protocol":"json","version":1,"extra":{"a":[1]}}`, want: HandshakeRequest{"json", 1}},
		{name: "field order", record: `{"version":1,"protocol":"json"}`, want: HandshakeRequest{"json", 1}},
		{name: "spaces", record: " {\n\"protocol\" : \"json\" ,\t\"version\" : 1 } ", want: HandshakeRequest{"json", 1}},
		{name: "version 0", record: `{"protocol":"json","version":0}`, want: HandshakeRequest{"json", 0}},
		{name: "version 2", record: `{"protocol":"json","version":2}`, want: HandshakeRequest{"json", 2}},
		{name: "version 99", record: `{"protocol":"json","version":99}`, want: HandshakeRequest{"json", 99}},
		{name: "version negative", record: `{"protocol":"json","version":-1}`, want: HandshakeRequest{"json", -1}},
		{name: "unknown protocol", record: `{"protocol":"xml","version":1}`, want: HandshakeRequest{"xml", 1}},
		{name: "protocol in capitals", record: `{"protocol":"JSON","version":1}`, want: HandshakeRequest{"JSON", 1}},
		{name: "escaped name", record: `{"\u0070rotocol":"j\u0073on","version":1}`, want: HandshakeRequest{"json", 1}},
		{name: "twice, the last counts", record: `{"protocol":"a","version":1,"protocol":"b"}`, want: HandshakeRequest{"b", 1}},
		{name: "something behind", record: `{"protocol":"json","version":1}more`, want: HandshakeRequest{"json", 1}},
		{name: "rubbish", record: `rubbish`, refused: true},
		{name: "empty record", record: ``, refused: true},
		{name: "empty object", record: `{}`, refused: true},
		{name: "array", record: `[]`, refused: true},
		{name: "unended", record: `{"protocol":"json","version":1`, refused: true},
		{name: "no version", record: `{"protocol":"json"}`, refused: true},
		{name: "version null", record: `{"protocol":"json","version":null}`, refused: true},
		{name: "no protocol", record: `{"version":1}`, refused: true},
		{name: "protocol null", record: `{"protocol":null,"version":1}`, refused: true},
		{name: "version as text", record: `{"protocol":"json","version":"1"}`, refused: true},
		{name: "version with fraction", record: `{"protocol":"json","version":1.0}`, refused: true},
		{name: "version too large", record: `{"protocol":"json","version":2147483648}`, refused: true},
		{name: "a call in its place", record: `{"type":1,"target":"Add","arguments":[1,2]}`, refused: true},
		{name: "broken UTF-8", record: "{\"protocol\":\"\xff\",\"version\":1}", refused: true},
		{name: "nested too deep", record: `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `,"protocol":"json","version":1}`, refused: true},
		{name: "too long", record: `{"protocol":"json","version":1,"a":"` + strings.Repeat("x", MaxHandshakeBytes) + `"}`, refused: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseHandshakeRequest([]byte(test.record))
			if test.refused {
				if !IsMalformed(err) {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
}

func TestParseHandshakeResponse(t *testing.T) {
	t.Parallel()
	for record, want := range map[string]string{
		`{}`:                     "",
		`{"error":"no"}`:         "no",
		`{"minor":3,"error":""}`: "",
	} {
		if got, err := ParseHandshakeResponse([]byte(record)); err != nil || got != want {
			t.Errorf("%s: got %q, %v", record, got, err)
		}
	}
	for _, record := range []string{`{"type":6}`, `{"type":7,"error":"x"}`, `{"error":1}`, `{"error":null}`, `[]`, ``, `{`} {
		if got, err := ParseHandshakeResponse([]byte(record)); !IsMalformed(err) {
			t.Errorf("%s: got %q, %v", record, got, err)
		}
	}
}

func TestHandshakeTexts(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		UnsupportedProtocol("xml"):               "The protocol 'xml' is not supported.",
		UnsupportedVersion("json", 99):           "The server does not support version 99 of the 'json' protocol.",
		UnsupportedTransferFormat("messagepack"): "Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format.",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	got := string(AppendHandshakeResponse(nil, HandshakeFailed))
	if want := "{\"error\":\"An unexpected error occurred during connection handshake.\"}\x1e"; got != want {
		t.Errorf("got %q", got)
	}
	// The client chose this text, so it must not break out of the record.
	got = string(AppendHandshakeResponse(nil, UnsupportedProtocol("a\"\x1e}")))
	if want := "{\"error\":\"The protocol 'a\\\"\\u001E}' is not supported.\"}\x1e"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestSplitRecord(t *testing.T) {
	t.Parallel()
	record, rest, ok := SplitRecord([]byte("a\x1eb\x1e"))
	if string(record) != "a" || string(rest) != "b\x1e" || !ok {
		t.Errorf("got %q, %q, %v", record, rest, ok)
	}
	_ = append(record, "xyz"...)
	if string(rest) != "b\x1e" {
		t.Error("appending to the record wrote over what follows it")
	}
	if record, rest, ok := SplitRecord([]byte("abc")); record != nil || string(rest) != "abc" || ok {
		t.Errorf("got %q, %q, %v", record, rest, ok)
	}
}

func FuzzHandshake(f *testing.F) {
	f.Add([]byte(`{"protocol":"json","version":1}`))
	f.Add([]byte(`{"error":"x\u001e","minor":[{}]}`))
	f.Add([]byte(`{"version":-0,"protocol":"\ud83d\ude00"}`))
	f.Fuzz(func(t *testing.T, record []byte) {
		if request, err := ParseHandshakeRequest(record); err == nil {
			written := AppendHandshakeRequest(nil, request)
			first, rest, ok := SplitRecord(written)
			if !ok || len(rest) != 0 {
				t.Fatalf("%+v is written as more than one record: %q", request, written)
			}
			again, err := ParseHandshakeRequest(first)
			if len(first) < MaxHandshakeBytes && (err != nil || again != request) {
				t.Fatalf("%+v became %+v, %v", request, again, err)
			}
		}
		if text, err := ParseHandshakeResponse(record); err == nil {
			first, rest, ok := SplitRecord(AppendHandshakeResponse(nil, text))
			if again, err := ParseHandshakeResponse(first); !ok || len(rest) != 0 || err != nil || again != text {
				t.Fatalf("%q became %q, %v", text, again, err)
			}
		}
	})
}
