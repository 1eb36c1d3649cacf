package appserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hubgate/hubgate/internal/svcproto"
)

// testConnectionString is the one of the emulator.
const testConnectionString = "Endpoint=http://localhost;Port=8888;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;"

// pipeStream is a stream in memory, so that synctest sees who waits.
type pipeStream struct{ net.Conn }

func (s pipeStream) Read(ctx context.Context, into []byte) (int, error) {
	defer context.AfterFunc(ctx, func() { s.Conn.Close() })()
	return s.Conn.Read(into)
}

func (s pipeStream) Write(ctx context.Context, p []byte) error {
	defer context.AfterFunc(ctx, func() { s.Conn.Close() })()
	_, err := s.Conn.Write(p)
	return err
}

func (s pipeStream) Close(bool) { s.Conn.Close() }

// standIn is the service, as far as one test needs it.
type standIn struct {
	t      *testing.T
	refuse func(attempt int) error // of the dial; nil accepts
	noAck  bool

	mu       sync.Mutex
	attempts []time.Time
	requests []dialRequest
	links    []*standInLink
}

type dialRequest struct {
	url    *url.URL
	header http.Header
}

// standInLink is the service's end of a server connection.
type standInLink struct {
	service   *standIn
	conn      net.Conn
	handshake svcproto.HandshakeRequest

	mu       sync.Mutex
	messages []svcproto.Message // what the app server sent, data for clients excepted
	clients  map[string]*standInClient
}

// standInClient is what the service sent to one client.
type standInClient struct {
	link   *standInLink
	id     string
	out    bytes.Buffer
	closed *svcproto.CloseConnection
}

func (s *standIn) dial(ctx context.Context, address string, header http.Header) (stream, error) {
	parsed, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	attempt := len(s.attempts)
	s.attempts = append(s.attempts, time.Now())
	s.requests = append(s.requests, dialRequest{parsed, header})
	s.mu.Unlock()
	if s.refuse != nil {
		if err := s.refuse(attempt); err != nil {
			return nil, err
		}
	}
	here, there := net.Pipe()
	link := &standInLink{service: s, conn: there, clients: map[string]*standInClient{}}
	go link.serve()
	return pipeStream{here}, nil
}

func (l *standInLink) serve() {
	defer l.conn.Close()
	reader := &frameReader{stream: pipeStream{l.conn}}
	body, err := reader.next(context.Background())
	if err != nil || l.handshake.Decode(body) != nil {
		return
	}
	l.write(&svcproto.HandshakeResponse{ConnectionID: svcproto.Some("sc")})
	l.service.mu.Lock()
	l.service.links = append(l.service.links, l)
	l.service.mu.Unlock()
	for {
		body, err := reader.next(context.Background())
		if err != nil {
			return
		}
		m, err := svcproto.Decode(bytes.Clone(body))
		if err != nil {
			l.service.t.Errorf("the app server sent what cannot be read: %v", err)
			return
		}
		l.take(m)
	}
}

func (l *standInLink) take(m svcproto.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch m := m.(type) {
	case *svcproto.ConnectionData:
		c := l.clients[string(m.ConnectionID)]
		if c == nil || c.closed != nil {
			l.service.t.Errorf("data for %s, which is not open: %q", m.ConnectionID, m.Payload)
			return
		}
		c.out.Write(m.Payload)
		return
	case *svcproto.CloseConnection:
		if c := l.clients[m.ConnectionID]; c != nil {
			c.closed = m
			return
		}
	case *svcproto.JoinGroupWithAck:
		l.ack(m.AckID, m.ConnectionID)
	case *svcproto.LeaveGroupWithAck:
		l.ack(m.AckID, m.ConnectionID)
	case *svcproto.CheckConnectionExistenceWithAck:
		l.ack(m.AckID, m.ConnectionID)
	}
	l.messages = append(l.messages, m)
}

func (l *standInLink) ack(id int64, connectionID string) {
	if l.service.noAck {
		return
	}
	status := svcproto.AckOK
	if l.clients[connectionID] == nil {
		status = svcproto.AckNotFound
	}
	go l.write(&svcproto.Ack{AckID: id, Status: status})
}

func (l *standInLink) write(m svcproto.Message) { _, _ = l.conn.Write(m.Append(nil)) }

