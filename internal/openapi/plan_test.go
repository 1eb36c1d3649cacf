package openapi

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/resource"
)

func importYAML(t *testing.T, document string) *Result {
	t.Helper()
	r, err := Import([]byte("openapi: 3.0.0\ninfo: {title: Shop, version: '1'}\n"+document), "", Target{API: shopAPI()})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ids are the ids of resources below the API.
func ids(list []resource.Resource) []string {
	var out []string
	for _, r := range list {
		out = append(out, short(r.ResourceID()))
	}
	return out
}

func short(id resource.ID) string {
	api := shopAPI().ID
	if id == api {
		return "api"
	}
	return string(id[len(api)+1:])
}

func TestPlan(t *testing.T) {
	t.Parallel()
	before := importYAML(t, `
paths:
  /kept: {get: {operationId: kept, responses: {}}}
  /changed: {get: {operationId: changed, responses: {}}}
  /renamed/{id}: {get: {operationId: oldName, responses: {}}}
  /gone: {get: {operationId: gone, responses: {}}}
components: {schemas: {A: {type: string}}}
`)
	policy := func(operation, value string) *resource.Policy {
		return &resource.Policy{ID: shopAPI().ID.Child("operations", operation, "policies", "policy"), Value: value}
	}
	other := &resource.Operation{ID: resource.NewID(resource.ApiManagement, "service", "APIM1", "apis", "shop2", "operations", "x"), Method: "GET", URLTemplate: "/new"}
	existing := append(all(before),
		policy("changed", "<policies>changed</policies>"), policy("oldname", "<policies>old</policies>"), policy("gone", "<policies>gone</policies>"),
		&resource.Policy{ID: shopAPI().ID.Child("policies", "policy"), Value: "<policies/>"},
		&resource.APISchema{ID: shopAPI().ID.Child("schemas", DefinitionsSchema), ContentType: resource.SchemaSwaggerDefinitions, Document: []byte(`{}`)},
		&resource.APISchema{ID: shopAPI().ID.Child("schemas", "handmade"), ContentType: resource.SchemaOpenAPIComponents, Document: []byte(`{}`)},
		other, &resource.Policy{ID: other.ID.Child("policies", "policy"), Value: "<policies/>"})

	after := importYAML(t, `
paths:
  /kept: {get: {operationId: Kept!, summary: kept, responses: {}}}
  /changed-too: {get: {operationId: changed, responses: {}}}
  /Renamed/{number}: {get: {operationId: newName, responses: {}}}
  /new: {get: {operationId: new, responses: {}}}
components: {schemas: {A: {type: string}}}
`)
	changes, err := Plan(existing, after)
	if err != nil {
		t.Fatal(err)
	}
	type plan struct{ Create, Update, Delete, Copied []string }
	got := plan{Create: ids(changes.Create), Update: ids(changes.Update)}
	for _, id := range changes.Delete {
		got.Delete = append(got.Delete, short(id))
	}
	for _, c := range changes.CopiedPolicies {
		got.Copied = append(got.Copied, short(c.From)+" -> "+short(c.To))
	}
	want := plan{
		Create: []string{"operations/newname", "operations/new", "operations/newname/policies/policy"},
		Update: []string{"operations/changed"},
		Delete: []string{"operations/oldname/policies/policy", "operations/oldname", "operations/gone/policies/policy", "operations/gone", "schemas/swagger-definitions"},
		Copied: []string{"operations/oldname/policies/policy -> operations/newname/policies/policy"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if moved := changes.Create[2].(*resource.Policy); moved.Value != "<policies>old</policies>" {
		t.Errorf("the copied policy is %q", moved.Value)
	}

	// Carried out, there is nothing left to do.
	have := map[string]resource.Resource{}
	for _, list := range [][]resource.Resource{existing, changes.Create, changes.Update} {
		for _, r := range list {
			have[r.ResourceID().Key()] = r
		}
	}
	for _, id := range changes.Delete {
		delete(have, id.Key())
	}
	var now []resource.Resource
	for _, r := range have {
		now = append(now, r)
	}
	again, err := Plan(now, after)
	if err != nil {
		t.Fatal(err)
	}
	if !again.Empty() {
		t.Errorf("a second time there is something to do: %v, %v, %v", ids(again.Create), ids(again.Update), again.Delete)
	}
}

// TestPlanOfNewAPI creates the API before all that is below it.
func TestPlanOfNewAPI(t *testing.T) {
	t.Parallel()
	r := importYAML(t, `
paths: {/a: {get: {responses: {'200': {description: '', content: {application/json: {schema: {type: string}}}}}}}}
`)
	changes, err := Plan(nil, r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"api", "schemas/openapi-components", "operations/get-a"}, ids(changes.Create)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if len(changes.Update)+len(changes.Delete) > 0 {
		t.Errorf("got %+v", changes)
	}
}

// TestPlanIgnoresCaseOfIDs takes resources whose ids are spelled differently for the same.
func TestPlanIgnoresCaseOfIDs(t *testing.T) {
	t.Parallel()
	r := importYAML(t, "paths: {/a: {get: {responses: {}}}}\n")
	operation := *r.Operations[0]
	operation.ID = shopAPI().ID.Child("Operations", "Get-A")
	api := *r.API
	changes, err := Plan([]resource.Resource{&api, &operation}, r)
	if err != nil {
		t.Fatal(err)
	}
	if !changes.Empty() {
		t.Errorf("got %v, %v, %v", ids(changes.Create), ids(changes.Update), changes.Delete)
	}
}
