package resource

import (
	"regexp"
	"strings"
)

// OnHandshake is the name of the one operation of a WebSocket API. It exists by itself and cannot be changed or deleted;
// only a policy can be attached to it.
const OnHandshake = "onHandshake"

// TemplateParameter describes a parameter of an operation: in its URL template, its query or its headers.
type TemplateParameter struct {
	Name         string   `json:"name"`
	Description  string   `json:"description,omitempty"`
	Type         string   `json:"type,omitempty"`
	DefaultValue string   `json:"defaultValue,omitempty"`
	Required     bool     `json:"required,omitempty"`
	Values       []string `json:"values,omitempty"`
	// SchemaID and TypeName name a definition of one of the API's schemas.
	SchemaID string `json:"schemaId,omitempty"`
	TypeName string `json:"typeName,omitempty"`
}

// Representation is a body that an operation takes or gives.
type Representation struct {
	ContentType string `json:"contentType"`
	// SchemaID and TypeName name the body's definition in one of the API's schemas, for validate-content.
	SchemaID string `json:"schemaId,omitempty"`
	TypeName string `json:"typeName,omitempty"`
	// Examples are bodies as text, in the order in which mock-response counts them.
	Examples []string `json:"examples,omitempty"`
}

// OperationRequest describes what an operation takes, for consoles and validation; matching does not need it.
type OperationRequest struct {
	Description     string              `json:"description,omitempty"`
	QueryParameters []TemplateParameter `json:"queryParameters,omitempty"`
	Headers         []TemplateParameter `json:"headers,omitempty"`
	Representations []Representation    `json:"representations,omitempty"`
}

// OperationResponse describes one answer of an operation; mock-response gives its examples.
type OperationResponse struct {
	StatusCode      int                 `json:"statusCode"`
	Description     string              `json:"description,omitempty"`
	Headers         []TemplateParameter `json:"headers,omitempty"`
	Representations []Representation    `json:"representations,omitempty"`
}

// Operation is Microsoft.ApiManagement/service/apis/operations.
type Operation struct {
	ID          ID     `json:"id"`
	DisplayName string `json:"displayName,omitempty"`
	Description string `json:"description,omitempty"`
	Method      string `json:"method"` // upper case by convention; compared exactly

	// URLTemplate is the path below the API's suffix and version: literals, {parameters}, /* at the end, and a query of
	// constants and {parameters} that must be there.
	URLTemplate        string              `json:"urlTemplate"`
	TemplateParameters []TemplateParameter `json:"templateParameters,omitempty"`
	Request            *OperationRequest   `json:"request,omitempty"`
	Responses          []OperationResponse `json:"responses,omitempty"`
}

// MaxURLTemplate is the most bytes that a URL template may have (API Management: 1000 characters).
const MaxURLTemplate = 1000

// CutURLTemplate splits a URL template at its first ? outside braces. Without one, query is empty and found is false.
func CutURLTemplate(template string) (path, query string, found bool) {
	depth := 0
	for i := range len(template) {
		switch template[i] {
		case '{':
			depth++
		case '}':
			depth--
		case '?':
			if depth <= 0 {
				return template[:i], template[i+1:], true
			}
		}
	}
	return template, "", false
}

// ResourceID is the id of the operation.
func (o *Operation) ResourceID() ID { return o.ID }

var httpToken = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$")

// Validate checks the id, the method and the template's length; the template's syntax is checked when it is compiled.
func (o *Operation) Validate() error {
	if err := checkType(o.ID, "service/apis/operations", "an operation", "APIM1", "apis", "API", "operations", "NAME"); err != nil {
		return err
	}
	if err := checkName(o.ID, o.ID.Name(), 80); err != nil {
		return err
	}
	if !httpToken.MatchString(o.Method) {
		return Invalidf(o.ID, "method", "%q is not an HTTP method like GET or POST", o.Method)
	}
	if o.URLTemplate == "" || len(o.URLTemplate) > MaxURLTemplate {
		return Invalidf(o.ID, "urlTemplate", "has %d characters; 1 to %d are allowed, and / is the API's own address", len(o.URLTemplate), MaxURLTemplate)
	}
	for i, p := range o.TemplateParameters {
		if p.Name == "" {
			return Invalidf(o.ID, "templateParameters", "parameter %d has no name", i)
		}
		if !strings.Contains(o.URLTemplate, "{"+p.Name+"}") && !(p.Name == "*" && strings.HasSuffix(o.URLTemplate, "*")) && !strings.Contains(o.URLTemplate, "{*"+p.Name+"}") {
			return Invalidf(o.ID, "templateParameters", "parameter %q does not occur in the URL template %q", p.Name, o.URLTemplate)
		}
	}
	for i, r := range o.Responses {
		if r.StatusCode < 100 || r.StatusCode > 599 {
			return Invalidf(o.ID, "responses", "response %d: %d is not an HTTP status code", i, r.StatusCode)
		}
	}
	return nil
}

var _ Resource = (*Operation)(nil)
