package appserver

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// probeHub has the methods that the recorded probes call.
type probeHub struct{}

func (probeHub) Add(a, b int) int               { return a + b }
func (probeHub) EchoString(s string) string     { return s }
func (probeHub) EchoNull(s *string) *string     { return s }
func (probeHub) Nothing()                       {}
func (probeHub) FailOther(message string) error { return errors.New(message) }
func (probeHub) FailHub(message string) error   { return HubErrorf("%s", message) }
func (probeHub) Abort(c *Context)               { c.Abort() }
func (probeHub) Refuse(context.Context) error   { return ErrUnauthorized }
func (probeHub) Panic()                         { panic("secret") }
func (probeHub) NoStream(int) <-chan int        { return nil }
func (probeHub) Wait(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
func (probeHub) NotEncodable() any              { return func() {} }
func (probeHub) WrappedHubError(text string) error {
	return errors.Join(errors.New("secret"), &HubError{text})
}

func (probeHub) Count(c *Context, count, delay int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range count {
			if delay > 0 {
				select {
				case <-time.After(time.Duration(delay) * time.Millisecond):
				case <-c.Done():
					yield(0, c.Err())
					return
				}
			}
			if !yield(i, nil) {
				return
			}
		}
	}
}

func (probeHub) Broken(count int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range count {
			if !yield(i, nil) {
				return
			}
		}
		yield(0, errors.New("secret"))
	}
}

func (probeHub) Letters(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, r := range text {
			if !yield(string(r)) {
				return
			}
		}
	}
}

