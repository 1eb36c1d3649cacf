package appserver

import (
	"context"
	"fmt"

	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// A Hub sends over its server connections.
var _ sender = (*Hub)(nil)

func (h *Hub) payloads(m *hubproto.Message, args []any) ([]svcproto.Payload, error) {
	return h.app.payloads(m, args)
}

func (h *Hub) send(ctx context.Context, key string, m svcproto.Message) error {
	link, err := h.linkFor(ctx, nil, key)
	if err != nil {
		return err
	}
	return link.write(ctx, m)
}

func (h *Hub) request(ctx context.Context, key string, message func(ackID int64) svcproto.Message) (bool, error) {
	ack, err := h.acknowledged(ctx, key, message)
	return ack.status == svcproto.AckOK, err
}

func (h *Hub) members(ctx context.Context, q svcproto.GroupMemberQuery) (page svcproto.GroupMembers, err error) {
	ack, err := h.acknowledged(ctx, q.Group, func(ackID int64) svcproto.Message {
		q.AckID = ackID
		return &q
	})
	if err != nil || ack.status == svcproto.AckNotFound {
		return page, err
	}
	if err := page.Decode(ack.payload); err != nil {
		return page, fmt.Errorf("the service's list of the members of a group: %w", err)
	}
	return page, nil
}

// acknowledged sends a message that the service confirms.
func (h *Hub) acknowledged(ctx context.Context, key string, message func(ackID int64) svcproto.Message) (ackResult, error) {
	link, err := h.linkFor(ctx, nil, key)
	if err != nil {
		return ackResult{}, err
	}
	return h.app.acks.request(ctx, link, message)
}
