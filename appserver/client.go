package appserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// drainTimeout bounds how long a client that the service closed may still be read from (the .NET SDK waits as long).
const drainTimeout = 10 * time.Second

// clientConnection is one client of a hub. It has no goroutine while nothing comes from it: feed starts drain, which ends
// when it has read all there is.
//
// Lock order: mu and writeMu are never held together, and writeMu is held while a server connection's lock is taken.
type clientConnection struct {
	hub          *Hub
	id           string
	path         string
	query        url.Values
	header       http.Header
	instanceID   string // of the service instance that holds the client; an offline ping names it
	migratedFrom string
	ctx          context.Context
	cancel       context.CancelCauseFunc
	user         atomic.Pointer[User]
	items        sync.Map
	protocol     atomic.Pointer[hubproto.Protocol] // nil before the handshake

	// Owned by the goroutine of drain.
	buffer    []byte // what came and is not yet a whole message
	connected bool   // OnConnected succeeded

	mu           sync.Mutex
	incoming     []byte // what came and drain has not taken yet
	resumes      []int  // places in incoming where the client came back with a new transport
	draining     bool   // the goroutine of drain runs
	ending       *ending
	drainTimer   *time.Timer // bounds the reading of a client that has gone
	lastReceived time.Time
	pinged       bool // the client sends pings, so its silence means something
	uploads      map[string]*upload
	calls        map[string]*invocation // those that can be cancelled
	queue        []*invocation          // those that wait for a slot
	queuedBytes  int
	active       int                 // invocations that have a slot
	youngest     *invocation         // of those the last that started; nil when it gave its slot back
	startTimer   bool                // a timer will look at the queue
	routed       map[string]struct{} // invocation ids of other app servers that this client is to answer

	link atomic.Pointer[serverConnection] // changed under writeMu

	writeMu  sync.Mutex
	paused   bool     // by the service, until it resumes the client on another server connection
	held     [][]byte // frames that wait for that
	closed   bool     // nothing may follow for this client
	lastSent time.Time
}

// ending says how a client connection ends.
type ending struct {
	closeRecord     bool // tell the client, by a Close message
	closeConnection bool // tell the service only
	errorText       string
	allowReconnect  bool
	cause           error // for OnDisconnected
	discardInput    bool  // do not read what has come
	migrateTo       string
}

// newClientConnection is the client that an OpenConnection announces.
func newClientConnection(h *Hub, link *serverConnection, m *svcproto.OpenConnection) *clientConnection {
	c := &clientConnection{hub: h, id: m.ConnectionID, header: http.Header{}, lastReceived: time.Now(), lastSent: time.Now()}
	c.link.Store(link)
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.user.Store(userOf(m.Claims))
	for _, header := range m.Headers {
		for _, value := range header.Values {
			c.header.Add(header.Name, value)
		}
	}
	take := func(name string) string {
		value := c.header.Get(name)
		c.header.Del(name)
		return value
	}
	c.instanceID, c.migratedFrom = take(svcproto.HeaderInstanceID), take(svcproto.HeaderMigrateFrom)
	c.query, _ = url.ParseQuery(strings.TrimPrefix(m.Query, "?")) // A pair that is broken is left out, the others are kept.
	c.path = c.query.Get("asrs.op")
	return c
}

// feed takes bytes from the client. It never waits.
func (c *clientConnection) feed(data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending != nil {
		return
	}
	limit := c.hub.options.MaxBufferedBytes
	if waiting := len(c.incoming) + c.queuedBytes + len(data); waiting > limit {
		c.stopLocked(c.failure(invalidDataError(fmt.Sprintf(textBufferExceeded, waiting, limit))))
		return
	}
	c.incoming = append(c.incoming, data...)
	c.lastReceived = time.Now()
	c.wakeLocked()
}

// resumed notes that the client came back by stateful reconnect: a message that had come in part is sent again, whole.
func (c *clientConnection) resumed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.resumes); c.ending == nil && (n == 0 || c.resumes[n-1] != len(c.incoming)) {
		c.resumes = append(c.resumes, len(c.incoming))
		c.wakeLocked()
	}
}

func (c *clientConnection) wakeLocked() {
	if !c.draining {
		c.draining = true
		go c.drain()
	}
}

// failure is the ending for a client that broke the rules: told that there was an error, and that it may come back.
func (c *clientConnection) failure(err error) ending {
	return ending{
		closeRecord: true, allowReconnect: true, cause: err, discardInput: true,
		errorText: errorText(hubproto.ClosedWithError, err, c.hub.options.DetailedErrors),
	}
}

