package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/openapi"
	"github.com/hubgate/hubgate/internal/resource"
)

// description is an API of a configuration with what an OpenAPI document says of it.
func description(t *testing.T, c *config.Config) openapi.Description {
	t.Helper()
	resources, err := c.Resources(storedInstance)
	if err != nil {
		t.Fatal(err)
	}
	var d openapi.Description
	for _, r := range resources {
		switch r := r.(type) {
		case *resource.API:
			d.API = r
		case *resource.Operation:
			d.Operations = append(d.Operations, r)
		case *resource.APISchema:
			d.Schemas = append(d.Schemas, r)
		}
	}
	return d
}

// TestOpenAPIRoundTrip imports the documents of the package openapi, writes each as configuration, reads that, exports it and imports the
// export: the API, its operations and its definitions must be the same at each step. A configuration that names the document must say the same too.
func TestOpenAPIRoundTrip(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../openapi/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("documents: %v, %v", files, err)
	}
	count := 0
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var document []byte
		for _, f := range archive.Files {
			if f.Name == "document" {
				document = f.Data
			}
		}
		target := openapi.Target{API: &resource.API{
			ID: resource.NewID(resource.ApiManagement, "service", "APIM1", "apis", "shop"), Path: "shop",
			ServiceURL: "https://backend.example", SubscriptionRequired: true,
		}}
		want, err := openapi.Import(document, "", target)
		if err != nil {
			continue // files about errors
		}
		count++
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := config.FromOpenAPI(want).YAML("APIM1")
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Parse(text, "hubgate.yaml", environment)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			imported := openapi.Description{API: want.API, Operations: want.Operations, Schemas: want.Schemas}
			got := description(t, c)
			if diff := cmp.Diff(imported, got); diff != "" {
				t.Fatalf("what was imported, and what its configuration says (-imported +read):\n%s", diff)
			}

			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "shop.yaml"), document, 0o600); err != nil {
				t.Fatal(err)
			}
			named, err := config.Parse([]byte("apiManagement: [{name: APIM1, apis: [{name: shop, path: shop, serviceUrl: https://backend.example, openapi: shop.yaml}]}]"),
				filepath.Join(dir, "hubgate.yaml"), environment)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(imported, description(t, named)); diff != "" {
				t.Errorf("what was imported, and what a file that names the document says (-imported +named):\n%s", diff)
			}
			if len(named.Warnings()) != len(want.Warnings) {
				t.Errorf("%d warnings, want %d", len(named.Warnings()), len(want.Warnings))
			}

			format := openapi.OpenAPIYAML
			if len(want.Schemas) > 0 && want.Schemas[0].ContentType == resource.SchemaSwaggerDefinitions {
				format = openapi.SwaggerJSON
			}
			exported, _, err := openapi.Export(got, format)
			if err != nil {
				t.Fatal(err)
			}
			again, err := openapi.Import(exported, format, target)
			if err != nil {
				t.Fatalf("the export cannot be imported: %v\n%s", err, exported)
			}
			if strings.Contains(string(document), `"openapi": "3.1`) {
				// Definitions of OpenAPI 3.1 are exported in the words of 3.0; from then on they stay.
				imported.Schemas = again.Schemas
			}
			if diff := cmp.Diff(imported, openapi.Description{API: again.API, Operations: again.Operations, Schemas: again.Schemas}); diff != "" {
				t.Errorf("what was imported, and what its export gives (-imported +again):\n%s", diff)
			}
		})
	}
	if count < 5 {
		t.Errorf("only %d documents could be imported", count)
	}
}

// TestYAMLKeepsTexts writes texts that YAML could take for something else.
func TestYAMLKeepsTexts(t *testing.T) {
	t.Parallel()
	texts := []string{
		"true", "null", "~", "1.0", "0x1f", "1_000", "yes", "2001-01-01", "- a", "a: b", "#", "'", `"`, "{}", "[a]", "*a", "&a", "!a", "|", ">", "@", "`", "%", "?", "<<", "=",
		" a", "a ", "\t", "\n", "\n\n", "a\nb", "a\nb\n", "a\n\nb", "a\nb\n\n", " a\nb", "\na", "a \nb", "a\n b", "a\n\tb", "a\r\nb", "a\rb", "a\u0085b", "a\u2028b", "\ufeffa", "a\x00b",
		"é", "日本", "😀", "\u00a0", "a # b", "a\n# b\n---\nc", "{{name}}", "a\n  b\n c\n",
	}
	for _, text := range texts {
		api := config.API{Name: "a", Operations: []config.Operation{{Method: "GET", DisplayName: "d", Description: text, Responses: []config.Response{
			{StatusCode: 200, Representations: []config.Representation{{ContentType: "text/plain", Examples: []string{text, "b"}}}},
		}}}}
		written, err := api.YAML("APIM1")
		if err != nil {
			t.Fatal(err)
		}
		c, err := config.Parse(written, "hubgate.yaml", environment)
		if err != nil {
			t.Errorf("%q: %v\n%s", text, err, written)
			continue
		}
		o := c.APIManagement[0].APIs[0].Operations[0]
		if got := o.Responses[0].Representations[0].Examples[0]; o.Description != text || got != text {
			t.Errorf("%q is read as %q and %q\n%s", text, o.Description, got, written)
		}
	}
}
