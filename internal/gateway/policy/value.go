package policy

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Expression is a compiled policy expression.
type Expression interface {
	// Eval runs the expression. The value may be anything: null is nil, byte[] is []byte.
	Eval(x *Exchange) (any, error)
	// Text runs the expression and gives its value as .NET's ToString does; null is "".
	Text(x *Exchange) (string, error)
	// TextOf is the text of a value that Eval gave.
	TextOf(v any) (string, error)
}

// ExpressionCompiler compiles the source of an expression without its @ and outer brackets; statements says that those were
// braces. An error with a method Position() (line, column int) is shown at its place.
type ExpressionCompiler func(source string, statements bool) (Expression, error)

// Positioner is an error that knows its place within an expression, line and column from 1.
type Positioner interface{ Position() (line, column int) }

// Value is an attribute or a text of type T: a literal, known since the document was compiled, or an expression.
type Value[T any] struct {
	literal    T
	expression Expression
	convert    func(x *Exchange, e Expression) (T, error)
	set        bool
}

// Literal makes a value of what is known already.
func Literal[T any](v T) Value[T] { return Value[T]{literal: v, set: true} }

// IsSet says whether the document holds the value.
func (v *Value[T]) IsSet() bool { return v.set }

// Known is the value when it is a literal.
func (v *Value[T]) Known() (value T, ok bool) { return v.literal, v.expression == nil }

// Get is the value for this exchange. The error is a *[Failure].
func (v *Value[T]) Get(x *Exchange) (T, error) {
	if v.expression == nil {
		return v.literal, nil
	}
	value, err := v.convert(x, v.expression)
	if err != nil {
		return value, &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "Expression evaluation failed. " + err.Error(), Err: err}
	}
	return value, nil
}

func textOf(x *Exchange, e Expression) (string, error) { return e.Text(x) }

// bytesOf is a value as a body: bytes as they are, everything else as text.
func bytesOf(x *Exchange, e Expression) ([]byte, error) {
	v, err := e.Eval(x)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(v), nil
	case []byte:
		return v, nil
	}
	text, err := e.TextOf(v)
	return []byte(text), err
}

func boolOf(x *Exchange, e Expression) (bool, error) {
	v, err := e.Eval(x)
	if err != nil {
		return false, err
	}
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		return parseBool(v)
	}
	return false, fmt.Errorf("a %T is no boolean", v)
}

func intOf(x *Exchange, e Expression) (int, error) {
	v, err := e.Eval(x)
	if err != nil {
		return 0, err
	}
	switch v := v.(type) {
	case int32:
		return int(v), nil
	case int64:
		return int(v), nil
	case int:
		return v, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int(v), nil
		}
	}
	text, err := e.TextOf(v)
	if err != nil {
		return 0, err
	}
	return parseInt(text)
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false", text)
}

func parseInt(text string) (int, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	return int(n), nil
}
