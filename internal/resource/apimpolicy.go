package resource

import (
	"regexp"
	"strings"
)

// PolicyFormat says how a policy document is written.
type PolicyFormat string

// The formats of policy documents.
const (
	// PolicyXML is well-formed XML: expressions have their special characters escaped.
	PolicyXML PolicyFormat = "xml"
	// PolicyRawXML has expressions as they are typed in an editor, which makes most such documents no XML.
	PolicyRawXML PolicyFormat = "rawxml"
)

// MaxPolicySize is the most bytes that a policy document or fragment may have: 512 KiB (API Management, classic tiers).
const MaxPolicySize = 512 << 10

// Policy is the policy document of one scope: of a service, a product, an API or an operation. Its id is the scope's id
// and "policies/policy".
type Policy struct {
	ID     ID           `json:"id"`
	Format PolicyFormat `json:"format,omitempty"` // "" means xml
	Value  string       `json:"value"`
}

// ResourceID is the id of the document.
func (p *Policy) ResourceID() ID { return p.ID }

// Scope is the id of the service, product, API or operation that the policy belongs to.
func (p *Policy) Scope() ID { return p.ID.Parent() }

// Validate checks the id, the format and the size; the document itself is checked when it is compiled.
func (p *Policy) Validate() error {
	switch strings.ToLower(strings.TrimPrefix(p.ID.Type(), ApiManagement+"/")) {
	case "service/policies", "service/products/policies", "service/apis/policies", "service/apis/operations/policies":
	default:
		return Invalidf(p.ID, "id", "%q is not the id of a policy document; it should be the id of a service, product, API or operation and /policies/policy", p.ID)
	}
	if !strings.EqualFold(p.ID.Name(), "policy") {
		return Invalidf(p.ID, "name", "a policy document is named policy, not %q", p.ID.Name())
	}
	return checkPolicyText(p.ID, p.Format, p.Value)
}

func checkPolicyText(id ID, format PolicyFormat, value string) error {
	switch format {
	case "", PolicyXML, PolicyRawXML:
	default:
		return Invalidf(id, "format", "the format is xml or rawxml, not %q", format)
	}
	if value == "" {
		return Invalidf(id, "value", "the document is empty")
	}
	return checkLength(id, "value", value, MaxPolicySize)
}

// PolicyFragment is Microsoft.ApiManagement/service/policyFragments: statements that include-fragment puts in.
type PolicyFragment struct {
	ID          ID           `json:"id"`
	Description string       `json:"description,omitempty"`
	Format      PolicyFormat `json:"format,omitempty"` // "" means xml
	Value       string       `json:"value"`            // one <fragment> element
}

// ResourceID is the id of the fragment.
func (f *PolicyFragment) ResourceID() ID { return f.ID }

// Validate checks the id, the format and the size.
func (f *PolicyFragment) Validate() error {
	if err := checkType(f.ID, "service/policyFragments", "a policy fragment", "APIM1", "policyFragments", "NAME"); err != nil {
		return err
	}
	if err := checkName(f.ID, f.ID.Name(), 80); err != nil {
		return err
	}
	return checkPolicyText(f.ID, f.Format, f.Value)
}

// NamedValue is Microsoft.ApiManagement/service/namedValues: a text that policies hold as {{displayName}}.
type NamedValue struct {
	ID          ID     `json:"id"`
	DisplayName string `json:"displayName"`
	Value       string `json:"value"` // at most 4096 characters; never shown when Secret
	Secret      bool   `json:"secret,omitempty"`
	// Tags are labels for searching.
	Tags []string `json:"tags,omitempty"`
}

// ResourceID is the id of the named value.
func (n *NamedValue) ResourceID() ID { return n.ID }

var namedValueName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,256}$`)

// Validate checks the id, the display name, and that the value holds no other named value.
func (n *NamedValue) Validate() error {
	if err := checkType(n.ID, "service/namedValues", "a named value", "APIM1", "namedValues", "NAME"); err != nil {
		return err
	}
	if err := checkName(n.ID, n.ID.Name(), 256); err != nil {
		return err
	}
	if !namedValueName.MatchString(n.DisplayName) {
		return Invalidf(n.ID, "displayName", "%q must have 1 to 256 letters, digits, dots, hyphens and underscores", n.DisplayName)
	}
	if len(n.Value) > 4096 {
		return Invalidf(n.ID, "value", "has %d characters; at most 4096 are allowed", len(n.Value))
	}
	if namedValueReference.MatchString(n.Value) {
		return Invalidf(n.ID, "value", "must not refer to another named value")
	}
	return nil
}

var namedValueReference = regexp.MustCompile(`\{\{[A-Za-z0-9._-]+\}\}`)

var (
	_ Resource = (*Policy)(nil)
	_ Resource = (*PolicyFragment)(nil)
	_ Resource = (*NamedValue)(nil)
)
