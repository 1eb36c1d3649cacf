package policy

import (
	"errors"
	"strings"
	"sync"

	"github.com/hubgate/hubgate/internal/gateway/schema"
	"github.com/hubgate/hubgate/internal/resource"
)

// SchemaSet is the schemas of a service and of its APIs. Definitions are compiled when they are first wanted and kept. It may be
// used by any number of goroutines once nothing is added any more.
type SchemaSet struct {
	global   map[string]*resource.Schema    // by name in lower case
	apis     map[string]*resource.APISchema // by key of the id
	compiled sync.Map                       // from schemaKey to *compiledSchema
}

// NewSchemaSet makes an empty set.
func NewSchemaSet() *SchemaSet {
	return &SchemaSet{global: map[string]*resource.Schema{}, apis: map[string]*resource.APISchema{}}
}

// Add adds a schema for all APIs.
func (s *SchemaSet) Add(r *resource.Schema) { s.global[strings.ToLower(r.ID.Name())] = r }

// AddAPI adds a schema of one API.
func (s *SchemaSet) AddAPI(r *resource.APISchema) { s.apis[r.ID.Key()] = r }

// schemaKey is what tells compiled definitions apart.
type schemaKey struct {
	document, reference string
	additional          byte // 0: as the schema says, 1: allowed, 2: not allowed
	ignoreCase          bool
}

type compiledSchema struct {
	once   sync.Once
	schema *schema.Schema
	err    error
}

// errNoSchema says that there is no such schema.
var errNoSchema = errors.New("there is no such schema")

// noSchemaDetails is what the service says of that.
const noSchemaDetails = "API's schema does not exist or it could not be resolved."

func (s *SchemaSet) compile(key string, document []byte, reference string, o schema.Options) (*schema.Schema, error) {
	k := schemaKey{document: key, reference: reference, ignoreCase: o.IgnoreCase}
	if a := o.AdditionalProperties; a != nil {
		k.additional = 2
		if *a {
			k.additional = 1
		}
	}
	found, there := s.compiled.Load(k)
	if !there {
		found, _ = s.compiled.LoadOrStore(k, &compiledSchema{})
	}
	c := found.(*compiledSchema)
	c.once.Do(func() { c.schema, c.err = schema.Compile(document, reference, o) })
	return c.schema, c.err
}

// named is a definition of a schema for all APIs.
func (s *SchemaSet) named(name, reference string, o schema.Options) (*schema.Schema, error) {
	if s == nil || s.global[strings.ToLower(name)] == nil {
		return nil, errNoSchema
	}
	r := s.global[strings.ToLower(name)]
	if r.SchemaType != resource.SchemaJSON {
		return nil, errors.New("the schema is of the type xml, and there is no XML Schema validator")
	}
	return s.compile("/"+r.ID.Key(), r.Document, reference, o)
}

// ofAPI is a definition of one of the API's own schemas.
func (s *SchemaSet) ofAPI(api *resource.API, schemaID, typeName string, o schema.Options) (*schema.Schema, error) {
	if s == nil || api == nil || schemaID == "" {
		return nil, errNoSchema
	}
	r := s.apis[api.ID.Child("schemas", schemaID).Key()]
	if r == nil {
		return nil, errNoSchema
	}
	reference := ""
	if typeName != "" {
		escaped := strings.NewReplacer("~", "~0", "/", "~1").Replace(strings.TrimPrefix(strings.TrimPrefix(typeName, "#/definitions/"), "#/components/schemas/"))
		reference = "#/components/schemas/" + escaped
		if strings.EqualFold(r.ContentType, resource.SchemaSwaggerDefinitions) {
			reference = "#/definitions/" + escaped
		}
	}
	return s.compile(r.ID.Key(), r.Document, reference, o)
}
