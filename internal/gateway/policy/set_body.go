package policy

// setBody is the set-body policy (set-body-policy) with a literal or an expression.
type setBody struct {
	value    Value[[]byte]
	response bool
}

func newSetBody(b *Builder) Policy {
	switch template := b.Literal("template", "none", 0); template {
	case "none":
	case "liquid":
		return newLiquidBody(b)
	default:
		b.Errorf("The attribute 'template': %q is neither none nor liquid", template)
	}
	return &setBody{value: b.bytesBody(), response: b.response}
}

// Run replaces the body.
func (s *setBody) Run(x *Exchange) (Outcome, error) {
	data, err := s.value.Get(x)
	if err != nil {
		return End, err
	}
	if s.response {
		x.Response.Body.Set(data)
		x.Response.Trailer = nil
	} else {
		x.Request.Body.Set(data)
	}
	return Continue, nil
}