// stop ends the connection, once; a later call changes nothing.
func (c *clientConnection) stop(e ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopLocked(e)
}

func (c *clientConnection) stopLocked(e ending) {
	if c.ending != nil {
		return
	}
	c.ending = &e
	if e.discardInput {
		c.incoming, c.resumes = nil, nil
		c.cancel(e.cause)
	} else {
		c.drainTimer = time.AfterFunc(drainTimeout, func() { c.cancel(context.DeadlineExceeded) })
	}
	c.wakeLocked()
}

// goodbye ends the connection as the client wishes. That counts more than what the service saw of the transport behind it.
func (c *clientConnection) goodbye(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending != nil && !c.ending.discardInput {
		c.ending.cause = cause
	}
	c.stopLocked(ending{closeRecord: true, cause: cause, discardInput: true})
}

// stopping reports whether nothing more is to be read.
func (c *clientConnection) stopping() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending != nil && c.ending.discardInput
}

func (c *clientConnection) migratingTo() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending == nil {
		return ""
	}
	return c.ending.migrateTo
}

// drain reads what has come until nothing is left, or ends the connection.
func (c *clientConnection) drain() {
	for {
		c.mu.Lock()
		if c.ending != nil && (c.ending.discardInput || len(c.incoming) == 0) {
			e := *c.ending
			c.mu.Unlock()
			c.finish(e) // draining stays set: nothing is read any more.
			return
		}
		if len(c.incoming) == 0 && len(c.resumes) == 0 {
			c.draining = false
			c.mu.Unlock()
			return
		}
		data, resumes := c.incoming, c.resumes
		c.incoming, c.resumes = nil, nil
		c.mu.Unlock()
		for i, place := range resumes {
			if i > 0 {
				place -= resumes[i-1]
			}
			c.consume(data[:place:place])
			c.buffer, data = nil, data[place:]
			if c.stopping() {
				break
			}
		}
		if len(resumes) == 0 || !c.stopping() {
			c.consume(data)
		}
	}
}

// consume reads the messages that are whole.
func (c *clientConnection) consume(data []byte) {
	if len(c.buffer) == 0 {
		c.buffer = data
	} else {
		c.buffer = append(c.buffer, data...)
	}
	if c.protocol.Load() == nil && !c.shakeHands() {
		return
	}
	protocol := *c.protocol.Load()
	limit := c.hub.options.MaxMessageBytes
	for !c.stopping() {
		message, size, err := protocol.Next(c.buffer, limit)
		if errors.Is(err, hubproto.ErrTooLarge) {
			err = invalidDataError(fmt.Sprintf(textMessageTooLarge, limit))
		}
		if err == nil && size > 0 {
			err = c.handle(protocol, message, size)
		}
		if err != nil {
			c.stop(c.failure(err))
			return
		}
		if size == 0 {
			break
		}
		c.buffer = c.buffer[size:]
	}
	if len(c.buffer) == 0 {
		c.buffer = nil // An idle client holds no memory for bytes.
	}
}

// shakeHands answers the handshake request and runs OnConnected. false: the request is not whole yet, or was refused.
func (c *clientConnection) shakeHands() bool {
	record, rest, ok := hubproto.SplitRecord(c.buffer)
	if !ok {
		return false
	}
	request, err := hubproto.ParseHandshakeRequest(record)
	name := strings.ToLower(request.Protocol)
	refusal := ""
	switch {
	case err != nil:
		refusal = hubproto.HandshakeFailed
	case name != "json" && name != "messagepack":
		refusal = hubproto.UnsupportedProtocol(request.Protocol)
	case request.Version > hubproto.MaxVersion:
		refusal = hubproto.UnsupportedVersion(request.Protocol, request.Version)
	}
	if refusal != "" {
		c.send(c.ctx, hubproto.AppendHandshakeResponse(nil, refusal), svcproto.DataMessageTypeHandshake)
		c.stop(ending{closeConnection: true, discardInput: true, cause: errors.New(refusal)})
		return false
	}
	protocol := hubproto.ProtocolFor(name)
	c.protocol.Store(&protocol)
	c.buffer = rest
	if c.migratedFrom == "" { // A client that migrated has got its answer from the other app server.
		c.send(c.ctx, hubproto.AppendHandshakeResponse(nil, ""), svcproto.DataMessageTypeHandshake)
	}
	if err := c.onConnected(); err != nil {
		c.hub.log.Warn("OnConnected failed", "connectionId", c.id, "error", err)
		e := c.failure(err)
		e.allowReconnect = false // It would fail again.
		c.stop(e)
		return false
	}
	c.connected = true
	return true
}

