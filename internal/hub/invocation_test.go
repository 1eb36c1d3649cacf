package hub

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
)

func ask(client string) *svcproto.ClientInvocation {
	return &svcproto.ClientInvocation{InvocationID: "i", ConnectionID: client, CallerServerID: "asker", Payloads: json("question")}
}

func failed(client, text string) svcproto.Message {
	return &svcproto.ErrorCompletion{InvocationID: "i", ConnectionID: client, CallerServerID: "asker", Error: text}
}

// asking is a hub with a client at one app server, and another app server that asks it.
func asking(t *testing.T) (h *Hub, c *Client, owner, asker *server) {
	h = NewRegistry("node1").Hub("chat")
	owner, asker = &server{id: "owner"}, &server{id: "asker"}
	h.AddLink(owner)
	c = client(t, h, "c", "", "json")
	h.AddLink(asker)
	return h, c, owner, asker
}

func expectSent(t *testing.T, what string, s *server, want ...svcproto.Message) {
	t.Helper()
	if diff := cmp.Diff(want, s.take()); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	h, c, owner, asker := asking(t)
	h.Invoke(asker, ask("c"), new(message.Batch), 0)
	if diff := cmp.Diff([]string{"question"}, c.took()); diff != "" {
		t.Error(diff)
	}
	expectSent(t, "the app server of the client", owner, &svcproto.ClientInvocation{InvocationID: "i", ConnectionID: "c", CallerServerID: "asker"})
	expectSent(t, "the one that asks", asker, &svcproto.ServiceMapping{InvocationID: "i", ConnectionID: "c", InstanceID: "node1"})
	answer := &svcproto.ClientCompletion{InvocationID: "i", ConnectionID: "c", CallerServerID: "asker", Payload: []byte("answer")}
	h.Complete(owner, answer)
	h.Complete(owner, answer) // once is enough
	expectSent(t, "the one that asked", asker, answer)
	h.Detach(c)
	expectSent(t, "the one that has its answer", asker)
}

func TestInvokeOwnClient(t *testing.T) {
	t.Parallel()
	h, c, owner, _ := asking(t)
	h.Invoke(owner, ask("c"), new(message.Batch), 0)
	if diff := cmp.Diff([]string{"question"}, c.took()); diff != "" {
		t.Error(diff)
	}
	expectSent(t, "the app server, which needs no mapping", owner)
	h.Complete(owner, &svcproto.ClientCompletion{InvocationID: "i", ConnectionID: "c"})
	expectSent(t, "the app server, which has the answer already", owner)
	if len(h.invocations) > 0 {
		t.Error("the question is remembered")
	}
}

// The .NET SDK asks first and waits for the answer a little later.
func TestInvokeSettles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, c, _, asker := asking(t)
		start := time.Now()
		c.AwaitSettled()
		if wait := time.Since(start); wait > 0 {
			t.Error("a client that nobody asked waits", wait)
		}
		h.Invoke(asker, ask("c"), new(message.Batch), 20*time.Millisecond)
		h.Invoke(asker, ask("c"), new(message.Batch), 10*time.Millisecond)
		asker.take()
		c.AwaitSettled()
		if wait := time.Since(start); wait != 20*time.Millisecond {
			t.Error("a client that was asked waits", wait)
		}
		c.AwaitSettled()
		if wait := time.Since(start); wait != 20*time.Millisecond {
			t.Error("a client that was asked waits again")
		}
		h.Invoke(asker, ask("nobody"), new(message.Batch), 20*time.Millisecond)
		h.Invoke(asker, ask("c"), new(message.Batch), 20*time.Millisecond)
		asker.take()
		h.Detach(c)
		time.Sleep(19 * time.Millisecond)
		expectSent(t, "one that does not wait yet", asker)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if sent := asker.take(); len(sent) != 2 {
			t.Error("one that waits was sent", sent)
		}
	})
}

