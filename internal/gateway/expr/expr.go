// Package expr compiles and runs policy expressions, the C# subset that API Management policies embed as `@(…)` and `@{…}`.
package expr

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Form says how a policy writes an expression.
type Form int

const (
	// Expression is the form `@(…)`: one C# expression.
	Expression Form = iota + 1
	// Statements is the form `@{…}`: C# statements, each path of which returns a value.
	Statements
)

// Value is a .NET value as the interpreter holds it. Numbers, booleans and strings are Go's own (int32 is System.Int32 and so on),
// nil is null; the other .NET types are types of this package or pointers to them.
type Value = any

// Limits bound one evaluation. A zero field means the default of DefaultLimits.
type Limits struct {
	// Steps bounds calls, loop rounds and sequence elements.
	Steps int64
	// Duration bounds wall-clock time.
	Duration time.Duration
	// Memory bounds the bytes of strings and collection elements that an evaluation creates, freed or not.
	Memory int64
	// Depth bounds nested calls of lambdas and local functions.
	Depth int
	// Regex bounds the time of one regular expression match.
	Regex time.Duration
}

// DefaultLimits are the limits of an environment that sets none.
func DefaultLimits() Limits {
	return Limits{Steps: 5_000_000, Duration: 5 * time.Second, Memory: 128 << 20, Depth: 200, Regex: time.Second}
}

// CompileError is why an expression was refused. Line and Column count from 1 within the source handed to Compile, Column in characters.
type CompileError struct {
	Line, Column int
	// Code is the C# compiler's number of the diagnostic (for example CS0103), or empty where C# has none.
	Code    string
	Message string
}

// Error gives place, number and message.
func (e *CompileError) Error() string {
	code := ""
	if e.Code != "" {
		code = e.Code + ": "
	}
	return fmt.Sprintf("line %d, column %d: %s%s", e.Line, e.Column, code, e.Message)
}

// LimitError is returned when an evaluation went over one of its Limits or its context ended.
type LimitError struct {
	// Limit names what ran out: steps, duration, memory, depth or regex.
	Limit string
	// Err is the context's error where the context ended the evaluation.
	Err error
}

// Error names the limit.
func (e *LimitError) Error() string {
	if e.Err != nil {
		return "expression stopped: " + e.Err.Error()
	}
	return "expression stopped: over its limit of " + e.Limit
}

// Unwrap returns the context's error, if that ended the evaluation.
func (e *LimitError) Unwrap() error { return e.Err }

// Program is a compiled expression. It is immutable and safe for concurrent use.
type Program struct {
	env    *Environment
	body   statement
	value  evalFunc
	slots  int
	result *netType
}

// maxSource bounds the bytes of one expression's source.
const maxSource = 256 << 10

// Compile compiles the source of an expression without its `@` and outer brackets. The error is a *CompileError.
func Compile(src string, form Form, env *Environment) (program *Program, err error) {
	if len(src) > maxSource {
		return nil, &CompileError{Line: 1, Column: 1, Message: fmt.Sprintf("expression is longer than %d bytes", maxSource)}
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *CompileError:
			program, err = nil, r
		default:
			panic(r)
		}
	}()
	p := newParser(src)
	b := newBinder(env, src)
	if form == Statements {
		block := p.parseStatementsToEnd()
		return b.compileStatements(block), nil
	}
	return b.compileExpression(p.parseExpressionToEnd()), nil
}

// ResultType names the static .NET type of the expression, for example System.String; a block's is System.Object.
func (p *Program) ResultType() string { return p.result.fullName() }

// Eval runs the program. A .NET exception that nothing caught is returned as *Exception, an exceeded limit or an ended ctx as *LimitError.
func (p *Program) Eval(ctx context.Context, c *Context) (result Value, err error) {
	m := acquireMachine(ctx, p.env, c)
	defer m.release()
	defer func() {
		if r := recover(); r != nil {
			result, err = nil, recovered(r)
		}
	}()
	f := &m.root
	f.m = m
	f.reserve(p.slots)
	if p.body == nil {
		result = p.value(f)
	} else {
		p.body(f)
		result = f.result
	}
	if err := ctx.Err(); err != nil {
		return nil, &LimitError{Limit: "duration", Err: err}
	}
	return detach(m, result), nil
}

// recovered turns what an evaluation panicked with into the error of Eval.
func recovered(r any) error {
	switch r := r.(type) {
	case *Exception:
		return r
	case *LimitError:
		return r
	case runtime.Error:
		return exceptionFromRuntime(r)
	}
	// Whatever else library code panicked with is an error of this evaluation alone.
	return newException("System.InvalidOperationException", fmt.Sprint("internal error: ", r))
}

// exceptionFromRuntime maps a Go run-time error in library code to the .NET exception that the same misuse gives: an argument that is null where
// the library needs a value.
func exceptionFromRuntime(err runtime.Error) *Exception {
	var assertion *runtime.TypeAssertionError
	if errors.As(err, &assertion) {
		return newException("System.ArgumentNullException", "Value cannot be null.")
	}
	return newException("System.InvalidOperationException", "The operation is not valid for this value: "+err.Error())
}
