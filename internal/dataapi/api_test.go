package dataapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tinylib/msgp/msgp"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hubproto"
)

// expect reads the next message of a client and compares its target.
func expect(t *testing.T, c *client, target string) {
	t.Helper()
	if m := c.next(); m.Target != target {
		t.Errorf("%+v, want %s", m, target)
	}
}

func TestSendsReachWhomTheyAreFor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ann := r.connect("chat", hubproto.JSON, user("ann"))
	bob := r.connect("chat", hubproto.MessagePack, user("bob"))
	for _, c := range []*client{ann, bob} {
		r.rest("PUT", "/api/hubs/chat/groups/a%2Fb/connections/"+c.id, "", 200)
	}
	const hub = "/api/hubs/CHAT"
	r.rest("POST", hub+"/:send?excluded="+ann.id, `{"target":"not ann"}`, 202)
	r.rest("POST", hub+"/groups/a%2Fb/:send?excluded=x&excluded="+bob.id, `{"target":"not bob"}`, 202)
	r.rest("POST", hub+"/users/bob/:send", `{"target":"to bob"}`, 202)
	r.rest("POST", hub+"/connections/"+ann.id+"/:send", `{"target":"to ann"}`, 202)
	if a := r.do("POST", "/api/v1/hubs/chat/groups/a%2Fb", "application/json", `{"Target":"by v1"}`); a.Status != 202 {
		t.Errorf("%+v", a)
	}
	if a := r.do("POST", "/api/v1-preview/hub/chat/users/ann,bob,ann", "application/json", `{"target":"by preview"}`); a.Status != 202 {
		t.Errorf("%+v", a)
	}
	for _, target := range []string{"not bob", "to ann", "by v1", "by preview"} {
		expect(t, ann, target)
	}
	for _, target := range []string{"not ann", "to bob", "by v1", "by preview"} {
		expect(t, bob, target)
	}
	// An application's hub is another hub.
	r.rest("POST", hub+"/:send?application=App", `{"target":"to the application"}`, 202)
	app := r.connect("app_chat", hubproto.JSON)
	r.rest("POST", hub+"/:send?application=App", `{"target":"to the application"}`, 202)
	expect(t, app, "to the application")
	r.rest("POST", hub+"/:send", `{"target":"last"}`, 202)
	expect(t, ann, "last")
}

func TestEncodedBody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	text, binary := r.connect("chat", hubproto.JSON), r.connect("chat", hubproto.MessagePack)
	invocation := &hubproto.Message{Type: hubproto.Invocation, Target: "m"}
	j, _ := hubproto.JSON.Append(nil, invocation)
	m, _ := hubproto.MessagePack.Append(nil, invocation)
	both := msgp.AppendMapHeader(nil, 2)
	both = msgp.AppendBytes(msgp.AppendString(both, "json"), j)
	both = msgp.AppendBytes(msgp.AppendString(both, "messagepack"), m)
	const path = "/api/hubs/chat/:send?api-version=2022-06-01"
	for _, kind := range []string{"application/octet-stream", "application/x-msgpack"} {
		if a := r.do("POST", path, kind, string(both)); a.Status != 202 {
			t.Errorf("%+v", a)
		}
		expect(t, text, "m")
		expect(t, binary, "m")
	}
	one := func(name string, data []byte) string {
		return string(msgp.AppendBytes(msgp.AppendString(msgp.AppendMapHeader(nil, 1), name), data))
	}
	for what, body := range map[string]string{
		"no map": "x", "empty": "\x80", "cut": string(both[:len(both)-1]), "more": string(both) + "x", "half a message": one("json", j[:3]),
		"broken length": one("messagepack", []byte{200}), "no message": one("json", nil), "many": "\xde\xff\xff",
		"text": string(msgp.AppendString(msgp.AppendString(msgp.AppendMapHeader(nil, 1), "json"), "x")),
	} {
		if a := r.do("POST", path, "application/octet-stream", body); a.Status != 400 {
			t.Errorf("%s: %+v", what, a)
		}
	}
}

