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
	to := Response{}
	if err := s.apply(x, &to); err != nil {
		return End, err
	}
	if !x.HasResponse() {
		x.Respond(to.Status)
	}
	x.Response.Status, x.Response.Reason = to.Status, to.Reason
	return Continue, nil
}

// apply sets the status of a response.
func (s *setStatus) apply(x *Exchange, to *Response) error {
	code, err := s.code.Get(x)
	if err != nil {
		return err
	}
	reason, err := s.reason.Get(x)
	to.Status, to.Reason = code, reason
	return err
}
