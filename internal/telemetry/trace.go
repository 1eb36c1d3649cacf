package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// TraceKind is one of the three resource logs of a SignalR instance, in bits.
type TraceKind uint32

// The kinds (Azure's log types).
const (
	Connectivity TraceKind = 1 << iota // ConnectivityLogs: connections that come and go
	Messaging                          // MessagingLogs: messages by their tracing ids
	HTTPRequest                        // HttpRequestLogs: requests of the data-plane REST API and of clients
	AllTraces    = Connectivity | Messaging | HTTPRequest
)

// String is Azure's name of the log.
func (k TraceKind) String() string {
	switch k {
	case Connectivity:
		return "ConnectivityLogs"
	case Messaging:
		return "MessagingLogs"
	case HTTPRequest:
		return "HttpRequestLogs"
	}
	return "AllLogs"
}

// TraceEvent is one line of a resource log, with the names of the table SignalRServiceDiagnosticLogs. Empty fields are left out.
type TraceEvent struct {
	Time           time.Time `json:"time"`
	Level          string    `json:"level"` // Informational, Warning or Error
	Type           string    `json:"type"`
	Collection     string    `json:"collection"` // Connection, Authorization, Throttling or Message
	OperationName  string    `json:"operationName"`
	Message        string    `json:"message,omitempty"`
	CallerIP       string    `json:"callerIpAddress,omitempty"`
	HubName        string    `json:"hubName,omitempty"`
	ConnectionID   string    `json:"connectionId,omitempty"`
	ConnectionType string    `json:"connectionType,omitempty"` // Client or Server
	TransportType  string    `json:"transportType,omitempty"`
	UserID         string    `json:"userId,omitempty"`
	GroupName      string    `json:"groupName,omitempty"`
	InvocationID   string    `json:"invocationId,omitempty"`
	TracingID      uint64    `json:"messageTracingId,omitempty"`
	MessageType    string    `json:"messageType,omitempty"`

	Kind TraceKind `json:"-"`
}

// Levels of events, as Azure spells them.
const (
	Informational = "Informational"
	Warning       = "Warning"
)

// Trace takes the events of one instance to the log and to whoever watches live. Asking [Trace.Enabled] first costs one load, so events are only
// made when somebody wants them. A nil *Trace wants none.
type Trace struct {
	log    *slog.Logger
	logged atomic.Uint32 // kinds that go to the log
	wanted atomic.Uint32 // kinds that anybody wants

	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

type watcher struct {
	kinds   TraceKind
	events  chan TraceEvent
	dropped uint64
}

// NewTrace makes a trace whose logged kinds go to log at the level info.
func NewTrace(log *slog.Logger) *Trace {
	return &Trace{log: log, watchers: make(map[*watcher]struct{})}
}

// Configure says which kinds go to the log.
func (t *Trace) Configure(kinds TraceKind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.logged.Store(uint32(kinds))
	t.sumLocked()
}

func (t *Trace) sumLocked() {
	wanted := TraceKind(t.logged.Load())
	for w := range t.watchers {
		wanted |= w.kinds
	}
	t.wanted.Store(uint32(wanted))
}

// Enabled reports whether anybody wants events of a kind.
func (t *Trace) Enabled(k TraceKind) bool {
	return t != nil && TraceKind(t.wanted.Load())&k != 0
}

// Emit passes an event on. It never blocks: a watcher that does not keep up misses events, and learns how many.
func (t *Trace) Emit(e TraceEvent) {
	if !t.Enabled(e.Kind) {
		return
	}
	if e.Time.IsZero() {
		e.Time = time.Now().UTC()
	}
	if e.Level == "" {
		e.Level = Informational
	}
	e.Type = e.Kind.String()
	if TraceKind(t.logged.Load())&e.Kind != 0 {
		t.log.LogAttrs(context.Background(), slog.LevelInfo, e.OperationName, e.attrs()...)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := range t.watchers {
		if w.kinds&e.Kind == 0 {
			continue
		}
		select {
		case w.events <- e:
		default:
			w.dropped++
		}
	}
}

// attrs are the fields of the event that are set.
func (e *TraceEvent) attrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs, slog.String("category", "AllLogs"), slog.String("type", e.Type), slog.String("collection", e.Collection))
	for _, f := range []struct{ name, value string }{
		{"message", e.Message}, {"callerIpAddress", e.CallerIP}, {"hubName", e.HubName}, {"connectionId", e.ConnectionID},
		{"connectionType", e.ConnectionType}, {"transportType", e.TransportType}, {"userId", e.UserID}, {"groupName", e.GroupName},
		{"invocationId", e.InvocationID}, {"messageType", e.MessageType},
	} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.name, f.value))
		}
	}
	if e.TracingID != 0 {
		attrs = append(attrs, slog.Uint64("messageTracingId", e.TracingID))
	}
	return attrs
}

// watchBuffer is how many events may wait for a watcher.
const watchBuffer = 1024

// Watch sends the events of some kinds until ctx ends. dropped says how many the caller has missed so far.
func (t *Trace) Watch(ctx context.Context, kinds TraceKind) (events <-chan TraceEvent, dropped func() uint64) {
	w := &watcher{kinds: kinds, events: make(chan TraceEvent, watchBuffer)}
	t.mu.Lock()
	t.watchers[w] = struct{}{}
	t.sumLocked()
	t.mu.Unlock()
	context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watchers, w)
		t.sumLocked()
		close(w.events)
	})
	return w.events, func() uint64 {
		t.mu.Lock()
		defer t.mu.Unlock()
		return w.dropped
	}
}