func TestInvokeFails(t *testing.T) {
	t.Parallel()
	t.Run("no such client", func(t *testing.T) {
		t.Parallel()
		h, _, _, asker := asking(t)
		h.Invoke(asker, ask("x"), new(message.Batch), 0)
		expectSent(t, "the one that asks", asker, failed("x", textNoClient))
	})
	t.Run("no payload for its protocol", func(t *testing.T) {
		t.Parallel()
		h, _, _, asker := asking(t)
		m := ask("c")
		m.Payloads[0].Protocol = []byte("messagepack")
		h.Invoke(asker, m, new(message.Batch), 0)
		expectSent(t, "the one that asks", asker, failed("c", textNoPayload))
	})
	t.Run("the client answers with an error", func(t *testing.T) {
		t.Parallel()
		h, _, owner, asker := asking(t)
		h.Invoke(asker, ask("c"), new(message.Batch), 0)
		asker.take()
		h.CompleteWithError(owner, failed("c", "no").(*svcproto.ErrorCompletion))
		expectSent(t, "the one that asked", asker, failed("c", "no"))
	})
	t.Run("the client leaves", func(t *testing.T) {
		t.Parallel()
		h, c, _, asker := asking(t)
		h.Invoke(asker, ask("c"), new(message.Batch), 0)
		asker.take()
		h.Detach(c)
		expectSent(t, "the one that asked", asker, failed("c", textClientGone))
	})
	t.Run("an answer to nothing", func(t *testing.T) {
		t.Parallel()
		h, _, owner, asker := asking(t)
		h.Complete(owner, &svcproto.ClientCompletion{InvocationID: "never asked"})
		h.CompleteWithError(owner, &svcproto.ErrorCompletion{InvocationID: "never asked"})
		expectSent(t, "an app server that asked nothing", asker)
	})
	t.Run("it was given up", func(t *testing.T) {
		t.Parallel()
		h, _, owner, asker := asking(t)
		h.Invoke(asker, ask("c"), new(message.Batch), 0)
		asker.take()
		h.Forget("i")
		h.Complete(owner, &svcproto.ClientCompletion{InvocationID: "i"})
		expectSent(t, "the one that asked", asker)
	})
}

// The link on which the question came may be over when the answer is there: another one of the same app server will do.
func TestAnswerTakesAnotherLink(t *testing.T) {
	t.Parallel()
	h, _, owner, asker := asking(t)
	other := &server{id: "asker"}
	h.AddLink(other)
	h.Invoke(asker, ask("c"), new(message.Batch), 0)
	asker.broken.Store(true)
	answer := &svcproto.ClientCompletion{InvocationID: "i", ConnectionID: "c", CallerServerID: "asker"}
	h.Complete(owner, answer)
	expectSent(t, "the other link", other, answer)
}

// When the app server that asked is gone for good, the answer is dropped in silence.
func TestAskerGone(t *testing.T) {
	t.Parallel()
	h, _, owner, asker := asking(t)
	h.Invoke(asker, ask("c"), new(message.Batch), 0)
	owner.take()
	asker.broken.Store(true)
	h.RemoveLink(asker)
	h.Complete(owner, &svcproto.ClientCompletion{InvocationID: "i", ConnectionID: "c", CallerServerID: "asker"})
	expectSent(t, "the app server of the client", owner)
	if len(h.invocations) > 0 {
		t.Error("the question is remembered")
	}
}

func TestInvocationExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistry("node1")
		h := r.Hub("chat")
		owner, asker := &server{id: "owner"}, &server{id: "asker"}
		h.AddLink(owner)
		client(t, h, "c", "", "json")
		h.Invoke(asker, ask("c"), new(message.Batch), 0)
		asker.take()
		time.Sleep(invocationLifetime)
		r.Tick(time.Now())
		expectSent(t, "within its time", asker)
		time.Sleep(time.Second)
		r.Tick(time.Now())
		expectSent(t, "after its time", asker, failed("c", textTimedOut))
	})
}
