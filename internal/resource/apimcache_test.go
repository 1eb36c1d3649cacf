package resource

import (
	"strings"
	"testing"
)

func TestCacheValidate(t *testing.T) {
	t.Parallel()
	id := NewID(ApiManagement, "service", "APIM1", "caches", "default")
	for fault, c := range map[string]*Cache{
		"":                  {ID: id, ConnectionString: "host:6380,password=secret,ssl=True"},
		"connection string": {ID: id, AzureResourceID: "/subscriptions/x"},
		"caches":            {ID: NewID(ApiManagement, "service", "APIM1", "backends", "default"), ConnectionString: "host"},
		"400":               {ID: id, ConnectionString: strings.Repeat("x", 401)},
	} {
		err := c.Validate()
		if (err == nil) != (fault == "") || err != nil && !strings.Contains(err.Error(), fault) {
			t.Errorf("%q: %v", fault, err)
		}
	}
}
