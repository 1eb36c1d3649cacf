package appserver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/hubproto"
)

// invocation is one call of a hub method.
type invocation struct {
	client    *clientConnection
	method    *method
	target    string // as the client wrote it
	id        string
	hasID     bool // the client wants an answer
	arguments []reflect.Value
	uploads   []*upload
	uploadIDs []string
	size      int // bytes of the message
	ctx       context.Context
	cancel    context.CancelCauseFunc

	// Guarded by the client's mu.
	started  time.Time
	released bool // gave its slot back
}

// orderGrace is how long an invocation holds back the start of the next one while there are slots. Short ones so answer in
// the order in which they came, as they do in ASP.NET Core, where a method runs on the reading thread until it waits.
const orderGrace = 2 * time.Millisecond

// invoke reads an invocation and queues it. An error ends the connection; whatever the client can be told is told.
func (c *clientConnection) invoke(protocol hubproto.Protocol, m *hubproto.Message, size int, broken error) error {
	streaming := m.Type == hubproto.StreamInvocation
	if streaming && !m.HasInvocationID {
		return invalidDataError(textStreamNoID)
	}
	refuse := func(text string) error {
		c.hub.log.Debug("invocation refused", "connectionId", c.id, "target", m.Target, "reason", text)
		return c.complete(m.InvocationID, m.HasInvocationID, text)
	}
	method := c.hub.methods[strings.ToLower(m.Target)]
	if method == nil {
		return refuse(errorText(fmt.Sprintf(textBindFailed, m.Target), &HubError{textNoMethod}, false))
	}
	arguments, err := c.bind(protocol, method, m, broken)
	if err != nil {
		return refuse(errorText(fmt.Sprintf(textBindFailed, m.Target), err, c.hub.options.DetailedErrors))
	}
	switch {
	case streaming && method.result == noStream:
		return refuse(fmt.Sprintf(textNotStreaming, m.Target))
	case !streaming && method.result != noStream:
		return refuse(fmt.Sprintf(textStreamingOnly, m.Target))
	case len(m.StreamIDs) != method.uploads:
		return refuse(errorText(fmt.Sprintf(textInvokeFailed, m.Target), &HubError{fmt.Sprintf(textStreamCount, len(m.StreamIDs), method.uploads)}, false))
	}
	call := &invocation{
		client: c, method: method, target: m.Target, id: m.InvocationID, hasID: m.HasInvocationID,
		arguments: arguments, uploadIDs: m.StreamIDs, size: size,
	}
	call.ctx, call.cancel = context.WithCancelCause(c.ctx)
	if !c.register(call, streaming) {
		call.cancel(context.Canceled)
		return refuse(fmt.Sprintf(textInvocationInUse, m.InvocationID))
	}
	c.schedule(call)
	return nil
}

// bind decodes the arguments.
func (c *clientConnection) bind(protocol hubproto.Protocol, method *method, m *hubproto.Message, broken error) ([]reflect.Value, error) {
	if broken != nil {
		return nil, invalidDataError(textArgumentType)
	}
	if len(m.Arguments) != len(method.arguments) {
		return nil, invalidDataError(fmt.Sprintf(textArgumentCount, len(m.Arguments), len(method.arguments)))
	}
	arguments := make([]reflect.Value, len(method.arguments))
	for i, t := range method.arguments {
		value := reflect.New(t)
		if err := c.hub.app.decode(protocol, m.Arguments[i], value); err != nil {
			return nil, invalidDataError(textArgumentType)
		}
		arguments[i] = value.Elem()
	}
	return arguments, nil
}

// register makes the call's streams known, and the call itself so that it can be cancelled. false: a stream of its id runs.
func (c *clientConnection) register(call *invocation, streaming bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call.hasID {
		if _, inUse := c.calls[call.id]; inUse && streaming {
			return false
		} else if !inUse {
			if c.calls == nil {
				c.calls = map[string]*invocation{}
			}
			c.calls[call.id] = call
		}
	}
	next := 0
	for _, p := range call.method.parameters {
		if p.stream == noStream {
			continue
		}
		u := newUpload(p.element, c.hub.options.StreamBuffer, c.hub.options.MaxBufferedBytes)
		call.uploads = append(call.uploads, u)
		if c.uploads == nil {
			c.uploads = map[string]*upload{}
		}
		c.uploads[call.uploadIDs[next]] = u
		next++
	}
	return true
}

// schedule starts the call, or queues it behind those that came before.
func (c *clientConnection) schedule(call *invocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, call)
	c.queuedBytes += call.size
	c.startLocked()
}

// startLocked starts calls in order while there are slots.
func (c *clientConnection) startLocked() {
	for c.active < c.hub.options.ParallelInvocations && len(c.queue) > 0 {
		if c.youngest != nil {
			if wait := orderGrace - time.Since(c.youngest.started); wait > 0 {
				c.startLaterLocked(wait)
				return
			}
		}
		call := c.queue[0]
		call.started = time.Now()
		c.youngest = call
		c.queue[0] = nil
		c.queue = c.queue[1:]
		c.queuedBytes -= call.size
		c.active++
		go call.run()
	}
}

// startLaterLocked calls startLocked after a while, once.
func (c *clientConnection) startLaterLocked(wait time.Duration) {
	if c.startTimer {
		return
	}
	c.startTimer = true
	time.AfterFunc(wait, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.startTimer = false
		c.startLocked()
	})
}

// release gives the call's slot to the next one: when it is over, and earlier when it streams or waits for a client, which
// may want to call the hub before it answers.
func (c *clientConnection) release(call *invocation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !call.released {
		call.released = true
		c.active--
		if c.youngest == call {
			c.youngest = nil
		}
		c.startLocked()
	}
}

