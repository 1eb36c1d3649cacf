package appserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// Timers and limits of a server connection, as the .NET SDK has them.
const (
	handshakeTimeout  = 15 * time.Second
	silenceTimeout    = 30 * time.Second // nothing received: the connection is dead
	silenceCheck      = 5 * time.Second
	pingInterval      = 5 * time.Second // at least between two pings; one is sent when bytes arrive
	finishInterval    = 5 * time.Second // between two announcements of a shutdown
	finishAttempts    = 24
	longestRetryDelay = 60 * time.Second

	maxFrameBytes   = 64 << 20 // of one message from the service
	maxPendingBytes = 4 << 20  // written and not yet taken by the network; then writers wait
	readBufferBytes = 16 << 10
)

// serverConnection is one connection to the service that carries clients of one hub.
type serverConnection struct {
	hub      *Hub
	cid      string // the id that the app server gives it, for logs
	target   string // the instance of the service that an on-demand connection is for
	onDemand bool
	slot     int // of the hub, unless it is on demand
	log      *slog.Logger
	stream   stream
	clients  atomic.Int64 // that it carries
	finAck   chan struct{}
	finOnce  sync.Once
	done     chan struct{} // closed when it has ended
	wake     chan struct{} // there is something to write

	lastReceived atomic.Int64 // Unix nanoseconds
	lastPing     time.Time    // owned by the reading goroutine

	mu       sync.Mutex
	pending  []byte
	spare    []byte        // a buffer that is free
	drained  chan struct{} // closed when pending was taken, for those who wait for room
	writable bool
	failure  string // what the service said before it made the connection unwritable
}

func newServerConnection(h *Hub, target string, onDemand bool) *serverConnection {
	cid := randomID()
	return &serverConnection{
		hub: h, cid: cid, target: target, onDemand: onDemand, log: h.log.With("serverConnection", cid),
		finAck: make(chan struct{}), done: make(chan struct{}), wake: make(chan struct{}, 1), drained: make(chan struct{}),
	}
}

// run opens the connection, serves it and returns when it has ended. up reports that it is ready. Of ctx only the opening
// takes notice: end closes the connection later.
func (s *serverConnection) run(ctx context.Context, up func(), end <-chan struct{}) error {
	defer close(s.done)
	opening, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	connection, err := s.open(opening)
	if err != nil {
		return err
	}
	s.stream = connection
	serving, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	reader := &frameReader{stream: connection}
	if err := s.shakeHands(opening, reader); err != nil {
		connection.Close(false)
		return err
	}
	s.mu.Lock()
	s.writable = true
	s.mu.Unlock()
	s.touch()
	s.hub.addLink(s)
	up()

	written := make(chan struct{})
	go func() {
		defer close(written)
		stop(s.writeLoop(serving, end))
	}()
	err = s.readLoop(serving, reader)
	stop(err)
	<-written
	if cause := context.Cause(serving); errors.Is(cause, errEnded) {
		err = nil
	} else if cause != nil {
		err = cause
	}
	if failure := s.shut(""); failure != "" && err != nil {
		err = fmt.Errorf("%w; the service said: %s", err, failure)
	}
	s.hub.removeLink(s, err)
	connection.Close(err == nil)
	return err
}

// shut lets nothing more be written, wakes those who wait to write, and remembers why, unless failure is empty. It returns
// what is remembered.
func (s *serverConnection) shut(failure string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if failure != "" {
		s.failure = failure
	}
	s.writable = false
	close(s.drained)
	s.drained = make(chan struct{})
	return s.failure
}

// errEnded is the cause of an end that was asked for.
var errEnded = errors.New("the server connection was closed")

