package policy

// choose is the choose policy (choose-policy).
type choose struct {
	branches  []branch
	otherwise []Step
}

type branch struct {
	condition Value[bool]
	steps     []Step
}

func newChoose(b *Builder) Policy {
	c := &choose{}
	closed := false
	for _, child := range b.Children("when", "otherwise") {
		if closed {
			child.Errorf("Nothing may follow 'otherwise'")
		}
		if child.Element() == "when" {
			condition := child.Bool("condition", false, Required)
			c.branches = append(c.branches, branch{condition: condition, steps: child.Steps()})
		} else {
			closed = true
			c.otherwise = child.Steps()
		}
		child.Done()
	}
	if len(c.branches) == 0 {
		b.Errorf("At least one 'when' is required")
	}
	return c
}

// Run runs the first branch whose condition is true.
func (c *choose) Run(x *Exchange) (Outcome, error) {
	for i := range c.branches {
		ok, err := c.branches[i].condition.Get(x)
		if err != nil {
			return End, err
		}
		if ok {
			return Run(x, c.branches[i].steps)
		}
	}
	return Run(x, c.otherwise)
}
