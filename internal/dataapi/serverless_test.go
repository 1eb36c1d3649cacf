package dataapi_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/testkit"
)

// event is a request that an upstream endpoint got.
type event struct {
	Path   string
	Header http.Header
	Body   string
}

// endpoint is an app behind an upstream: it notes events, checks their signatures, and answers as its function says.
func endpoint(t *testing.T, answer func(e event) (status int, body string)) (url string, events <-chan event) {
	t.Helper()
	notes := make(chan event, 1000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		e := event{r.URL.EscapedPath(), r.Header, string(body)}
		if !signed(r.Header) {
			t.Errorf("the signature %q is wrong", r.Header.Get("X-ASRS-Signature"))
		}
		status, text := 200, ""
		if answer != nil {
			status, text = answer(e)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
		notes <- e
	}))
	t.Cleanup(s.Close)
	return s.URL, notes
}

// signed checks a signature as a receiver does, which knows one of the keys.
func signed(h http.Header) bool {
	matches := 0
	for _, key := range []string{primaryKey, secondaryKey} {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(h.Get("X-ASRS-Connection-Id")))
		for value := range strings.SplitSeq(h.Get("X-ASRS-Signature"), ",") {
			if value == "sha256="+hex.EncodeToString(mac.Sum(nil)) {
				matches++
			}
		}
	}
	return matches == 2
}

// protocols are the hub protocols that each story is told in.
func protocols(t *testing.T, story func(t *testing.T, p hubproto.Protocol)) {
	for _, p := range []hubproto.Protocol{hubproto.JSON, hubproto.MessagePack} {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			story(t, p)
		})
	}
}

// text is a string in the form of a hub protocol.
func text(p hubproto.Protocol, s string) hubproto.RawValue {
	if p == hubproto.MessagePack {
		return msgp.AppendString(nil, s)
	}
	return hubproto.RawValue(`"` + s + `"`)
}

func TestServerlessChat(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, p hubproto.Protocol) {
		url, events := endpoint(t, func(e event) (int, string) {
			if e.Header.Get("X-ASRS-Event") != "add" {
				return 204, ""
			}
			b, err := p.Append(nil, &hubproto.Message{
				Type: hubproto.Completion, InvocationID: "7", HasInvocationID: true, Result: text(p, "sum"), HasResult: true,
			})
			if err != nil {
				t.Error(err)
			}
			return 200, string(b)
		})
		r := newRig(t, resource.UpstreamTemplate{URLTemplate: url + "/{hub}/{category}/{event}"})
		c := r.connect("Chat", p, user("ann"), auth.Claim{Type: "role", Value: "admin"}, auth.Claim{Type: "asrs.s.dc", Value: "true"})

		e := testkit.Receive(t, events, "the connected event")
		want := event{Path: "/chat/connections/connected", Body: `{"type":10}`, Header: http.Header{
			"X-Asrs-Connection-Id": {c.id}, "X-Asrs-Hub": {"chat"}, "X-Asrs-Category": {"connections"}, "X-Asrs-Event": {"connected"},
			"X-Asrs-User-Id": {"ann"}, "X-Asrs-Client-Query": {"?room=7&hub=Chat"},
			"X-Asrs-User-Claims": {"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier: ann, " +
				"http://schemas.microsoft.com/ws/2008/06/identity/claims/role: admin"},
			"Content-Type": {"application/json"},
		}}
		for _, name := range []string{"X-Asrs-Signature", "User-Agent", "Content-Length", "Accept-Encoding"} {
			e.Header.Del(name)
		}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Error(diff)
		}

		c.send(&hubproto.Message{Type: hubproto.Invocation, Target: "add", Arguments: []hubproto.RawValue{text(p, "x")}, InvocationID: "7", HasInvocationID: true})
		e = testkit.Receive(t, events, "the message event")
		if e.Path != "/chat/messages/add" {
			t.Errorf("path %q", e.Path)
		}
		kind, body := "application/json", `{"type":1,"invocationId":"7","target":"add","arguments":["x"]}`
		if p == hubproto.MessagePack {
			kind, body = "application/x-msgpack", "\x96\x01\x80\xa17\xa3add\x91\xa1x\x90"
		}
		if e.Header.Get("Content-Type") != kind || e.Body != body {
			t.Errorf("%s %q, want %s %q", e.Header.Get("Content-Type"), e.Body, kind, body)
		}
		if m := c.next(); m.Type != hubproto.Completion || string(m.Result) != string(text(p, "sum")) {
			t.Errorf("completion %+v", m)
		}

		// The endpoint answers everybody over REST.
		r.rest("POST", "/api/hubs/chat/:send", `{"target":"said","arguments":["hello"]}`, 202)
		if m := c.next(); m.Target != "said" || string(m.Arguments[0]) != string(text(p, "hello")) {
			t.Errorf("message %+v", m)
		}

		c.write(p.AppendClose(nil, "", false))
		e = testkit.Receive(t, events, "the disconnected event")
		if e.Path != "/chat/connections/disconnected" || e.Body != `{"type":11,"error":null}` {
			t.Errorf("disconnected: %q %q", e.Path, e.Body)
		}
	})
}

