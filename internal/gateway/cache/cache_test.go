package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// contract is what every cache must do.
func contract(t *testing.T, c Cache) {
	ctx := t.Context()
	get := func(key string) (string, bool) {
		t.Helper()
		value, ok, err := c.Get(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		return string(value), ok
	}
	if _, ok := get("missing"); ok {
		t.Error("a key that was never set is there")
	}
	for key, value := range map[string]string{"a": "1", "empty": "", "bin\x00ary": "\x00\xff"} {
		if err := c.Set(ctx, key, []byte(value), time.Minute); err != nil {
			t.Fatal(err)
		}
		if got, ok := get(key); !ok || got != value {
			t.Errorf("%q: %q %t", key, got, ok)
		}
	}
	if err := c.Set(ctx, "a", []byte("2"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if got, _ := get("a"); got != "2" {
		t.Errorf("after the second set: %q", got)
	}
	if err := c.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(ctx, "a"); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
	if _, ok := get("a"); ok {
		t.Error("a deleted key is there")
	}
	if err := c.Set(ctx, "large", make([]byte, MaxValue+1), time.Minute); err == nil {
		t.Error("a value over the limit is taken")
	}
	if err := c.Set(ctx, "large", make([]byte, MaxValue), time.Minute); err != nil {
		t.Error(err)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	m := NewMemory(0)
	defer m.Close()
	contract(t, m)
}

func TestMemoryExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(0)
		defer m.Close()
		if err := m.Set(t.Context(), "a", []byte("1"), 10*time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9999 * time.Millisecond)
		if _, ok, _ := m.Get(t.Context(), "a"); !ok {
			t.Error("it is gone too early")
		}
		time.Sleep(time.Millisecond)
		if _, ok, _ := m.Get(t.Context(), "a"); ok {
			t.Error("it is there after its time")
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	m := NewMemory(1 << 20)
	defer m.Close()
	for i := range 1000 {
		if err := m.Set(t.Context(), fmt.Sprint(i), make([]byte, 10<<10), time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	m.cache.CleanUp()
	if n := m.cache.WeightedSize(); n > 1<<20 {
		t.Errorf("%d bytes in a cache of 1 MiB", n)
	}
}

func TestMemoryClosed(t *testing.T) {
	t.Parallel()
	m := NewMemory(0)
	m.Close()
	if err := m.Set(t.Context(), "a", nil, time.Hour); err != nil {
		t.Error(err)
	}
	if _, ok, err := m.Get(t.Context(), "a"); ok || err != nil {
		t.Error(ok, err)
	}
}

// startRedis runs a real server on a free port of the loopback.
func startRedis(t *testing.T, arguments ...string) string {
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
	command := exec.Command(program, append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir()}, arguments...)...)
	out := &bytes.Buffer{}
	command.Stdout, command.Stderr = out, out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ticker := time.NewTicker(20 * time.Millisecond); ; {
		var d net.Dialer
		if c, err := d.DialContext(ctx, "tcp", address); err == nil {
			c.Close()
			return address
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("redis-server does not answer: %s", out)
		}
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	address := startRedis(t, "--requirepass", "secret")
	r, err := NewRedis(address+",password=secret,ssl=False,abortConnect=False", "hubgate:test:")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	contract(t, r)
	other, err := NewRedis("redis://:secret@"+address+"/0", "hubgate:other:")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, ok, err := other.Get(t.Context(), "empty"); ok || err != nil {
		t.Errorf("another prefix sees the key: %t %v", ok, err)
	}
	if err := r.Set(t.Context(), "short", []byte("1"), 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if d, err := r.client.PTTL(t.Context(), "hubgate:test:short").Result(); err != nil || d <= 0 || d > 50*time.Millisecond {
		t.Errorf("time to live: %s %v", d, err)
	}
	wrong, err := NewRedis(address+",password=wrong", "")
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	if _, _, err := wrong.Get(t.Context(), "a"); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with a wrong password: %v", err)
	}
}

func TestRedisThatIsNotThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	r, err := NewRedis(address, "")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, _, err := r.Get(t.Context(), "a"); err == nil {
		t.Error("there is an answer")
	}
	if err := r.Set(t.Context(), "a", nil, time.Minute); err == nil {
		t.Error("there is an answer")
	}
}

func TestConnectionStrings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, address, password, fault string
		secure                         bool
	}{
		{text: "contoso.redis.cache.windows.net:6380,password=a=b=,ssl=True,abortConnect=False", address: "contoso.redis.cache.windows.net:6380", password: "a=b=", secure: true},
		{text: "localhost", address: "localhost:6379"},
		{text: " localhost , ssl=true ", address: "localhost:6380", secure: true},
		{text: "[::1]:7000,defaultDatabase=3,user=me", address: "[::1]:7000"},
		{text: "redis://:pw@h:1/2", address: "h:1", password: "pw"},
		{text: "rediss://h", address: "h:6379", secure: true},
		{text: "", fault: "names no server"},
		{text: "password=x", fault: "names no server"},
		{text: "a:1,b:2", fault: "more than one server"},
		{text: "a:99999", fault: "not host:port"},
		{text: "a,ssl=perhaps", fault: "the value of ssl"},
		{text: "redis://secret@[h", fault: "cannot be parsed"},
	} {
		o, err := parseConnectionString(c.text)
		switch {
		case c.fault != "":
			if err == nil || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%q: %v", c.text, err)
			}
		case err != nil:
			t.Errorf("%q: %v", c.text, err)
		case o.Addr != c.address || o.Password != c.password || (o.TLSConfig != nil) != c.secure:
			t.Errorf("%q: %s %q %t", c.text, o.Addr, o.Password, o.TLSConfig != nil)
		}
	}
	if _, err := parseConnectionString("localhost:1"); err != nil {
		t.Error(err)
	}
	if _, err := parseConnectionString(""); err == nil {
		t.Error("an empty connection string is accepted")
	}
}

func TestResponseRoundTrip(t *testing.T) {
	t.Parallel()
	for _, r := range []Response{
		{Status: 200, Stored: time.Unix(1_700_000_000, 0), Header: http.Header{"Content-Type": {"text/plain"}, "Set-Cookie": {"a", "b"}}, Body: []byte("body")},
		{Status: 404, Stored: time.Unix(0, 0), Header: http.Header{}, Body: []byte{}},
	} {
		got, err := DecodeResponse(r.AppendTo(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&r, got); diff != "" {
			t.Error(diff)
		}
	}
	for _, b := range [][]byte{nil, {2}, {1}, {1, 200, 1}, {1, 200, 1, 0, 5}, {1, 200, 1, 0, 1, 200, 1}, {1, 5, 0, 0}} {
		if _, err := DecodeResponse(b); !errors.Is(err, errNotAResponse) {
			t.Errorf("%v: %v", b, err)
		}
	}
}

func FuzzDecodeResponse(f *testing.F) {
	good := Response{Status: 200, Stored: time.Unix(1, 0), Header: http.Header{"A": {"b", "c"}}, Body: []byte("d")}
	f.Add(good.AppendTo(nil))
	f.Add([]byte{1, 200, 1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeResponse(b)
		if err != nil {
			return
		}
		again, err := DecodeResponse(r.AppendTo(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r.Header, again.Header); diff != "" || !bytes.Equal(r.Body, again.Body) {
			t.Error("not the same after a round trip", diff)
		}
	})
}
