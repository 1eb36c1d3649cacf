package policy

import "net/http"

// returnResponse is the return-response policy (return-response-policy).
type returnResponse struct {
	variable string
	steps    []Step
}

func newReturnResponse(b *Builder) Policy {
	r := &returnResponse{variable: b.Literal("response-variable-name", "", 0)}
	for _, child := range b.Children("set-status", "set-header", "set-body") {
		child.response = true
		child.place = &Place{Name: child.e.name, Scope: b.c.scope, Section: b.section, Path: child.path, Line: child.e.line, Column: child.e.column}
		child.place.ID = child.Literal("id", "", 0)
		var p Policy
		switch child.Element() {
		case "set-status":
			p = newSetStatus(child)
		case "set-header":
			p = newSetHeader(child)
		default:
			p = newSetBody(child)
		}
		child.Done()
		r.steps = append(r.steps, Step{Policy: p, Place: child.place})
	}
	return r
}

// Run ends the pipeline with a response of its own: empty with status 200, or a copy of a variable's, changed by the children.
func (r *returnResponse) Run(x *Exchange) (Outcome, error) {
	var from *Response
	if r.variable != "" {
		var ok bool
		if from, ok = x.Variables[r.variable].(*Response); !ok || from == nil {
			return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "The variable '" + r.variable + "' holds no response."}
		}
	}
	x.Respond(http.StatusOK)
	if from != nil {
		body, err := from.Body.Bytes()
		if err != nil {
			return End, err
		}
		x.Response.Status, x.Response.Reason = from.Status, from.Reason
		for name, values := range from.Header {
			x.Response.Header[name] = append([]string(nil), values...)
		}
		x.Response.Body.Set(body)
	}
	if _, err := Run(x, r.steps); err != nil {
		return End, err
	}
	return End, nil
}
