package policy

import "net/http"

// returnResponse is the return-response policy (return-response-policy).
type returnResponse struct {
	variable string
	parts    []responsePart
}

// responsePart is an element of the policy with its place: exactly one of the others is set.
type responsePart struct {
	place  *Place
	status *setStatus
	header *setHeader
	body   *messageBody
}

func newReturnResponse(b *Builder) Policy {
	r := &returnResponse{variable: b.Literal("response-variable-name", "", 0)}
	for _, child := range b.Children("set-status", "set-header", "set-body") {
		child.response = true
		child.place = &Place{Name: child.e.name, Scope: b.c.scope, Section: b.section, Path: child.path, Line: child.e.line, Column: child.e.column}
		child.place.ID = child.Literal("id", "", 0)
		part := responsePart{place: child.place}
		switch child.Element() {
		case "set-status":
			part.status, _ = newSetStatus(child).(*setStatus)
		case "set-header":
			part.header, _ = newSetHeader(child).(*setHeader)
		default:
			part.body = child.messageBody()
		}
		child.Done()
		r.parts = append(r.parts, part)
	}
	return r
}

// Run ends the pipeline with a response of its own: empty with status 200, or a copy of a variable's, changed by the children. Until
// it is whole, expressions see the response that there was.
func (r *returnResponse) Run(x *Exchange) (Outcome, error) {
	fresh := Response{Status: http.StatusOK, Header: http.Header{}}
	x.decorate(fresh.Header)
	if r.variable != "" {
		from, ok := x.Variables[r.variable].(*Response)
		if !ok || from == nil {
			return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "The variable '" + r.variable + "' holds no response."}
		}
		body, err := from.Body.Bytes()
		if err != nil {
			return End, err
		}
		fresh.Status, fresh.Reason = from.Status, from.Reason
		for name, values := range from.Header {
			fresh.Header[name] = append([]string(nil), values...)
		}
		fresh.Body.Set(body)
	}
	for i := range r.parts {
		part := &r.parts[i]
		if err := part.apply(x, &fresh); err != nil {
			f := asFailure(err)
			x.noteError(part.place, f)
			return End, f
		}
	}
	x.Response.Body.Close()
	x.Response = fresh
	return End, nil
}

func (p *responsePart) apply(x *Exchange, to *Response) (err error) {
	switch {
	case p.status != nil:
		return p.status.apply(x, to)
	case p.header != nil:
		return p.header.apply(x, to.Header, nil)
	case p.body != nil:
		data, err := p.body.get(x)
		if err == nil {
			to.Body.Set(data)
		}
		return err
	}
	return nil
}