func TestInvocationOutcomes(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, p hubproto.Protocol) {
		frame := func(m *hubproto.Message) string {
			b, err := p.Append(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		done := frame(&hubproto.Message{Type: hubproto.Completion, InvocationID: "1", HasInvocationID: true, Result: text(p, "r"), HasResult: true})
		bare, size, err := p.Next([]byte(done), 0)
		if err != nil || size != len(done) {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name   string
			status int
			body   string
			result string
			error  string
		}{
			{"result", 200, done, "r", ""},
			{"result without framing", 200, string(bare), "r", ""},
			{"empty", 200, "", "", ""},
			{"no content", 204, "", "", ""},
			{"status", 418, done, "", "Invocation failed, status code 418"},
			{"redirect", 302, "", "", "Invocation failed, status code 302"},
			{"not a message", 200, "hello", "", "Invocation failed, the response is not a completion of the invocation."},
			{"another id", 200, frame(&hubproto.Message{Type: hubproto.Completion, InvocationID: "2", HasInvocationID: true}), "", "Invocation failed, the response is not a completion of the invocation."},
			{"too large", 200, strings.Repeat("x", 16<<20+1), "", "Invocation failed, response too large."},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				url, _ := endpoint(t, func(e event) (int, string) {
					if e.Header.Get("X-ASRS-Category") == "messages" {
						return c.status, c.body
					}
					return 200, ""
				})
				r := newRig(t, resource.UpstreamTemplate{URLTemplate: url})
				client := r.connect("chat", p)
				client.send(&hubproto.Message{Type: hubproto.Invocation, Target: "m", InvocationID: "1", HasInvocationID: true})
				m := client.next()
				if m.Type != hubproto.Completion || m.InvocationID != "1" || m.Error != c.error {
					t.Fatalf("completion %+v", m)
				}
				if c.result != "" && string(m.Result) != string(text(p, c.result)) {
					t.Errorf("result %q", m.Result)
				}
			})
		}
	})
}

