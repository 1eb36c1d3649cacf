package resource

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// apim is the id of something in the API Management service of these tests.
func apim(typesAndNames ...string) ID {
	return NewID(ApiManagement, append([]string{"service", "APIM1"}, typesAndNames...)...)
}

func TestValidateAPIManagement(t *testing.T) {
	t.Parallel()
	negative := -1
	for name, c := range map[string]struct {
		r    Resource
		want string // part of the error; "" for a valid resource
	}{
		"service":                    {&ApiManagementService{ID: apim(), HostNames: []string{"apim1.azure-api.localhost"}}, ""},
		"service of another type":    {&ApiManagementService{ID: apim("apis", "a")}, "it should look like"},
		"service name":               {&ApiManagementService{ID: NewID(ApiManagement, "service", "1a")}, "begins with a letter"},
		"service host with port":     {&ApiManagementService{ID: apim(), HostNames: []string{"a:80"}}, "hostNames"},
		"http":                       {&API{ID: apim("apis", "a"), Path: "a/b", ServiceURL: "https://x/y/", Protocols: []string{"http", "HTTPS"}}, ""},
		"http without backend":       {&API{ID: apim("apis", "a")}, ""},
		"revision":                   {&API{ID: apim("apis", "a;rev=2"), Path: "a"}, ""},
		"websocket":                  {&API{ID: apim("apis", "a"), Type: APITypeWebSocket, Path: "/client/", ServiceURL: "wss://x/client/"}, ""},
		"websocket without backend":  {&API{ID: apim("apis", "a"), Type: APITypeWebSocket}, "serviceUrl: a WebSocket API needs"},
		"websocket with http":        {&API{ID: apim("apis", "a"), Type: APITypeWebSocket, ServiceURL: "http://x"}, "with the scheme ws or wss"},
		"http with ws":               {&API{ID: apim("apis", "a"), ServiceURL: "ws://x"}, "with the scheme http or https"},
		"soap":                       {&API{ID: apim("apis", "a"), Type: "soap"}, "http or websocket"},
		"wildcard suffix":            {&API{ID: apim("apis", "a"), Path: "a/*"}, "plain relative path"},
		"climbing suffix":            {&API{ID: apim("apis", "a"), Path: "a/../b"}, "segment"},
		"suffix with revision":       {&API{ID: apim("apis", "a"), Path: "a;rev=2"}, ";rev="},
		"long suffix":                {&API{ID: apim("apis", "a"), Path: strings.Repeat("a", 401)}, "at most 400"},
		"relative backend":           {&API{ID: apim("apis", "a"), ServiceURL: "/x"}, "absolute URL"},
		"backend with password":      {&API{ID: apim("apis", "a"), ServiceURL: "http://u:p@x"}, "must not hold a user"},
		"backend with query":         {&API{ID: apim("apis", "a"), ServiceURL: "http://x?a=b"}, "query"},
		"strange protocol":           {&API{ID: apim("apis", "a"), Protocols: []string{"ws"}}, "must be one of http, https"},
		"revision word":              {&API{ID: apim("apis", "a;rev=two")}, "not a revision number"},
		"version without set":        {&API{ID: apim("apis", "a"), APIVersion: "v1"}, "version set"},
		"name":                       {&API{ID: apim("apis", "a b")}, "must not contain"},
		"version set":                {&APIVersionSet{ID: apim("apiVersionSets", "v"), VersioningScheme: VersioningSegment}, ""},
		"version set without name":   {&APIVersionSet{ID: apim("apiVersionSets", "v"), VersioningScheme: VersioningQuery}, "versionQueryName"},
		"version set without header": {&APIVersionSet{ID: apim("apiVersionSets", "v"), VersioningScheme: VersioningHeader}, "versionHeaderName"},
		"version set scheme":         {&APIVersionSet{ID: apim("apiVersionSets", "v")}, "Segment, Query or Header"},
		"operation":                  {&Operation{ID: apim("apis", "a", "operations", "o"), Method: "GET", URLTemplate: "/{x}", TemplateParameters: []TemplateParameter{{Name: "x"}}}, ""},
		"operation method":           {&Operation{ID: apim("apis", "a", "operations", "o"), Method: "G ET", URLTemplate: "/"}, "not an HTTP method"},
		"operation template":         {&Operation{ID: apim("apis", "a", "operations", "o"), Method: "GET"}, "urlTemplate"},
		"operation parameter":        {&Operation{ID: apim("apis", "a", "operations", "o"), Method: "GET", URLTemplate: "/", TemplateParameters: []TemplateParameter{{Name: "x"}}}, "does not occur"},
		"operation response":         {&Operation{ID: apim("apis", "a", "operations", "o"), Method: "GET", URLTemplate: "/", Responses: []OperationResponse{{StatusCode: 7}}}, "status code"},
		"policy":                     {&Policy{ID: apim("apis", "a", "operations", "o", "policies", "policy"), Value: "<policies/>"}, ""},
		"policy name":                {&Policy{ID: apim("policies", "mine"), Value: "<policies/>"}, "named policy"},
		"policy scope":               {&Policy{ID: apim("tags", "a", "policies", "policy"), Value: "<policies/>"}, "not the id of a policy document"},
		"policy format":              {&Policy{ID: apim("policies", "policy"), Format: "yaml", Value: "<policies/>"}, "xml or rawxml"},
		"empty policy":               {&Policy{ID: apim("policies", "policy")}, "empty"},
		"large policy":               {&Policy{ID: apim("policies", "policy"), Value: strings.Repeat("a", MaxPolicySize+1)}, "at most 524288"},
		"fragment":                   {&PolicyFragment{ID: apim("policyFragments", "f"), Value: "<fragment/>"}, ""},
		"named value":                {&NamedValue{ID: apim("namedValues", "n"), DisplayName: "a.b-c_d", Value: "@(1)"}, ""},
		"named value name":           {&NamedValue{ID: apim("namedValues", "n"), DisplayName: "a b"}, "displayName"},
		"named value in another":     {&NamedValue{ID: apim("namedValues", "n"), DisplayName: "a", Value: "x{{b}}"}, "another named value"},
		"product":                    {&Product{ID: apim("products", "p"), State: ProductPublished}, ""},
		"product state":              {&Product{ID: apim("products", "p"), State: "hidden"}, "published or notPublished"},
		"product limit":              {&Product{ID: apim("products", "p"), SubscriptionsLimit: &negative}, "negative"},
		"product link":               {&ProductAPI{ID: apim("products", "p", "apis", "a")}, ""},
		"subscription":               {&Subscription{ID: apim("subscriptions", "s"), Scope: "/products/p", PrimaryKey: "1", SecondaryKey: "2"}, ""},
		"subscription scope":         {&Subscription{ID: apim("subscriptions", "s"), Scope: "/users/p", PrimaryKey: "1", SecondaryKey: "2"}, "not a scope"},
		"subscription state":         {&Subscription{ID: apim("subscriptions", "s"), State: "gone", PrimaryKey: "1", SecondaryKey: "2"}, "not a state"},
		"subscription keys":          {&Subscription{ID: apim("subscriptions", "s"), PrimaryKey: "1", SecondaryKey: "1"}, "must differ"},
		"subscription without keys":  {&Subscription{ID: apim("subscriptions", "s"), PrimaryKey: "1"}, "needs both keys"},
		"backend":                    {&Backend{ID: apim("backends", "b"), URL: "https://x/y"}, ""},
		"backend protocol":           {&Backend{ID: apim("backends", "b"), URL: "https://x", Protocol: "soap"}, "SOAP"},
		"backend url":                {&Backend{ID: apim("backends", "b")}, "url"},
		"backend header":             {&Backend{ID: apim("backends", "b"), URL: "https://x", Credentials: &BackendCredentials{Header: map[string][]string{"a b": nil}}}, "header name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.r.Validate()
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || KindOf(err) != Invalid):
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestAPIDefaults(t *testing.T) {
	t.Parallel()
	no := false
	current, revision := &API{ID: apim("apis", "a"), Path: "/x/"}, &API{ID: apim("apis", "a;rev=3"), IsOnline: &no}
	header, query := current.KeyNames()
	got := []any{current.BaseName(), current.Revision(), current.Current(), current.Online(), current.Suffix(), current.Kind(), header, query,
		revision.BaseName(), revision.Revision(), revision.Current(), revision.Online()}
	want := []any{"a", "1", true, true, "x", APITypeHTTP, "Ocp-Apim-Subscription-Key", "subscription-key", "a", "3", false, false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestScopeParts(t *testing.T) {
	t.Parallel()
	for scope, want := range map[string]SubscriptionScope{
		"": {}, "/": {}, "/apis": {}, "/APIs/": {}, "/products/p": {Product: "p"}, "apis/a": {API: "a"},
		string(apim()) + "/": {}, string(apim()): {}, string(apim("products", "p")): {Product: "p"}, string(apim("apis")): {}, string(apim("apis", "a")): {API: "a"},
	} {
		got, ok := (&Subscription{Scope: scope}).ScopeParts()
		if !ok || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", scope, got, ok, want)
		}
	}
}

// TestAPIManagementJSON shows that a resource comes back from its JSON as it was.
func TestAPIManagementJSON(t *testing.T) {
	t.Parallel()
	for _, r := range []Resource{
		&API{ID: apim("apis", "a"), Type: APITypeWebSocket, Path: "client", ServiceURL: "ws://x", Protocols: []string{"ws"}, SubscriptionRequired: true},
		&Operation{ID: apim("apis", "a", "operations", "o"), Method: "GET", URLTemplate: "/", Responses: []OperationResponse{{StatusCode: 200}}},
		&Subscription{ID: apim("subscriptions", "s"), Scope: "/apis", PrimaryKey: "1", SecondaryKey: "2"},
	} {
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var back Resource
		switch r.(type) {
		case *API:
			back = &API{}
		case *Operation:
			back = &Operation{}
		default:
			back = &Subscription{}
		}
		if err := json.Unmarshal(data, back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back); diff != "" {
			t.Errorf("%s\n%s", data, diff)
		}
	}
}
