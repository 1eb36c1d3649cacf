package dataapi

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"
)

func TestJSONToMessagePack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ json, want string }{
		{`null`, "c0"},
		{`true`, "c3"},
		{`0`, "00"},
		{`-1`, "ff"},
		{`-0`, "cb8000000000000000"},
		{`127`, "7f"},
		{`128`, "d10080"},
		{`9223372036854775807`, "d37fffffffffffffff"},
		{`18446744073709551615`, "cfffffffffffffffff"},
		{`18446744073709551616`, "cb43f0000000000000"},
		{`1.0`, "cb3ff0000000000000"},
		{`1.10`, "cb3ff199999999999a"},
		{`1e3`, "cb408f400000000000"},
		{`"NaN"`, "a34e614e"},
		{`"\u00e4\u0000"`, "a3c3a400"},
		{`"😀"`, "a4f09f9880"},
		{`[]`, "90"},
		{`[1,[2],{}]`, "9301910280"},
		{`{"Key One":1,"b":null}`, "82a74b6579204f6e6501a162c0"},
	} {
		b, err := appendMessagePack(nil, jsontext.Value(c.json))
		if err != nil || hex.EncodeToString(b) != c.want {
			t.Errorf("%s: %x %v, want %s", c.json, b, err, c.want)
		}
	}
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	if _, err := appendMessagePack(nil, jsontext.Value(deep)); err == nil {
		t.Error("a value of 100 levels was written")
	}
}

func TestMessagePackToJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ hex, want string }{
		{"c0", `null`},
		{"c2", `false`},
		{"7f", `127`},
		{"ff", `-1`},
		{"cfffffffffffffffff", `18446744073709551615`},
		{"ca3fc00000", `1.5`},
		{"cb3ff199999999999a", `1.1`},
		{"cb7ff8000000000000", `"NaN"`},
		{"cbfff0000000000000", `"-Infinity"`},
		{"a3c3a400", `"ä\u0000"`},
		{"c40301ff00", `"Af8A"`},
		{"9301910280", `[1,[2],{}]`},
		{"82a16101 02a162", `{"a":1,"2":"b"}`},
		{"d6ff65fcdbbb", `"2024-03-22T01:15:39Z"`},
		{"d7ff0000000465fcdbbb", `"2024-03-22T01:15:39.000000001Z"`},
		{"d40501", `"1AUB"`},
	} {
		raw, err := hex.DecodeString(strings.ReplaceAll(c.hex, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		text, rest, err := appendJSON(nil, raw, 0)
		if err != nil || len(rest) > 0 || string(text) != c.want {
			t.Errorf("%s: %s %x %v, want %s", c.hex, text, rest, err, c.want)
		}
	}
	for _, broken := range []string{"", "c1", "91", "a5ff", "81a161", "dfffffffff", "ddffffffff", "c7ff", strings.Repeat("91", 100)} {
		raw, _ := hex.DecodeString(broken)
		if text, _, err := appendJSON(nil, raw, 0); err == nil {
			t.Errorf("%s was read as %s", broken, text)
		}
	}
}

// FuzzConvert turns JSON into MessagePack and back, which may change numbers and nothing else.
func FuzzConvert(f *testing.F) {
	for _, s := range []string{`null`, `[1,-2,3.5,1e400,"x",{"a":[true]}]`, `"\ud83d\ude00"`, `{"":{}}`, `18446744073709551615`, `1.0`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		value, err := oneValue(content)
		if err != nil {
			return
		}
		binary, err := appendMessagePack(nil, value)
		if err != nil {
			return
		}
		if rest, err := msgp.Skip(binary); err != nil || len(rest) > 0 {
			t.Fatalf("%s became %x", value, binary)
		}
		text, rest, err := appendJSON(nil, binary, 0)
		if err != nil || len(rest) > 0 || !json.Valid(text) {
			t.Fatalf("%s became %x and then %s, %v", value, binary, text, err)
		}
	})
}

// FuzzResult reads what a client answers.
// Names that are maps or lists are refused: as text in text they would grow without bound.
func TestNamesAreNoContainers(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"\x81\x81\xc0\xc0\xc0", "\x81\x90\xc0", strings.Repeat("\x89", 2000)} {
		if text, _, err := appendJSON(nil, []byte(raw), 0); err == nil {
			t.Errorf("%x became %s", raw, text)
		}
	}
	if text, _, err := appendJSON(nil, []byte("\x81\x01\x02"), 0); err != nil || string(text) != `{"1":2}` {
		t.Errorf("a number as a name became %s, %v", text, err)
	}
}

func FuzzResult(f *testing.F) {
	for _, s := range []string{"c0", "d6ff65fcdbbb", "82a1610102a162", "c7000500", "dd00000001c0", "818181c0c0c0c0", "8190c0"} {
		raw, _ := hex.DecodeString(s)
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if text, _, err := appendJSON(nil, raw, 0); err == nil && !json.Valid(text) {
			t.Fatalf("%x became %s", raw, text)
		}
	})
}

// FuzzBody reads bodies of sends in both forms.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"Target":"m","Arguments":[1]}`), false)
	f.Add([]byte(`{"target":"\u00e4","arguments":null,"x":{}}`), false)
	f.Add([]byte("\x81\xa4json\xc4\x03{}\x1e"), true)
	f.Fuzz(func(t *testing.T, content []byte, binary bool) {
		if binary {
			_, _ = encodedPayloads(content)
			_, _ = encodedInvocation(content, "id")
			return
		}
		_, _ = readCommands(content)
		m, err := readMessage(content, "body")
		if err != nil {
			return
		}
		payloads, err := m.payloads("id")
		if err != nil {
			return
		}
		text := payloads[0].Data
		if !json.Valid(text[:len(text)-1]) {
			t.Fatalf("%s became %s", content, text)
		}
	})
}
