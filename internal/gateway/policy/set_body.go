package policy

// setBody is the set-body policy (set-body-policy) with a literal or an expression.
type setBody struct {
	value    Value[string]
	response bool
}

func newSetBody(b *Builder) Policy {
	s := &setBody{value: b.Body(), response: b.response}
	if template := b.Literal("template", "", 0); template != "" {
		b.Errorf("The template language '%s' is not supported yet; use an expression", template)
	}
	return s
}

// Run replaces the body.
func (s *setBody) Run(x *Exchange) (Outcome, error) {
	text, err := s.value.Get(x)
	if err != nil {
		return End, err
	}
	if s.response {
		x.Response.Body.Set([]byte(text))
		x.Response.Trailer = nil
	} else {
		x.Request.Body.Set([]byte(text))
	}
	return Continue, nil
}
