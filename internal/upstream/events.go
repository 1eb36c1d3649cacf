package upstream

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/resource"
)

// The types of the events about clients, as Event Grid has them (event-schema-azure-signalr).
const (
	typeConnected    = "Microsoft.SignalRService.ClientConnectionConnected"
	typeDisconnected = "Microsoft.SignalRService.ClientConnectionDisconnected"
)

const (
	maxWaitingEvents      = 65_536 // further ones are dropped
	deliveryTimeout       = 30 * time.Second
	deliveryDelay         = time.Second // before the second attempt; it doubles with each that follows
	maxDeliveryDelay      = time.Minute
	defaultEventsPerBatch = 1
	defaultDeliveries     = 10
	closeTimeout          = 5 * time.Second
)

// Client is a serverless client that came or went.
type Client struct {
	Hub          string
	ConnectionID string
	UserID       string // counts when HasUser is true
	HasUser      bool
}

// ClientConnected sends an event that a client has connected to the web hook of the instance, if there is one. It does not wait.
func (d *Dispatcher) ClientConnected(c Client) { d.events.publish(c, typeConnected, "") }

// ClientDisconnected sends an event that a client has gone; errorText is "" when nothing went wrong. It does not wait.
func (d *Dispatcher) ClientDisconnected(c Client, errorText string) {
	d.events.publish(c, typeDisconnected, errorText)
}

// publisher delivers events about clients, in order, at least once or not at all. It has a goroutine only while there are events.
type publisher struct {
	d        *Dispatcher
	settings atomic.Pointer[hook] // nil: nobody wants events
	ctx      context.Context      // of all deliveries
	cancel   context.CancelFunc

	mu      sync.Mutex
	queue   []cloudEvent
	working bool
	closed  bool
	dropped int // since the last warning
	workers sync.WaitGroup
}

// hook is where events go.
type hook struct {
	source     string
	url        []part
	credential *credential
	batch      int // events of a request
	attempts   int
}

// cloudEvent is an event in the JSON format of CloudEvents 1.0, with the attributes that Event Grid gives it.
type cloudEvent struct {
	SpecVersion     string     `json:"specversion"`
	ID              string     `json:"id"`
	Source          string     `json:"source"`
	Type            string     `json:"type"`
	Subject         string     `json:"subject"`
	Time            time.Time  `json:"time"`
	DataContentType string     `json:"datacontenttype"`
	Data            clientData `json:"data"`
}

// clientData is the data of both types; errorMessage is only in the event of a client that went.
type clientData struct {
	Timestamp    time.Time        `json:"timestamp"`
	HubName      string           `json:"hubName"`
	ConnectionID string           `json:"connectionId"`
	UserID       *string          `json:"userId"`
	ErrorMessage *json.RawMessage `json:"errorMessage,omitempty"`
}

func (p *publisher) start(d *Dispatcher) {
	p.d = d
	p.ctx, p.cancel = context.WithCancel(context.Background())
}

// compile checks where events are to go; nil means nowhere.
func (p *publisher) compile(r *resource.SignalR, found *secrets) (*hook, error) {
	e := r.Events
	if e.URL == "" {
		return nil, nil
	}
	h := &hook{source: string(r.ID), batch: defaultEventsPerBatch, attempts: defaultDeliveries}
	var err error
	if h.url, err = compileURL(e.URL, found); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if h.credential, err = newCredential(p.d.client, r, e.Auth, found); err != nil {
		return nil, err
	}
	if e.MaxEventsPerBatch > 0 {
		h.batch = e.MaxEventsPerBatch
	}
	if e.MaxDeliveryAttempts > 0 {
		h.attempts = e.MaxDeliveryAttempts
	}
	return h, nil
}

