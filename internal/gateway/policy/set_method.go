package policy

import (
	"net/http"
)

// setMethod is the set-method policy (set-method-policy).
type setMethod struct{ method Value[string] }

func newSetMethod(b *Builder) Policy {
	s := &setMethod{method: b.Text(Required)}
	if method, known := s.method.Known(); known && method != "" && !validHeaderName(method) {
		b.Errorf("%q is not an HTTP method", method)
	}
	return s
}

// Run sets the method of the request to the backend.
func (s *setMethod) Run(x *Exchange) (Outcome, error) {
	method, err := s.method.Get(x)
	if err != nil {
		return End, err
	}
	if !validHeaderName(method) {
		return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "The text that an expression gave is not an HTTP method."}
	}
	x.Request.Method = method
	return Continue, nil
}
