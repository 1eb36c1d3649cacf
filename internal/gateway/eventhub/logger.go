// Package eventhub sends the events of log-to-eventhub to an event hub by its REST API, or to a receiver that speaks the same.
package eventhub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hubgate/hubgate/internal/gateway/policy"
)

// The limits of a logger. What does not fit is dropped and counted.
const (
	maxWaiting      = 4096    // events
	maxWaitingBytes = 8 << 20 // 8 MiB
	maxBatch        = 200     // events in one request
	maxBatchBytes   = 200 << 10
	attempts        = 3
	sendTimeout     = 30 * time.Second
)

// Logger is an event hub that events are sent to. Its goroutine exists only while there is something to send.
type Logger struct {
	connection *Connection
	client     *http.Client
	log        *slog.Logger
	name       string

	sent, dropped atomic.Int64

	mu struct {
		sync.Mutex
		waiting []policy.Event
		bytes   int
		running bool
		closed  bool
		idle    chan struct{} // closed when nothing runs any more; nil unless somebody waits
	}
}

// New makes a logger with this name in log lines. client may be nil.
func New(name string, c *Connection, client *http.Client, log *slog.Logger) *Logger {
	if client == nil {
		client = &http.Client{Timeout: sendTimeout}
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Logger{connection: c, client: client, log: log, name: name}
}

// Log takes an event over.
func (l *Logger) Log(e policy.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed || len(l.mu.waiting) >= maxWaiting || l.mu.bytes+len(e.Body) > maxWaitingBytes {
		l.dropped.Add(1)
		return
	}
	l.mu.waiting = append(l.mu.waiting, e)
	l.mu.bytes += len(e.Body)
	if !l.mu.running {
		l.mu.running = true
		go l.run()
	}
}

// Counts are how many events were delivered and how many were dropped.
func (l *Logger) Counts() (sent, dropped int64) { return l.sent.Load(), l.dropped.Load() }

// Close takes no more events and waits until those that wait are sent or ctx ends.
func (l *Logger) Close(ctx context.Context) error {
	l.mu.Lock()
	l.mu.closed = true
	if !l.mu.running {
		l.mu.Unlock()
		return nil
	}
	if l.mu.idle == nil {
		l.mu.idle = make(chan struct{})
	}
	idle := l.mu.idle
	l.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run sends what waits until nothing does.
func (l *Logger) run() {
	for {
		batch := l.take()
		if batch == nil {
			return
		}
		if err := l.send(batch); err != nil {
			l.dropped.Add(int64(len(batch)))
			l.log.Warn("events could not be sent to an event hub", "logger", l.name, "events", len(batch), "error", err)
			continue
		}
		l.sent.Add(int64(len(batch)))
	}
}

// take is the next events that may go in one request: those with the same partition and key, in their order.
func (l *Logger) take() []policy.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.mu.waiting) == 0 {
		l.mu.running = false
		if l.mu.idle != nil {
			close(l.mu.idle)
			l.mu.idle = nil
		}
		return nil
	}
	first := l.mu.waiting[0]
	var batch []policy.Event
	rest := l.mu.waiting[:0:0]
	size := 0
	for _, e := range l.mu.waiting {
		fits := len(batch) == 0 || len(batch) < maxBatch && size+len(e.Body) <= maxBatchBytes
		if fits && e.PartitionID == first.PartitionID && e.PartitionKey == first.PartitionKey {
			batch = append(batch, e)
			size += len(e.Body)
			continue
		}
		rest = append(rest, e)
	}
	l.mu.waiting = rest
	l.mu.bytes -= size
	return batch
}

// message is an event in a batch.
type message struct {
	Body             string            `json:"Body"`
	BrokerProperties map[string]string `json:"BrokerProperties,omitempty"`
}

func (l *Logger) send(batch []policy.Event) error {
	messages := make([]message, len(batch))
	for i, e := range batch {
		messages[i].Body = string(e.Body)
		if e.PartitionKey != "" {
			messages[i].BrokerProperties = map[string]string{"PartitionKey": e.PartitionKey}
		}
	}
	body, err := json.Marshal(messages)
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		again, err := l.post(batch[0].PartitionID, body)
		if err == nil || !again || attempt == attempts {
			return err
		}
		time.Sleep(time.Duration(attempt) * time.Second)
	}
}

// post sends one request and says whether it may be tried again.
func (l *Logger) post(partition string, body []byte) (again bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.connection.address(partition), bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Authorization", l.connection.token(time.Now()))
	request.Header.Set("Content-Type", "application/vnd.microsoft.servicebus.json")
	response, err := l.client.Do(request)
	if err != nil {
		return true, err
	}
	// The body says nothing that the status does not; reading it keeps the connection.
	_, readErr := io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	err = errors.Join(readErr, response.Body.Close())
	switch {
	case response.StatusCode == http.StatusCreated || response.StatusCode == http.StatusOK:
		return false, err
	case response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests:
		return true, fmt.Errorf("the event hub answers %s", response.Status)
	}
	return false, fmt.Errorf("the event hub answers %s", response.Status)
}

var _ policy.EventLogger = (*Logger)(nil)
