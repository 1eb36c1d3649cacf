package policy

import (
	"net/http"
	"strconv"
)

// validateStatusCode is the validate-status-code policy (validate-status-code-policy).
type validateStatusCode struct {
	unspecified Value[string]
	own         map[int]Value[string]
	variable    string
}

func newValidateStatusCode(b *Builder) Policy {
	v := &validateStatusCode{unspecified: b.validationAction("unspecified-status-code-action"), own: map[int]Value[string]{}, variable: b.Literal("errors-variable-name", "", 0)}
	for _, child := range b.Children("status-code") {
		code := child.Int("code", 0, 100, 599, Required|LiteralOnly)
		n, _ := code.Known()
		if _, twice := v.own[n]; twice {
			child.Errorf("There is a second 'status-code' for %d", n)
		}
		v.own[n] = child.validationAction("action")
		child.Done()
	}
	return v
}

// Run checks the response's status against those that the operation declares.
func (v *validateStatusCode) Run(x *Exchange) (Outcome, error) {
	if x.Operation == nil || x.Response.Status == http.StatusSwitchingProtocols {
		return Continue, nil
	}
	status := x.Response.Status
	for i := range x.Operation.Responses {
		if x.Operation.Responses[i].StatusCode == status {
			return Continue, nil
		}
	}
	action := v.unspecified
	if own, ok := v.own[status]; ok {
		action = own
	}
	a, err := action.Get(x)
	if err != nil {
		return End, err
	}
	found := findings{response: true}
	code := strconv.Itoa(status)
	found.add(a, ValidationError{Name: code, Type: "StatusCode", ValidationRule: "Unspecified", Details: "Response status code " + code + " is not allowed."}, internalPublic)
	return found.finish(x, v.variable)
}