// open announces a client and its JSON handshake, and waits for the answer.
func (l *standInLink) open(m *svcproto.OpenConnection) *standInClient {
	c := l.announce(m)
	protocol := m.Protocol
	if protocol == "" {
		protocol = "json"
	}
	c.send(`{"protocol":"` + protocol + `","version":1}` + "\x1e")
	return c
}

// announce opens a client and sends nothing for it.
func (l *standInLink) announce(m *svcproto.OpenConnection) *standInClient {
	c := &standInClient{link: l, id: m.ConnectionID}
	l.mu.Lock()
	l.clients[c.id] = c
	l.mu.Unlock()
	l.write(m)
	return c
}

// send sends bytes of the client, and waits until the app server has done what it does about them.
func (c *standInClient) send(data string) {
	c.link.write(&svcproto.ConnectionData{ConnectionID: []byte(c.id), Payload: []byte(data)})
	synctest.Wait()
}

// received takes what was sent to the client since the last call.
func (c *standInClient) received() string {
	synctest.Wait()
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	text := c.out.String()
	c.out.Reset()
	return text
}

// ended reports whether the app server closed the client.
func (c *standInClient) ended() bool {
	synctest.Wait()
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	return c.closed != nil
}

// sent takes what the app server sent that was not data for a client or a ping.
func (l *standInLink) sent() []svcproto.Message {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	messages := slices.DeleteFunc(l.messages, func(m svcproto.Message) bool { return m.Type() == svcproto.TypePing })
	l.messages = nil
	return messages
}

// pings are the pings of the app server that hold a key; "" for the keep-alive.
func (l *standInLink) pings(key string) []string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	var values []string
	for _, m := range l.messages {
		if p, ok := m.(*svcproto.Ping); ok {
			for _, v := range p.Values {
				if v.Key == key {
					values = append(values, v.Value)
				}
			}
		}
	}
	return values
}

// bench is an app with one hub, connected to a stand-in, inside of a synctest bubble.
type bench struct {
	t       *testing.T
	app     *App
	hub     *Hub
	service *standIn
	stop    context.CancelFunc
	done    chan error
}

// newBench starts the app and waits until it is connected.
func newBench(t *testing.T, receiver any, hubOptions HubOptions, options Options) *bench {
	t.Helper()
	b := prepareBench(t, receiver, hubOptions, options)
	b.start()
	if err := b.app.WaitConnected(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func prepareBench(t *testing.T, receiver any, hubOptions HubOptions, options Options) *bench {
	t.Helper()
	if options.ServerConnections == 0 {
		options.ServerConnections = 1
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	app, err := New(testConnectionString, options)
	if err != nil {
		t.Fatal(err)
	}
	hub, err := app.Handle("test", receiver, hubOptions)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, app: app, hub: hub, service: &standIn{t: t}, done: make(chan error, 1)}
	app.dial = b.service.dial
	return b
}

func (b *bench) start() {
	ctx, stop := context.WithCancel(context.Background())
	b.stop = stop
	go func() { b.done <- b.app.Run(ctx) }()
	b.t.Cleanup(func() {
		stop()
		if err := <-b.done; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	})
}

// attemptTimes are when the app server dialled.
func (s *standIn) attemptTimes() []time.Time {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.attempts)
}

// linkCount is how many server connections there have been.
func (s *standIn) linkCount() int {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.links)
}

// link is server connection number i, in the order in which they came.
func (b *bench) link(i int) *standInLink {
	b.t.Helper()
	synctest.Wait()
	b.service.mu.Lock()
	defer b.service.mu.Unlock()
	if len(b.service.links) <= i {
		b.t.Fatalf("there are %d server connections, not %d", len(b.service.links), i+1)
	}
	return b.service.links[i]
}

// json opens a JSON client and checks the handshake.
func (b *bench) json(id string) *standInClient {
	b.t.Helper()
	c := b.link(0).open(&svcproto.OpenConnection{ConnectionID: id, Protocol: "json"})
	if got := c.received(); got != "{}\x1e" {
		b.t.Fatalf("answer to the handshake: %q", got)
	}
	return c
}

// want checks what the client received; the records are without 0x1e.
func (c *standInClient) want(records ...string) {
	c.link.service.t.Helper()
	want := ""
	for _, r := range records {
		want += r + "\x1e"
	}
	if got := c.received(); got != want {
		c.link.service.t.Errorf("client %s received\n %q, want\n %q", c.id, got, want)
	}
}

// testWriter logs to the test.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

var _ io.Writer = testWriter{}

var errRefused = errors.New("refused")
