package hubproto

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// vector is one entry of testdata/vectors.json: bytes that the official clients wrote or read.
type vector struct {
	Name        string
	Protocol    string
	Direction   string
	Valid       bool
	Text        string
	Hex         string
	ClientError string
}

func (v vector) bytes(tb testing.TB) []byte {
	if v.Protocol != "messagepack" {
		return []byte(v.Text)
	}
	b, err := hex.DecodeString(v.Hex)
	if err != nil {
		tb.Fatalf("%s: %v", v.Name, err)
	}
	return b
}

func loadVectors(tb testing.TB) []vector {
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		tb.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(b, &vectors); err != nil {
		tb.Fatal(err)
	}
	if len(vectors) < 90 {
		tb.Fatalf("testdata/vectors.json holds %d vectors", len(vectors))
	}
	return vectors
}

// readAll reads all messages of b.
func readAll(p Protocol, b []byte) ([]*Message, error) {
	var all []*Message
	for len(b) > 0 {
		message, size, err := p.Next(b, 0)
		if err != nil {
			return all, err
		}
		if size == 0 {
			return all, malformed("the last message is not whole")
		}
		m, err := p.Parse(message)
		if err != nil {
			return all, err
		}
		all = append(all, m)
		b = b[size:]
	}
	return all, nil
}

// Vectors that are read but written in another form, because .NET writes that one.
var otherForm = map[string]string{
	"json-invocation":                   "the JavaScript client writes the type last",
	"json-invocation-nonblocking":       "the JavaScript client writes the type last",
	"json-stream-invocation":            "the JavaScript client writes the type last",
	"json-invocation-upload":            "the JavaScript client writes the type last",
	"json-batch":                        "the JavaScript client writes the type last",
	"json-invocation-unicode":           "the JavaScript client writes the type last",
	"json-unknown-property":             "unknown properties are not kept",
	"msgpack-invocation":                "the JavaScript client leaves empty stream ids out",
	"msgpack-invocation-nonblocking":    "the JavaScript client leaves empty stream ids out",
	"msgpack-invocation-no-args":        "the JavaScript client leaves empty stream ids out",
	"msgpack-stream-invocation":         "the JavaScript client leaves empty stream ids out",
	"msgpack-bin-argument":              "the JavaScript client leaves empty stream ids out",
	"msgpack-datetime-argument":         "the JavaScript client leaves empty stream ids out",
	"msgpack-datetime-argument-millis":  "the JavaScript client leaves empty stream ids out",
	"msgpack-datetime-argument-pre1970": "the JavaScript client leaves empty stream ids out",
	"msgpack-mixed-arguments":           "the JavaScript client leaves empty stream ids out",
	"msgpack-length-two-bytes":          "the JavaScript client leaves empty stream ids out",
	"msgpack-batch":                     "the JavaScript client leaves empty stream ids out",
	"msgpack-close-client":              "the JavaScript client leaves allowReconnect out",
	"msgpack-close-short":               "an older peer leaves allowReconnect out",
	"msgpack-extra-item":                "surplus items are not kept",
	"msgpack-ack-uint8":                 "integers are written in their shortest form",
}

func TestVectors(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	for _, v := range loadVectors(t) {
		if v.Protocol == "handshake" {
			continue
		}
		counts[v.Protocol]++
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			p := ProtocolFor(v.Protocol)
			b := v.bytes(t)
			messages, err := readAll(p, b)
			if !v.Valid {
				if err == nil {
					t.Fatalf("read %q as %+v; a client says: %s", b, messages[0], v.ClientError)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var again []byte
			for _, m := range messages {
				if strings.HasSuffix(v.Name, "-unknown-type") {
					if _, err := p.Append(nil, m); err == nil {
						t.Error("a message of an unknown type was written")
					}
					return
				}
				if again, err = p.Append(again, m); err != nil {
					t.Fatal(err)
				}
			}
			if !p.Complete(b) || !p.Complete(again) {
				t.Error("not complete")
			}
			reread, err := readAll(p, again)
			if err != nil {
				t.Fatalf("reading what was written, %q: %v", again, err)
			}
			if d := cmp.Diff(messages, reread, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("the message changed its meaning (-read +reread):\n%s", d)
			}
			reason, other := otherForm[v.Name]
			if same := bytes.Equal(b, again); same == other {
				t.Errorf("written equal is %v (%s):\n in %q\nout %q", same, reason, b, again)
			}
		})
	}
	if counts["json"] < 40 || counts["messagepack"] < 30 {
		t.Errorf("vectors: %v", counts)
	}
}

// TestTwins checks that a message reads the same from both protocols, but for the values that stay encoded.
func TestTwins(t *testing.T) {
	t.Parallel()
	byName := map[string]vector{}
	for _, v := range loadVectors(t) {
		byName[v.Name] = v
	}
	twins := 0
	for name, text := range byName {
		rest, ok := strings.CutPrefix(name, "json-twin-")
		if !ok {
			continue
		}
		twins++
		fromJSON, err := readAll(JSON, text.bytes(t))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		fromMessagePack, err := readAll(MessagePack, byName["msgpack-"+rest].bytes(t))
		if err != nil {
			t.Errorf("msgpack-%s: %v", rest, err)
		}
		sameCount := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().Type() == rawType }, cmp.Ignore())
		if d := cmp.Diff(fromJSON, fromMessagePack, cmpopts.EquateEmpty(), sameCount); d != "" {
			t.Errorf("%s (-JSON +MessagePack):\n%s", rest, d)
		}
	}
	if twins < 15 {
		t.Errorf("only %d twins", twins)
	}
}

func TestHandshakeVectors(t *testing.T) {
	t.Parallel()
	requests := map[string]HandshakeRequest{
		"handshake-request-json":        {"json", 1},
		"handshake-request-messagepack": {"messagepack", 1},
		"handshake-request-json-v2":     {"json", 2},
	}
	responses := map[string]string{
		"handshake-response-ok":               "",
		"handshake-response-error":            "The protocol 'pigeon' is not supported.",
		"handshake-response-ok-plus-messages": "",
	}
	seen := 0
	for _, v := range loadVectors(t) {
		if v.Protocol != "handshake" {
			continue
		}
		seen++
		record, rest, ok := SplitRecord([]byte(v.Text))
		if !ok {
			t.Errorf("%s: no whole record", v.Name)
			continue
		}
		framed := v.Text[:len(record)+1]
		if want, ok := requests[v.Name]; ok {
			got, err := ParseHandshakeRequest(record)
			if err != nil || got != want {
				t.Errorf("%s: got %v, %v", v.Name, got, err)
			}
			if again := string(AppendHandshakeRequest(nil, got)); again != framed {
				t.Errorf("%s: written as %q", v.Name, again)
			}
			continue
		}
		want, ok := responses[v.Name]
		got, err := ParseHandshakeResponse(record)
		if !ok || err != nil || got != want {
			t.Errorf("%s: got %q, %v", v.Name, got, err)
		}
		if again := string(AppendHandshakeResponse(nil, got)); again != framed {
			t.Errorf("%s: written as %q", v.Name, again)
		}
		if v.Name == "handshake-response-ok-plus-messages" && string(rest) != "{\"type\":6}\x1e" {
			t.Errorf("%s: left over %q", v.Name, rest)
		}
	}
	if seen != len(requests)+len(responses) {
		t.Errorf("%d handshake vectors, not %d", seen, len(requests)+len(responses))
	}
}
