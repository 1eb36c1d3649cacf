package app

import (
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/natsd/natstest"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
)

// TestChangesUnderManyClients changes an instance while a thousand clients are connected: none is dropped but by a change of the service mode.
func TestChangesUnderManyClients(t *testing.T) {
	t.Parallel()
	const size = 1000
	a, n := run(t, Options{Demo: true})
	clients := make([]*client, size)
	for i := 0; i < size; i += 50 {
		var some sync.WaitGroup
		for k := i; k < i+50; k++ {
			some.Go(func() { clients[k] = connect(t, a.ChatRoom+"/chat") })
		}
		some.Wait()
	}
	everybodyHears := func(text string) {
		t.Helper()
		clients[0].send(`{"type":1,"target":"BroadcastMessage","arguments":["ann","` + text + `"]}`)
		var all sync.WaitGroup
		for _, c := range clients {
			all.Go(func() { c.until(text) })
		}
		all.Wait()
	}
	everybodyHears("hello")

	id := resource.NewID(resource.SignalRService, "signalR", demoInstance)
	change := func(what string, edit func(*resource.SignalR), done func() bool) {
		t.Helper()
		instance, revision, err := store.Get[resource.SignalR](t.Context(), n.store, id)
		if err != nil {
			t.Fatal(err)
		}
		changed := *instance
		edit(&changed)
		if _, err := store.Put(t.Context(), n.store, &changed, revision); err != nil {
			t.Fatal(err)
		}
		eventually(t, what, done)
	}
	_, token := negotiate(t, a.ChatRoom+"/chat")
	negotiable := func() int { return status(t, http.MethodPost, a.SignalR+"/client/negotiate?hub=chat", token) }
	change("the primary key is another one", func(r *resource.SignalR) { r.PrimaryKey = "a-new-primary-key-of-this-instance-0123456789" },
		func() bool { return negotiable() == http.StatusUnauthorized })
	everybodyHears("after the rotation")

	preflight := func() string {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, a.SignalR+"/client/negotiate?hub=chat", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", "https://one.example")
		r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.Header.Get("Access-Control-Allow-Origin")
	}
	if got := preflight(); got != "https://one.example" {
		t.Errorf("any origin is allowed at first, but the answer allows %q", got)
	}
	change("other origins are refused", func(r *resource.SignalR) { r.AllowedOrigins = []string{"https://two.example"} }, func() bool { return preflight() == "" })
	everybodyHears("after the change of origins")

	change("the mode is Serverless", func(r *resource.SignalR) { r.Mode = resource.ModeServerless }, func() bool { return len(n.state.all()[0].registry.Hub("chat").Links()) == 0 })
	for _, c := range clients {
		if got := c.until(`"type":7`); !strings.Contains(got, "allowReconnect") {
			t.Fatalf("a client that the switch of the mode ends is told %s", got)
		}
	}
	eventually(t, "the metrics say that the switch of the mode ended a thousand clients", func() bool {
		return strings.Contains(get(t, a.Metrics+"/metrics"), `connection_close_category="ServiceModeSwitched",endpoint="Client",instance="ASRS1"} 1000`)
	})
}

// TestChangesReachEveryNode changes a policy at one node and asks another one over the same NATS. A change that cannot work leaves both as they were.
func TestChangesReachEveryNode(t *testing.T) {
	t.Parallel()
	nats, _ := natstest.Run(t, t.TempDir(), 0)
	answer := func(text string) string {
		return `<policies><inbound><base/><return-response><set-body>` + text + `</set-body></return-response></inbound></policies>`
	}
	start := func() (string, *node) {
		t.Helper()
		c, err := config.Parse([]byte(`
apiManagement:
  - name: APIM1
    apis:
      - {name: a, path: a, subscriptionRequired: false, operations: [{method: GET}], policy: '`+answer("first")+`'}
`), "hubgate.yaml", os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		a, n := run(t, Options{Config: c, NATSURL: nats})
		return a.Gateway + "/a", n
	}
	one, n := start()
	two, _ := start()
	both := func(want string) {
		t.Helper()
		for _, url := range []string{one, two} {
			eventually(t, url+" answers "+want, func() bool { return get(t, url) == want })
		}
	}
	both("first")
	id := resource.NewID(resource.ApiManagement, "service", "APIM1", "apis", "a", "policies", "policy")
	put := func(text string) {
		t.Helper()
		policy := &resource.Policy{ID: id, Format: resource.PolicyRawXML, Value: text}
		if _, err := store.Put(t.Context(), n.store, policy, store.AnyRevision); err != nil {
			t.Fatal(err)
		}
	}
	put(answer("second"))
	both("second")
	put(`<policies><inbound><no-such-policy/></inbound></policies>`)
	put(strings.Replace(answer("third"), "<base/>", "<base/><choose/>", 1)) // no better
	both("second")
	put(answer("fourth"))
	both("fourth")
}
