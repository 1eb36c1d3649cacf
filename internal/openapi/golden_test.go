package openapi

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hubgate/hubgate/internal/gateway/match"
	"github.com/hubgate/hubgate/internal/gateway/schema"
	"github.com/hubgate/hubgate/internal/resource"
)

var update = flag.Bool("update", false, "write what the golden tests got into their files")

func shopAPI() *resource.API {
	return &resource.API{ID: resource.NewID(resource.ApiManagement, "service", "APIM1", "apis", "shop"), Path: "shop", SubscriptionRequired: true}
}

// options are the parts of a target that a golden file may state.
type options struct {
	Format        Format        `json:"format"`
	RequiredQuery RequiredQuery `json:"requiredQuery"`
	DocumentURL   string        `json:"documentUrl"`
	API           *resource.API `json:"api"`
	// ImportOnly leaves out the exports, for a file that is about one rule of the import.
	ImportOnly bool `json:"importOnly"`
}

// TestGolden runs testdata/*.txtar. A file holds "document" and, where needed, "options" (JSON). Written by -update are "result" and
// "warnings", or "error"; then what an export of the result gives: "export openapi" and "export swagger-json" with their warnings.
//
// Beyond the comparison, each result's templates must be ones that the gateway takes, each export a document that an independent
// implementation finds valid, and what is exported and imported again must be what was there before.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			isInput := func(f txtar.File) bool { return f.Name == "document" || f.Name == "options" }
			inputs, want := slices.Clone(archive.Files), slices.Clone(archive.Files)
			inputs = slices.DeleteFunc(inputs, func(f txtar.File) bool { return !isInput(f) })
			want = slices.DeleteFunc(want, isInput)
			got := runGolden(t, inputs)
			if *update {
				archive.Files = append(inputs, got...)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(texts(want), texts(got)); diff != "" {
				t.Errorf("(-want +got; -update writes it)\n%s", diff)
			}
		})
	}
}

func texts(files []txtar.File) []string {
	var list []string
	for _, f := range files {
		list = append(list, "-- "+f.Name+" --\n"+string(f.Data))
	}
	return list
}

func runGolden(t *testing.T, inputs []txtar.File) []txtar.File {
	t.Helper()
	var o options
	var document []byte
	for _, f := range inputs {
		if f.Name == "document" {
			document = f.Data
		} else if err := json.Unmarshal(f.Data, &o, json.RejectUnknownMembers(true)); err != nil {
			t.Fatal(err)
		}
	}
	target := Target{API: shopAPI(), RequiredQuery: o.RequiredQuery, DocumentURL: o.DocumentURL}
	if o.API != nil {
		o.API.ID = target.API.ID
		target.API = o.API
	}
	result, err := Import(document, o.Format, target)
	if err != nil {
		problems, ok := errors.AsType[*Error](err)
		if !ok {
			return []txtar.File{{Name: "error", Data: []byte(err.Error() + "\n")}}
		}
		var b bytes.Buffer
		for _, p := range problems.Problems {
			b.WriteString(p.String() + "\n")
		}
		return []txtar.File{{Name: "error", Data: b.Bytes()}}
	}
	files := []txtar.File{{Name: "result", Data: resultText(t, result)}}
	files = appendWarnings(files, "warnings", result.Warnings)
	checkTemplates(t, result)
	checkDefinitions(t, result)
	if o.ImportOnly {
		return files
	}
	for _, format := range []Format{OpenAPIYAML, SwaggerJSON} {
		text, warnings, err := Export(describe(result), format)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, txtar.File{Name: "export " + string(format), Data: text})
		files = appendWarnings(files, "export "+string(format)+" warnings", warnings)
		checkExport(t, text, format)
		isSwagger := len(result.Schemas) > 0 && result.Schemas[0].ContentType == resource.SchemaSwaggerDefinitions
		if (format == SwaggerJSON) == isSwagger {
			checkRoundTrip(t, result, text, format, target, bytes.Contains(document, []byte(`"openapi": "3.1`)))
		}
	}
	return files
}

// describe is a result as an export takes it, with the backend as server so that it can be imported again.
func describe(r *Result) Description {
	d := Description{API: r.API, Operations: r.Operations, Schemas: r.Schemas}
	if r.API.ServiceURL != "" {
		d.Servers = []string{r.API.ServiceURL}
	}
	return d
}

func appendWarnings(files []txtar.File, name string, warnings []Warning) []txtar.File {
	if len(warnings) == 0 {
		return files
	}
	var b bytes.Buffer
	for _, w := range warnings {
		b.WriteString(w.String() + "\n")
	}
	return append(files, txtar.File{Name: name, Data: b.Bytes()})
}

// resultText is a result as JSON without what all ids have in common.
func resultText(t *testing.T, r *Result) []byte {
	t.Helper()
	text, err := json.Marshal(struct {
		API        *resource.API         `json:"api"`
		Operations []*resource.Operation `json:"operations"`
		Schemas    []*resource.APISchema `json:"schemas"`
	}{r.API, r.Operations, r.Schemas}, jsontext.WithIndent("  "))
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.ReplaceAll(text, []byte(r.API.ID), []byte("shop")), '\n')
}

