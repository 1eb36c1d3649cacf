package app

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
	"github.com/hubgate/hubgate/internal/store/memstore"
)

// TestOpenAPIDocument starts a node whose API is described by a document, and starts it again when the document has changed: the gateway
// answers what the document says, no more, with the policy that stands beside it.
func TestOpenAPIDocument(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	t.Cleanup(backend.Close)
	dir, data := t.TempDir(), t.TempDir()
	file := filepath.Join(dir, "hubgate.yaml")
	document := func(paths string) {
		t.Helper()
		text := "openapi: 3.0.3\ninfo: {title: Pets}\nservers: [{url: 'https://pets.invalid'}]\npaths:\n" + paths
		if err := os.WriteFile(filepath.Join(dir, "pets.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start := func(t *testing.T) func(method, path string) int {
		t.Helper()
		c, err := config.Parse([]byte(`
apiManagement:
  - name: APIM1
    apis:
      - name: pets
        openapi: pets.yaml
        path: shop
        serviceUrl: `+backend.URL+`
        subscriptionRequired: false
        operations:
          - {method: DELETE, urlTemplate: "/pets/{id}"}
          - {name: showpet, policy: '<policies><inbound><base/><return-response><set-status code="299"/></return-response></inbound></policies>'}
`), file, os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := run(t, Options{Config: c, DataDir: data})
		return func(method, path string) int {
			t.Helper()
			return status(t, method, a.Gateway+"/shop"+path, "")
		}
	}
	for _, step := range []struct {
		name, paths string
		want        map[string]int
	}{
		{
			"first", "  /pets: {get: {operationId: listPets, responses: {}}}\n  /pets/{id}: {get: {operationId: showPet, parameters: [{name: id, in: path, required: true, schema: {type: string}}], responses: {}}}\n",
			map[string]int{"GET /pets": 200, "GET /pets/7": 299, "DELETE /pets/7": 200, "POST /pets": 404},
		},
		{ // listPets has another name, which would be refused beside the old one.
			"changed", "  /pets: {get: {operationId: allPets, responses: {}}, post: {operationId: addPet, responses: {}}}\n  /pets/{id}: {get: {operationId: showPet, parameters: [{name: id, in: path, required: true, schema: {type: string}}], responses: {}}}\n",
			map[string]int{"GET /pets": 200, "GET /pets/7": 299, "DELETE /pets/7": 200, "POST /pets": 200},
		},
	} {
		t.Run(step.name, func(t *testing.T) {
			document(step.paths)
			call := start(t)
			got := map[string]int{}
			for request := range step.want {
				var method, path string
				if _, err := fmt.Sscan(request, &method, &path); err != nil {
					t.Fatal(err)
				}
				got[request] = call(method, path)
			}
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("status of requests (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOpenAPIDefinitions lets policies use what a document says of bodies: its examples and its definitions.
func TestOpenAPIDefinitions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	document := `openapi: 3.0.3
info: {title: Pets}
paths:
  /pets:
    get: {operationId: listPets, responses: {'200': {description: All., content: {application/json: {example: [Rex]}}}}}
    post: {operationId: addPet, requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}, responses: {}}
components: {schemas: {Pet: {type: object, required: [name]}}}
`
	if err := os.WriteFile(filepath.Join(dir, "pets.yaml"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse([]byte(`
apiManagement:
  - name: APIM1
    apis:
      - name: pets
        openapi: pets.yaml
        subscriptionRequired: false
        operations:
          - {name: listpets, policy: '<policies><inbound><mock-response content-type="application/json"/></inbound></policies>'}
          - name: addpet
            policy: |
              <policies><inbound>
                <validate-content unspecified-content-type-action="prevent" max-size="1024" size-exceeded-action="prevent"><content type="application/json" validate-as="json" action="prevent"/></validate-content>
                <return-response><set-status code="201"/></return-response>
              </inbound></policies>
`), filepath.Join(dir, "hubgate.yaml"), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := run(t, Options{Config: c})
	for _, test := range []struct{ method, body, want string }{
		{http.MethodGet, "", `200 ["Rex"]`},
		{http.MethodPost, `{"name":"Rex"}`, "201 "},
		{http.MethodPost, `{}`, `400 { "statusCode": 400, "message": "Body of the request does not conform to the definition Pet`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), test.method, a.Gateway+"/pets", strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
		// White space of an example is its own matter.
		got := fmt.Sprint(response.StatusCode, " ", string(body))
		if response.StatusCode == http.StatusOK {
			got = strings.Join(strings.Fields(got), " ")
			got = strings.NewReplacer("[ ", "[", " ]", "]").Replace(got)
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s %s is answered %s, want %s", test.method, test.body, got, test.want)
		}
	}
}

// TestRemoveLeftOver keeps what is said, what is not an operation, and what belongs to others.
func TestRemoveLeftOver(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	t.Cleanup(func() { _ = s.Close() })
	apis := resource.NewID(resource.ApiManagement, "service", "APIM1")
	api, other := apis.Child("apis", "pets"), apis.Child("apis", "pets2")
	operation := func(api resource.ID, name string) *resource.Operation {
		return &resource.Operation{ID: api.Child("operations", name), Method: "GET", URLTemplate: "/" + name}
	}
	policy := func(of resource.ID) *resource.Policy {
		return &resource.Policy{ID: of.Child("policies", "policy"), Format: resource.PolicyXML, Value: "<policies/>"}
	}
	kept, gone := operation(api, "kept"), operation(api, "gone")
	stored := []resource.Resource{
		&resource.API{ID: api, Path: "pets"}, policy(api), kept, policy(kept.ID), gone, policy(gone.ID), operation(api, "kept2"),
		&resource.API{ID: other, Path: "other"}, operation(other, "gone"),
	}
	if _, err := store.Apply(t.Context(), s, stored); err != nil {
		t.Fatal(err)
	}
	said := []resource.Resource{stored[0], operation(apis.Child("apis", "PETS"), "Kept")}
	if err := removeLeftOver(t.Context(), s, []resource.ID{api}, said); err != nil {
		t.Fatal(err)
	}
	records, err := s.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []resource.ID
	for _, r := range records {
		got = append(got, r.ID)
	}
	want := []resource.ID{api, kept.ID, policy(kept.ID).ID, policy(api).ID, other, operation(other, "gone").ID}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is stored (-want +got):\n%s", diff)
	}
}