// open opens the WebSocket.
func (s *serverConnection) open(ctx context.Context) (stream, error) {
	app := s.hub.app
	address := strings.Replace(app.connection.ServerEndpoint, "http", "ws", 1) + "server/?hub=" + url.QueryEscape(s.hub.wireName) + "&cid=" + s.cid
	if s.target != "" {
		address += "&target=" + url.QueryEscape(s.target)
	}
	token, err := app.sign(app.connection.audience+"server/?hub="+s.hub.wireName, []auth.Claim{{Type: "nameid", Value: app.serverID}})
	if err != nil {
		return nil, err
	}
	return app.dial(ctx, address, http.Header{
		"Authorization":    {"Bearer " + token},
		"X-ASRS-Server-Id": {app.serverID},
		"Asrs-User-Agent":  {app.userAgent},
		"X-Requested-With": {"XMLHttpRequest"},
	})
}

// shakeHands introduces the app server and waits for the service to accept it.
func (s *serverConnection) shakeHands(ctx context.Context, reader *frameReader) error {
	request := &svcproto.HandshakeRequest{
		Version: 1, Target: s.target, AllowStatefulReconnects: s.hub.options.StatefulReconnect, HasAllowStatefulReconnects: true,
	}
	switch {
	case s.hub.weak:
		request.ConnectionType = svcproto.ConnectionWeak
		request.HasAllowStatefulReconnects = false
	case s.onDemand:
		request.ConnectionType = svcproto.ConnectionOnDemand
	}
	if s.hub.app.options.ShutdownMode == ShutdownMigrateClients {
		request.MigrationLevel = svcproto.MigrationLevelShutdownOnly
	}
	if err := s.stream.Write(ctx, request.Append(nil)); err != nil {
		return fmt.Errorf("handshake with the service: %w", err)
	}
	body, err := reader.next(ctx)
	if err != nil {
		return fmt.Errorf("handshake with the service: %w", err)
	}
	var response svcproto.HandshakeResponse
	if err := response.Decode(body); err != nil {
		return fmt.Errorf("handshake with the service: %w", err)
	}
	if response.Error != "" {
		return fmt.Errorf("the service refused the server connection: %s", response.Error)
	}
	if id := response.ConnectionID.Value; id != "" {
		s.log = s.hub.log.With("serverConnection", id)
	}
	return nil
}

// touch remembers that something was received.
func (s *serverConnection) touch() { s.lastReceived.Store(time.Now().UnixNano()) }

// readLoop takes messages until the stream ends.
func (s *serverConnection) readLoop(ctx context.Context, reader *frameReader) error {
	reader.received = s.received
	var data svcproto.ConnectionData // used again for the most frequent message
	for {
		body, err := reader.next(ctx)
		if err != nil {
			return err
		}
		kind, err := svcproto.TypeOf(body)
		if err == nil && kind == svcproto.TypeConnectionData {
			if err = data.Decode(body); err == nil {
				s.hub.data(&data)
				continue
			}
		}
		var message svcproto.Message
		if err == nil {
			message, err = svcproto.Decode(body)
		}
		var unknown *svcproto.UnknownTypeError
		switch {
		case errors.As(err, &unknown): // Newer services may send what this SDK does not know.
		case err != nil:
			s.log.Error("a message from the service cannot be read", "error", err)
		default:
			s.dispatch(message)
		}
	}
}

// received answers bytes from the service with a ping, at most every five seconds: it is how the service knows that this
// end lives. The counts let it balance its load.
func (s *serverConnection) received() {
	s.touch()
	now := time.Now()
	if now.Sub(s.lastPing) < pingInterval {
		return
	}
	s.lastPing = now
	if s.hub.weak {
		s.reply(&svcproto.Ping{})
		return
	}
	s.reply(&svcproto.Ping{Values: []svcproto.PingValue{
		{Key: svcproto.PingClientInHub, Value: strconv.Itoa(s.hub.clientCount())},
		{Key: svcproto.PingClient, Value: strconv.FormatInt(s.clients.Load(), 10)},
	}})
}

