package gateway

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hubgate/hubgate/internal/gateway/policy"
)

// testExpression understands just enough to test policies without the expression engine: a term, or two with == between.
// Terms are literals and a few members of context.
type testExpression struct{ left, right string }

// placedError is a compile error with its place, as the engine's are.
type placedError struct{ line, column int }

func (e *placedError) Error() string        { return "the name is unknown" }
func (e *placedError) Position() (int, int) { return e.line, e.column }

func compileTestExpression(source string, statements bool) (policy.Expression, error) {
	source = strings.TrimSpace(source)
	if statements {
		source = strings.TrimSuffix(strings.TrimSpace(strings.TrimPrefix(source, "return")), ";")
	}
	if i := strings.Index(source, "unknown"); i >= 0 {
		return nil, &placedError{line: strings.Count(source[:i], "\n") + 1, column: i - strings.LastIndexByte(source[:i], '\n')}
	}
	left, right, _ := strings.Cut(source, "==")
	return &testExpression{left: strings.TrimSpace(left), right: strings.TrimSpace(right)}, nil
}

func (e *testExpression) Eval(x *policy.Exchange) (any, error) {
	left, err := term(x, e.left)
	if err != nil || e.right == "" {
		return left, err
	}
	right, err := term(x, e.right)
	return left == right, err
}

func (e *testExpression) Text(x *policy.Exchange) (string, error) {
	v, err := e.Eval(x)
	if v == nil {
		return "", err
	}
	return fmt.Sprint(v), err
}

func term(x *policy.Exchange, text string) (any, error) {
	if unquoted, err := strconv.Unquote(text); err == nil {
		return unquoted, nil
	}
	if n, err := strconv.Atoi(text); err == nil {
		return int32(n), nil
	}
	if name, ok := strings.CutPrefix(text, "context.Variables["); ok {
		return x.Variables[strings.Trim(name, `"]`)], nil
	}
	if name, ok := strings.CutPrefix(text, "context.Request.Headers["); ok {
		return x.Request.Header.Get(strings.Trim(name, `"]`)), nil
	}
	switch text {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "context.Request.Method":
		return x.Request.Method, nil
	case "context.Response.StatusCode":
		return int32(x.Response.Status), nil
	case "context.Response.Body.As<string>()":
		data, err := x.Response.Body.Bytes()
		return string(data), err
	case "context.Request.Body.As<string>(true)":
		data, err := x.Request.Body.Bytes()
		return string(data), err
	case "context.LastError.Reason":
		return x.LastError.Reason, nil
	case "context.LastError.Source":
		return x.LastError.Source, nil
	case "context.LastError.Message":
		return x.LastError.Message, nil
	case "context.LastError.Path":
		return x.LastError.Section + " " + x.LastError.Path + " " + x.LastError.Scope + " " + x.LastError.PolicyID, nil
	}
	return nil, errors.New("Object reference not set to an instance of an object.")
}
