package gateway

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/gateway/expr"
	"github.com/hubgate/hubgate/internal/gateway/policy"
)

// FuzzDecodeValue decodes what an external cache may hold: no panic, and what is a value is one again after a round trip.
func FuzzDecodeValue(f *testing.F) {
	codec := newValueCodec(newExpressions(expr.NewEnvironment().WithLimits(expr.Limits{Steps: 100_000, Memory: 1 << 20}), nil))
	response := &policy.Response{Status: 200, Header: map[string][]string{"A": {"b"}}}
	response.Body.Set([]byte("body"))
	for _, v := range []any{nil, true, "text", []byte{1, 2}, int32(-5), int64(1) << 40, 1.5, response} {
		b, err := codec.Encode(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for name := range otherTypes {
		f.Add([]byte("o" + name + "\x001"))
	}
	f.Add([]byte("oNewtonsoft.Json.Linq.JObject\x00{\"a\":[1,null,\"x\"]}"))
	f.Add([]byte("oSystem.Xml.Linq.XElement\x00<a><b/></a>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := codec.Decode(b)
		if err != nil {
			return
		}
		again, err := codec.Encode(v)
		if err != nil {
			return // Text that reads as a value of another type than it says it is.
		}
		second, err := codec.Decode(again)
		if err != nil {
			t.Fatalf("%q became %q: %v", b, again, err)
		}
		third, err := codec.Encode(second)
		if err != nil {
			t.Fatal(err)
		}
		if _, isResponse := v.(*policy.Response); !isResponse && string(third) != string(again) {
			t.Errorf("not the same after a round trip:\n%s", cmp.Diff(string(again), string(third)))
		}
	})
}

func TestValuesThatAreNone(t *testing.T) {
	t.Parallel()
	codec := newValueCodec(newExpressions(environment(), nil))
	for _, text := range []string{"", "x", "i", "i\x80", "d123", "r", "o", "oSystem.Guid", "oSystem.Guid\x00no guid", "oSystem.IO.File\x00x"} {
		if v, err := codec.Decode([]byte(text)); err == nil {
			t.Errorf("%q is %v", text, v)
		}
	}
}
