package openapi

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hubgate/hubgate/internal/gateway/match"
)

// FuzzImport feeds documents to the import. Whatever it takes must be valid resources with templates that the gateway takes, and must
// survive an export and a second import.
func FuzzImport(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatal("no golden files", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if part.Name == "document" || part.Name == "export openapi" || part.Name == "export swagger-json" {
				f.Add(part.Data)
			}
		}
	}
	for _, seed := range []string{"", "{", "a: &a [*a]", "<<: {a: 1}", `{"openapi":"3.1.0","info":{"title":"t"},"components":{"schemas":{"A":true}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		target := Target{API: shopAPI()}
		r, err := Import(document, "", target)
		if err != nil {
			if problems, ok := errors.AsType[*Error](err); !ok || len(problems.Problems) == 0 || problems.Problems[0].Message == "" {
				t.Fatalf("the error has no problem: %v", err)
			}
			return
		}
		for _, res := range all(r) {
			if err := res.Validate(); err != nil {
				t.Errorf("not valid: %v", err)
			}
		}
		for _, o := range r.Operations {
			if _, err := match.ParseTemplate(o.URLTemplate); err != nil {
				t.Errorf("the gateway refuses it: %v", err)
			}
		}
		for _, format := range []Format{OpenAPIYAML, OpenAPIJSON, SwaggerJSON} {
			text, _, err := Export(describe(r), format)
			if err != nil {
				t.Fatalf("export as %s: %v", format, err)
			}
			again := target
			again.API = r.API
			second, err := Import(text, format, again)
			if err != nil {
				t.Fatalf("the export as %s cannot be imported: %v\n%s", format, err, text)
			}
			if len(second.Operations) > len(r.Operations) {
				t.Fatalf("%d operations became %d", len(r.Operations), len(second.Operations))
			}
			if _, err := Plan(all(r), second); err != nil {
				t.Fatal(err)
			}
		}
	})
}
