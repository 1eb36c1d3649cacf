// Package meter counts what gateways do as Prometheus series.
//
// They are, each with the label service, the name of the API Management service:
//
//	apim_requests_total                 requests by api, operation and code (Azure's metric Requests)
//	apim_request_duration_seconds       histogram of the whole time by api (DurationInMS)
//	apim_backend_requests_total         requests to backends by api, backend and code; code 0: no response
//	apim_backend_duration_seconds       histogram of the time up to the backend's head by api (BackendDurationInMS)
//	apim_requests_in_flight             requests that are being answered
//	apim_configuration_reloads_total    configurations by result: ok or refused
//	apim_custom_metric_sum, _count      the metrics of emit-metric, by namespace and metric and its dimensions
//	apim_custom_metric_dropped_total    values that were not kept because there are too many series
//
// Requests that match no API have empty labels.
package meter

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hubgate/hubgate/internal/gateway"
	"github.com/hubgate/hubgate/internal/gateway/policy"
)

// Meter holds the series of all gateways of a node.
type Meter struct {
	requests        *prometheus.CounterVec
	duration        *prometheus.HistogramVec
	backendRequests *prometheus.CounterVec
	backendDuration *prometheus.HistogramVec
	inFlight        *prometheus.GaugeVec
	reloads         *prometheus.CounterVec
	dropped         *prometheus.CounterVec
	custom          *custom
}

// durations are the bounds of the histograms: those of Azure's self-hosted gateway, 5 ms to 10 s.
var durations = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

// New makes a meter and registers its series.
func New(r prometheus.Registerer) *Meter {
	m := &Meter{
		requests:        prometheus.NewCounterVec(prometheus.CounterOpts{Name: "apim_requests_total", Help: "Requests that were answered (Requests)."}, []string{"service", "api", "operation", "code"}),
		duration:        prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "apim_request_duration_seconds", Help: "Time from the receipt of a request to the end of its response (DurationInMS).", Buckets: durations}, []string{"service", "api"}),
		backendRequests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "apim_backend_requests_total", Help: "Requests to backends; code 0: no response."}, []string{"service", "api", "backend", "code"}),
		backendDuration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "apim_backend_duration_seconds", Help: "Time until a backend answered (BackendDurationInMS).", Buckets: durations}, []string{"service", "api"}),
		inFlight:        prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "apim_requests_in_flight", Help: "Requests that are being answered."}, []string{"service"}),
		reloads:         prometheus.NewCounterVec(prometheus.CounterOpts{Name: "apim_configuration_reloads_total", Help: "Configurations that were taken or refused."}, []string{"service", "result"}),
		dropped:         prometheus.NewCounterVec(prometheus.CounterOpts{Name: "apim_custom_metric_dropped_total", Help: "Values of emit-metric that were not kept, for there are too many series."}, []string{"service"}),
		custom:          &custom{series: map[string]*series{}},
	}
	r.MustRegister(m.requests, m.duration, m.backendRequests, m.backendDuration, m.inFlight, m.reloads, m.dropped, m.custom)
	return m
}

// Service is the meter of one gateway. It implements [gateway.Metrics], [gateway.BackendMetrics] and [policy.Meter].
func (m *Meter) Service(name string) *Service {
	return &Service{m: m, name: name, inFlight: m.inFlight.WithLabelValues(name), dropped: m.dropped.WithLabelValues(name)}
}

// Service counts what one gateway does.
type Service struct {
	m        *Meter
	name     string
	inFlight prometheus.Gauge
	dropped  prometheus.Counter
}

// RequestStarted counts a request that is being answered.
func (s *Service) RequestStarted() { s.inFlight.Inc() }

// RequestDone counts a request that was answered.
func (s *Service) RequestDone(api, operation string, status int, total time.Duration) {
	s.inFlight.Dec()
	s.m.requests.WithLabelValues(s.name, api, operation, strconv.Itoa(status)).Inc()
	s.m.duration.WithLabelValues(s.name, api).Observe(total.Seconds())
}

// BackendDone counts a request to a backend.
func (s *Service) BackendDone(api, backend string, status int, took time.Duration) {
	s.m.backendRequests.WithLabelValues(s.name, api, backend, strconv.Itoa(status)).Inc()
	s.m.backendDuration.WithLabelValues(s.name, api).Observe(took.Seconds())
}

// Reloaded counts a configuration.
func (s *Service) Reloaded(ok bool) {
	result := "ok"
	if !ok {
		result = "refused"
	}
	s.m.reloads.WithLabelValues(s.name, result).Inc()
}

// Emit adds a value to a metric of emit-metric.
func (s *Service) Emit(namespace, name string, value float64, dimensions []policy.Dimension) {
	if !s.m.custom.add(s.name, namespace, name, value, dimensions) {
		s.dropped.Inc()
	}
}

// maxSeries is how many combinations of the dimensions of emit-metric are kept: policies may take them from requests.
const maxSeries = 5000

// custom is the metrics of emit-metric. Their labels are not known before, so it describes nothing.
type custom struct {
	mu     sync.Mutex
	series map[string]*series // by all labels; guarded by mu
}

type series struct {
	labels prometheus.Labels
	sum    float64
	count  uint64
}

func (c *custom) add(service, namespace, name string, value float64, dimensions []policy.Dimension) bool {
	labels := prometheus.Labels{"service": service, "namespace": namespace, "metric": name}
	for _, d := range dimensions {
		labels[labelName(d.Name)] = strings.ToValidUTF8(d.Value, "\ufffd")
	}
	// Two dimensions may become one label, and their order does not count: the labels are what tells series apart.
	var k strings.Builder
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		k.WriteString(label + "\x00" + labels[label] + "\x00")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.series[k.String()]
	if s == nil {
		if len(c.series) >= maxSeries {
			return false
		}
		s = &series{labels: labels}
		c.series[k.String()] = s
	}
	s.sum += value
	s.count++
	return true
}

// labelName is the name of a dimension as one of a label: what Prometheus does not take becomes an underscore.
func labelName(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' && i > 0:
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	text := b.String()
	switch text {
	case "service", "namespace", "metric", "":
		return "dimension_" + text
	}
	if strings.HasPrefix(text, "__") { // Prometheus keeps these for itself.
		return "dimension" + text
	}
	return text
}

// Describe describes nothing, so that the registry takes any label.
func (*custom) Describe(chan<- *prometheus.Desc) {}

// Collect hands out the series.
func (c *custom) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.series {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("apim_custom_metric_sum", "Sum of the values of a metric of emit-metric.", nil, s.labels), prometheus.UntypedValue, s.sum)
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("apim_custom_metric_count", "Number of the values of a metric of emit-metric.", nil, s.labels), prometheus.CounterValue, float64(s.count))
	}
}

var (
	_ gateway.Metrics        = (*Service)(nil)
	_ gateway.BackendMetrics = (*Service)(nil)
	_ policy.Meter           = (*Service)(nil)
)
