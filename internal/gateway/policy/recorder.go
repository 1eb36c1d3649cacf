package policy

// Recorder receives each statement that runs, for the request tracer.
type Recorder interface {
	// Begin is called before a statement runs and returns a number for End.
	Begin(x *Exchange, p *Place) int
	// End is called when the statement with that number has run.
	End(x *Exchange, number int, outcome Outcome, err error)
}

// step runs one statement, with whoever records it looking on.
func (x *Exchange) step(s *Step) (Outcome, error) {
	if x.Recorder == nil {
		return s.Policy.Run(x)
	}
	number := x.Recorder.Begin(x, s.Place)
	outcome, err := s.Policy.Run(x)
	x.Recorder.End(x, number, outcome, err)
	return outcome, err
}

// Promise puts a header with a canonical name into the response, whichever it will be.
func (x *Exchange) Promise(name, value string) { x.promise(name, value) }

// Current is the place of the statement that runs, nil before the first.
func (x *Exchange) Current() *Place { return x.current }
