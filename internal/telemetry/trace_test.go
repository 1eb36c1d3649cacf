package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestTraceLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	trace := NewTrace(slog.New(slog.NewJSONHandler(&out, nil)))
	event := TraceEvent{Kind: Connectivity, Collection: "Connection", OperationName: "ConnectionStarted", ConnectionID: "c1", ConnectionType: "Client", HubName: "chat", TransportType: "WebSockets"}
	trace.Emit(event)
	if out.Len() != 0 {
		t.Errorf("an event that nobody wants is logged: %s", &out)
	}
	trace.Configure(Connectivity)
	if !trace.Enabled(Connectivity) || trace.Enabled(Messaging) {
		t.Error("the kinds that are enabled are not those that were configured")
	}
	trace.Emit(event)
	trace.Emit(TraceEvent{Kind: Messaging, OperationName: "x"})
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("not one line of JSON: %s", &out)
	}
	for name, want := range map[string]string{
		"msg": "ConnectionStarted", "type": "ConnectivityLogs", "collection": "Connection", "category": "AllLogs",
		"connectionId": "c1", "connectionType": "Client", "hubName": "chat", "transportType": "WebSockets",
	} {
		if line[name] != want {
			t.Errorf("%s is %v, want %s", name, line[name], want)
		}
	}
	if strings.Contains(out.String(), "userId") {
		t.Error("an empty field is logged")
	}
}

func TestTraceWatch(t *testing.T) {
	t.Parallel()
	trace := NewTrace(slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	events, dropped := trace.Watch(ctx, Messaging)
	for range watchBuffer + 3 {
		trace.Emit(TraceEvent{Kind: Messaging})
		trace.Emit(TraceEvent{Kind: Connectivity})
	}
	if got := dropped(); got != 3 {
		t.Errorf("%d events are counted as missed, want 3", got)
	}
	cancel()
	n := 0
	for e := range events {
		if e.Type != "MessagingLogs" {
			t.Errorf("an event of %s comes", e.Type)
		}
		n++
	}
	if n != watchBuffer {
		t.Errorf("%d events come, want %d", n, watchBuffer)
	}
	if trace.Enabled(AllTraces) {
		t.Error("after the last watcher left, events are still made")
	}
	var none *Trace
	if none.Enabled(AllTraces) {
		t.Error("a trace that is not there wants events")
	}
}
