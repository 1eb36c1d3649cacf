package appserver

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/svcproto"
)

// HubOptions are the options of a hub. The zero value is good.
type HubOptions struct {
	// Authenticate says who a client is when it negotiates. Nil: every client is anonymous.
	Authenticate AuthenticateFunc
	// ParallelInvocations is how many invocations of one client run at once; more wait in order. Streams count until they
	// begin, and an invocation that waits for a client's answer does not. They start in order, and those that take less
	// than two milliseconds also end in order. 0 means 1.
	ParallelInvocations int
	// MaxMessageBytes bounds one message of a client, framing included; a larger one ends the connection. 0 means 32 KiB.
	MaxMessageBytes int
	// MaxBufferedBytes bounds what of one client's messages waits for the hub; more ends the connection. 0 means 16 MiB.
	MaxBufferedBytes int
	// StreamBuffer is how many items of an upload stream wait for a method that runs; then nothing more is read from that
	// client until the method takes one. 0 means 10.
	StreamBuffer int
	// KeepAlive is after how much silence towards a client it is sent a ping. 0 means 15 seconds.
	KeepAlive time.Duration
	// ClientTimeout is after how much silence from a client that had sent pings its connection ends. 0 means 30 seconds.
	ClientTimeout time.Duration
	// DetailedErrors sends the text of every error to the client. It may hold secrets: for development only.
	DetailedErrors bool
	// StatefulReconnect lets clients use stateful reconnect, which the service then does.
	StatefulReconnect bool
}

func (o HubOptions) withDefaults() (HubOptions, error) {
	if o.ParallelInvocations < 0 || o.MaxMessageBytes < 0 || o.MaxBufferedBytes < 0 || o.StreamBuffer < 0 || o.KeepAlive < 0 || o.ClientTimeout < 0 {
		return o, errors.New("options: a number is negative; leave it 0 for the default")
	}
	setDefault(&o.ParallelInvocations, 1)
	setDefault(&o.MaxMessageBytes, 32<<10)
	setDefault(&o.MaxBufferedBytes, 16<<20)
	setDefault(&o.StreamBuffer, 10)
	setDefault(&o.KeepAlive, 15*time.Second)
	setDefault(&o.ClientTimeout, 30*time.Second)
	return o, nil
}

// Hub is a hub of an App. Its methods can be called from anywhere, also outside of hub methods.
type Hub struct {
	operations
	app      *App
	name     string
	wireName string // in lower case, behind the application's name
	receiver any
	weak     bool // it only sends; its clients are not here
	methods  map[string]*method
	options  HubOptions
	log      *slog.Logger
	results  resultTable
	seed     maphash.Seed
	end      chan struct{} // closed when the server connections are to close
	running  sync.WaitGroup

	mu         sync.Mutex
	opening    context.Context     // for server connections; done when no new one is wanted
	slots      []*serverConnection // the connections that are always kept; nil while one is down
	onDemand   []*serverConnection
	requested  int // on-demand connections that are up or on their way
	clients    map[string]*clientConnection
	unfinished int           // clients whose OnDisconnected has not ended
	changed    chan struct{} // closed when one of the above changed
}

func newHub(a *App, name string, receiver any, methods map[string]*method, options HubOptions) *Hub {
	wireName := a.wireName(name)
	h := &Hub{
		app: a, name: name, wireName: wireName, receiver: receiver, methods: methods, options: options, log: a.log.With("hub", name),
		seed: maphash.MakeSeed(), end: make(chan struct{}), slots: make([]*serverConnection, a.options.ServerConnections),
		clients: map[string]*clientConnection{}, changed: make(chan struct{}),
	}
	h.operations = operations{h}
	return h
}

// Name is the name that Handle was given.
func (h *Hub) Name() string { return h.name }

// Connected reports whether the hub has a server connection at the moment.
func (h *Hub) Connected() bool {
	_, err := h.linkFor(context.Background(), nil, "")
	return err == nil
}