// onConnected runs the hub's handler; a panic is an error.
func (c *clientConnection) onConnected() (err error) {
	handler, ok := c.hub.receiver.(ConnectedHandler)
	if !ok {
		return nil
	}
	defer func() { err = c.recovered(recover(), "OnConnected", err) }()
	return handler.OnConnected(&Context{Context: c.ctx, client: c, connecting: true})
}

// recovered makes an error of a panic of the application and logs where it was.
func (c *clientConnection) recovered(panicked any, where string, err error) error {
	if panicked == nil {
		return err
	}
	c.hub.log.Error("hub method panicked", "method", where, "connectionId", c.id, "panic", panicked, "stack", string(debug.Stack()))
	return fmt.Errorf("panic: %v", panicked)
}

// handle takes one message. An error ends the connection.
func (c *clientConnection) handle(protocol hubproto.Protocol, message []byte, size int) error {
	m, err := protocol.Parse(message)
	var broken *hubproto.PayloadError
	if err != nil && !(errors.As(err, &broken) && m != nil) {
		return err
	}
	switch m.Type {
	case hubproto.Invocation, hubproto.StreamInvocation:
		return c.invoke(protocol, m, size, err)
	case hubproto.StreamItem:
		return c.item(protocol, m, size, err)
	case hubproto.Completion:
		c.completion(protocol, m, err)
	case hubproto.CancelInvocation:
		c.mu.Lock()
		call := c.calls[m.InvocationID]
		c.mu.Unlock()
		if call != nil {
			call.cancel(context.Canceled)
		}
	case hubproto.Ping:
		c.mu.Lock()
		c.pinged = true
		c.mu.Unlock()
	case hubproto.Close:
		var cause error
		if m.HasError {
			cause = &HubError{m.Error}
		}
		c.goodbye(cause)
	}
	return nil // Others mean nothing here; stateful reconnect is between the client and the service.
}

// item is one item of an upload. One for a stream that nobody reads any more is no error.
func (c *clientConnection) item(protocol hubproto.Protocol, m *hubproto.Message, size int, broken error) error {
	c.mu.Lock()
	u := c.uploads[m.InvocationID]
	c.mu.Unlock()
	if u == nil {
		return nil
	}
	value := reflect.New(u.element)
	err := broken
	if err == nil {
		err = c.hub.app.decode(protocol, m.Item, value)
	}
	if err != nil {
		u.end(fmt.Errorf("item of the stream: %w", err))
		return nil
	}
	if !u.push(c.ctx, value.Elem(), size) {
		return invalidDataError(fmt.Sprintf(textBufferExceeded, u.maxBytes+size, u.maxBytes))
	}
	return nil
}

// completion is the end of an upload or the answer to a client result.
func (c *clientConnection) completion(protocol hubproto.Protocol, m *hubproto.Message, broken error) {
	c.mu.Lock()
	u := c.uploads[m.InvocationID]
	_, routed := c.routed[m.InvocationID]
	delete(c.routed, m.InvocationID)
	c.mu.Unlock()
	switch {
	case u != nil:
		var err error
		if m.HasError {
			err = &HubError{m.Error}
		}
		u.end(err)
	case routed:
		frame, err := protocol.Append(nil, m)
		if err != nil {
			return
		}
		c.toService(&svcproto.ClientCompletion{
			InvocationID: m.InvocationID, ConnectionID: c.id, CallerServerID: c.hub.app.serverID, Protocol: protocol.String(), Payload: frame,
		})
	default:
		if c.hub.results.complete(m.InvocationID, c.id, answer{protocol: protocol, message: cloneAnswer(m), err: broken}) {
			// The service remembers the invocation too; an empty payload tells it that this is over.
			c.toService(&svcproto.ClientCompletion{InvocationID: m.InvocationID, ConnectionID: c.id, CallerServerID: c.hub.app.serverID})
		}
	}
}

// cloneAnswer is m with a result that outlives the read buffer.
func cloneAnswer(m *hubproto.Message) *hubproto.Message {
	answer := *m
	answer.Result = slices.Clone(m.Result)
	return &answer
}

// toService writes a message of the service protocol on the client's server connection.
func (c *clientConnection) toService(m svcproto.Message) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if err := c.link.Load().write(c.ctx, m); err != nil {
		c.hub.log.Debug("message to the service is lost", "type", m.Type(), "connectionId", c.id, "error", err)
	}
}

