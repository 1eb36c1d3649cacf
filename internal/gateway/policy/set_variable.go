package policy

// setVariable is the set-variable policy (set-variable-policy).
type setVariable struct {
	name  string
	value Value[any]
}

func newSetVariable(b *Builder) Policy {
	return &setVariable{name: b.Literal("name", "", Required), value: b.anyAttribute("value")}
}

// Run stores the value.
func (s *setVariable) Run(x *Exchange) (Outcome, error) {
	v, err := s.value.Get(x)
	if err != nil {
		return End, err
	}
	x.SetVariable(s.name, v)
	return Continue, nil
}
