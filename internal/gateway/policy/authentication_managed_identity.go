package policy

import (
	"errors"
	"net/http"

	"github.com/hubgate/hubgate/internal/gateway/identity"
)

// managedIdentity is the authentication-managed-identity policy (authentication-managed-identity-policy).
type managedIdentity struct {
	runtime            *Runtime
	resource, clientID Value[string]
	variable           string
	ignoreError        Value[bool]
}

func newManagedIdentity(b *Builder) Policy { return b.managedIdentity() }

func (b *Builder) managedIdentity() *managedIdentity {
	return &managedIdentity{
		runtime: b.runtime(), resource: b.String("resource", Required), clientID: b.String("client-id", 0),
		variable: b.Literal("output-token-variable-name", "", 0), ignoreError: b.Bool("ignore-error", false, 0),
	}
}

// Run gets a token, and puts it into the variable or into the request to the backend.
func (m *managedIdentity) Run(x *Exchange) (Outcome, error) {
	return Continue, m.apply(x, x.Request.Header)
}

var errNoTokens = errors.New("no source of tokens is configured for the gateway's managed identity")

func (m *managedIdentity) apply(x *Exchange, header http.Header) error {
	ignore, err := m.ignoreError.Get(x)
	if err != nil {
		return err
	}
	resource, err := m.resource.Get(x)
	if err != nil {
		return err
	}
	clientID, err := m.clientID.Get(x)
	if err != nil {
		return err
	}
	var token identity.Token
	if m.runtime.Tokens == nil {
		err = errNoTokens
	} else {
		ctx := x.Context
		x.blocking(func() { token, err = m.runtime.Tokens.Token(ctx, resource, clientID) })
	}
	if err != nil {
		if !ignore {
			return &Failure{Status: http.StatusInternalServerError, Source: "authentication-managed-identity", Reason: "ManagedIdentityTokenFailure", Message: "The token could not be obtained: " + err.Error(), Err: err}
		}
		m.runtime.warn(x, "a token of the managed identity could not be obtained; the policy ignores it", err)
		if m.variable != "" {
			x.SetVariable(m.variable, nil)
		}
		return nil
	}
	if m.variable != "" {
		x.SetVariable(m.variable, token.Value)
		return nil
	}
	header["Authorization"] = []string{"Bearer " + token.Value}
	return nil
}
