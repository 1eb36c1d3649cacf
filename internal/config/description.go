package config

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hubgate/hubgate/internal/resource"
)

// Parameter describes a parameter of an operation: in its URL template, its query or its headers.
type Parameter struct {
	// Name is what the parameter is called. It is needed.
	Name string `yaml:"name"`
	// Description is a text of any length.
	Description string `yaml:"description"`
	// Type is string, integer, number, boolean, array or object.
	Type string `yaml:"type"`
	// DefaultValue is the value when there is none.
	DefaultValue string `yaml:"defaultValue"`
	// Required says that it must be there.
	Required bool `yaml:"required"`
	// Values are all that it may be.
	Values []string `yaml:"values"`
	// SchemaID and TypeName name a definition of one of the API's schemas.
	SchemaID string `yaml:"schemaId"`
	TypeName string `yaml:"typeName"`
}

// Representation is a body that an operation takes or gives.
type Representation struct {
	// ContentType is the media type.
	ContentType string `yaml:"contentType"`
	// SchemaID and TypeName name the body's definition in one of the API's schemas.
	SchemaID string `yaml:"schemaId"`
	TypeName string `yaml:"typeName"`
	// Examples are bodies as text, in the order in which mock-response counts them.
	Examples []string `yaml:"examples"`
}

// Request says what an operation takes.
type Request struct {
	// Description is a text of any length.
	Description string `yaml:"description"`
	// QueryParameters and Headers are those that do not take part in matching.
	QueryParameters []Parameter `yaml:"queryParameters"`
	Headers         []Parameter `yaml:"headers"`
	// Representations are the bodies, one for each content type.
	Representations []Representation `yaml:"representations"`
}

// Response says what an operation answers with one status code.
type Response struct {
	// StatusCode is 100 to 599. It is needed.
	StatusCode int `yaml:"statusCode"`
	// Description is a text of any length.
	Description string `yaml:"description"`
	// Headers are those of the answer.
	Headers []Parameter `yaml:"headers"`
	// Representations are the bodies, one for each content type.
	Representations []Representation `yaml:"representations"`
}

// Schema holds definitions that the operations of an API refer to.
type Schema struct {
	// Name is unique in the API. It is needed.
	Name string `yaml:"name"`
	// ContentType says how the document is written. Default: application/vnd.oai.openapi.components+json, the components of OpenAPI 3.
	ContentType string `yaml:"contentType"`
	// Document is JSON: by default {"components":{"schemas":{…}}}. It is needed.
	Document string `yaml:"document"`

	place string // as that of an operation
}

// each converts a list. An empty one is nil.
func each[A, B any](list []A, convert func(A) B) []B {
	if len(list) == 0 {
		return nil
	}
	converted := make([]B, 0, len(list))
	for _, item := range list {
		converted = append(converted, convert(item))
	}
	return converted
}

func (p Parameter) resource() resource.TemplateParameter { return resource.TemplateParameter(p) }

func (r Representation) resource() resource.Representation { return resource.Representation(r) }

// resource is nil for an operation of whose requests nothing is said.
func (r Request) resource() *resource.OperationRequest {
	if r.Description == "" && len(r.QueryParameters)+len(r.Headers)+len(r.Representations) == 0 {
		return nil
	}
	return &resource.OperationRequest{
		Description:     r.Description,
		QueryParameters: each(r.QueryParameters, Parameter.resource),
		Headers:         each(r.Headers, Parameter.resource),
		Representations: each(r.Representations, Representation.resource),
	}
}

func (r Response) resource() resource.OperationResponse {
	return resource.OperationResponse{
		StatusCode:      r.StatusCode,
		Description:     r.Description,
		Headers:         each(r.Headers, Parameter.resource),
		Representations: each(r.Representations, Representation.resource),
	}
}