// notifyLocked wakes those who wait for a change.
func (h *Hub) notifyLocked() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// waitFor returns when condition, which is called under the hub's lock, is true.
func (h *Hub) waitFor(ctx context.Context, condition func() bool) error {
	for {
		h.mu.Lock()
		done, changed := condition(), h.changed
		h.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (h *Hub) waitConnected(ctx context.Context) error {
	return h.waitFor(ctx, func() bool {
		for _, s := range h.slots {
			if s != nil {
				return true
			}
		}
		return false
	})
}

// run keeps the hub connected until ctx is done, then shuts it down.
func (h *Hub) run(ctx context.Context) {
	h.mu.Lock()
	h.opening = ctx
	h.mu.Unlock()
	for slot := range h.slots {
		h.running.Go(func() { h.keepConnected(ctx, slot) })
	}
	h.running.Go(h.tickLoop)
	<-ctx.Done()
	h.shutDown()
}

// shutDown ends the hub as Options.ShutdownMode says.
func (h *Hub) shutDown() {
	timeout, cancel := context.WithTimeout(context.Background(), h.app.options.ShutdownTimeout)
	defer cancel()
	links := h.links()
	if h.weak {
		links = nil // There is nobody to hand over.
	}
	h.log.Info("hub shuts down", "clients", h.clientCount())
	switch h.app.options.ShutdownMode {
	case ShutdownOff:
		for _, s := range links {
			s.reply(&svcproto.Ping{Values: []svcproto.PingValue{{Key: svcproto.PingShutdown, Value: svcproto.PingShutdownOff}}})
		}
	case ShutdownWaitForClients, ShutdownMigrateClients:
		value := svcproto.PingShutdownWaitForClients
		if h.app.options.ShutdownMode == ShutdownMigrateClients {
			value = svcproto.PingShutdownMigrateClients
		}
		var announced sync.WaitGroup
		for _, s := range links {
			announced.Go(func() { s.announceShutdown(timeout, value) })
		}
		announced.Wait()
		if err := h.waitFor(timeout, func() bool { return h.unfinished == 0 }); err != nil {
			h.log.Warn("clients are left at the end of the shutdown time", "clients", h.clientCount())
		}
	}
	close(h.end)
	h.running.Wait()
	// The handlers of clients that went with the connections may still run.
	_ = h.waitFor(timeout, func() bool { return h.unfinished == 0 })
}

// keepConnected keeps the server connection of a slot open until ctx is done.
func (h *Hub) keepConnected(ctx context.Context, slot int) {
	for attempt := 0; ; attempt++ {
		delay := time.NewTimer(retryDelay(attempt))
		select {
		case <-delay.C:
		case <-ctx.Done():
			delay.Stop()
			return
		}
		s := newServerConnection(h, "", false)
		s.slot = slot
		var since time.Time
		err := s.run(ctx, func() { since = time.Now() }, h.end)
		if ctx.Err() != nil {
			return
		}
		// One that stood for a while begins anew; one that the service drops at once is tried with growing delays too.
		if !since.IsZero() && time.Since(since) > pingInterval {
			attempt = -1
		}
		s.log.Warn("server connection ended; it will be opened again", "slot", slot, "attempt", attempt+1, "error", err)
	}
}

// connectTo opens one more server connection, to an instance of the service that asks for it.
func (h *Hub) connectTo(instanceID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.opening.Err() != nil || len(h.slots)+h.requested >= h.app.options.MaxServerConnections {
		return
	}
	h.requested++
	h.running.Go(func() {
		s := newServerConnection(h, instanceID, true)
		if err := s.run(h.opening, func() {}, h.end); err != nil {
			s.log.Info("on-demand server connection ended", "instance", instanceID, "error", err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.requested--
	})
}

// links are the server connections that are up.
func (h *Hub) links() []*serverConnection {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.linksLocked()
}

func (h *Hub) linksLocked() []*serverConnection {
	links := make([]*serverConnection, 0, len(h.slots)+len(h.onDemand))
	for _, s := range h.slots {
		if s != nil {
			links = append(links, s)
		}
	}
	return append(links, h.onDemand...)
}

func (h *Hub) addLink(s *serverConnection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s.onDemand {
		h.onDemand = append(h.onDemand, s)
	} else {
		h.slots[s.slot] = s
	}
	s.log.Info("server connection is up")
	h.notifyLocked()
}

// removeLink forgets a server connection that has ended, and with it the clients that it carried: the service cannot bring
// them back.
func (h *Hub) removeLink(s *serverConnection, err error) {
	h.mu.Lock()
	if s.onDemand {
		kept := make([]*serverConnection, 0, len(h.onDemand))
		for _, other := range h.onDemand {
			if other != s {
				kept = append(kept, other)
			}
		}
		h.onDemand = kept
	} else {
		h.slots[s.slot] = nil
	}
	h.notifyLocked()
	h.mu.Unlock()
	h.stopClients(func(c *clientConnection) bool { return c.link.Load() == s }, err)
}

// stopClients ends the clients that match, without a word to them or to the service.
func (h *Hub) stopClients(match func(*clientConnection) bool, cause error) {
	for _, c := range h.allClients() {
		if match(c) {
			c.stop(ending{cause: cause, discardInput: true})
		}
	}
}

// linkFor chooses the server connection for a message: that of a local client, else that of the client whose hub method
// ctx belongs to, else one by the key, so that messages with one key keep their order.
func (h *Hub) linkFor(ctx context.Context, client *clientConnection, key string) (*serverConnection, error) {
	if client == nil {
		if caller := hubContextOf(ctx); caller != nil && caller.client.hub == h {
			client = caller.client
		}
	}
	if client != nil {
		if s := client.link.Load(); s.isWritable() {
			return s, nil
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	start := int(maphash.String(h.seed, key) % uint64(len(h.slots)))
	for i := range h.slots {
		if s := h.slots[(start+i)%len(h.slots)]; s != nil && s.isWritable() {
			return s, nil
		}
	}
	for _, s := range h.onDemand {
		if s.isWritable() {
			return s, nil
		}
	}
	return nil, ErrNotConnected
}

// client is the client with an id, nil when it is not connected to this app server.
func (h *Hub) client(id string) *clientConnection {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clients[id]
}

func (h *Hub) clientCount() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.clients)
}

func (h *Hub) allClients() []*clientConnection {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*clientConnection, 0, len(h.clients))
	for _, c := range h.clients {
		all = append(all, c)
	}
	return all
}

// open takes a new client.
func (h *Hub) open(s *serverConnection, m *svcproto.OpenConnection) {
	c := newClientConnection(h, s, m)
	s.clients.Add(1)
	h.mu.Lock()
	old := h.clients[c.id]
	h.clients[c.id] = c
	h.unfinished++
	h.mu.Unlock()
	if old != nil {
		old.stop(ending{cause: errors.New("the service opened the connection anew"), discardInput: true})
	}
}

// close ends a client that the service says has gone, or goes to another app server.
func (h *Hub) close(m *svcproto.CloseConnection) {
	c := h.client(m.ConnectionID)
	if c == nil {
		return
	}
	e := ending{}
	for _, header := range m.Headers {
		if strings.EqualFold(header.Name, svcproto.HeaderMigrateTo) && len(header.Values) > 0 {
			e.migrateTo = header.Values[0]
		}
	}
	if m.Error != "" {
		e.cause = errors.New(m.Error)
	}
	if e.migrateTo != "" {
		c.silence() // What the hub still sends is for the client as the other app server sees it.
	}
	c.stop(e)
}

// data hands bytes to their client. Those for a client that is gone are dropped: it may have ended a moment ago.
func (h *Hub) data(m *svcproto.ConnectionData) {
	h.mu.Lock()
	c := h.clients[string(m.ConnectionID)]
	h.mu.Unlock()
	if c != nil {
		c.feed(m.Payload)
	}
}

// route remembers that another app server waits for an answer of a client of this one.
func (h *Hub) route(m *svcproto.ClientInvocation) {
	if c := h.client(m.ConnectionID); c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.routed == nil {
			c.routed = map[string]struct{}{}
		}
		c.routed[m.InvocationID] = struct{}{}
	}
}

// instanceOffline ends what an instance of the service carried that is gone; "" means any instance.
func (h *Hub) instanceOffline(s *serverConnection, instanceID string) {
	err := errors.New("the instance of the service that held the client is gone")
	h.stopClients(func(c *clientConnection) bool {
		return c.link.Load() == s && (instanceID == "" || c.instanceID == instanceID)
	}, err)
	h.results.failAll(func(p *pendingResult) bool { return instanceID != "" && p.instanceID == instanceID }, err)
}

// remove forgets a client.
func (h *Hub) remove(c *clientConnection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.clients[c.id] == c {
		delete(h.clients, c.id)
	}
}

// finished counts a client whose end is complete.
func (h *Hub) finished() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unfinished--; h.unfinished == 0 {
		h.notifyLocked()
	}
}

// tickLoop looks every second for clients that need a ping or have gone silent.
func (h *Hub) tickLoop() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			for _, c := range h.allClients() {
				c.tick(now)
			}
		case <-h.end:
			return
		}
	}
}
