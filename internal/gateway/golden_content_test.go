package gateway

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/resource"
)

// goldenObserver is an event hub and the metrics of a golden file's gateway.
type goldenObserver struct {
	mu      sync.Mutex
	events  []string
	metrics []string
}

func (o *goldenObserver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	o.mu.Lock()
	o.events = append(o.events, r.URL.Path+" "+string(body)+"\n")
	o.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
}

func (o *goldenObserver) Emit(namespace, name string, value float64, dimensions []policy.Dimension) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.metrics = append(o.metrics, fmt.Sprintf("%s/%s %v %v\n", namespace, name, value, dimensions))
}

func (*goldenObserver) RequestStarted()                                {}
func (*goldenObserver) RequestDone(string, string, int, time.Duration) {}
func (*goldenObserver) Reloaded(bool)                                  {}

func (o *goldenObserver) files(mask func(string) []byte) []txtar.File {
	o.mu.Lock()
	defer o.mu.Unlock()
	var files []txtar.File
	if len(o.events) > 0 {
		slices.Sort(o.events) // Those of different partitions may come in any order.
		files = append(files, txtar.File{Name: "events", Data: mask(strings.Join(o.events, ""))})
	}
	if len(o.metrics) > 0 {
		files = append(files, txtar.File{Name: "metrics", Data: mask(strings.Join(o.metrics, ""))})
	}
	return files
}

// goldenContent are the schemas and the logger of a golden file.
func goldenContent(t *testing.T, input map[string]string, backend, events string) []resource.Resource {
	t.Helper()
	var list []resource.Resource
	for name, text := range input {
		if name, ok := strings.CutPrefix(name, "backends/"); ok {
			r := &resource.Backend{}
			if err := json.Unmarshal([]byte(strings.ReplaceAll(text, "${BACKEND}", backend)), r); err != nil {
				t.Fatal(err)
			}
			r.ID = testService.Child("backends", strings.TrimSuffix(name, ".json"))
			list = append(list, r)
		}
		if schema, ok := strings.CutPrefix(name, "schemas/"); ok {
			list = append(list, &resource.Schema{ID: testService.Child("schemas", strings.TrimSuffix(schema, ".json")), SchemaType: resource.SchemaJSON, Document: []byte(text)})
		}
		if schema, ok := strings.CutPrefix(name, "api-schemas/"); ok {
			list = append(list, &resource.APISchema{ID: testService.Child("apis", "api", "schemas", strings.TrimSuffix(schema, ".json")),
				ContentType: resource.SchemaOpenAPIComponents, Document: []byte(text)})
		}
	}
	if input["logger"] != "" {
		list = append(list, &resource.Logger{ID: testService.Child("loggers", "hub"), LoggerType: resource.LoggerEventHub,
			Credentials: map[string]string{"name": "logs", "connectionString": "Endpoint=" + events + "/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0"}})
	}
	return list
}

var _ policy.Meter = (*goldenObserver)(nil)