func (s Schema) resource(api resource.ID) *resource.APISchema {
	// White space is for people; without it a document stays the same however it was indented. What is no JSON is left to Validate.
	document := jsontext.Value(bytes.TrimSpace([]byte(s.Document)))
	if compact := document.Clone(); compact.Compact() == nil {
		document = compact
	}
	return &resource.APISchema{
		ID:          api.Child("schemas", s.Name),
		ContentType: orElse(s.ContentType, resource.SchemaOpenAPIComponents),
		Document:    document,
	}
}

// validateDefinitions reports operations that refer to a definition which the API's schemas do not have: a gateway would find it out
// only when a request comes.
func (a API) validateDefinitions(path string, report reporter) {
	known := make(map[string]map[string]bool) // by schema, without regard to case, and definition
	for _, s := range a.Schemas {
		known[strings.ToLower(s.Name)] = s.definitions()
	}
	for k, o := range a.Operations {
		place := orElse(o.place, fmt.Sprintf("%s.operations[%d]", path, k))
		check := func(what, name, schemaID, typeName string) {
			definitions, ok := known[strings.ToLower(schemaID)]
			bare := strings.TrimPrefix(strings.TrimPrefix(typeName, "#/definitions/"), "#/components/schemas/")
			switch {
			case schemaID == "" && typeName == "":
			case schemaID == "":
				report(place, "the %s %s has a typeName without the schemaId of its schema", what, name)
			case !ok:
				report(place, "the %s %s refers to the schema %q, which the API does not have", what, name, schemaID)
			case typeName != "" && definitions != nil && !definitions[bare]:
				report(place, "the %s %s refers to the definition %q, which the schema %s does not have", what, name, typeName, schemaID)
			}
		}
		parameters := func(what string, list []Parameter) {
			for _, p := range list {
				check(what, p.Name, p.SchemaID, p.TypeName)
			}
		}
		bodies := func(list []Representation) {
			for _, r := range list {
				check("body", r.ContentType, r.SchemaID, r.TypeName)
			}
		}
		parameters("template parameter", o.TemplateParameters)
		parameters("query parameter", o.Request.QueryParameters)
		parameters("header", o.Request.Headers)
		bodies(o.Request.Representations)
		for _, r := range o.Responses {
			parameters("header", r.Headers)
			bodies(r.Representations)
		}
	}
}

// definitions are the names in a schema, or nil when it is not readable, which is a problem of its own.
func (s Schema) definitions() map[string]bool {
	var document struct {
		Components struct {
			Schemas map[string]jsontext.Value `json:"schemas"`
		} `json:"components"`
		Definitions map[string]jsontext.Value `json:"definitions"`
	}
	if json.Unmarshal([]byte(s.Document), &document) != nil {
		return nil
	}
	section := document.Components.Schemas
	if strings.EqualFold(s.ContentType, resource.SchemaSwaggerDefinitions) {
		section = document.Definitions
	}
	names := make(map[string]bool, len(section))
	for name := range section {
		names[name] = true
	}
	return names
}

func newParameter(p resource.TemplateParameter) Parameter { return Parameter(p) }

func newRepresentation(r resource.Representation) Representation { return Representation(r) }

func newOperation(o *resource.Operation) Operation {
	operation := Operation{
		Name:               o.ID.Name(),
		DisplayName:        o.DisplayName,
		Description:        o.Description,
		Method:             o.Method,
		URLTemplate:        o.URLTemplate,
		TemplateParameters: each(o.TemplateParameters, newParameter),
		Responses: each(o.Responses, func(r resource.OperationResponse) Response {
			return Response{r.StatusCode, r.Description, each(r.Headers, newParameter), each(r.Representations, newRepresentation)}
		}),
	}
	if r := o.Request; r != nil {
		operation.Request = Request{r.Description, each(r.QueryParameters, newParameter), each(r.Headers, newParameter), each(r.Representations, newRepresentation)}
	}
	return operation
}

func newSchema(s *resource.APISchema) Schema {
	indented := s.Document.Clone()
	if indented.Indent(jsontext.WithIndent("  ")) != nil {
		indented = s.Document
	}
	return Schema{Name: s.ID.Name(), ContentType: s.ContentType, Document: string(indented) + "\n"}
}
