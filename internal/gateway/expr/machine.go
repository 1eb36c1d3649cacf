package expr

import (
	"context"
	"errors"
	"time"
)

// machine is the state of one evaluation: its budgets and the stack that arguments of library calls live on. Machines are pooled by the environment.
type machine struct {
	env      *Environment
	ctx      context.Context
	context  *Context
	steps    int64 // left
	memory   int64 // left
	depth    int   // left
	unseen   int64 // steps since the clock was read
	deadline time.Time
	stack    []Value
	frames   []*frame
	root     frame
}

// frame is one call of the program, a lambda or a local function.
type frame struct {
	m        *machine
	slots    []Value
	captured []*cell
	result   Value
	label    *label
	inline   [8]Value
}

// cell holds a local variable that a lambda captured.
type cell struct{ value Value }

// evalFunc is a compiled expression, statement a compiled statement.
type evalFunc func(f *frame) Value

// control says how a statement ended.
type control uint8

const (
	flowNext control = iota
	flowBreak
	flowContinue
	flowReturn
	flowGoto
)

type statement func(f *frame) control

// reserve gives the frame n empty slots.
func (f *frame) reserve(n int) {
	if n <= len(f.inline) {
		f.slots = f.inline[:n]
		return
	}
	f.slots = make([]Value, n)
}

// clockInterval is after how many steps the clock and the context are looked at.
const clockInterval = 64

func acquireMachine(ctx context.Context, env *Environment, c *Context) *machine {
	m, _ := env.machines.Get().(*machine)
	if m == nil {
		m = &machine{}
	}
	m.env, m.ctx, m.context = env, ctx, c
	m.steps, m.memory, m.depth = env.limits.Steps, env.limits.Memory, env.limits.Depth
	m.unseen, m.deadline = 0, time.Time{}
	return m
}

// release clears what refers to the request and gives the machine back.
func (m *machine) release() {
	clear(m.stack[:cap(m.stack)])
	stack := m.stack[:0]
	if cap(stack) > 1024 {
		stack = nil
	}
	env := m.env
	frames := m.frames
	if len(frames) > 64 {
		frames = nil
	}
	*m = machine{stack: stack, frames: frames}
	env.machines.Put(m)
}

// step charges n steps and now and then looks at the clock.
func (m *machine) step(n int64) {
	m.steps -= n
	if m.steps < 0 {
		panic(&LimitError{Limit: "steps"})
	}
	m.unseen += n
	if m.unseen >= clockInterval {
		m.unseen = 0
		m.checkDeadline()
	}
}

// checkDeadline ends the evaluation when its time is over. The clock starts at the first look, so that short expressions read none.
func (m *machine) checkDeadline() {
	if err := m.ctx.Err(); err != nil {
		panic(&LimitError{Limit: "duration", Err: err})
	}
	now := time.Now()
	if m.deadline.IsZero() {
		m.deadline = now.Add(m.env.limits.Duration)
	}
	if now.After(m.deadline) {
		panic(&LimitError{Limit: "duration"})
	}
}

// charge counts n bytes of new memory, before they are made.
func (m *machine) charge(n int) {
	m.memory -= int64(n)
	if m.memory < 0 || n < 0 {
		panic(&LimitError{Limit: "memory"})
	}
	m.step(int64(n) >> 8)
}

// valueSize is what one element of a collection is charged.
const valueSize = 24

// call runs a library member with the given arguments; a slice on the machine's stack holds them meanwhile.
func (m *machine) call(fn nativeFunc, arguments ...Value) Value {
	base := len(m.stack)
	m.stack = append(m.stack, arguments...)
	result := fn(m, m.stack[base:len(m.stack):len(m.stack)])
	m.stack = m.stack[:base]
	return result
}

// delegate is a lambda, a method group or a local function.
type delegate struct {
	typ    *netType
	native nativeFunc // with arguments only
}

// invoke calls d.
func (d *delegate) invoke(m *machine, arguments ...Value) Value {
	m.step(1)
	return m.call(d.native, arguments...)
}

// enterCall counts the depth of nested calls; leaveCall must follow.
func (m *machine) enterCall() {
	m.depth--
	if m.depth < 0 {
		panic(&LimitError{Limit: "depth"})
	}
}

func (m *machine) leaveCall() { m.depth++ }

// Exception is a .NET exception that an expression threw, or one that it holds as a value.
type Exception struct {
	// Type is the full .NET name, for example System.FormatException.
	Type string
	// Message is the exception's text. Its wording follows .NET closely but not to the letter.
	Message string
	inner   *Exception
}

// Error gives type and message.
func (e *Exception) Error() string { return e.Type + ": " + e.Message }

func newException(typ, message string) *Exception { return &Exception{Type: typ, Message: message} }

// throw raises a .NET exception of the System namespace.
func throw(name, message string) {
	panic(newException("System."+name, message))
}

// throwFull raises an exception by its full type name.
func throwFull(name, message string) { panic(newException(name, message)) }

func throwArgumentNull(parameter string) {
	throw("ArgumentNullException", "Value cannot be null. (Parameter '"+parameter+"')")
}

func throwOutOfRange(message, parameter string) {
	if parameter != "" {
		message += " (Parameter '" + parameter + "')"
	}
	throw("ArgumentOutOfRangeException", message)
}

func throwIndexOutOfRange() {
	throw("IndexOutOfRangeException", "Index was outside the bounds of the array.")
}

const indexMessage = "Index was out of range. Must be non-negative and less than the size of the collection."

func throwNullReference() {
	throw("NullReferenceException", "Object reference not set to an instance of an object.")
}

// exceptionOf returns the .NET exception that a recovered panic stands for; a limit or a programming error is raised again, for nothing catches it.
func exceptionOf(r any) *Exception {
	switch r := r.(type) {
	case *Exception:
		return r
	case *LimitError:
		panic(r)
	}
	err := recovered(r)
	var e *Exception
	if errors.As(err, &e) {
		return e
	}
	panic(r)
}
