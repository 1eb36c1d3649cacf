package app

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/config"
	"github.com/hubgate/hubgate/internal/telemetry"
)

// lastSpans is how long the end of a node waits for the last spans to be sent. Others have waited for their clients by then.
const lastSpans = 5 * time.Second

func spanOptions(t config.Tracing, nodeID string, log *slog.Logger) telemetry.SpanOptions {
	o := telemetry.SpanOptions{
		Endpoint: t.Endpoint, GRPC: t.Protocol == config.ProtocolGRPC, Headers: make(map[string]string), CAFile: t.CAFile, SamplingRatio: float64(t.SamplingRatio),
		ServiceName: t.ServiceName, Version: Version, NodeID: nodeID, Logger: log,
	}
	for _, h := range t.Headers {
		o.Headers[h.Name] = h.Value.Reveal()
	}
	return o
}

// endSpans sends the last spans. A collector that does not take them is no reason for a node to fail.
func (n *node) endSpans() {
	ctx, cancel := context.WithTimeout(context.Background(), lastSpans)
	defer cancel()
	if err := n.spans.Close(ctx); err != nil {
		n.log.Warn("a collector did not take the last spans", "reason", err)
	}
}

// debugKeys are the keys of those services that have one.
func debugKeys(services []config.Service) map[string][]byte {
	keys := make(map[string][]byte)
	for _, s := range services {
		if s.DebugKey.IsSet() {
			keys[strings.ToLower(s.Name)] = []byte(s.DebugKey.Reveal())
		}
	}
	return keys
}
