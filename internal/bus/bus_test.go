package bus_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/hubgate/hubgate/internal/bus"
	"github.com/hubgate/hubgate/internal/bus/bustest"
	"github.com/hubgate/hubgate/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }

func TestMemory(t *testing.T) {
	t.Parallel()
	m := bus.NewMemory()
	bustest.Run(t, m, m)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for topic, good := range map[string]bool{
		"a": true, "limits.apim1": true, "a_b-c.0": true,
		"": false, ".": false, ".a": false, "a.": false, "a..b": false, "A": false, "a b": false, "a.*": false, "a.>": false, "ä": false,
		strings.Repeat("a", 200): true, strings.Repeat("a", 201): false,
	} {
		if err := bus.Check(topic, nil); (err == nil) != good {
			t.Errorf("topic %q: %v, good: %v", topic, err, good)
		}
	}
	if err := bus.Check("a", make([]byte, bus.MaxMessage)); err != nil {
		t.Errorf("the largest message is refused: %v", err)
	}
	if err := bus.Check("a", make([]byte, bus.MaxMessage+1)); !errors.Is(err, bus.ErrTooLarge) {
		t.Errorf("a message that is too large: %v", err)
	}
}