// dispatch takes one message other than data.
func (s *serverConnection) dispatch(message svcproto.Message) {
	h := s.hub
	switch m := message.(type) {
	case *svcproto.Ping:
		s.ping(m)
	case *svcproto.OpenConnection:
		h.open(s, m)
	case *svcproto.CloseConnection:
		h.close(m)
	case *svcproto.UpdateConnectionClaims:
		if c := h.client(m.ConnectionID); c != nil {
			c.user.Store(userOf(m.Claims))
		}
	case *svcproto.ConnectionFlowControl:
		s.flowControl(m)
	case *svcproto.Ack:
		h.app.acks.resolve(m)
	case *svcproto.ClientInvocation:
		h.route(m)
	case *svcproto.ClientCompletion:
		h.results.completeRemote(m)
	case *svcproto.ErrorCompletion:
		h.results.fail(m.InvocationID, &HubError{m.Error})
	case *svcproto.ServiceMapping:
		h.results.mapped(m.InvocationID, m.InstanceID)
	case *svcproto.ServiceError:
		if m.Error != "" {
			s.shut(m.Error)
			s.log.Error("the service reports an error", "error", m.Error)
		}
	case *svcproto.ServiceEvent:
		s.log.Info("event of the service", "object", m.ObjectType, "id", m.ID, "kind", m.Kind, "message", m.Message)
	case *svcproto.ConnectionReconnect: // The service replays what the client missed.
		if c := h.client(m.ConnectionID); c != nil {
			c.resumed()
		}
	default:
		s.log.Debug("unexpected message from the service", "type", message.Type())
	}
}

// ping looks what a ping is for; it has one purpose.
func (s *serverConnection) ping(m *svcproto.Ping) {
	for _, v := range m.Values {
		switch {
		case v.Key == svcproto.PingEcho:
			s.reply(m)
			return
		case v.Key == svcproto.PingOffline:
			s.hub.instanceOffline(s, v.Value)
			return
		case v.Key == svcproto.PingShutdown && v.Value == svcproto.PingShutdownAck:
			s.finOnce.Do(func() { close(s.finAck) })
			return
		case v.Key == svcproto.PingTarget && v.Value != "":
			s.hub.connectTo(v.Value)
			return
		}
	}
}

func (s *serverConnection) flowControl(m *svcproto.ConnectionFlowControl) {
	if m.ConnectionType == svcproto.ConnectionTypeServer {
		if m.Operation == svcproto.FlowControlOffline {
			s.shut("")
		}
		return
	}
	c := s.hub.client(m.ConnectionID)
	if c == nil {
		return
	}
	switch m.Operation {
	case svcproto.FlowControlPause:
		c.pause(s)
	case svcproto.FlowControlResume:
		c.resume(s)
	case svcproto.FlowControlOffline:
		c.stop(ending{cause: errors.New("the service lost the client")})
	}
}

// write queues a message. It waits while too much is queued already, until ctx is done.
func (s *serverConnection) write(ctx context.Context, m svcproto.Message) error {
	s.mu.Lock()
	for s.writable && len(s.pending) > maxPendingBytes {
		drained := s.drained
		s.mu.Unlock()
		select {
		case <-drained:
		case <-s.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		s.mu.Lock()
	}
	if !s.writable {
		defer s.mu.Unlock()
		if s.failure != "" {
			return fmt.Errorf("%w: the service said: %s", ErrNotConnected, s.failure)
		}
		return ErrNotConnected
	}
	s.pending = m.Append(s.pending)
	s.mu.Unlock()
	s.signal()
	return nil
}

// reply queues a message without waiting, so that the reading goroutine can use it: what it writes is small and bounded by
// what it reads.
func (s *serverConnection) reply(m svcproto.Message) {
	s.mu.Lock()
	if s.writable {
		s.pending = m.Append(s.pending)
	}
	s.mu.Unlock()
	s.signal()
}

// enqueue queues a frame without waiting.
func (s *serverConnection) enqueue(frame []byte) {
	s.mu.Lock()
	if s.writable {
		s.pending = append(s.pending, frame...)
	}
	s.mu.Unlock()
	s.signal()
}

func (s *serverConnection) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *serverConnection) isWritable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writable
}