// publish queues an event.
func (p *publisher) publish(c Client, eventType, errorText string) {
	h := p.settings.Load()
	if h == nil {
		return
	}
	now := time.Now().UTC()
	e := cloudEvent{
		SpecVersion: "1.0", ID: newEventID(), Source: h.source, Type: eventType, Subject: "/hub/" + c.Hub, Time: now, DataContentType: "application/json",
		Data: clientData{Timestamp: now, HubName: c.Hub, ConnectionID: c.ConnectionID},
	}
	if c.HasUser {
		e.Data.UserID = &c.UserID
	}
	if eventType == typeDisconnected {
		text := json.RawMessage("null")
		if errorText != "" {
			text, _ = json.Marshal(errorText) // a string always can be
		}
		e.Data.ErrorMessage = &text
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.queue) >= maxWaitingEvents {
		p.dropped++
		return
	}
	p.queue = append(p.queue, e)
	if !p.working {
		p.working = true
		p.workers.Go(p.work)
	}
}

// work delivers what is queued, and ends when nothing is.
func (p *publisher) work() {
	for {
		h := p.settings.Load()
		p.mu.Lock()
		if h == nil {
			p.queue = nil // the web hook was taken away
		}
		if len(p.queue) == 0 {
			p.queue, p.working = nil, false
			p.mu.Unlock()
			return
		}
		batch := p.queue[:min(h.batch, len(p.queue))]
		p.queue = p.queue[len(batch):]
		dropped := p.dropped
		p.dropped = 0
		p.mu.Unlock()
		if dropped > 0 {
			p.d.logger.LogAttrs(p.ctx, slog.LevelWarn, "too many events about clients wait for the web hook; some were dropped", slog.Int("events", dropped))
		}
		p.deliver(h, batch)
	}
}

// deliver makes the request for some events until it is accepted, or has been made often enough.
func (p *publisher) deliver(h *hook, batch []cloudEvent) {
	header := http.Header{
		"User-Agent": {"hubgate"},
		// By this header receivers of Event Grid tell events from its other requests.
		"aeg-event-type": {"Notification"},
		"Content-Type":   {"application/cloudevents+json; charset=utf-8"},
	}
	var content any = batch[0]
	if h.batch > 1 {
		header["Content-Type"] = []string{"application/cloudevents-batch+json; charset=utf-8"}
		content = batch
	}
	body, err := json.Marshal(content)
	if err != nil {
		p.failed(err, len(batch)) // which is for text that is no UTF-8 alone, and that becomes replacement characters
		return
	}
	delay := deliveryDelay
	for attempt := 1; ; attempt++ {
		again, err := p.attempt(h, header, body)
		if err == nil {
			return
		}
		if !again || attempt >= h.attempts || p.ctx.Err() != nil {
			p.failed(err, len(batch))
			return
		}
		pause := time.NewTimer(jitter(delay))
		select {
		case <-pause.C:
		case <-p.ctx.Done():
			pause.Stop()
			p.failed(err, len(batch))
			return
		}
		delay = min(2*delay, maxDeliveryDelay)
	}
}

// attempt makes one request. again reports whether another one may be accepted.
func (p *publisher) attempt(h *hook, header http.Header, body []byte) (again bool, err error) {
	target, err := expand(h.url, &Event{})
	if err != nil {
		return true, err
	}
	ctx, cancel := context.WithTimeout(p.ctx, deliveryTimeout)
	defer cancel()
	if err := h.credential.authorize(ctx, header); err != nil {
		return true, err
	}
	response, err := p.d.post(ctx, target, header, body)
	switch {
	case err != nil:
		return !errors.Is(err, ErrTooLarge), err
	case response.OK():
		return false, nil
	}
	// Event Grid does not repeat these either (delivery and retry).
	refused := response.Status == http.StatusBadRequest || response.Status == http.StatusRequestEntityTooLarge
	return !refused, fmt.Errorf("the web hook answered with status %d", response.Status)
}

func (p *publisher) failed(err error, events int) {
	p.d.logger.LogAttrs(context.Background(), slog.LevelWarn, "events about clients could not be delivered", slog.Int("events", events), slog.Any("reason", err))
}

// close waits until the events are delivered, or the time for it is up. No event is taken any more.
func (p *publisher) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	late := time.AfterFunc(closeTimeout, p.cancel)
	p.workers.Wait()
	late.Stop()
	p.cancel()
}

// newEventID makes a random UUID (RFC 9562, version 4).
func newEventID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
