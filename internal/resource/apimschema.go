package resource

import (
	"github.com/go-json-experiment/json/jsontext"
)

// MaxSchemaSize is the most bytes that a schema may have: 4 MiB (API Management, validate-content).
const MaxSchemaSize = 4 << 20

// SchemaType says how a schema is written.
type SchemaType string

// The types of schema.
const (
	SchemaJSON SchemaType = "json" // JSON Schema
	SchemaXML  SchemaType = "xml"  // XML Schema; it can be stored but not validated against
)

// Schema is Microsoft.ApiManagement/service/schemas: a schema for all APIs, which validate-content names by its id.
type Schema struct {
	ID          ID         `json:"id"`
	SchemaType  SchemaType `json:"schemaType"`
	Description string     `json:"description,omitempty"`
	// Document is the JSON Schema of the type json.
	Document jsontext.Value `json:"document,omitempty"`
	// Value is the XML Schema of the type xml.
	Value string `json:"value,omitempty"`
}

// ResourceID is the id of the schema.
func (s *Schema) ResourceID() ID { return s.ID }

// Validate checks the id, the type, and that there is a document of it. What the document says is checked when it is compiled.
func (s *Schema) Validate() error {
	if err := checkType(s.ID, "service/schemas", "a schema", "APIM1", "schemas", "NAME"); err != nil {
		return err
	}
	if err := checkName(s.ID, s.ID.Name(), 80); err != nil {
		return err
	}
	switch s.SchemaType {
	case SchemaJSON:
		return checkSchemaDocument(s.ID, s.Document)
	case SchemaXML:
		if s.Value == "" {
			return Invalidf(s.ID, "value", "a schema of the type xml needs its text as value")
		}
		return checkLength(s.ID, "value", s.Value, MaxSchemaSize)
	}
	return Invalidf(s.ID, "schemaType", "the type of a schema is json or xml, not %q", s.SchemaType)
}

func checkSchemaDocument(id ID, document jsontext.Value) error {
	switch {
	case len(document) == 0:
		return Invalidf(id, "document", "the schema has no document")
	case len(document) > MaxSchemaSize:
		return Invalidf(id, "document", "has %d bytes; at most %d are allowed", len(document), MaxSchemaSize)
	case !document.IsValid():
		return Invalidf(id, "document", "is not JSON")
	}
	return nil
}

// The content types of the schemas of an API.
const (
	SchemaOpenAPIComponents  = "application/vnd.oai.openapi.components+json"            // OpenAPI 3: the definitions are in components.schemas
	SchemaSwaggerDefinitions = "application/vnd.ms-azure-apim.swagger.definitions+json" // OpenAPI 2: the definitions are in definitions
)

// APISchema is Microsoft.ApiManagement/service/apis/schemas: the definitions that an API's operations refer to by schemaId and typeName.
type APISchema struct {
	ID          ID             `json:"id"`
	ContentType string         `json:"contentType"`
	Document    jsontext.Value `json:"document,omitempty"`
}

// ResourceID is the id of the schema.
func (s *APISchema) ResourceID() ID { return s.ID }

// Validate checks the id, the content type and that there is a document.
func (s *APISchema) Validate() error {
	if err := checkType(s.ID, "service/apis/schemas", "a schema of an API", "APIM1", "apis", "API", "schemas", "NAME"); err != nil {
		return err
	}
	if err := checkName(s.ID, s.ID.Name(), 80); err != nil {
		return err
	}
	if s.ContentType == "" || len(s.ContentType) > 256 {
		return Invalidf(s.ID, "contentType", "has %d characters; 1 to 256 are allowed, as in %s", len(s.ContentType), SchemaOpenAPIComponents)
	}
	return checkSchemaDocument(s.ID, s.Document)
}

var (
	_ Resource = (*Schema)(nil)
	_ Resource = (*APISchema)(nil)
)
