package meter

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/hubgate/hubgate/internal/gateway/policy"
)

func TestSeries(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	s := New(r).Service("APIM1")
	s.RequestStarted()
	s.RequestStarted()
	s.RequestDone("api", "get", 200, 7*time.Millisecond)
	s.BackendDone("api", "b", 0, time.Millisecond)
	s.Reloaded(true)
	s.Reloaded(false)
	s.Emit("API Management", "Calls", 2, []policy.Dimension{{Name: "API ID", Value: "a"}, {Name: "service", Value: "x"}})
	s.Emit("API Management", "Calls", 3, []policy.Dimension{{Name: "service", Value: "x"}, {Name: "API_ID", Value: "a"}})
	s.Emit("API Management", "Other", 1, []policy.Dimension{{Name: "1st", Value: "\xff"}})
	want := `
# HELP apim_backend_requests_total Requests to backends; code 0: no response.
# TYPE apim_backend_requests_total counter
apim_backend_requests_total{api="api",backend="b",code="0",service="APIM1"} 1
# HELP apim_configuration_reloads_total Configurations that were taken or refused.
# TYPE apim_configuration_reloads_total counter
apim_configuration_reloads_total{result="ok",service="APIM1"} 1
apim_configuration_reloads_total{result="refused",service="APIM1"} 1
# HELP apim_custom_metric_count Number of the values of a metric of emit-metric.
# TYPE apim_custom_metric_count counter
apim_custom_metric_count{_st="�",metric="Other",namespace="API Management",service="APIM1"} 1
apim_custom_metric_count{API_ID="a",dimension_service="x",metric="Calls",namespace="API Management",service="APIM1"} 2
# HELP apim_custom_metric_dropped_total Values of emit-metric that were not kept, for there are too many series.
# TYPE apim_custom_metric_dropped_total counter
apim_custom_metric_dropped_total{service="APIM1"} 0
# HELP apim_custom_metric_sum Sum of the values of a metric of emit-metric.
# TYPE apim_custom_metric_sum untyped
apim_custom_metric_sum{_st="�",metric="Other",namespace="API Management",service="APIM1"} 1
apim_custom_metric_sum{API_ID="a",dimension_service="x",metric="Calls",namespace="API Management",service="APIM1"} 5
# HELP apim_requests_in_flight Requests that are being answered.
# TYPE apim_requests_in_flight gauge
apim_requests_in_flight{service="APIM1"} 1
# HELP apim_requests_total Requests that were answered (Requests).
# TYPE apim_requests_total counter
apim_requests_total{api="api",code="200",operation="get",service="APIM1"} 1
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), gather(t, r)); diff != "" {
		t.Error(diff)
	}
}

// gather is the registry's metrics but for the histograms.
func gather(t *testing.T, r *prometheus.Registry) string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		if strings.HasSuffix(f.GetName(), "_seconds") {
			continue
		}
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	r := prometheus.NewRegistry()
	m := New(r)
	s := m.Service("APIM1")
	for i := range maxSeries + 10 {
		s.Emit("n", "m", 1, []policy.Dimension{{Name: "d", Value: strconv.Itoa(i)}})
	}
	if want := "apim_custom_metric_dropped_total{service=\"APIM1\"} 10\n"; !strings.Contains(gather(t, r), want) {
		t.Error("not 10 values were dropped")
	}
}
