package appserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/svcproto"
)

// ackTimeout is how long the service has to confirm a request.
const ackTimeout = 10 * time.Second

// ackTable holds the requests that the service is to confirm.
type ackTable struct {
	mu      sync.Mutex
	last    int64
	waiting map[int64]chan ackResult
}

type ackResult struct {
	status  svcproto.AckStatus
	message string
	payload []byte // nil for none
}

// resolve hands an Ack to whoever waits for it.
func (t *ackTable) resolve(m *svcproto.Ack) {
	t.mu.Lock()
	result := t.waiting[m.AckID]
	delete(t.waiting, m.AckID)
	t.mu.Unlock()
	if result != nil {
		result <- ackResult{m.Status, m.Message, bytes.Clone(m.Payload)}
	}
}

// request sends what message makes of an ack id on link and waits for the answer, whose status is Ok or NotFound.
func (t *ackTable) request(ctx context.Context, link *serverConnection, message func(ackID int64) svcproto.Message) (ackResult, error) {
	result := make(chan ackResult, 1)
	t.mu.Lock()
	t.last++
	if t.last > 1<<31-1 { // .NET counts in 32 bits, and so may the service.
		t.last = 1
	}
	id := t.last
	if t.waiting == nil {
		t.waiting = map[int64]chan ackResult{}
	}
	t.waiting[id] = result
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		delete(t.waiting, id)
		t.mu.Unlock()
	}()
	if err := link.write(ctx, message(id)); err != nil {
		return ackResult{}, err
	}
	timeout := time.NewTimer(ackTimeout)
	defer timeout.Stop()
	select {
	case r := <-result:
		switch r.status {
		case svcproto.AckOK, svcproto.AckNotFound:
			return r, nil
		case svcproto.AckTimeout, svcproto.AckInternalServerError:
			return ackResult{}, fmt.Errorf("%w: the service answered %v", ErrAckTimeout, r.status)
		}
		return ackResult{}, fmt.Errorf("the service refused the request: %v %s", r.status, r.message)
	case <-link.done:
		return ackResult{}, ErrNotConnected
	case <-timeout.C:
		return ackResult{}, ErrAckTimeout
	case <-ctx.Done():
		return ackResult{}, context.Cause(ctx)
	}
}

// errEmptyName refuses a group or user without a name before it reaches the wire.
var errEmptyName = errors.New("the name of a group or user must not be empty")
