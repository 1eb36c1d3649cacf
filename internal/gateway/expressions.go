package gateway

import (
	"errors"
	"strings"
	"sync"

	"github.com/hubgate/hubgate/internal/gateway/expr"
	"github.com/hubgate/hubgate/internal/gateway/policy"
)

// expressions compiles policy expressions for a gateway and shows exchanges to them.
type expressions struct {
	env        *expr.Environment
	deployment *expr.Deployment
	states     sync.Pool // of *evaluation, for exchanges that have none yet
}

func newExpressions(env *expr.Environment, d *expr.Deployment) *expressions {
	return &expressions{env: env, deployment: d}
}

// compileError is a compile error of an expression with its place, without the place in its text.
type compileError struct{ err *expr.CompileError }

// Error is the message with the compiler's number.
func (e *compileError) Error() string {
	if e.err.Code != "" {
		return e.err.Code + ": " + e.err.Message
	}
	return e.err.Message
}

// Position is the place within the expression.
func (e *compileError) Position() (line, column int) { return e.err.Line, e.err.Column }

// compile is the [policy.ExpressionCompiler] of the gateway.
func (c *expressions) compile(source string, statements bool) (policy.Expression, error) {
	form := expr.Expression
	if statements {
		form = expr.Statements
	}
	program, err := expr.Compile(source, form, c.env)
	if err != nil {
		var place *expr.CompileError
		if errors.As(err, &place) {
			return nil, &compileError{place}
		}
		return nil, err
	}
	return &expression{
		expressions: c, program: program,
		readsID:      strings.Contains(source, "RequestId"),
		readsService: strings.Contains(source, "ServiceUrl"),
		readsUser:    strings.Contains(source, "User"),
	}, nil
}

// expression is a compiled expression.
type expression struct {
	*expressions
	program *expr.Program
	// What costs something to show is shown only to expressions whose text mentions it.
	readsID, readsService, readsUser bool
}

// evaluationError is an exception without its type, or a limit that was passed, as context.LastError shows it.
type evaluationError struct {
	message string
	err     error
}

func (e *evaluationError) Error() string { return e.message }
func (e *evaluationError) Unwrap() error { return e.err }

func asEvaluationError(err error) error {
	if x, ok := errors.AsType[*expr.Exception](err); ok {
		return &evaluationError{x.Message, err}
	}
	return &evaluationError{err.Error(), err}
}

// Eval runs the expression over the exchange.
func (e *expression) Eval(x *policy.Exchange) (any, error) {
	v, err := e.program.Eval(x.Context, e.show(x))
	if err != nil {
		return nil, asEvaluationError(err)
	}
	return fromExpression(v), nil
}

// Text runs the expression and gives its value as text.
func (e *expression) Text(x *policy.Exchange) (string, error) {
	v, err := e.program.Eval(x.Context, e.show(x))
	if err != nil {
		return "", asEvaluationError(err)
	}
	return e.text(v)
}

// TextOf is the text of a value that Eval gave.
func (e *expression) TextOf(v any) (string, error) { return e.text(e.toExpression(v)) }

func (e *expression) text(v any) (string, error) {
	if text, ok := v.(string); ok {
		return text, nil
	}
	text, err := expr.Text(e.env, v)
	if err != nil {
		return "", asEvaluationError(err)
	}
	return text, nil
}

// toExpression is a value of a variable as expressions hold it.
func (c *expressions) toExpression(v any) any {
	switch v := v.(type) {
	case []byte:
		return &expr.Bytes{Data: v}
	case *policy.Response:
		if v == nil {
			return nil
		}
		return &heldResponse{v}
	case *policy.Token:
		if v != nil {
			if token, ok := expr.ParseJWT(c.env, v.Compact); ok {
				return token
			}
		}
		return nil
	}
	return v
}

// fromExpression is a value that an expression gave as variables hold it.
func fromExpression(v any) any {
	switch v := v.(type) {
	case *expr.Bytes:
		return v.Data
	case *heldResponse:
		return v.response
	}
	return v
}

// show fills in what the exchange shows now. The state comes from the exchange, and from a pool when it has none yet.
func (e *expression) show(x *policy.Exchange) *expr.Context {
	s, ok := x.Evaluation.(*evaluation)
	if !ok {
		if s, ok = e.states.Get().(*evaluation); !ok {
			s = newEvaluation(e.expressions)
		}
		x.Evaluation = s
	}
	if s.x != x || s.generation != x.Generation() {
		s.begin(x)
	}
	c := &s.context
	if e.readsID {
		c.RequestID, _ = expr.ParseGuid(x.RequestID())
	}
	if e.readsService {
		s.showService()
	}
	if e.readsUser {
		s.showUser()
	}
	if c.Response = nil; x.HasResponse() {
		c.Response = (*currentResponse)(s)
	}
	if c.LastError = nil; x.LastError != nil {
		l := x.LastError
		s.lastError = expr.LastError{Source: l.Source, Reason: l.Reason, Message: l.Message, Scope: l.Scope, Section: l.Section, Path: l.Path, PolicyID: l.PolicyID, HTTPErrorCode: int32(l.HTTPErrorCode)}
		c.LastError = &s.lastError
	}
	return c
}