// send writes one frame of the hub protocol to the client. What is sent after the end is dropped, as is what a server
// connection that is gone cannot carry: the client is gone with it.
func (c *clientConnection) send(ctx context.Context, frame []byte, kind svcproto.DataMessageType) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	switch {
	case c.closed:
	case c.paused:
		c.held = append(c.held, (&svcproto.ConnectionData{ConnectionID: []byte(c.id), Payload: frame, DataMessageType: kind}).Append(nil))
	default:
		c.lastSent = time.Now()
		if err := c.link.Load().write(ctx, &svcproto.ConnectionData{ConnectionID: []byte(c.id), Payload: frame, DataMessageType: kind}); err != nil {
			c.hub.log.Debug("message to the client is lost", "connectionId", c.id, "error", err)
		}
	}
}

// sendMessage encodes and writes a message to the client.
func (c *clientConnection) sendMessage(ctx context.Context, m *hubproto.Message) error {
	frame, err := c.protocol.Load().Append(nil, m)
	if err != nil {
		return err
	}
	c.send(ctx, frame, svcproto.DataMessageTypeInvocation)
	return nil
}

// pause stops writing to the client on link, as the service asks, and confirms that.
func (c *clientConnection) pause(link *serverConnection) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	c.paused = true
	link.reply(&svcproto.ConnectionFlowControl{ConnectionID: c.id, ConnectionType: svcproto.ConnectionTypeClient, Operation: svcproto.FlowControlPauseAck})
}

// resume goes on writing, on another server connection.
func (c *clientConnection) resume(link *serverConnection) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if c.closed {
		return
	}
	c.link.Swap(link).clients.Add(-1)
	link.clients.Add(1)
	c.paused = false
	for _, frame := range c.held {
		link.enqueue(frame)
	}
	c.held = nil
}

// silence drops what is sent from now on.
func (c *clientConnection) silence() {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	c.closed = true
}

// tick does what is due: a ping to a client that was sent nothing, an end for one that went silent.
func (c *clientConnection) tick(now time.Time) {
	protocol := c.protocol.Load()
	if protocol == nil {
		return
	}
	c.mu.Lock()
	if c.pinged && c.ending == nil && !c.draining && c.active == 0 && now.Sub(c.lastReceived) >= c.hub.options.ClientTimeout {
		//lint:ignore ST1005 it is ASP.NET Core's text, which clients show.
		c.stopLocked(c.failure(errors.New(textClientTimeout)))
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	if !c.writeMu.TryLock() { // It is being written to, so it needs no ping; and this goroutine must not wait for one client.
		return
	}
	defer c.writeMu.Unlock()
	if !c.closed && !c.paused && now.Sub(c.lastSent) >= c.hub.options.KeepAlive {
		c.lastSent = now
		c.link.Load().reply(&svcproto.ConnectionData{ConnectionID: []byte(c.id), Payload: protocol.AppendPing(nil), DataMessageType: svcproto.DataMessageTypeOther})
	}
}

// finish ends the connection: tells the client or the service, then the hub.
func (c *clientConnection) finish(e ending) {
	if e.closeRecord {
		protocol := hubproto.JSON
		if p := c.protocol.Load(); p != nil {
			protocol = *p
		}
		c.send(context.Background(), protocol.AppendClose(nil, e.errorText, e.allowReconnect), svcproto.DataMessageTypeClose)
	}
	c.writeMu.Lock()
	link := c.link.Load()
	if e.closeRecord || e.closeConnection {
		link.reply(&svcproto.CloseConnection{ConnectionID: c.id})
	}
	c.closed, c.held = true, nil
	link.clients.Add(-1)
	c.writeMu.Unlock()

	c.cancel(e.cause)
	c.mu.Lock()
	c.queue, c.queuedBytes = nil, 0
	if c.drainTimer != nil {
		c.drainTimer.Stop()
	}
	c.mu.Unlock()
	c.buffer = nil
	c.hub.remove(c)
	c.hub.results.failAll(func(p *pendingResult) bool { return p.connectionID == c.id && p.local }, ErrClientDisconnected)
	if c.connected {
		c.onDisconnected(e.cause)
	}
	c.hub.finished()
}

func (c *clientConnection) onDisconnected(cause error) {
	handler, ok := c.hub.receiver.(DisconnectedHandler)
	if !ok {
		return
	}
	defer func() { _ = c.recovered(recover(), "OnDisconnected", nil) }()
	handler.OnDisconnected(&Context{Context: context.WithoutCancel(c.ctx), client: c}, cause)
}