// checkTemplates compiles the operations as the gateway does.
func checkTemplates(t *testing.T, r *Result) {
	t.Helper()
	for _, o := range r.Operations {
		template, err := match.ParseTemplate(o.URLTemplate)
		if err != nil {
			t.Errorf("the gateway refuses the operation %s: %v", o.ID.Name(), err)
			continue
		}
		for _, name := range template.Parameters() {
			described := slices.ContainsFunc(o.TemplateParameters, func(p resource.TemplateParameter) bool { return p.Name == name })
			if !described && name != "*" {
				t.Errorf("the operation %s does not describe {%s}", o.ID.Name(), name)
			}
		}
	}
}

// checkDefinitions compiles what operations refer to as the gateway does.
func checkDefinitions(t *testing.T, r *Result) {
	t.Helper()
	compile := func(o *resource.Operation, schemaID, typeName string) {
		if schemaID == "" && typeName == "" {
			return
		}
		i := slices.IndexFunc(r.Schemas, func(s *resource.APISchema) bool { return s.ID.Name() == schemaID })
		if i < 0 {
			t.Errorf("the operation %s refers to the schema %q, which does not exist", o.ID.Name(), schemaID)
			return
		}
		prefix := "#/components/schemas/"
		if r.Schemas[i].ContentType == resource.SchemaSwaggerDefinitions {
			prefix = "#/definitions/"
		}
		if _, err := schema.Compile(r.Schemas[i].Document, prefix+typeName, schema.Options{}); err != nil {
			t.Errorf("the operation %s refers to %s: %v", o.ID.Name(), typeName, err)
		}
	}
	parameters := func(o *resource.Operation, list []resource.TemplateParameter) {
		for _, p := range list {
			compile(o, p.SchemaID, p.TypeName)
		}
	}
	representations := func(o *resource.Operation, list []resource.Representation) {
		for _, p := range list {
			compile(o, p.SchemaID, p.TypeName)
		}
	}
	for _, o := range r.Operations {
		parameters(o, o.TemplateParameters)
		if o.Request != nil {
			parameters(o, o.Request.QueryParameters)
			parameters(o, o.Request.Headers)
			representations(o, o.Request.Representations)
		}
		for _, response := range o.Responses {
			parameters(o, response.Headers)
			representations(o, response.Representations)
		}
	}
}

// checkExport asks another implementation of OpenAPI whether a document is valid.
func checkExport(t *testing.T, text []byte, format Format) {
	t.Helper()
	loader := openapi3.NewLoader()
	if format == SwaggerJSON {
		var two openapi2.T
		if err := two.UnmarshalJSON(text); err != nil {
			t.Errorf("the export is no OpenAPI 2: %v", err)
			return
		}
		three, err := openapi2conv.ToV3(&two)
		if err != nil {
			t.Errorf("the export is no OpenAPI 2: %v", err)
			return
		}
		if err := three.Validate(loader.Context); err != nil {
			t.Errorf("the export is not valid: %v", err)
		}
		return
	}
	three, err := loader.LoadFromData(text)
	if err != nil {
		t.Errorf("the export is no OpenAPI 3: %v", err)
		return
	}
	if err := three.Validate(context.Background(), openapi3.DisableExamplesValidation()); err != nil {
		t.Errorf("the export is not valid: %v", err)
	}
}

// checkRoundTrip imports an export; the result must be the one that was exported.
func checkRoundTrip(t *testing.T, r *Result, text []byte, format Format, target Target, rewritten bool) {
	t.Helper()
	target.API = r.API
	again, err := Import(text, format, target)
	if err != nil {
		t.Errorf("the export cannot be imported: %v", err)
		return
	}
	// Definitions of OpenAPI 3.1 are exported in the words of 3.0; exported a second time they must be the same.
	repeated, _, err := Export(describe(again), format)
	if diff := cmp.Diff(string(text), string(repeated)); diff != "" || err != nil {
		t.Errorf("exported again it is different (-before +after): %v\n%s", err, diff)
	}
	if rewritten {
		return
	}
	if diff := cmp.Diff(string(resultText(t, r)), string(resultText(t, again))); diff != "" {
		t.Errorf("the export is not what was imported (-before +after):\n%s", diff)
	}
	changes, err := Plan(all(r), again)
	if err != nil {
		t.Fatal(err)
	}
	if !changes.Empty() {
		t.Errorf("importing the export changes something: %+v", changes)
	}
}

// all are the resources of a result.
func all(r *Result) []resource.Resource {
	list := []resource.Resource{r.API}
	for _, s := range r.Schemas {
		list = append(list, s)
	}
	for _, o := range r.Operations {
		list = append(list, o)
	}
	return list
}
