package policy

import "github.com/hubgate/hubgate/internal/resource"

// validateHeaders is the validate-headers policy (validate-headers-policy): it checks the headers of a response.
type validateHeaders struct {
	rules    parameterRules
	variable string
	schemas  *SchemaSet
}

func newValidateHeaders(b *Builder) Policy {
	return &validateHeaders{
		rules: parameterRules{specified: b.validationAction("specified-header-action"), unspecified: b.validationAction("unspecified-header-action"),
			own: b.parameterRules("header", true)},
		variable: b.Literal("errors-variable-name", "", 0), schemas: b.c.environment.Schemas,
	}
}

// transportHeader says whether a response's header belongs to its transfer rather than to the API.
func transportHeader(name string) bool {
	switch name {
	case "Content-Length", "Date", "Transfer-Encoding", "Connection", "Trailer":
		return true
	}
	return false
}

// Run checks the headers against those that the operation declares for the response's status.
func (v *validateHeaders) Run(x *Exchange) (Outcome, error) {
	if x.Operation == nil {
		return Continue, nil
	}
	var declared []resource.TemplateParameter
	for i := range x.Operation.Responses {
		if x.Operation.Responses[i].StatusCode == x.Response.Status {
			declared = x.Operation.Responses[i].Headers
		}
	}
	found := findings{response: true}
	check := parameterCheck{x: x, schemas: v.schemas, found: &found}
	if err := check.headers(x.Response.Header, declared, &v.rules, responseHeader, transportHeader); err != nil {
		return End, err
	}
	return found.finish(x, v.variable)
}
