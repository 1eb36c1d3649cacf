package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hubgate/hubgate/internal/gateway/meter"
	"github.com/hubgate/hubgate/internal/session"
	"github.com/hubgate/hubgate/internal/transport"
)

// metrics are Azure's metrics of SignalR instances as Prometheus series (signalr-service §7.1).
type metrics struct {
	connections *prometheus.GaugeVec
	opened      *prometheus.CounterVec
	closed      *prometheus.CounterVec
	messages    *prometheus.CounterVec
	inbound     *prometheus.CounterVec
	outbound    *prometheus.CounterVec
	gateways    *meter.Meter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "signalr_connection_count", Help: "Open connections (ConnectionCount).",
		}, []string{"instance", "endpoint", "transport"}),
		opened: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalr_connection_open_count_total", Help: "Connections that were opened (ConnectionOpenCount).",
		}, []string{"instance", "endpoint"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalr_connection_close_count_total", Help: "Connections that ended, by the reason (ConnectionCloseCount).",
		}, []string{"instance", "endpoint", "connection_close_category"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalr_message_count_total", Help: "Messages sent to clients (MessageCount).",
		}, []string{"instance"}),
		inbound: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalr_inbound_traffic_bytes_total", Help: "Bytes received from clients (InboundTraffic).",
		}, []string{"instance"}),
		outbound: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "signalr_outbound_traffic_bytes_total", Help: "Payload bytes sent to clients (OutboundTraffic).",
		}, []string{"instance"}),
	}
	r.MustRegister(m.connections, m.opened, m.closed, m.messages, m.inbound, m.outbound)
	m.gateways = meter.New(r)
	return m
}

// instanceMetrics are the series of one instance, looked up once.
type instanceMetrics struct {
	m           *metrics
	name        string
	webSockets  prometheus.Gauge
	events      prometheus.Gauge
	polling     prometheus.Gauge
	servers     prometheus.Gauge
	opened      prometheus.Counter
	serverOpens prometheus.Counter
	messages    prometheus.Counter
	inbound     prometheus.Counter
	outbound    prometheus.Counter
}

func (m *metrics) of(name string) *instanceMetrics {
	return &instanceMetrics{
		m: m, name: name,
		webSockets:  m.connections.WithLabelValues(name, "Client", transport.WebSockets.String()),
		events:      m.connections.WithLabelValues(name, "Client", transport.ServerSentEvents.String()),
		polling:     m.connections.WithLabelValues(name, "Client", transport.LongPolling.String()),
		servers:     m.connections.WithLabelValues(name, "Server", transport.WebSockets.String()),
		opened:      m.opened.WithLabelValues(name, "Client"),
		serverOpens: m.opened.WithLabelValues(name, "Server"),
		messages:    m.messages.WithLabelValues(name),
		inbound:     m.inbound.WithLabelValues(name),
		outbound:    m.outbound.WithLabelValues(name),
	}
}

func (i *instanceMetrics) gauge(k transport.Kind) prometheus.Gauge {
	switch k {
	case transport.ServerSentEvents:
		return i.events
	case transport.LongPolling:
		return i.polling
	}
	return i.webSockets
}

// ClientOpened counts a client's transport that opened.
func (i *instanceMetrics) ClientOpened(k transport.Kind) {
	i.gauge(k).Inc()
	i.opened.Inc()
}

// ClientClosed counts a client that is gone.
func (i *instanceMetrics) ClientClosed(k transport.Kind, c session.Category) {
	i.gauge(k).Dec()
	i.m.closed.WithLabelValues(i.name, "Client", string(c)).Inc()
}

// ServerOpened counts a server connection that opened.
func (i *instanceMetrics) ServerOpened() {
	i.servers.Inc()
	i.serverOpens.Inc()
}

// ServerClosed counts a server connection that is gone.
func (i *instanceMetrics) ServerClosed() {
	i.servers.Dec()
	i.m.closed.WithLabelValues(i.name, "Server", string(session.Normal)).Inc()
}

// Inbound counts bytes of clients.
func (i *instanceMetrics) Inbound(bytes int) { i.inbound.Add(float64(bytes)) }

// Outbound counts messages to clients.
func (i *instanceMetrics) Outbound(messages, bytes int) {
	i.messages.Add(float64(messages))
	i.outbound.Add(float64(bytes))
}