func TestEncodedInvocation(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, p hubproto.Protocol) {
		r := newRig(t)
		c := r.connect("chat", p)
		data, _ := p.Append(nil, &hubproto.Message{Type: hubproto.Invocation, Target: "ask", InvocationID: "the SDK's", HasInvocationID: true})
		body := string(msgp.AppendBytes(msgp.AppendString(msgp.AppendMapHeader(nil, 1), p.String()), data))
		go func() {
			m := c.next()
			c.send(&hubproto.Message{Type: hubproto.Completion, InvocationID: m.InvocationID, HasInvocationID: true, Result: text(p, "ok"), HasResult: true})
		}()
		a := r.do("POST", "/api/hubs/chat/connections/"+c.id+"/:invoke?api-version=2024-12-01", "application/octet-stream", body)
		if a.Status != 200 || a.Body != `{"result":"ok"}` {
			t.Errorf("%+v", a)
		}
	})
}

func TestStreams(t *testing.T) {
	t.Parallel()
	protocols(t, func(t *testing.T, p hubproto.Protocol) {
		r := newRig(t)
		c := r.connect("chat", p)
		path := "/api/hubs/chat/connections/" + c.id + "/streams/s1/"
		r.rest("POST", path+":send", `"one"`, 202)
		r.rest("POST", path+":send?completed=true", `"two"`, 202)
		r.rest("POST", path+":send?completed=true", "", 202)
		r.rest("POST", path+":complete", "", 202)
		r.rest("POST", path+":complete?reason=broken", "", 202)
		r.rest("POST", path+":send", "", 400)
		for _, want := range []hubproto.Message{
			{Type: hubproto.StreamItem, Item: text(p, "one")},
			{Type: hubproto.StreamItem, Item: text(p, "two")},
			{Type: hubproto.Completion},
			{Type: hubproto.Completion},
			{Type: hubproto.Completion},
			{Type: hubproto.Completion, Error: "broken", HasError: true},
		} {
			want.InvocationID, want.HasInvocationID = "s1", true
			if diff := cmp.Diff(&want, c.next()); diff != "" {
				t.Error(diff)
			}
		}
	})
}

func TestGroupsOfUsers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const group = "/api/hubs/chat/users/ann/groups/g"
	r.rest("PUT", group+"?ttl=0", "", 200) // for those that are there, and none is
	r.rest("GET", group, "", 404)
	r.rest("PUT", group+"?ttl=60", "", 200)
	r.rest("GET", group, "", 200)
	ann := r.connect("chat", hubproto.JSON, user("ann")) // comes later and is in
	r.rest("HEAD", "/api/hubs/chat/groups/g/users/ann", "", 200)
	r.rest("HEAD", "/api/hubs/chat/groups/g", "", 200)
	r.rest("POST", "/api/hubs/chat/groups/g/:send", `{"target":"in"}`, 202)
	expect(t, ann, "in")
	r.rest("DELETE", group, "", 204)
	r.rest("GET", group, "", 404)
	r.rest("PUT", "/api/hubs/chat/groups/h/users/ann", "", 200)
	r.rest("DELETE", "/api/hubs/chat/users/ann/groups", "", 204)
	r.rest("HEAD", "/api/hubs/chat/groups/h", "", 404)
	r.rest("PUT", "/api/hubs/chat/connections/"+ann.id+"/groups/k", "", 200)
	r.rest("GET", "/api/hubs/chat/groups/k", "", 200)
	r.rest("DELETE", "/api/hubs/chat/connections/"+ann.id+"/groups", "", 200)
	r.rest("GET", "/api/hubs/chat/groups/k", "", 404)
}

func TestClosing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	clients := make([]*client, 4)
	for i := range clients {
		clients[i] = r.connect("chat", hubproto.JSON, user(fmt.Sprint("u", i)))
	}
	r.rest("PUT", "/api/hubs/chat/users/u2/groups/g", "", 200)
	r.rest("DELETE", "/api/hubs/chat/connections/"+clients[0].id+"?reason=one", "", 200)
	r.rest("POST", "/api/hubs/chat/users/u1/:closeConnections?reason=two", "", 204)
	r.rest("POST", "/api/hubs/chat/groups/g/:closeConnections?reason=three", "", 204)
	r.rest("POST", "/api/hubs/chat/:closeConnections?reason=four&excluded="+clients[3].id, "", 204)
	for i, reason := range []string{"one", "two", "three"} {
		if m := clients[i].next(); m.Type != hubproto.Close || m.Error != reason {
			t.Errorf("client %d: %+v", i, m)
		}
	}
	r.rest("POST", "/api/hubs/chat/:send", `{"target":"still here"}`, 202)
	expect(t, clients[3], "still here")
}

