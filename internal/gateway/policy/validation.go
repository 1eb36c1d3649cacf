package policy

import (
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
)

// The actions of the validation policies.
const (
	validationIgnore  = "ignore"  // the check is skipped
	validationPrevent = "prevent" // the message is blocked, and the fault noted
	validationDetect  = "detect"  // the fault is noted
)

// validationAction is a required attribute with one of the three actions.
func (b *Builder) validationAction(name string) Value[string] {
	if !b.Has(name) {
		b.Errorf("The required attribute '%s' is missing", name)
	}
	return b.OneOf(name, 0, validationIgnore, validationPrevent, validationDetect)
}

// ValidationError is one entry of the variable that errors-variable-name names, a text with a JSON array of them
// (api-management validation policies, "Validation errors").
type ValidationError struct {
	Name           string `json:"Name"`
	Type           string `json:"Type"`
	ValidationRule string `json:"ValidationRule"`
	Details        string `json:"Details"`
	Action         string `json:"Action"`

	public string // what the client may know
}

// internalPublic is what the client hears of faults that are not its own.
const internalPublic = "The request could not be processed due to an internal error. Contact the API owner."

// findings are the faults that a validation statement found in one message.
type findings struct {
	response bool
	list     []ValidationError
}

// add notes a fault. The client's own faults are told to it with public, "" meaning the details; those of a response never are.
func (f *findings) add(action string, e ValidationError, public string) {
	if action == validationIgnore {
		return
	}
	e.Action, e.public = action, public
	if public == "" {
		e.public = e.Details
	}
	if f.response {
		e.public = internalPublic
	}
	f.list = append(f.list, e)
}

// finish stores the faults in the variable and blocks the message when one of them says so.
func (f *findings) finish(x *Exchange, variable string) (Outcome, error) {
	if len(f.list) == 0 {
		return Continue, nil
	}
	if variable != "" {
		text, err := json.Marshal(f.list)
		if err != nil {
			return End, err
		}
		joined := string(text)
		if old, ok := x.Variables[variable].(string); ok && strings.HasSuffix(old, "]") {
			joined = strings.TrimSuffix(old, "]") + "," + strings.TrimPrefix(joined, "[")
		}
		x.SetVariable(variable, joined)
	}
	for i := range f.list {
		e := &f.list[i]
		x.trace("validation", "information", e.Type+" "+e.ValidationRule+": "+e.Details)
		if e.Action != validationPrevent {
			continue
		}
		failure := &Failure{Status: http.StatusBadRequest, Public: e.public, Reason: "Bad request", Message: e.Details}
		if f.response {
			failure.Status, failure.Reason = http.StatusBadGateway, "Response not allowed"
		}
		return End, failure
	}
	return Continue, nil
}
