package policy

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClaimValues(t *testing.T) {
	t.Parallel()
	var c claims
	if err := json.Unmarshal([]byte(`{"text":"a b","list":["x","y",3,true],"number":1.50,"yes":true,"object":{"a": 1},"empty":[],"null":null}`), &c); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"text": {"a b"}, "list": {"x", "y", "3", "true"}, "number": {"1.50"}, "yes": {"true"}, "object": {`{"a": 1}`}, "empty": nil, "null": {"null"},
	} {
		got, ok := c.values(name)
		if !ok || cmp.Diff(want, got) != "" {
			t.Errorf("%s: %t %q", name, ok, got)
		}
	}
	if _, ok := c.values("missing"); ok {
		t.Error("a claim that is not there")
	}
}

func TestClaimTimes(t *testing.T) {
	t.Parallel()
	c := claims{"int": json.RawMessage("1700000000"), "half": json.RawMessage("1700000000.5"), "text": json.RawMessage(`"1700000000"`), "huge": json.RawMessage("1e300")}
	for name, want := range map[string]time.Time{"int": time.Unix(1_700_000_000, 0), "half": time.UnixMilli(1_700_000_000_500)} {
		if got, ok, err := c.time(name); !ok || err != nil || !got.Equal(want) {
			t.Errorf("%s: %s %t %v", name, got, ok, err)
		}
	}
	for _, name := range []string{"text", "huge"} {
		if _, ok, err := c.time(name); !ok || err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, ok, err := c.time("missing"); ok || err != nil {
		t.Error(ok, err)
	}
}

func TestRetryWait(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n, interval, delta, longest int
		chance                      float64
		want                        time.Duration
	}{
		{1, 10, 0, 0, 0, 10 * time.Second},
		{3, 10, 5, 0, 0, 20 * time.Second},
		{1, 10, 10, 1000, 0.5, 20 * time.Second}, // 10 + (2^1 - 1) * 10
		{3, 10, 10, 1000, 0.5, 80 * time.Second}, // 10 + (2^3 - 1) * 10
		{3, 10, 10, 1000, 0, 66 * time.Second},   // the same with 8
		{3, 10, 10, 1000, 1, 94 * time.Second},   // the same with 12
		{9, 10, 10, 60, 0.5, time.Minute},
		{50, 1 << 30, 1 << 30, 1 << 30, 0.5, 24 * time.Hour},
	} {
		if got := retryWait(c.n, c.interval, c.delta, c.longest, c.chance); got.Round(time.Millisecond) != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int64]string{1: "00:00:01", 406: "00:06:46", 86399: "23:59:59", 86400: "1.00:00:00", 200000: "2.07:33:20"} {
		if got := clock(seconds); got != want {
			t.Errorf("%d: %s, want %s", seconds, got, want)
		}
	}
}

// FuzzSplitToken reads headers of tokens as clients send them.
func FuzzSplitToken(f *testing.F) {
	f.Add("eyJhbGciOiJIUzI1NiJ9.e30.x")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c.d.e")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		_, payload, _, ok := splitToken(text)
		if !ok {
			return
		}
		var c claims
		if json.Unmarshal(payload, &c) == nil {
			for name := range c {
				c.values(name)
				_, _, _ = c.time(name)
			}
		}
	})
}