func TestListOfAGroup(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var want []string
	for i := range 7 {
		c := r.connect("chat", hubproto.JSON, user(fmt.Sprint("u", i)))
		r.rest("PUT", "/api/hubs/chat/groups/g%201/connections/"+c.id, "", 200)
		want = append(want, c.id)
	}
	slices.Sort(want)
	for _, c := range []struct {
		query string
		pages []int
	}{
		{"", []int{7}},
		{"?maxpagesize=3", []int{3, 3, 1}},
		{"?maxpagesize=7", []int{7}},
		{"?top=5", []int{5}},
		{"?top=5&maxpagesize=2", []int{2, 2, 1}},
		{"?top=4&maxpagesize=2", []int{2, 2}},
		{"?top=100&maxpagesize=4", []int{4, 3}},
	} {
		var got []string
		var pages []int
		next := "/api/hubs/chat/groups/g%201/connections" + c.query
		for first := true; next != ""; first = false {
			var a answer
			if first {
				a = r.rest("GET", next, "", 200)
			} else {
				a = r.do("GET", next, "", "")
			}
			var page struct {
				Value []struct {
					ConnectionID string `json:"connectionId"`
					UserID       string `json:"userId"`
				}
				NextLink string
			}
			if err := json.Unmarshal([]byte(a.Body), &page); err != nil {
				t.Fatal(err)
			}
			for _, m := range page.Value {
				got = append(got, m.ConnectionID)
				if !strings.HasPrefix(m.UserID, "u") {
					t.Errorf("%+v", m)
				}
			}
			pages = append(pages, len(page.Value))
			next = strings.TrimPrefix(page.NextLink, r.server.URL)
			if page.NextLink != "" && next == page.NextLink {
				t.Fatalf("the next link %q is not absolute", page.NextLink)
			}
		}
		if diff := cmp.Diff(c.pages, pages); diff != "" {
			t.Errorf("%s: %s", c.query, diff)
		}
		if diff := cmp.Diff(want[:len(got)], got); diff != "" {
			t.Errorf("%s: %s", c.query, diff)
		}
	}
	r.rest("GET", "/api/hubs/chat/groups/empty/connections", "", 200)
	r.rest("GET", "/api/hubs/chat/groups/g/connections?continuationToken=%21", "", 400)
}

func TestExecute(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	vip1, vip2 := r.connect("chat", hubproto.JSON, user("vip1")), r.connect("chat", hubproto.MessagePack, user("vip2"))
	other := r.connect("chat", hubproto.JSON)
	commands := `[{"type":"JoinGroup","group":"vips"},{"type":"SendMessage","message":{"target":"welcome","arguments":[1]}}]`
	r.rest("POST", "/api/hubs/chat/:execute?filter="+url.QueryEscape("startswith(userId, 'vip')"), commands, 202)
	r.rest("POST", "/api/hubs/chat/groups/vips/:send", `{"target":"in"}`, 202)
	for _, c := range []*client{vip1, vip2} {
		expect(t, c, "welcome")
		expect(t, c, "in")
	}
	r.rest("POST", "/api/hubs/chat/:execute?filter="+url.QueryEscape("'vips' in groups and not (userId eq 'vip2')"),
		`[{"type":"LeaveGroup","group":"vips"},{"type":"CloseConnection","reason":"bye"}]`, 202)
	if m := vip1.next(); m.Type != hubproto.Close || m.Error != "bye" {
		t.Errorf("%+v", m)
	}
	r.rest("POST", "/api/hubs/chat/:execute", `[{"type":"SendMessage","message":{"target":"all"}}]`, 202)
	expect(t, vip2, "all")
	expect(t, other, "all")
	// Nothing is done when anything of the request is wrong.
	r.rest("POST", "/api/hubs/chat/:execute", `[{"type":"SendMessage","message":{"target":"never"}},{"type":"JoinGroup"}]`, 400)
	r.rest("POST", "/api/hubs/chat/:execute?filter=userId", `[{"type":"SendMessage","message":{"target":"never"}}]`, 400)
	r.rest("POST", "/api/hubs/chat/:send", `{"target":"last"}`, 202)
	expect(t, other, "last")
}

func TestGeneratedToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.rest("POST", "/api/hubs/chat/:generateToken?userId=%C3%A4nn&minutesToExpire=5", "", 200)
	var generated struct{ Token string }
	if err := json.Unmarshal([]byte(a.Body), &generated); err != nil {
		t.Fatal(err)
	}
	if a := r.doAs(generated.Token, "POST", "/client/negotiate?hub=chat", "", ""); a.Status != 200 {
		t.Errorf("negotiate: %+v", a)
	}
	if a := r.doAs(generated.Token, "POST", "/client/negotiate?hub=other", "", ""); a.Status != 401 {
		t.Errorf("negotiate for another hub: %+v", a)
	}
	r.rest("POST", "/api/hubs/chat/:generateToken?minutesToExpire=0", "", 400)
}

func TestAudience(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const dated = "?api-version=2022-06-01"
	for _, c := range []struct {
		audience, path string
		status         int
	}{
		{"http://x/api/hubs/chat/:send", "/api/hubs/chat/:send" + dated, 202},
		{"https://x:99/api/hubs/chat/:send" + dated, "/api/hubs/chat/:send" + dated, 202},
		{"http://x/api/hubs/Chat/:send", "/api/hubs/chat/:send" + dated, 202},
		{"http://x/api/hubs/chat/:send", "/api/hubs/other/:send" + dated, 401},
		{"http://x/api/hubs/chat/groups/../:send", "/api/hubs/chat/:send" + dated, 401},
		{"http://x/api/hubs/chat/groups/./:send", "/api/hubs/chat/groups/:send" + dated, 401},
		{"http://x/api/hubs/chat/groups/%2E%2E/:send", "/api/hubs/chat/:send" + dated, 401},
		{"http://x/api/hubs/chat/:send", "/api/hubs/chat/groups/../:send" + dated, 401},
		{"http://x/api/hubs/chat/:send", "/api/hubs/chat//:send" + dated, 404},
		{"http://x/api/hubs/chat/groups/%2E%2E/:send", "/api/hubs/chat/groups/%2E%2E/:send" + dated, 202},
		{"http://x/api/hubs/chat/groups/a%2Fb/:send", "/api/hubs/chat/groups/a/b/:send" + dated, 404},
		{"http://x/client/?hub=chat", "/api/hubs/chat/:send" + dated, 401},
		{"http://x/server/?hub=chat", "/api/hubs/chat/:send" + dated, 401},
		{"http://x/api/hubs/chat/:send?application=a", "/api/hubs/chat/:send" + dated, 401},
		{"http://x/api/hubs/chat/:send?application=a", "/api/hubs/chat/:send" + dated + "&application=a", 202},
	} {
		a := r.doAs(sign(t, c.audience), "POST", c.path, "application/json", `{"target":"m"}`)
		if a.Status != c.status {
			t.Errorf("%s for %s: %d, want %d", c.audience, c.path, a.Status, c.status)
		}
		if c.status == 401 && !strings.HasPrefix(a.Header.Get("Www-Authenticate"), "Bearer error=") {
			t.Errorf("%s for %s: WWW-Authenticate %q", c.audience, c.path, a.Header.Get("Www-Authenticate"))
		}
	}
	other, err := auth.Sign("another key", auth.HS256, auth.Claim{Type: "aud", Value: "http://x/api/hubs/chat/:send"}, auth.Claim{Type: "exp", Value: "4102444800"})
	if err != nil {
		t.Fatal(err)
	}
	if a := r.doAs(other, "POST", "/api/hubs/chat/:send"+dated, "application/json", `{"target":"m"}`); a.Status != 401 {
		t.Errorf("another key: %+v", a)
	}
}

func TestUnknownRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/api/", 404, ""},
		{"GET", "/api/v2/health", 404, ""},
		{"POST", "/api/hubs/chat", 404, ""},
		{"GET", "/api/hubs/chat/:send", 405, "POST"},
		{"POST", "/api/hubs/chat/users/u/groups/g", 405, "DELETE, GET, HEAD, PUT"},
		{"PATCH", "/api/v1/hubs/chat", 405, "POST"},
		{"GET", "/api/health", 200, ""},
		{"HEAD", "/api/v1/health", 200, ""},
	} {
		a := r.doAs("", c.method, c.path, "", "")
		if a.Status != c.status || a.Header.Get("Allow") != c.allow || a.Header.Get("X-Ms-Error-Code") != "" {
			t.Errorf("%s %s: %+v, want %d %q", c.method, c.path, a, c.status, c.allow)
		}
	}
}
