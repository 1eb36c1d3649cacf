package app

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/bus"
	"github.com/hubgate/hubgate/internal/gateway/limit"
	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
)

// quotasBucket is where the counts of quotas are kept, apart from the resources.
const quotasBucket = "hubgate-quotas"

// countersOf are the counters of a service, which stay when the service is deleted and made again. Nodes that share a bus share them, and quotas
// outlive the node with a store for them.
func (s *state) countersOf(service string) *limit.Local {
	s.countersMu.Lock()
	defer s.countersMu.Unlock()
	key := strings.ToLower(service)
	c := s.counters[key]
	if c != nil {
		return c
	}
	o := limit.Options{Logger: s.log.With("service", service)}
	if s.bus != nil {
		o.Peers = &peers{s.bus, "limits." + key}
	}
	if s.quotaStore != nil {
		o.Records = &quotaRecords{s.quotaStore, resource.ID("/" + key)}
	}
	c, err := limit.Open(context.Background(), o)
	if err != nil {
		// A gateway that does not start would be worse.
		s.log.Error("rate limits and quotas count on this node alone, and begin anew", "service", service, "reason", err)
		c = limit.NewLocal()
	}
	s.counters[key] = c
	return c
}

// closeCounters saves the counts of all quotas.
func (s *state) closeCounters(ctx context.Context) {
	s.countersMu.Lock()
	defer s.countersMu.Unlock()
	for service, c := range s.counters {
		if err := c.Close(ctx); err != nil {
			s.log.Error("what was counted of quotas since they were saved last is lost", "service", service, "reason", err)
		}
	}
}

// peers are the counters of one service on the other nodes.
type peers struct {
	bus   bus.Bus
	topic string
}

func (p *peers) Publish(body []byte) error { return p.bus.Publish(p.topic, body) }

func (p *peers) Subscribe(receive func([]byte)) (func(), error) {
	return p.bus.Subscribe(p.topic, receive)
}

// quotaRecords keeps the quotas of one service in a store, each record below the service's id.
type quotaRecords struct {
	store store.Store
	id    resource.ID
}

func (q *quotaRecords) Read(ctx context.Context, part int) ([]byte, uint64, error) {
	r, err := q.store.Get(ctx, q.record(part))
	if resource.KindOf(err) == resource.NotFound {
		return nil, 0, nil
	}
	return r.Value, r.Revision, err
}

func (q *quotaRecords) Write(ctx context.Context, part int, value []byte, revision uint64) (uint64, error) {
	revision, err := q.store.Put(ctx, q.record(part), value, revision)
	if kind := resource.KindOf(err); kind == resource.PreconditionFailed || kind == resource.Conflict {
		return 0, limit.ErrChanged
	}
	return revision, err
}

func (q *quotaRecords) Watch(ctx context.Context, changed func(int, []byte, uint64)) error {
	events, err := q.store.Watch(ctx, q.id)
	if err != nil {
		return err
	}
	for e := range events {
		part, err := strconv.Atoi(e.Record.ID.Name())
		if e.Synced || e.Deleted || err != nil || q.record(part).Key() != e.Record.ID.Key() {
			continue
		}
		changed(part, e.Record.Value, e.Record.Revision)
	}
	return ctx.Err()
}

func (q *quotaRecords) record(part int) resource.ID {
	return q.id + resource.ID("/"+strconv.Itoa(part))
}

// countersTimeout bounds the last save of quotas when a node ends.
const countersTimeout = 15 * time.Second
