package app

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/hubgate/hubgate/internal/config"
)

// TestRawResources starts a node with resources in Azure's words: a pool of backends with credentials, a fragment, versions and revisions.
func TestRawResources(t *testing.T) {
	t.Parallel()
	backend := func(name string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s %s key=%s fragment=%s", name, r.URL.Path, r.Header.Get("X-Key"), r.Header.Get("X-Fragment"))
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	first, second, next := backend("first"), backend("second"), backend("next")
	c, err := config.Parse([]byte(`
apiManagement:
  - name: APIM1
    apis:
      - name: weather
        path: weather
        subscriptionRequired: false
        operations: [{method: GET, urlTemplate: /today}]
        policy: '<policies><inbound><base/><include-fragment fragment-id="mark"/><set-backend-service backend-id="both"/></inbound></policies>'
    resources:
      - {id: policyFragments/mark, properties: {format: rawxml, value: '<fragment><set-header name="X-Fragment"><value>yes</value></set-header></fragment>'}}
      - {id: backends/one, properties: {url: "`+first+`", credentials: {header: {X-Key: [{env: BACKEND_KEY}]}}}}
      - {id: backends/both, properties: {type: Pool, pool: {services: [{id: /backends/one}]}}}
      - {id: apiVersionSets/climate, properties: {displayName: Climate, versioningScheme: Query, versionQueryName: v}}
      - {id: apis/climate, properties: {path: climate, serviceUrl: "`+first+`", apiVersionSetId: /apiVersionSets/climate, subscriptionRequired: false}}
      - {id: apis/climate/operations/today, properties: {displayName: Today, method: GET, urlTemplate: /today}}
      - {id: apis/climate-2, properties: {path: climate, serviceUrl: "`+second+`", apiVersionSetId: /apiVersionSets/climate, apiVersion: "2", subscriptionRequired: false}}
      - {id: apis/climate-2/operations/today, properties: {displayName: Today, method: GET, urlTemplate: /today}}
      - {id: apis/climate-2;rev=2, properties: {path: climate, serviceUrl: "`+next+`", apiVersionSetId: /apiVersionSets/climate, apiVersion: "2", subscriptionRequired: false}}
      - {id: apis/climate-2;rev=2/operations/today, properties: {displayName: Today, method: GET, urlTemplate: /today}}
      - {id: apis/closed, properties: {path: closed, serviceUrl: "`+first+`"}}
      - {id: apis/closed/operations/today, properties: {displayName: Today, method: GET, urlTemplate: /today}}
`), filepath.Join(t.TempDir(), "hubgate.yaml"), func(name string) (string, bool) {
		if name == "BACKEND_KEY" {
			return "secret", true
		}
		return os.LookupEnv(name)
	})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := run(t, Options{Config: c, DataDir: t.TempDir()})
	for path, want := range map[string]string{
		"/weather/today":           "first /today key=secret fragment=yes",
		"/climate/today":           "first /today key= fragment=",
		"/climate/today?v=2":       "second /today key= fragment=",
		"/climate;rev=2/today?v=2": "next /today key= fragment=",
	} {
		if got := get(t, a.Gateway+path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	// Azure's default is that a key is needed.
	if got := status(t, http.MethodGet, a.Gateway+"/closed/today", ""); got != http.StatusUnauthorized {
		t.Errorf("an API that says nothing of keys answers %d without one", got)
	}
}
