package appserver

import (
	"context"
	"reflect"
	"sync"
)

// upload is a stream from a client to a hub method.
type upload struct {
	element  reflect.Type
	capacity int           // items that wait for a method that runs; then reading the client stops
	maxBytes int           // of items that wait for a method that does not run yet
	changed  chan struct{} // signals, to push and to next, that something below changed

	mu      sync.Mutex
	items   []reflect.Value
	bytes   int
	started bool // the method runs
	ended   bool // by the client's completion, or because nobody reads on
	err     error
}

func newUpload(element reflect.Type, capacity, maxBytes int) *upload {
	return &upload{element: element, capacity: capacity, maxBytes: maxBytes, changed: make(chan struct{})}
}

// signalLocked wakes whoever waits.
func (u *upload) signalLocked() {
	close(u.changed)
	u.changed = make(chan struct{})
}

// start tells that the method runs.
func (u *upload) start() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.started = true
	u.bytes = 0
	u.signalLocked()
}

// push adds an item of size encoded bytes. It waits while the method runs and is behind. false: too much waits for a method
// that does not run yet, which may be for ever.
func (u *upload) push(ctx context.Context, item reflect.Value, size int) bool {
	u.mu.Lock()
	for u.started && !u.ended && len(u.items) >= u.capacity {
		changed := u.changed
		u.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return true
		}
		u.mu.Lock()
	}
	defer u.mu.Unlock()
	if u.ended {
		return true
	}
	if !u.started {
		if u.bytes += size; u.bytes > u.maxBytes {
			return false
		}
	}
	u.items = append(u.items, item)
	u.signalLocked()
	return true
}

// end ends the stream, with an error or without. Items that wait can still be read.
func (u *upload) end(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended {
		u.ended, u.err = true, err
		u.signalLocked()
	}
}

// next takes an item; ok is false at the end.
func (u *upload) next(ctx context.Context) (item reflect.Value, err error, ok bool) {
	u.mu.Lock()
	for len(u.items) == 0 && !u.ended {
		changed := u.changed
		u.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return item, context.Cause(ctx), false
		}
		u.mu.Lock()
	}
	defer u.mu.Unlock()
	if len(u.items) == 0 {
		return item, u.err, false
	}
	item = u.items[0]
	u.items[0] = reflect.Value{}
	u.items = u.items[1:]
	u.signalLocked()
	return item, nil, true
}

// argument is the stream as a hub method of that parameter takes it. A channel cannot carry an error, so there a stream
// that fails cancels the call first.
func (u *upload) argument(ctx context.Context, p parameter, fail context.CancelCauseFunc) reflect.Value {
	if p.stream == seq2Stream {
		return reflect.MakeFunc(p.parameterType, func(args []reflect.Value) []reflect.Value {
			noError := reflect.Zero(errorType)
			for {
				item, err, ok := u.next(ctx)
				if ok {
					if !args[0].Call([]reflect.Value{item, noError})[0].Bool() {
						return nil
					}
					continue
				}
				if err != nil {
					args[0].Call([]reflect.Value{reflect.Zero(u.element), reflect.ValueOf(&err).Elem()})
				}
				return nil
			}
		})
	}
	channel := reflect.MakeChan(reflect.ChanOf(reflect.BothDir, u.element), 0)
	go func() {
		defer channel.Close()
		done := reflect.ValueOf(ctx.Done())
		for {
			item, err, ok := u.next(ctx)
			if !ok {
				if err != nil {
					fail(err)
				}
				return
			}
			chosen, _, _ := reflect.Select([]reflect.SelectCase{
				{Dir: reflect.SelectSend, Chan: channel, Send: item},
				{Dir: reflect.SelectRecv, Chan: done},
			})
			if chosen == 1 {
				return
			}
		}
	}()
	return channel.Convert(p.parameterType)
}