func TestServerlessRefusals(t *testing.T) {
	t.Parallel()
	url, _ := endpoint(t, nil)
	only := resource.UpstreamTemplate{URLTemplate: url, EventPattern: "known"}
	id := func(m hubproto.Message) *hubproto.Message {
		m.InvocationID, m.HasInvocationID = "1", true
		return &m
	}
	for _, c := range []struct {
		name      string
		templates []resource.UpstreamTemplate
		send      *hubproto.Message
		want      hubproto.MessageType
		error     string
	}{
		{"no template matches", []resource.UpstreamTemplate{only}, id(hubproto.Message{Type: hubproto.Invocation, Target: "unknown"}),
			hubproto.Completion, "No upstream endpoint takes the invocation."},
		{"no upstream", nil, &hubproto.Message{Type: hubproto.Invocation, Target: "m"},
			hubproto.Close, "The client sent a message, but the service has no upstream to send it to."},
		{"stream", []resource.UpstreamTemplate{only}, id(hubproto.Message{Type: hubproto.StreamInvocation, Target: "known"}),
			hubproto.Completion, "Streams are not supported in the Serverless service mode."},
		{"upload", []resource.UpstreamTemplate{only}, id(hubproto.Message{Type: hubproto.Invocation, Target: "known", StreamIDs: []string{"s"}}),
			hubproto.Completion, "Streams are not supported in the Serverless service mode."},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := newRig(t, c.templates...).connect("chat", hubproto.JSON)
			client.send(c.send)
			if m := client.next(); m.Type != c.want || m.Error != c.error {
				t.Errorf("%+v", m)
			}
		})
	}
	t.Run("broken message", func(t *testing.T) {
		t.Parallel()
		client := newRig(t, only).connect("chat", hubproto.JSON)
		client.write([]byte("{}}\x1e"))
		if m := client.next(); m.Type != hubproto.Close || m.Error != "Connection closed with an error." {
			t.Errorf("%+v", m)
		}
	})
	t.Run("connected is refused", func(t *testing.T) {
		t.Parallel()
		url, events := endpoint(t, func(e event) (int, string) {
			if e.Header.Get("X-ASRS-Event") == "connected" {
				return 403, ""
			}
			return 200, ""
		})
		client := newRig(t, resource.UpstreamTemplate{URLTemplate: url}).connect("chat", hubproto.JSON)
		if m := client.next(); m.Type != hubproto.Close {
			t.Errorf("%+v", m)
		}
		for _, name := range []string{"connected", "disconnected"} {
			if e := testkit.Receive(t, events, name); e.Header.Get("X-ASRS-Event") != name {
				t.Errorf("%v, want %s", e, name)
			}
		}
	})
}

func TestEventsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	const messages = 200 // more than may wait for one client, so that its reader is held up
	release := make(chan struct{})
	url, events := endpoint(t, func(event) (int, string) {
		<-release
		return 200, ""
	})
	r := newRig(t, resource.UpstreamTemplate{URLTemplate: url})
	c := r.connect("chat", hubproto.JSON)
	want := []string{"connected"}
	for i := range messages {
		want = append(want, fmt.Sprintf("m%d", i))
		c.send(&hubproto.Message{Type: hubproto.Invocation, Target: want[i+1]})
	}
	want = append(want, "disconnected")
	c.write(hubproto.JSON.AppendClose(nil, "", false))
	// Another client is not held up by the first.
	other := r.connect("chat", hubproto.JSON)
	r.rest("POST", "/api/hubs/chat/connections/"+other.id+"/:send", `{"target":"x"}`, 202)
	if m := other.next(); m.Target != "x" {
		t.Errorf("%+v", m)
	}
	close(release)
	var got []string
	for len(got) < len(want) {
		e := testkit.Receive(t, events, "an event")
		if e.Header.Get("X-ASRS-Connection-Id") != c.id {
			continue
		}
		got = append(got, e.Header.Get("X-ASRS-Event"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEachOfManyUsersIsReached(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const users = 100
	clients := make([]*client, users)
	for i := range clients {
		p := hubproto.JSON
		if i%2 == 1 {
			p = hubproto.MessagePack
		}
		clients[i] = r.connect("chat", p, user(fmt.Sprintf("user %d/ä", i)))
	}
	for i := range clients {
		r.rest("POST", fmt.Sprintf("/api/hubs/chat/users/user%%20%d%%2F%%C3%%A4/:send", i), fmt.Sprintf(`{"target":"m%d"}`, i), 202)
	}
	for i, c := range clients {
		if m := c.next(); m.Target != fmt.Sprintf("m%d", i) {
			t.Errorf("user %d got %+v", i, m)
		}
	}
}

func TestClientResultOverREST(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, p hubproto.Protocol) {
		r := newRig(t)
		c := r.connect("chat", p)
		for _, want := range []struct {
			completion hubproto.Message
			status     int
			body       string
		}{
			{hubproto.Message{Result: text(p, "it's 1 < 2"), HasResult: true}, 200, `{"result":"it's 1 < 2"}`},
			{hubproto.Message{}, 200, `{}`},
			{hubproto.Message{Error: "no", HasError: true}, 400, `{"code":"Error.Connection.Unknown","message":"no"}`},
		} {
			answered := make(chan struct{})
			go func() {
				defer close(answered)
				m := c.next()
				want.completion.Type, want.completion.InvocationID, want.completion.HasInvocationID = hubproto.Completion, m.InvocationID, true
				if m.Target != "ask" || len(m.Arguments) != 1 {
					t.Errorf("asked %+v", m)
				}
				c.send(&want.completion)
			}()
			a := r.rest("POST", "/api/hubs/chat/connections/"+c.id+"/:invoke", `{"target":"ask","arguments":[1]}`, want.status)
			if a.Body != want.body {
				t.Errorf("%s, want %s", a.Body, want.body)
			}
			<-answered
		}
		r.rest("POST", "/api/hubs/chat/connections/nobody/:invoke", `{"target":"ask"}`, 404)
	})
}

func TestSwitchingTheModeEndsClients(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.connect("chat", hubproto.JSON)
	r.setMode(resource.ModeDefault)
	if m := c.next(); m.Type != hubproto.Close || !m.AllowReconnect {
		t.Errorf("%+v", m)
	}
	r.setMode(resource.ModeClassic)
	again := r.connect("chat", hubproto.JSON) // no app server, so it is a serverless one
	r.rest("POST", "/api/hubs/chat/:send", `{"target":"x"}`, 202)
	if m := again.next(); m.Target != "x" {
		t.Errorf("%+v", m)
	}
}

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, p hubproto.Protocol) {
		url, events := endpoint(t, nil)
		r := newRig(t, resource.UpstreamTemplate{URLTemplate: url, CategoryPattern: "connections"})
		start := time.Now()
		c := r.connect("chat", p)
		testkit.Receive(t, events, "the connected event")
		r.clients.Tick(start.Add(10 * time.Second)) // nothing is due
		r.clients.Tick(start.Add(16 * time.Second))
		if got := c.read(); string(got) != string(p.AppendPing(nil)) {
			t.Errorf("%q, want a ping", got)
		}
		r.clients.Tick(start.Add(25 * time.Second))
		r.clients.Tick(start.Add(40 * time.Second))
		if m := c.next(); m.Type != hubproto.Close || m.Error != "Connection closed with an error." || !m.AllowReconnect {
			t.Errorf("%+v, want a close", m)
		}
		e := testkit.Receive(t, events, "the disconnected event")
		if want := `{"type":11,"error":"the client has been silent for longer than the client timeout"}`; e.Body != want {
			t.Errorf("%s, want %s", e.Body, want)
		}
	})
}

