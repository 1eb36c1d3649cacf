package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// webSockets is the transport whose messages are measured as well.
const webSockets = "WebSockets"

// clientTransport opens one client that has shaken hands; its goroutine and everything else in this process may cost what it likes.
type clientTransport struct {
	name string
	open func(ctx context.Context, s *service, token string) (*client, error)
}

var transports = []clientTransport{
	{webSockets, openWebSocket}, {"ServerSentEvents", openEvents}, {"LongPolling", openPolling},
}

// client is one client. Until its reader is started it is quiet.
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

// crowd is many clients.
type crowd struct {
	clients []*client
	bytes   atomic.Int64 // read by all of them
	readers sync.WaitGroup
	echoes  []chan struct{} // of the first clients: gets a value for each read while an echo is measured
}

const hello = `{"protocol":"json","version":1}` + "\x1e"

// connect opens clients, some at a time.
func connect(ctx context.Context, s *service, app *appServer, t clientTransport, count int) (*crowd, error) {
	token, err := s.token("/client/")
	if err != nil {
		return nil, err
	}
	c := &crowd{clients: make([]*client, count)}
	const parallel = 32
	var next, done atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for range parallel {
		all.Go(func() {
			for failed.Load() == nil && ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				one, err := t.open(ctx, s, token)
				if err != nil {
					err = fmt.Errorf("client %d: %w", i, err)
					failed.CompareAndSwap(nil, &err)
					return
				}
				c.clients[i] = one
				done.Add(1)
			}
		})
	}
	all.Wait()
	s.client.CloseIdleConnections() // those that negotiated and posted are no clients
	if err := failed.Load(); err != nil {
		c.close()
		return nil, *err
	}
	if err := ctx.Err(); err != nil {
		c.close()
		return nil, err
	}
	for app.clients.Load() < int64(count) {
		time.Sleep(time.Millisecond)
	}
	if t.name == webSockets {
		c.echoes = make([]chan struct{}, min(echoClients, count))
		for i := range c.echoes {
			c.echoes[i] = make(chan struct{}, 1)
		}
		for i, one := range c.clients {
			c.readers.Go(func() { c.read(i, one) })
		}
	}
	return c, nil
}

// read counts what comes.
func (c *crowd) read(i int, one *client) {
	buf := make([]byte, 4<<10)
	for {
		n, err := one.in.Read(buf)
		if err != nil {
			return
		}
		c.bytes.Add(int64(n))
		if i < len(c.echoes) {
			select {
			case c.echoes[i] <- struct{}{}:
			default:
			}
		}
	}
}

func (c *crowd) close() {
	for _, one := range c.clients {
		if one != nil {
			_ = one.conn.Close()
		}
	}
	c.readers.Wait()
}

func openWebSocket(_ context.Context, s *service, token string) (*client, error) {
	conn, in, err := upgrade(s, "/client/?hub="+hubName, token)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(appendFrame(nil, opText, []byte(hello))); err != nil {
		_ = conn.Close()
		return nil, err
	}
	answer, _, err := readFrame(in, nil)
	if err == nil && string(answer) != "{}\x1e" {
		err = fmt.Errorf("the handshake was answered with %q", answer)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &client{conn, in}, nil
}

// negotiate gets a connection's path.
func negotiate(ctx context.Context, s *service, token string) (path string, err error) {
	body, err := request(ctx, s, "/client/negotiate?negotiateVersion=1&hub="+hubName, token, "")
	if err != nil {
		return "", err
	}
	var answer struct {
		ConnectionToken string `json:"connectionToken"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", err
	}
	return "/client/?hub=" + hubName + "&id=" + answer.ConnectionToken, nil
}

// request makes a POST.
func request(ctx context.Context, s *service, path, token, body string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	w, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Body.Close() }()
	b, err := io.ReadAll(w.Body)
	if err == nil && w.StatusCode != http.StatusOK {
		err = fmt.Errorf("a POST got status %d: %s", w.StatusCode, b)
	}
	return b, err
}

// get sends a GET on a connection of its own.
func get(conn net.Conn, s *service, path, token, accept string) error {
	_, err := conn.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: " + s.address + "\r\nAccept: " + accept + "\r\nAuthorization: Bearer " + token + "\r\n\r\n"))
	return err
}

func openEvents(ctx context.Context, s *service, token string) (*client, error) {
	return open(ctx, s, token, func(conn net.Conn, in *bufio.Reader, path string) error {
		if err := get(conn, s, path, token, "text/event-stream"); err != nil {
			return err
		}
		if err := readUntil(in, []byte(":\r\n")); err != nil {
			return err
		}
		if _, err := request(ctx, s, path, token, hello); err != nil {
			return err
		}
		return readUntil(in, []byte("data: {}\x1e\r\n\r\n"))
	})
}

func openPolling(ctx context.Context, s *service, token string) (*client, error) {
	return open(ctx, s, token, func(conn net.Conn, in *bufio.Reader, path string) error {
		poll := func() error { return get(conn, s, path, token, "*/*") }
		if err := poll(); err != nil {
			return err
		}
		if err := readUntil(in, []byte("\r\n\r\n")); err != nil {
			return err
		}
		if _, err := request(ctx, s, path, token, hello); err != nil {
			return err
		}
		if err := poll(); err != nil {
			return err
		}
		if err := readUntil(in, []byte("{}\x1e")); err != nil {
			return err
		}
		return poll() // this one is held
	})
}

// open gives a client of a transport over HTTP a stream of its own.
func open(ctx context.Context, s *service, token string, f func(net.Conn, *bufio.Reader, string) error) (*client, error) {
	path, err := negotiate(ctx, s, token)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(conn, 512)
	if err := f(conn, in, path); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return &client{conn, in}, nil
}

// readUntil reads up to the end of what is expected.
func readUntil(in *bufio.Reader, end []byte) error {
	var got []byte
	for !bytes.HasSuffix(got, end) {
		b, err := in.ReadByte()
		if err != nil {
			return fmt.Errorf("after %q: %w", got, errors.Join(err, io.ErrUnexpectedEOF))
		}
		if got = append(got, b); len(got) > 4<<10 {
			return fmt.Errorf("%q is not in the answer %q", end, got)
		}
	}
	return nil
}
