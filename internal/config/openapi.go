package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hubgate/hubgate/internal/openapi"
	"github.com/hubgate/hubgate/internal/resource"
)

// OpenAPI names a document that describes an HTTP API: OpenAPI 2, 3.0 or 3.1 in JSON or YAML. It is written as the name of its file,
// or with what goes beside it:
//
//	openapi: shop.yaml
//	openapi: {file: shop.yaml, requiredQuery: query}
//
// A relative file is meant from the directory of the configuration file.
type OpenAPI struct {
	// File is the file that holds the document.
	File string `yaml:"file"`
	// RequiredQuery says what becomes of required query parameters: template, they are part of URL templates, or query, matching does not
	// look at them. Default: template, as in Azure.
	RequiredQuery string `yaml:"requiredQuery"`

	warnings []openapi.Warning
}

func (o *OpenAPI) setScalar(text string) error {
	o.File = text
	return nil
}

// Warnings say what the OpenAPI documents of a file hold that an API has no place for, each with its place in its document.
func (c *Config) Warnings() []string {
	var all []string
	for _, s := range c.APIManagement {
		for _, a := range s.APIs {
			for _, w := range a.OpenAPI.warnings {
				all = append(all, w.In(a.OpenAPI.File))
			}
		}
	}
	return all
}

// Described are the ids of the APIs that have an OpenAPI document: what they have is what it says, and what stands beside it.
func (c *Config) Described() []resource.ID {
	var ids []resource.ID
	for _, s := range c.APIManagement {
		for _, a := range s.APIs {
			if a.OpenAPI.File != "" {
				ids = append(ids, resource.NewID(resource.ApiManagement, "service", s.Name, "apis", a.Name))
			}
		}
	}
	return ids
}

// FromOpenAPI is an imported document as an API of the configuration.
func FromOpenAPI(r *openapi.Result) API {
	return API{
		Name:        r.API.ID.Name(),
		DisplayName: r.API.DisplayName,
		Description: r.API.Description,
		Path:        r.API.Path,
		ServiceURL:  r.API.ServiceURL,
		Operations:  each(r.Operations, newOperation),
		Schemas:     each(r.Schemas, newSchema),
	}
}

// openAPI reads the document of an API, if it has one, and puts what the document says below what the file says.
func (r *resolver) openAPI(path string, a *API) {
	place := path + ".openapi"
	o := &a.OpenAPI
	switch required := openapi.RequiredQuery(o.RequiredQuery); {
	case o.File == "" && required != "":
		r.at(place, "needs the file of the document")
		return
	case o.File == "":
		return
	case required != "" && required != openapi.RequiredQueryTemplate && required != openapi.RequiredQueryQuery:
		r.at(place+".requiredQuery", "%q is none of %s, %s", required, openapi.RequiredQueryTemplate, openapi.RequiredQueryQuery)
		return
	}
	document, err := readBounded(r.absolute(o.File), openapi.MaxDocument)
	if err != nil {
		r.at(place, "%v", err)
		return
	}
	// What the file says of the API is checked with the rest of the file. Here it only counts that it is said.
	target := &resource.API{ID: resource.NewID(resource.ApiManagement, "service", "service", "apis", "api"), Type: resource.APIType(a.Type)}
	if a.DisplayName != "" {
		target.DisplayName = "given"
	}
	if a.ServiceURL != "" {
		target.ServiceURL = "https://given.invalid"
	}
	result, err := openapi.Import(document, "", openapi.Target{API: target, RequiredQuery: openapi.RequiredQuery(o.RequiredQuery)})
	if failed, ok := errors.AsType[*openapi.Error](err); ok {
		for _, p := range failed.Problems {
			r.at(place, "%s", p.In(o.File))
		}
		return
	}
	if err != nil {
		r.at(place, "%v", err)
		return
	}
	o.warnings = result.Warnings
	said := FromOpenAPI(result)
	a.DisplayName = orElse(a.DisplayName, said.DisplayName)
	a.Description = orElse(a.Description, said.Description)
	a.ServiceURL = orElse(a.ServiceURL, said.ServiceURL)
	a.Schemas = mergeSchemas(path, said.Schemas, a.Schemas)
	a.Operations = r.mergeOperations(path, said.Operations, a.Operations)
}

// mergeSchemas replaces schemas of the document by those of the file with the same name and adds the others.
func mergeSchemas(path string, said, given []Schema) []Schema {
	for i := range said {
		said[i].place = path + ".openapi"
	}
	for i, s := range given {
		s.place = fmt.Sprintf("%s.schemas[%d]", path, i)
		replaced := false
		for k := range said {
			if strings.EqualFold(said[k].Name, s.Name) && said[k].place == path+".openapi" {
				said[k], replaced = s, true
				break
			}
		}
		if !replaced {
			said = append(said, s)
		}
	}
	return said
}

// mergeOperations changes operations of the document by those of the file and adds the others. One of the file stands for the one of
// the document that has its name, else for the one that takes the same requests.
func (r *resolver) mergeOperations(path string, said, given []Operation) []Operation {
	names, requests := make(map[string]int, len(said)), make(map[string]int, len(said))
	for i := range said {
		o := &said[i]
		o.place = path + ".openapi"
		names[strings.ToLower(o.Name)] = i
		requests[o.Method+" "+openapi.MatchKey(o.URLTemplate)] = i
	}
	changed := make(map[int]string)
	for i, o := range given {
		o.place = fmt.Sprintf("%s.operations[%d]", path, i)
		at, ok := names[strings.ToLower(o.Name)]
		if !ok {
			at, ok = requests[o.Method+" "+openapi.MatchKey(orElse(o.URLTemplate, "/"))]
		}
		switch {
		case !ok && o.Name != "" && o.Method == "":
			r.at(o.place, "%s has no operation %q to change, and a new one needs a method", path+".openapi", o.Name)
		case !ok:
			said = append(said, o)
		case changed[at] != "":
			r.at(o.place, "changes the same operation of %s as %s", path+".openapi", changed[at])
		default:
			changed[at] = o.place
			said[at] = o.over(said[at])
		}
	}
	return said
}

// over is an operation with the fields that it leaves open from another one.
func (o Operation) over(said Operation) Operation {
	if len(o.TemplateParameters) == 0 && (o.URLTemplate == "" || o.URLTemplate == said.URLTemplate) {
		o.TemplateParameters = said.TemplateParameters // those of another template would not fit
	}
	o.Name = orElse(o.Name, said.Name)
	o.DisplayName = orElse(o.DisplayName, said.DisplayName)
	o.Description = orElse(o.Description, said.Description)
	o.Method = orElse(o.Method, said.Method)
	o.URLTemplate = orElse(o.URLTemplate, said.URLTemplate)
	if o.Request.resource() == nil {
		o.Request = said.Request
	}
	if len(o.Responses) == 0 {
		o.Responses = said.Responses
	}
	return o
}