func TestOtherTransportsAreServerlessToo(t *testing.T) {
	t.Parallel()
	url, events := endpoint(t, nil)
	r := newRig(t, resource.UpstreamTemplate{URLTemplate: url})
	token := sign(t, "http://instance/client/?hub=chat")
	a := r.doAs(token, "POST", "/client/negotiate?hub=chat&negotiateVersion=1", "", "")
	_, rest, _ := strings.Cut(a.Body, `"connectionToken":"`)
	id, _, _ := strings.Cut(rest, `"`)
	path := "/client/?hub=chat&id=" + id
	if a := r.doAs(token, "GET", path, "", ""); a.Status != 200 || a.Body != "" { // the first poll returns at once
		t.Fatalf("%+v", a)
	}
	r.doAs(token, "POST", path, "text/plain", `{"protocol":"json","version":1}`+"\x1e"+`{"type":1,"target":"hi","arguments":[]}`+"\x1e")
	if a := r.doAs(token, "GET", path, "", ""); a.Body != "{}\x1e" {
		t.Errorf("%q", a.Body)
	}
	for _, want := range []string{"connected", "hi"} {
		if e := testkit.Receive(t, events, want); e.Header.Get("X-ASRS-Event") != want {
			t.Errorf("%v, want %s", e.Header, want)
		}
	}
	// A poll is a sign of life by itself, so no pings and no silence.
	r.clients.Tick(time.Now().Add(5 * time.Second))
	if a := r.doAs(token, "DELETE", path, "", ""); a.Status != 202 {
		t.Errorf("%+v", a)
	}
	if e := testkit.Receive(t, events, "disconnected"); e.Header.Get("X-ASRS-Event") != "disconnected" {
		t.Errorf("%v", e.Header)
	}
}