// writeLoop writes all that is queued in one call, watches for silence, and ends the connection when it is told to.
func (s *serverConnection) writeLoop(ctx context.Context, end <-chan struct{}) error {
	check := time.NewTicker(silenceCheck)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-end:
			if err := s.flush(ctx); err != nil {
				return err
			}
			s.shut("")
			s.stream.Close(true) // Before the reading is cancelled, which would cut the connection.
			return errEnded
		case <-check.C:
			if time.Since(time.Unix(0, s.lastReceived.Load())) >= silenceTimeout {
				return fmt.Errorf("nothing received from the service for %v", silenceTimeout)
			}
		case <-s.wake:
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
	}
}

// flush writes what is queued.
func (s *serverConnection) flush(ctx context.Context) error {
	s.mu.Lock()
	batch := s.pending
	s.pending, s.spare = s.spare[:0], nil
	close(s.drained)
	s.drained = make(chan struct{})
	s.mu.Unlock()
	if len(batch) == 0 {
		s.keep(batch)
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, silenceTimeout)
	defer cancel()
	err := s.stream.Write(limited, batch)
	s.keep(batch)
	return err
}

// keep makes a buffer available again, unless it grew large.
func (s *serverConnection) keep(buffer []byte) {
	if cap(buffer) > maxPendingBytes/16 {
		return
	}
	s.mu.Lock()
	s.spare = buffer[:0]
	s.mu.Unlock()
}

// announceShutdown tells the service that no new client should come here, until it confirms, ctx is done or the connection
// has ended.
func (s *serverConnection) announceShutdown(ctx context.Context, value string) {
	for range finishAttempts {
		s.reply(&svcproto.Ping{Values: []svcproto.PingValue{{Key: svcproto.PingShutdown, Value: value}}})
		again := time.NewTimer(finishInterval)
		select {
		case <-s.finAck:
		case <-s.done:
		case <-ctx.Done():
		case <-again.C:
			continue
		}
		again.Stop()
		return
	}
}

// frameReader cuts a stream into messages of the service protocol.
type frameReader struct {
	stream   stream
	received func() // called when bytes have come; nil during the handshake
	buffer   []byte
	taken    int // bytes of buffer that are done with
}

// next is the body of the next message, a view that lives until the next call.
func (r *frameReader) next(ctx context.Context) ([]byte, error) {
	for {
		body, size, needed, err := svcproto.Split(r.buffer[r.taken:], maxFrameBytes)
		if err != nil {
			return nil, err
		}
		if size > 0 {
			r.taken += size
			return body, nil
		}
		if err := r.fill(ctx, needed); err != nil {
			return nil, err
		}
	}
}

// fill reads more bytes, into room for a frame of needed bytes.
func (r *frameReader) fill(ctx context.Context, needed int) error {
	if r.taken > 0 {
		r.buffer = r.buffer[:copy(r.buffer, r.buffer[r.taken:])]
		r.taken = 0
	}
	if len(r.buffer) == 0 && cap(r.buffer) > 64*readBufferBytes {
		r.buffer = nil // One large message does not hold its memory for ever.
	}
	// The declared length is not believed beyond twice what has come, so that a lie costs nothing.
	if free := cap(r.buffer) - len(r.buffer); free == 0 || cap(r.buffer) < min(needed, 2*len(r.buffer)) {
		r.buffer = slices.Grow(r.buffer, max(readBufferBytes, min(needed, 2*len(r.buffer))-len(r.buffer)))
	}
	n, err := r.stream.Read(ctx, r.buffer[len(r.buffer):cap(r.buffer)])
	r.buffer = r.buffer[:len(r.buffer)+n]
	if n > 0 {
		if r.received != nil {
			r.received()
		}
		return nil
	}
	return err
}

// retryDelay is how long to wait before attempt number attempt (0: the first) to open a server connection: 0, 1, 2, 4 up to
// 60 seconds, each but the first with up to a second more so that many app servers do not come at once.
func retryDelay(attempt int) time.Duration {
	if attempt == 0 {
		return 0
	}
	return min(time.Second<<min(attempt-1, 10), longestRetryDelay) + rand.N(time.Second)
}
