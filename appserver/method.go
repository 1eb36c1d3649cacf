package appserver

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// ConnectedHandler is a hub that wants to know of new clients.
type ConnectedHandler interface {
	// OnConnected runs when a client has connected, before any of its messages is read. An error ends the connection.
	OnConnected(c *Context) error
}

// DisconnectedHandler is a hub that wants to know when clients go.
type DisconnectedHandler interface {
	// OnDisconnected runs once for each client for which OnConnected succeeded. The error tells why it went; it is nil
	// when the client or the hub ended the connection properly. c is not done here, so that others can be told.
	OnDisconnected(c *Context, err error)
}

// streamKind is the Go form of a stream.
type streamKind int

const (
	noStream      streamKind = iota
	channelStream            // <-chan T
	seqStream                // iter.Seq[T], results only
	seq2Stream               // iter.Seq2[T, error]
)

// contextKind is what a hub method takes first.
type contextKind int

const (
	noContext  contextKind = iota
	stdContext             // context.Context
	hubContext             // *Context
)

// method is a hub method that clients may invoke.
type method struct {
	name       string
	function   reflect.Value
	context    contextKind
	parameters []parameter
	arguments  []reflect.Type // of the parameters that are not streams
	uploads    int            // how many of the parameters are streams
	result     streamKind     // noStream: a value or nothing
	hasResult  bool
	hasError   bool
}

// parameter is one parameter behind the context.
type parameter struct {
	parameterType reflect.Type
	stream        streamKind
	element       reflect.Type // of a stream
}

var (
	errorType      = reflect.TypeFor[error]()
	stdContextType = reflect.TypeFor[context.Context]()
	hubContextType = reflect.TypeFor[*Context]()
)

// methodsOf finds the hub methods of a receiver, by their names in lower case.
func methodsOf(receiver any) (map[string]*method, error) {
	v := reflect.ValueOf(receiver)
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, errors.New("the hub is nil")
	}
	t := v.Type()
	methods := map[string]*method{}
	for i := range t.NumMethod() {
		name := t.Method(i).Name
		switch name {
		case "OnConnected":
			if _, ok := receiver.(ConnectedHandler); !ok {
				return nil, fmt.Errorf("method OnConnected of %s should be func(*appserver.Context) error", t)
			}
			continue
		case "OnDisconnected":
			if _, ok := receiver.(DisconnectedHandler); !ok {
				return nil, fmt.Errorf("method OnDisconnected of %s should be func(*appserver.Context, error)", t)
			}
			continue
		}
		m, err := newMethod(name, v.Method(i))
		if err != nil {
			return nil, fmt.Errorf("method %s of %s: %w", name, t, err)
		}
		folded := strings.ToLower(name)
		if other, ok := methods[folded]; ok {
			return nil, fmt.Errorf("methods %s and %s of %s differ in case only, which clients cannot tell apart", other.name, name, t)
		}
		methods[folded] = m
	}
	if len(methods) == 0 {
		return nil, fmt.Errorf("%s has no exported method that a client could invoke; pass a pointer when they have pointer receivers", t)
	}
	return methods, nil
}

func newMethod(name string, function reflect.Value) (*method, error) {
	t := function.Type()
	if t.IsVariadic() {
		return nil, errors.New("a hub method cannot be variadic; take a slice")
	}
	m := &method{name: name, function: function}
	for i := range t.NumIn() {
		in := t.In(i)
		switch {
		case i == 0 && in == stdContextType:
			m.context = stdContext
			continue
		case i == 0 && in == hubContextType:
			m.context = hubContext
			continue
		case in == stdContextType, in == hubContextType:
			return nil, errors.New("the context must be the first parameter")
		}
		stream, element := streamOf(in)
		if stream == seqStream {
			return nil, fmt.Errorf("parameter %d: an upload stream is <-chan T or iter.Seq2[T, error], so that it can end with an error", i)
		}
		if stream == noStream {
			if err := checkType(in); err != nil {
				return nil, fmt.Errorf("parameter %d: %w", i, err)
			}
			m.arguments = append(m.arguments, in)
		} else {
			m.uploads++
		}
		m.parameters = append(m.parameters, parameter{in, stream, element})
	}
	outs := t.NumOut()
	if outs > 0 && t.Out(outs-1) == errorType {
		m.hasError = true
		outs--
	}
	if outs > 1 {
		return nil, errors.New("a hub method returns at most one value and an error behind it")
	}
	if outs == 1 {
		m.hasResult = true
		m.result, _ = streamOf(t.Out(0))
		if m.result == noStream {
			if err := checkType(t.Out(0)); err != nil {
				return nil, fmt.Errorf("result: %w", err)
			}
		}
	}
	return m, nil
}

// checkType refuses types that have no form on the wire, as far as they show at the surface.
func checkType(t reflect.Type) error {
	switch t.Kind() {
	case reflect.Func, reflect.Chan, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("the type %s can be neither an argument nor a stream", t)
	case reflect.Interface:
		if t != anyType {
			return fmt.Errorf("the interface %s does not say what to decode into", t)
		}
	}
	return nil
}

// streamOf tells whether t is a stream, and of what.
func streamOf(t reflect.Type) (streamKind, reflect.Type) {
	switch {
	case t.Kind() == reflect.Chan && t.ChanDir() == reflect.RecvDir:
		return channelStream, t.Elem()
	case t.Kind() != reflect.Func || t.NumIn() != 1 || t.NumOut() != 0 || t.In(0).Kind() != reflect.Func:
		return noStream, nil
	}
	yield := t.In(0)
	if yield.NumOut() != 1 || yield.Out(0).Kind() != reflect.Bool {
		return noStream, nil
	}
	switch {
	case yield.NumIn() == 1:
		return seqStream, yield.In(0)
	case yield.NumIn() == 2 && yield.In(1) == errorType:
		return seq2Stream, yield.In(0)
	}
	return noStream, nil
}