func (probeHub) Ticks(ctx context.Context, count int) (<-chan int, error) {
	if count < 0 {
		return nil, HubErrorf("count is negative")
	}
	ticks := make(chan int)
	go func() {
		defer close(ticks)
		for i := range count {
			select {
			case ticks <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ticks, nil
}

func (probeHub) Sum(numbers iter.Seq2[int, error]) (int, error) {
	sum := 0
	for n, err := range numbers {
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

func (probeHub) Join(ctx context.Context, separator string, words <-chan string) (string, error) {
	var all []string
	for w := range words {
		all = append(all, w)
	}
	return strings.Join(all, separator), context.Cause(ctx)
}

// recordedAnswers are ASP.NET Core's answers to probes, by their names.
func recordedAnswers(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	text, err := os.ReadFile("testdata/aspnetcore-10.json")
	if err != nil {
		t.Fatal(err)
	}
	var answers map[string]json.RawMessage
	if err := json.Unmarshal(text, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// probes are what the recorded clients sent behind the handshake; MessagePack in hexadecimal digits.
var probes = map[string][]string{
	"json: call":                              {`{"type":1,"invocationId":"1","target":"Add","arguments":[1,2]}`},
	"json: call, method in lower case":        {`{"type":1,"invocationId":"1","target":"add","arguments":[1,2]}`},
	"json: call, fields in another order":     {`{"arguments":[1,2],"target":"Add","invocationId":"7","type":1}`},
	"json: call without result":               {`{"type":1,"invocationId":"1","target":"Nothing","arguments":[]}`},
	"json: send without an answer":            {`{"type":1,"target":"Nothing","arguments":[]}`},
	"json: null result":                       {`{"type":1,"invocationId":"1","target":"EchoNull","arguments":[null]}`},
	"json: characters in a result":            {`{"type":1,"invocationId":"1","target":"EchoString","arguments":["<é🎈\"\\/\u001e\n>"]}`},
	"json: unknown method":                    {`{"type":1,"invocationId":"1","target":"NoSuchMethod","arguments":[]}`},
	"json: unknown method, no id":             {`{"type":1,"target":"NoSuchMethod","arguments":[]}`},
	"json: too few arguments":                 {`{"type":1,"invocationId":"1","target":"Add","arguments":[1]}`},
	"json: too many arguments":                {`{"type":1,"invocationId":"1","target":"Add","arguments":[1,2,3]}`},
	"json: argument of the wrong kind":        {`{"type":1,"invocationId":"1","target":"Add","arguments":["x",2]}`},
	"json: no arguments field":                {`{"type":1,"invocationId":"1","target":"Add"}`},
	"json: no target":                         {`{"type":1,"invocationId":"1","arguments":[]}`},
	"json: hub throws":                        {`{"type":1,"invocationId":"1","target":"FailOther","arguments":["secret"]}`},
	"json: stream":                            {`{"type":4,"invocationId":"s","target":"Count","arguments":[3,0]}`},
	"json: stream of a plain method":          {`{"type":4,"invocationId":"s","target":"Add","arguments":[1,2]}`},
	"json: call of a stream method":           {`{"type":1,"invocationId":"s","target":"Count","arguments":[3,0]}`},
	"json: stream without an id":              {`{"type":4,"target":"Count","arguments":[3,0]}`},
	"json: cancel of an unknown stream":       {`{"type":5,"invocationId":"nothing"}`, `{"type":1,"invocationId":"1","target":"Add","arguments":[1,2]}`},
	"json: upload stream":                     {`{"type":1,"invocationId":"1","target":"Sum","arguments":[],"streamIds":["u"]}`, `{"type":2,"invocationId":"u","item":4}`, `{"type":2,"invocationId":"u","item":5}`, `{"type":3,"invocationId":"u"}`},
	"json: item of an unknown stream":         {`{"type":2,"invocationId":"nothing","item":1}`, `{"type":1,"invocationId":"1","target":"Add","arguments":[1,2]}`},
	"json: completion of an unknown call":     {`{"type":3,"invocationId":"nothing","result":1}`, `{"type":1,"invocationId":"1","target":"Add","arguments":[1,2]}`},
	"json: ping is not answered":              {`{"type":6}`},
	"json: close by the client":               {`{"type":7}`},
	"json: close with an error by the client": {`{"type":7,"error":"my error"}`},
	"json: unknown type":                      {`{"type":99}`},
	"json: no type":                           {`{"target":"Add"}`},
	"json: type as text":                      {`{"type":"1","target":"Add","arguments":[]}`},
	"json: not an object":                     {`[1]`},
	"json: broken text":                       {`{"type":1,`},
	"json: empty record":                      {``},
	"json: ack and sequence unasked":          {`{"type":8,"sequenceId":1}`, `{"type":9,"sequenceId":1}`, `{"type":1,"invocationId":"1","target":"Add","arguments":[1,2]}`},
	"json: abort by the hub":                  {`{"type":1,"target":"Abort","arguments":[]}`},
	"json: answers keep the order of ids":     {`{"type":1,"invocationId":"1","target":"Add","arguments":[1,1]}`, `{"type":1,"invocationId":"2","target":"Add","arguments":[2,2]}`, `{"type":1,"invocationId":"3","target":"Add","arguments":[3,3]}`, `{"type":1,"invocationId":"4","target":"Add","arguments":[4,4]}`, `{"type":1,"invocationId":"5","target":"Add","arguments":[5,5]}`},
	"messagepack: call":                       {"0c" + "9501" + "80" + "a131" + "a3416464" + "920102"},
	"messagepack: call with stream ids":       {"0d" + "9601" + "80" + "a131" + "a3416464" + "920102" + "90"},
	"messagepack: unknown method":             {"0f" + "9501" + "80" + "a131" + "a84e6f4d6574686f64" + "90"},
	"messagepack: broken arguments":           {"0a" + "9501" + "80" + "a131" + "a3416464" + "92"},
	"messagepack: ping":                       {"029106"},
	"messagepack: close":                      {"039207c0"},
	"messagepack: unknown type":               {"029163"},
	"messagepack: rubbish":                    {"03ffffff"},
	"messagepack: length above 2 GB":          {"ffffffff0f"},
	"messagepack: length of six bytes":        {"ffffffffff01"},
	"handshake: rubbish":                      {"rubbish"},
	"handshake: empty record":                 {""},
	"handshake: empty object":                 {"{}"},
	"handshake: array":                        {"[]"},
	"handshake: no version":                   {`{"protocol":"json"}`},
	"handshake: no protocol":                  {`{"version":1}`},
	"handshake: version as text":              {`{"protocol":"json","version":"1"}`},
	"handshake: version 0":                    {`{"protocol":"json","version":0}`},
	"handshake: version 2":                    {`{"protocol":"json","version":2}`},
	"handshake: version 99":                   {`{"protocol":"json","version":99}`},
	"handshake: unknown protocol":             {`{"protocol":"xml","version":1}`},
	"handshake: protocol in capitals":         {`{"protocol":"JSON","version":1}`},
	"handshake: extra fields":                 {`{"protocol":"json","version":1,"extra":{"a":[1]}}`},
	"handshake: field order":                  {`{"version":1,"protocol":"json"}`},
	"handshake: a call in its place":          {`{"type":1,"target":"Add","arguments":[1,2]}`},
	"handshake: with a call behind it":        {`{"protocol":"json","version":1}` + "\x1e" + `{"type":1,"invocationId":"1","target":"Add","arguments":[1,2]}`},
}

// TestAnswersAsASPNETCore replays the recorded probes that concern hubs.
func TestAnswersAsASPNETCore(t *testing.T) {
	t.Parallel()
	recorded := recordedAnswers(t)
	for name, messages := range probes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var want []string
				if err := json.Unmarshal(recorded[name], &want); err != nil {
					t.Fatal(err)
				}
				kind, _, _ := strings.Cut(name, ":")
				b := newBench(t, probeHub{}, HubOptions{ParallelInvocations: 8}, Options{})
				var c *standInClient
				switch kind {
				case "handshake":
					c = b.link(0).announce(&svcproto.OpenConnection{ConnectionID: "c", Protocol: "json"})
				default:
					c = b.link(0).open(&svcproto.OpenConnection{ConnectionID: "c", Protocol: kind})
					c.want("{}")
				}
				got := []string{}
				take := func() {
					data := c.received()
					for len(data) > 0 {
						if kind == "messagepack" {
							message, size, err := hubproto.MessagePack.Next([]byte(data), 0)
							if err != nil || size == 0 {
								t.Fatalf("answer %x: %v", data, err)
							}
							got = append(got, "binary "+hex.EncodeToString(message))
							data = data[size:]
							continue
						}
						record, rest, _ := strings.Cut(data, "\x1e")
						got = append(got, "text "+record)
						data = rest
					}
				}
				for _, m := range messages {
					if kind == "messagepack" {
						raw, err := hex.DecodeString(m)
						if err != nil {
							t.Fatal(err)
						}
						c.send(string(raw))
					} else {
						c.send(m + "\x1e")
					}
					take()
				}
				if c.ended() {
					got = append(got, "close 1000", "end")
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("want (-), got (+):\n%s", diff)
				}
			})
		})
	}
}

// TestErrorTexts covers what the recorded probes do not.
func TestErrorTexts(t *testing.T) {
	t.Parallel()
	call := func(target, arguments string) string {
		return `{"type":1,"invocationId":"1","target":"` + target + `","arguments":[` + arguments + `]}`
	}
	stream := func(target, arguments string) string {
		return `{"type":4,"invocationId":"1","target":"` + target + `","arguments":[` + arguments + `]}`
	}
	failed := func(text string) string { return `{"type":3,"invocationId":"1","error":"` + text + `"}` }
	for _, c := range []struct {
		name, message  string
		plain, details []string
	}{
		{"hub error", call("FailHub", `"told you"`),
			[]string{failed(`An unexpected error occurred invoking 'FailHub' on the server. HubException: told you`)}, nil},
		{"wrapped hub error", call("WrappedHubError", `"told you"`),
			[]string{failed(`An unexpected error occurred invoking 'WrappedHubError' on the server. HubException: told you`)}, nil},
		{"other error", call("failOther", `"secret"`),
			[]string{failed(`An unexpected error occurred invoking 'failOther' on the server.`)},
			[]string{failed(`An unexpected error occurred invoking 'failOther' on the server. secret`)}},
		{"panic", call("Panic", ``),
			[]string{failed(`An unexpected error occurred invoking 'Panic' on the server.`)},
			[]string{failed(`An unexpected error occurred invoking 'Panic' on the server. panic: secret`)}},
		{"unauthorized", call("Refuse", ``), []string{failed(`Failed to invoke 'Refuse' because user is unauthorized`)}, nil},
		{"count", call("Add", `1`),
			[]string{failed(`Failed to invoke 'Add' due to an error on the server.`)},
			[]string{failed(`Failed to invoke 'Add' due to an error on the server. InvalidDataException: Invocation provides 1 argument(s) but target expects 2.`)}},
		{"kind", call("Add", `1,"x"`),
			[]string{failed(`Failed to invoke 'Add' due to an error on the server.`)},
			[]string{failed(`Failed to invoke 'Add' due to an error on the server. InvalidDataException: Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked.`)}},
		{"no upload", call("Sum", ``),
			[]string{failed(`An unexpected error occurred invoking 'Sum' on the server. HubException: Client sent 0 stream(s), Hub method expects 1.`)}, nil},
		{"an upload too many", `{"type":1,"invocationId":"1","target":"Add","arguments":[1,2],"streamIds":["9"]}`,
			[]string{failed(`An unexpected error occurred invoking 'Add' on the server. HubException: Client sent 1 stream(s), Hub method expects 0.`)}, nil},
		{"nil stream", stream("NoStream", `1`),
			[]string{failed(`The value returned by the streaming method 'NoStream' is not a ChannelReader<> or IAsyncEnumerable<>.`)}, nil},
		{"stream refused", stream("Ticks", `-1`),
			[]string{failed(`An unexpected error occurred invoking 'Ticks' on the server. HubException: count is negative`)}, nil},
		{"stream breaks", stream("Broken", `1`),
			[]string{`{"type":2,"invocationId":"1","item":0}`, failed(`An error occurred on the server while streaming results.`)},
			[]string{`{"type":2,"invocationId":"1","item":0}`, failed(`An error occurred on the server while streaming results. secret`)}},
		{"result without a form", call("NotEncodable", ``),
			[]string{failed(`An unexpected error occurred invoking 'NotEncodable' on the server.`)}, []string{}},
	} {
		for _, detailed := range []bool{false, true} {
			name := c.name
			want := c.plain
			if detailed {
				name += " with details"
				if c.details != nil {
					want = c.details
				}
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, probeHub{}, HubOptions{DetailedErrors: detailed}, Options{})
					client := b.json("c")
					client.send(c.message + "\x1e")
					if len(want) == 0 { // The text is another library's.
						if got := client.received(); !strings.HasPrefix(got, strings.TrimSuffix(c.plain[0], `"}`)+" ") {
							t.Errorf("received %q", got)
						}
						return
					}
					client.want(want...)
					client.send(call("Add", `1,2`) + "\x1e") // The connection goes on.
					client.want(`{"type":3,"invocationId":"1","result":3}`)
				})
			})
		}
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		messages []string
		want     []string
	}{
		{"channel", []string{`{"type":4,"invocationId":"1","target":"Ticks","arguments":[2]}`},
			[]string{`{"type":2,"invocationId":"1","item":0}`, `{"type":2,"invocationId":"1","item":1}`, `{"type":3,"invocationId":"1"}`}},
		{"iter.Seq", []string{`{"type":4,"invocationId":"1","target":"Letters","arguments":["ab"]}`},
			[]string{`{"type":2,"invocationId":"1","item":"a"}`, `{"type":2,"invocationId":"1","item":"b"}`, `{"type":3,"invocationId":"1"}`}},
		{"empty", []string{`{"type":4,"invocationId":"1","target":"Letters","arguments":[""]}`}, []string{`{"type":3,"invocationId":"1"}`}},
		{"id in use", []string{`{"type":4,"invocationId":"1","target":"Count","arguments":[1,1000]}`, `{"type":4,"invocationId":"1","target":"Count","arguments":[1,1000]}`},
			[]string{`{"type":3,"invocationId":"1","error":"Invocation ID '1' is already in use."}`}},
		{"cancelled", []string{`{"type":4,"invocationId":"1","target":"Count","arguments":[9,1000]}`, `{"type":5,"invocationId":"1"}`},
			[]string{`{"type":3,"invocationId":"1"}`}},
		{"upload to a channel", []string{
			`{"type":1,"invocationId":"1","target":"Join","arguments":["-"],"streamIds":["2"]}`, `{"type":2,"invocationId":"2","item":"a"}`,
			`{"type":2,"invocationId":"2","item":"b"}`, `{"type":3,"invocationId":"2"}`,
		}, []string{`{"type":3,"invocationId":"1","result":"a-b"}`}},
		{"upload to a channel fails", []string{
			`{"type":1,"invocationId":"1","target":"Join","arguments":["-"],"streamIds":["2"]}`, `{"type":2,"invocationId":"2","item":"a"}`,
			`{"type":3,"invocationId":"2","error":"Stream errored by client: 'x'"}`,
		}, []string{`{"type":3,"invocationId":"1","error":"An unexpected error occurred invoking 'Join' on the server. HubException: Stream errored by client: 'x'"}`}},
		{"upload fails", []string{
			`{"type":1,"invocationId":"1","target":"Sum","arguments":[],"streamIds":["2"]}`, `{"type":3,"invocationId":"2","error":"Stream canceled by client."}`,
		}, []string{`{"type":3,"invocationId":"1","error":"An unexpected error occurred invoking 'Sum' on the server. HubException: Stream canceled by client."}`}},
		{"upload of the wrong kind", []string{
			`{"type":1,"invocationId":"1","target":"Sum","arguments":[],"streamIds":["2"]}`, `{"type":2,"invocationId":"2","item":"x"}`,
		}, []string{`{"type":3,"invocationId":"1","error":"An unexpected error occurred invoking 'Sum' on the server."}`}},
		{"fire and forget upload", []string{
			`{"type":1,"target":"Sum","arguments":[],"streamIds":["2"]}`, `{"type":2,"invocationId":"2","item":1}`, `{"type":3,"invocationId":"2"}`,
			`{"type":1,"invocationId":"3","target":"Add","arguments":[1,2]}`,
		}, []string{`{"type":3,"invocationId":"3","result":3}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, probeHub{}, HubOptions{}, Options{})
				client := b.json("c")
				for _, m := range c.messages {
					client.send(m + "\x1e")
				}
				client.want(c.want...)
			})
		})
	}
}