// complete answers an invocation with an error, or with nothing when the client wants no answer.
func (c *clientConnection) complete(id string, hasID bool, text string) error {
	if !hasID {
		return nil
	}
	return c.sendMessage(c.ctx, &hubproto.Message{Type: hubproto.Completion, InvocationID: id, HasInvocationID: true, Error: text, HasError: true})
}

// run calls the method and answers.
func (call *invocation) run() {
	c := call.client
	defer c.release(call)
	defer call.end()
	result, err := call.call()
	if err == nil && call.method.result != noStream {
		c.release(call)
		err = call.stream(result)
	} else if err == nil {
		err = call.answer(result)
	}
	if err == nil || c.ctx.Err() != nil {
		return
	}
	text := errorText(fmt.Sprintf(textInvokeFailed, call.target), err, c.hub.options.DetailedErrors)
	var failed *streamError
	switch {
	case errors.Is(err, ErrUnauthorized):
		text = fmt.Sprintf(textUnauthorized, call.target)
	case errors.As(err, &failed):
		text = errorText(textStreamFailed, failed.err, c.hub.options.DetailedErrors)
	case errors.Is(err, errNoStream):
		text = fmt.Sprintf(textNoStream, call.target)
	}
	c.hub.log.Debug("hub method failed", "method", call.method.name, "connectionId", c.id, "error", err)
	if err := c.complete(call.id, call.hasID, text); err != nil {
		c.hub.log.Error("an error could not be sent", "method", call.method.name, "connectionId", c.id, "error", err)
	}
}

// end forgets the call and its streams.
func (call *invocation) end() {
	c := call.client
	call.cancel(context.Canceled)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[call.id] == call {
		delete(c.calls, call.id)
	}
	for i, u := range call.uploads {
		u.end(nil)
		if c.uploads[call.uploadIDs[i]] == u {
			delete(c.uploads, call.uploadIDs[i])
		}
	}
}

// call calls the method; a panic is an error.
func (call *invocation) call() (result reflect.Value, err error) {
	defer func() { err = call.client.recovered(recover(), call.method.name, err) }()
	var in []reflect.Value
	switch call.method.context {
	case stdContext, hubContext:
		in = append(in, reflect.ValueOf(&Context{Context: call.ctx, client: call.client, slot: call}))
	}
	arguments, uploads := call.arguments, call.uploads
	for _, p := range call.method.parameters {
		if p.stream == noStream {
			in = append(in, arguments[0])
			arguments = arguments[1:]
			continue
		}
		uploads[0].start()
		in = append(in, uploads[0].argument(call.ctx, p, call.cancel))
		uploads = uploads[1:]
	}
	out := call.method.function.Call(in)
	if call.method.hasError {
		err, _ = out[len(out)-1].Interface().(error)
	}
	if call.method.hasResult {
		result = out[0]
	}
	return result, err
}

// answer sends the result, null for a method without one.
func (call *invocation) answer(result reflect.Value) error {
	if !call.hasID {
		return nil
	}
	m := &hubproto.Message{Type: hubproto.Completion, InvocationID: call.id, HasInvocationID: true, HasResult: true}
	if result.IsValid() {
		var err error
		if m.Result, err = call.client.hub.app.encode(*call.client.protocol.Load(), result.Interface()); err != nil {
			return fmt.Errorf("result: %w", err)
		}
	}
	return call.client.sendMessage(call.client.ctx, m)
}

// streamError is an error that came out of a stream.
type streamError struct{ err error }

func (e *streamError) Error() string { return "stream: " + e.err.Error() }
func (e *streamError) Unwrap() error { return e.err }

var errNoStream = errors.New("the method returned a nil stream")

// stream sends the items of a result stream and its end.
func (call *invocation) stream(result reflect.Value) (err error) {
	if result.IsNil() {
		return errNoStream
	}
	c := call.client
	defer func() {
		if panicked := recover(); panicked != nil {
			err = &streamError{c.recovered(panicked, call.method.name, nil)}
		}
	}()
	for item, err := range call.items(result) {
		if err != nil {
			if call.ctx.Err() != nil && errors.Is(err, context.Canceled) {
				break // The client cancelled: no failure.
			}
			return &streamError{err}
		}
		if call.ctx.Err() != nil {
			break
		}
		m := &hubproto.Message{Type: hubproto.StreamItem, InvocationID: call.id, HasInvocationID: true}
		if m.Item, err = c.hub.app.encode(*c.protocol.Load(), item.Interface()); err != nil {
			return &streamError{err}
		}
		if err := c.sendMessage(call.ctx, m); err != nil {
			return &streamError{err}
		}
	}
	return c.sendMessage(c.ctx, &hubproto.Message{Type: hubproto.Completion, InvocationID: call.id, HasInvocationID: true})
}

// items is a result stream of any form as one form.
func (call *invocation) items(result reflect.Value) iter.Seq2[reflect.Value, error] {
	return func(yield func(reflect.Value, error) bool) {
		switch call.method.result {
		case channelStream:
			done := reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(call.ctx.Done())}
			for {
				chosen, item, ok := reflect.Select([]reflect.SelectCase{done, {Dir: reflect.SelectRecv, Chan: result}})
				if chosen == 0 || !ok || !yield(item, nil) {
					return
				}
			}
		case seqStream:
			for item := range result.Seq() {
				if !yield(item, nil) {
					return
				}
			}
		case seq2Stream:
			for item, failure := range result.Seq2() {
				err, _ := failure.Interface().(error)
				if !yield(item, err) {
					return
				}
			}
		}
	}
}
