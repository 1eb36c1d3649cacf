package gateway

import (
	"errors"
	"regexp"

	"github.com/hubgate/hubgate/internal/gateway/expr"
	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/resource"
)

// CheckOptions say how [CheckPolicy] reads a document.
type CheckOptions struct {
	// Format is how the document is written; "" means rawxml, which most documents in files are.
	Format resource.PolicyFormat
	// Scope is where the document belongs; 0 means any: faults are those of the scope that has fewest.
	Scope policy.Scope
	// Templates takes what tools like Terraform fill in for named values that are not known: ${…}, and {…} in the place of a whole
	// value. Directives %{…} are passed over.
	Templates bool
}

var (
	templatePlaceholder = regexp.MustCompile(`\$\{[^{}"\n]*\}`)
	templateDirective   = regexp.MustCompile(`%\{[^{}\n]*\}`)
	templateValue       = regexp.MustCompile(`(="|>)\{[A-Za-z][A-Za-z0-9_-]*\}("|<)`)
)

// CheckPolicy compiles a policy document or fragment by itself and reports its faults. Named values, backends, fragments and other
// resources that it names are taken to be there.
func CheckPolicy(text string, o CheckOptions) policy.Errors {
	if o.Format == "" {
		o.Format = resource.PolicyRawXML
	}
	if o.Templates {
		text = templatePlaceholder.ReplaceAllLiteralString(text, "{{template}}")
		text = templateDirective.ReplaceAllLiteralString(text, "")
		text = templateValue.ReplaceAllString(text, "$1{{template}}$2")
	}
	e := &policy.Environment{Offline: true, Policies: policy.Policies(), Expressions: newExpressions(environment(), &expr.Deployment{}).compile}
	scopes := []policy.Scope{policy.OperationScope, policy.APIScope, policy.ProductScope, policy.Global}
	if o.Scope != 0 {
		scopes = []policy.Scope{o.Scope}
	}
	var best policy.Errors
	for i, scope := range scopes {
		faults := checkIn(policy.Source{Text: text, Format: o.Format, Scope: scope}, e)
		if i == 0 || len(faults) < len(best) {
			best = faults
		}
		if len(best) == 0 {
			return nil
		}
	}
	return best
}

// checkIn compiles a document in one scope, and a fragment in the section in which it has fewest faults.
func checkIn(s policy.Source, e *policy.Environment) policy.Errors {
	if policy.RootName(s.Text) != "fragment" {
		_, err := policy.Compile(s, e)
		return faultsOf(err)
	}
	var best policy.Errors
	for i, section := range []policy.Section{policy.Inbound, policy.Backend, policy.Outbound, policy.OnError} {
		faults := faultsOf(policy.CompileFragment(s, section, e))
		if i == 0 || len(faults) < len(best) {
			best = faults
		}
		if len(best) == 0 {
			return nil
		}
	}
	return best
}

func faultsOf(err error) policy.Errors {
	var faults policy.Errors
	if err != nil && !errors.As(err, &faults) {
		faults = policy.Errors{{Line: 1, Column: 1, Message: err.Error()}}
	}
	return faults
}

// ExpressionEnvironment is what policy expressions may name, for tools that evaluate them without a gateway.
func ExpressionEnvironment() *expr.Environment { return environment() }
