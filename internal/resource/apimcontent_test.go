package resource

import (
	"strings"
	"testing"
	"time"
)

func TestValidateOfTheGatewaysOtherResources(t *testing.T) {
	t.Parallel()
	service := NewID(ApiManagement, "service", "APIM1")
	breaker := func(c FailureCondition, trip string) *Backend {
		return &Backend{ID: service.Child("backends", "b"), URL: "http://b", CircuitBreaker: &CircuitBreaker{Rules: []CircuitBreakerRule{{Name: "r", FailureCondition: c, TripDuration: trip}}}}
	}
	errors5xx := []StatusCodeRange{{Min: 500, Max: 599}}
	for name, c := range map[string]struct {
		r    Resource
		want string // "" is valid
	}{
		"schema":                  {&Schema{ID: service.Child("schemas", "s"), SchemaType: SchemaJSON, Document: []byte(`{}`)}, ""},
		"schema without document": {&Schema{ID: service.Child("schemas", "s"), SchemaType: SchemaJSON}, "no document"},
		"schema that is no JSON":  {&Schema{ID: service.Child("schemas", "s"), SchemaType: SchemaJSON, Document: []byte(`{`)}, "not JSON"},
		"schema of XML":           {&Schema{ID: service.Child("schemas", "s"), SchemaType: SchemaXML, Value: "<xs:schema/>"}, ""},
		"schema of nothing":       {&Schema{ID: service.Child("schemas", "s")}, "json or xml"},
		"schema elsewhere":        {&Schema{ID: service.Child("apis", "s")}, "is not the id of a schema"},
		"API schema":              {&APISchema{ID: service.Child("apis", "a", "schemas", "s"), ContentType: SchemaOpenAPIComponents, Document: []byte(`{}`)}, ""},
		"API schema without type": {&APISchema{ID: service.Child("apis", "a", "schemas", "s"), Document: []byte(`{}`)}, "contentType"},

		"logger":                  {&Logger{ID: service.Child("loggers", "l"), LoggerType: LoggerEventHub, Credentials: map[string]string{"name": "h", "connectionString": "x"}}, ""},
		"logger without hub":      {&Logger{ID: service.Child("loggers", "l"), LoggerType: LoggerEventHub}, "the hub's name"},
		"logger without key":      {&Logger{ID: service.Child("loggers", "l"), LoggerType: LoggerEventHub, Credentials: map[string]string{"name": "h"}}, "connection string"},
		"logger of Azure Monitor": {&Logger{ID: service.Child("loggers", "l"), LoggerType: LoggerAzureMonitor}, ""},
		"logger of nothing":       {&Logger{ID: service.Child("loggers", "l"), LoggerType: "x"}, "azureEventHub"},

		"diagnostic":              {&Diagnostic{ID: service.Child("diagnostics", "azuremonitor")}, ""},
		"diagnostic of an API":    {&Diagnostic{ID: service.Child("apis", "a", "diagnostics", "local"), Sampling: &DiagnosticSampling{SamplingType: "fixed", Percentage: 5}}, ""},
		"diagnostic of a product": {&Diagnostic{ID: service.Child("products", "a", "diagnostics", "local")}, "is not the id of a diagnostic"},
		"diagnostic's name":       {&Diagnostic{ID: service.Child("diagnostics", "other")}, "is named"},
		"diagnostic's sampling":   {&Diagnostic{ID: service.Child("diagnostics", "local"), Sampling: &DiagnosticSampling{Percentage: 101}}, "0 to 100"},
		"diagnostic's body":       {&Diagnostic{ID: service.Child("diagnostics", "local"), Backend: DiagnosticSide{Response: DiagnosticMessage{Body: DiagnosticBody{Bytes: 8193}}}}, "backend.response.body.bytes"},
		"diagnostic's verbosity":  {&Diagnostic{ID: service.Child("diagnostics", "local"), Verbosity: "loud"}, "verbosity"},

		"certificate":              {&Certificate{ID: service.Child("certificates", "c"), Data: "x"}, ""},
		"certificate without data": {&Certificate{ID: service.Child("certificates", "c")}, "no data"},

		"user":               {&User{ID: service.Child("users", "u"), Email: "a@b"}, ""},
		"user without mail":  {&User{ID: service.Child("users", "u")}, "mail address"},
		"user's state":       {&User{ID: service.Child("users", "u"), Email: "a@b", State: "x"}, "state"},
		"group":              {&Group{ID: service.Child("groups", "g"), DisplayName: "G"}, ""},
		"group without name": {&Group{ID: service.Child("groups", "g")}, "display name"},
		"group's type":       {&Group{ID: service.Child("groups", "g"), DisplayName: "G", Type: "x"}, "custom, system or external"},
		"link":               {&Link{ID: service.Child("groups", "g", "users", "u")}, ""},
		"link of nothing":    {&Link{ID: service.Child("groups", "g")}, "is not the id of a link"},
		"tag":                {&Tag{ID: service.Child("tags", "t"), DisplayName: "T"}, ""},
		"tag without name":   {&Tag{ID: service.Child("tags", "t")}, "display name"},

		"release":              {&APIRelease{ID: service.Child("apis", "a", "releases", "r"), APIID: string(service.Child("apis", "A;rev=2"))}, ""},
		"release of another":   {&APIRelease{ID: service.Child("apis", "a", "releases", "r"), APIID: "/apis/b;rev=2"}, "is not a revision"},
		"release without apis": {&APIRelease{ID: service.Child("apis", "a", "releases", "r")}, "is not a revision"},

		"breaker":                      {breaker(FailureCondition{Count: 3, Interval: "PT1M", StatusCodeRanges: errors5xx}, "PT10S"), ""},
		"breaker with neither":         {breaker(FailureCondition{Interval: "PT1M", StatusCodeRanges: errors5xx}, ""), "count or percentage"},
		"breaker with both":            {breaker(FailureCondition{Count: 1, Percentage: 5, Interval: "PT1M", StatusCodeRanges: errors5xx}, ""), "count or percentage"},
		"breaker without failures":     {breaker(FailureCondition{Count: 1, Interval: "PT1M"}, ""), "what a failure is"},
		"breaker with a wrong range":   {breaker(FailureCondition{Count: 1, Interval: "PT1M", StatusCodeRanges: []StatusCodeRange{{Min: 600, Max: 500}}}, ""), "no range"},
		"breaker without interval":     {breaker(FailureCondition{Count: 1, StatusCodeRanges: errors5xx}, ""), "interval"},
		"breaker with a wrong trip":    {breaker(FailureCondition{Count: 1, Interval: "PT1M", StatusCodeRanges: errors5xx}, "1 hour"), "tripDuration"},
		"pool":                         {&Backend{ID: service.Child("backends", "p"), Type: BackendPooled, Pool: &BackendPool{Services: []PoolMember{{ID: "/backends/b"}}}}, ""},
		"pool without members":         {&Backend{ID: service.Child("backends", "p"), Type: BackendPooled}, "at least one service"},
		"pool with a URL":              {&Backend{ID: service.Child("backends", "p"), Type: BackendPooled, URL: "http://x", Pool: &BackendPool{Services: []PoolMember{{ID: "b"}}}}, "of its own"},
		"pool with a wrong weight":     {&Backend{ID: service.Child("backends", "p"), Type: BackendPooled, Pool: &BackendPool{Services: []PoolMember{{ID: "b", Weight: 101}}}}, "from 0 to 100"},
		"pool of a single one":         {&Backend{ID: service.Child("backends", "p"), URL: "http://x", Pool: &BackendPool{Services: []PoolMember{{ID: "b"}}}}, "type Pool"},
		"backend of an unknown type":   {&Backend{ID: service.Child("backends", "p"), Type: "Swarm", URL: "http://x"}, "Single or Pool"},
		"backend behind a wrong proxy": {&Backend{ID: service.Child("backends", "p"), URL: "http://x", Proxy: &BackendProxy{URL: "ftp://x"}}, "proxy.url"},
	} {
		err := c.r.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"PT1M": time.Minute, "PT1H30M": 90 * time.Minute, "P1D": 24 * time.Hour, "P1DT1S": 24*time.Hour + time.Second, "PT0.5S": 500 * time.Millisecond, "P2W": 14 * 24 * time.Hour} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "P", "PT", "1M", "P1M", "P1Y", "PT1", "PT-1S", "P1DT", "PT99999999999H", "P999999999W"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
