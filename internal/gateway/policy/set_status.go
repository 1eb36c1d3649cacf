package policy

// setStatus is the set-status policy (set-status-policy).
type setStatus struct {
	code   Value[int]
	reason Value[string]
}

func newSetStatus(b *Builder) Policy {
	return &setStatus{code: b.Int("code", 0, 100, 599, Required), reason: b.String("reason", 0)}
}

// Run sets the status of the response.
func (s *setStatus) Run(x *Exchange) (Outcome, error) {
	code, err := s.code.Get(x)
	if err != nil {
		return End, err
	}
	reason, err := s.reason.Get(x)
	if err != nil {
		return End, err
	}
	if !x.HasResponse() {
		x.Respond(code)
	}
	x.Response.Status, x.Response.Reason = code, reason
	return Continue, nil
}
