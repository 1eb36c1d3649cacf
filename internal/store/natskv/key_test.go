package natskv

import (
	"strings"
	"testing"

	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
)

func TestEncodeKey(t *testing.T) {
	t.Parallel()
	for id, want := range map[resource.ID]string{
		"/subscriptions/S/resourceGroups/My Group": "subscriptions.s.resourcegroups.my=20group",
		"/a.b/*/>/=/-_": "a=2eb.=2a.=3e.=3d.-_",
		"/ä":            "=c3=a4",
	} {
		if got := encodeKey(id); got != want {
			t.Errorf("encodeKey(%s) = %s, want %s", id, got, want)
		}
	}
}

// FuzzKey checks that each id has a key that NATS allows, that the key leads back to the id, and that no foreign key or value does harm.
func FuzzKey(f *testing.F) {
	for _, id := range []string{"/subscriptions/S/x", "/a.b/*/>", "/ä/面", "/=41/..", "/İ", "a=4", "\xff"} {
		f.Add(id, "1 "+id+"\nvalue")
	}
	f.Fuzz(func(t *testing.T, s, stored string) {
		id := resource.ID(s)
		if store.CheckID(id) == nil {
			key := encodeKey(id)
			if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789-_=.") != "" || strings.HasPrefix(key, ".") || strings.HasSuffix(key, ".") || strings.Contains(key, "..") {
				t.Errorf("encodeKey(%q) = %q, which is not a legal key", id, key)
			}
			back, ok := decodeKey(key)
			if !ok || back.Key() != id.Key() {
				t.Errorf("decodeKey(%q) = %q, %v; want %q", key, back, ok, id.Key())
			}
			gotID, gotValue, ok := decodeValue(encodeValue(id, []byte(stored)))
			if !ok || gotID != id || string(gotValue) != stored {
				t.Errorf("a value under %q came back as %q under %q, %v", id, gotValue, gotID, ok)
			}
		}
		if id, ok := decodeKey(s); ok && encodeKey(id) != s {
			t.Errorf("decodeKey(%q) = %q, whose key is %q", s, id, encodeKey(id))
		}
		decodeValue([]byte(stored))
	})
}
