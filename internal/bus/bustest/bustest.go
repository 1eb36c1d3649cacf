// Package bustest holds the tests that every bus passes.
package bustest

import (
	"fmt"
	"testing"

	"github.com/hubgate/hubgate/internal/bus"
	"github.com/hubgate/hubgate/internal/testkit"
)

// Run tests a bus by two ends of it, which may be the same. Topics begin with the test's own name.
func Run(t *testing.T, a, b bus.Bus) {
	t.Helper()
	listen := func(on bus.Bus, topic string) (<-chan string, func()) {
		t.Helper()
		got := make(chan string, 100)
		cancel, err := on.Subscribe(topic, func(body []byte) { got <- string(body) })
		if err != nil {
			t.Fatal(err)
		}
		return got, cancel
	}
	publish := func(on bus.Bus, topic, body string) {
		t.Helper()
		if err := on.Publish(topic, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(from <-chan string, what string) {
		t.Helper()
		if got := testkit.Receive(t, from, what); got != what {
			t.Fatalf("%q comes, want %q", got, what)
		}
	}

	atA, cancelA := listen(a, "bustest.one")
	atB, cancelB := listen(b, "bustest.one")
	other, cancelOther := listen(b, "bustest.two")
	defer cancelOther()
	defer cancelB()
	publish(b, "bustest.one", "from b")
	want(atB, "from b")
	want(atA, "from b")
	for i := range 50 {
		publish(a, "bustest.one", fmt.Sprint(i))
	}
	for i := range 50 {
		want(atA, fmt.Sprint(i))
		want(atB, fmt.Sprint(i))
	}
	cancelA()
	publish(b, "bustest.one", "later")
	publish(b, "bustest.two", "elsewhere")
	want(atB, "later")
	want(other, "elsewhere")
	select {
	case got := <-atA:
		t.Errorf("%q comes after the subscription was cancelled", got)
	case got := <-other:
		t.Errorf("%q of another topic comes", got)
	default:
	}
	if err := a.Publish("no.*", nil); err == nil {
		t.Error("a topic with a wildcard is taken")
	}
	if _, err := a.Subscribe("no.>", func([]byte) {}); err == nil {
		t.Error("a subscription to a wildcard is taken")
	}
}
