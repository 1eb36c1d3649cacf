package policy

import (
	"fmt"
	"net/http"
)

// Section is a part of a policy document.
type Section uint8

// The sections.
const (
	Inbound Section = 1 << iota
	Backend
	Outbound
	OnError
)

// AnySection is all four sections.
const AnySection = Inbound | Backend | Outbound | OnError

// String is the section's element name.
func (s Section) String() string {
	switch s {
	case Inbound:
		return "inbound"
	case Backend:
		return "backend"
	case Outbound:
		return "outbound"
	case OnError:
		return "on-error"
	}
	return fmt.Sprintf("sections %#x", uint8(s))
}

func (s Section) index() int {
	switch s {
	case Inbound:
		return 0
	case Backend:
		return 1
	case Outbound:
		return 2
	}
	return 3
}

// Scope is what a policy document belongs to.
type Scope uint8

// The scopes from wide to narrow.
const (
	Global Scope = 1 << iota
	ProductScope
	APIScope
	OperationScope
)

// AnyScope is all scopes.
const AnyScope = Global | ProductScope | APIScope | OperationScope

// String is the scope as context.LastError.Scope shows it.
func (s Scope) String() string {
	switch s {
	case Global:
		return "global"
	case ProductScope:
		return "product"
	case APIScope:
		return "api"
	case OperationScope:
		return "operation"
	}
	return fmt.Sprintf("scopes %#x", uint8(s))
}

// Outcome says how the pipeline goes on after a policy.
type Outcome uint8

// The outcomes.
const (
	// Continue runs the next statement.
	Continue Outcome = iota
	// End writes the response as it is: no statement runs any more, those of outbound included.
	End
	// Answered leaves the rest of inbound and the backend out, for there is a response already; outbound runs.
	Answered
)

// Policy is a compiled statement. It is immutable: whatever it has to remember about a request is in the exchange.
type Policy interface {
	// Run does what the statement says. An error ends the section and starts on-error; a *[Failure] says how.
	Run(x *Exchange) (Outcome, error)
}

// Step is a policy with its place in the documents.
type Step struct {
	Policy Policy
	Place  *Place
}

// Place is where a statement stands.
type Place struct {
	Name    string // the element's
	ID      string // the id attribute
	Scope   Scope
	Section Section
	Path    string // like choose[3]/when[2]/set-header[1]
	Line    int
	Column  int
}

// Run runs the steps until one ends the pipeline or fails.
func Run(x *Exchange, steps []Step) (Outcome, error) {
	tail := x.Tail
	for i := range steps {
		x.Tail, x.current = tail && i == len(steps)-1, steps[i].Place
		outcome, err := x.step(&steps[i])
		if err != nil {
			f := asFailure(err)
			x.noteError(steps[i].Place, f)
			return End, f
		}
		if outcome != Continue {
			return outcome, nil
		}
	}
	return Continue, nil
}

// noteError fills in the last error. The innermost statement that failed calls it first, and it alone counts.
func (x *Exchange) noteError(p *Place, f *Failure) {
	if x.LastError != nil && x.LastError.failure == f {
		return
	}
	e := &LastError{Source: f.Source, Reason: f.Reason, Message: f.Message, HTTPErrorCode: f.Status, failure: f}
	if p != nil {
		e.Scope, e.Section, e.Path, e.PolicyID = p.Scope.String(), p.Section.String(), p.Path, p.ID
		if e.Source == "" {
			e.Source = p.Name
		}
	}
	x.LastError = e
}

// Pipeline is the effective policy of an operation: the documents of its scopes, flattened. It is immutable.
type Pipeline struct {
	sections [4][]Step
	cors     []*cors

	// ReadsResponse says that a statement after the backend may read the response's body, so that it must be at hand.
	ReadsResponse bool
}

// Steps are the statements of one section.
func (p *Pipeline) Steps(s Section) []Step { return p.sections[s.index()] }

// Run runs the pipeline. Afterwards the exchange holds the response to write, unless the forwarder wrote it.
func (p *Pipeline) Run(x *Exchange) {
	x.Pipeline = p
	outcome, err := Run(x, p.sections[0])
	if outcome == Continue && err == nil {
		x.Tail = true
		outcome, err = Run(x, p.sections[1])
		x.Tail = false
	}
	x.ended = outcome == End && err == nil
	x.Complete(err)
}

// Complete runs what comes after the backend section: outbound, or on-error when err is not nil. Only its first call counts.
// A forwarder calls it once the head of the response is known, when it writes the response itself.
func (x *Exchange) Complete(err error) {
	if x.completed {
		return
	}
	x.completed = true
	if !x.HasResponse() && err == nil {
		x.Respond(http.StatusOK)
	}
	if err == nil && !x.ended {
		_, err = Run(x, x.Pipeline.sections[2])
	}
	if err != nil {
		x.Fail(err)
	}
	x.respond()
}

// Fail makes the response of the error the pending one and runs the on-error section.
func (x *Exchange) Fail(err error) {
	x.completed = true
	f := asFailure(err)
	if x.LastError == nil || x.LastError.failure != f {
		x.noteError(nil, f)
	}
	x.respondFailure(f)
	defer x.respond()
	if x.Pipeline == nil {
		return
	}
	if _, err := Run(x, x.Pipeline.sections[3]); err != nil {
		// What on-error itself gets wrong ends the request; there is no further section to ask.
		x.Respond(http.StatusInternalServerError)
		x.respondFailure(&Failure{Status: http.StatusInternalServerError})
	}
}
