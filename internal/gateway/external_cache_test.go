package gateway

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

// startRedis runs a real server on a free port of the loopback.
func startRedis(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not on the PATH; install it to test the external cache")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	l.Close()
	var out bytes.Buffer
	command := exec.Command(program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	command.Stdout = &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for range 1000 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return address
		}
		<-ticker.C
	}
	t.Fatal("redis-server does not answer")
	return ""
}

// TestExternalCache lets two gateways share a Redis, and one go on without it.
func TestExternalCache(t *testing.T) {
	t.Parallel()
	address := startRedis(t)
	external := &resource.Cache{ID: testService.Child("caches", "default"), ConnectionString: address + ",ssl=False,abortConnect=False"}
	const policies = `<inbound><cache-lookup-value key="k" variable-name="v" default-value="@(new JObject(new JProperty("n", 0)))"/>
		<set-variable name="n" value="@(((JObject)context.Variables["v"]).Value<int>("n") + 1)"/>
		<cache-store-value key="k" value="@(new JObject(new JProperty("n", (int)context.Variables["n"])))" duration="60"/>
		<return-response><set-body>@(context.Variables["n"].ToString())</set-body></return-response></inbound>`
	one, two := inProcess(t, fine, policies, external), inProcess(t, fine, policies, external)
	for i, g := range []*Gateway{one, two, one} {
		if w := call(g, "GET", "/a/x", ""); w.Body.String() != fmt.Sprint(i+1) {
			t.Errorf("call %d: %d %s", i+1, w.Code, w.Body)
		}
	}
	const responses = `<inbound><cache-lookup vary-by-developer="false" vary-by-developer-groups="false" caching-type="external"/></inbound><outbound><cache-store duration="60"/></outbound>`
	var n atomic.Int32
	counting := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, n.Add(1)) })
	three, four := inProcess(t, counting, responses, external), inProcess(t, counting, responses, external)
	for _, g := range []*Gateway{three, four} {
		if w := call(g, "GET", "/a/x", ""); w.Body.String() != "1" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	// Without the resource the values are those of the node.
	configure(t, one, policies)
	if w := call(one, "GET", "/a/x", ""); w.Body.String() != "1" {
		t.Errorf("after the cache is gone from the configuration: %s", w.Body)
	}
	broken := &resource.Cache{ID: testService.Child("caches", "default"), ConnectionString: "127.0.0.1:1"}
	configure(t, two, policies, broken)
	if w := call(two, "GET", "/a/x", ""); w.Code != 200 || w.Body.String() != "1" {
		t.Errorf("with a cache that does not answer: %d %s", w.Code, w.Body)
	}
	bad := &resource.Cache{ID: testService.Child("caches", "default"), ConnectionString: "password=secret"}
	err := two.Update(append(httpAPI("a", "a", "http://local", "GET /x"), bad))
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "names no server") {
		t.Error(err)
	}
}
