package appserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// stream is the byte stream under a server connection.
type stream interface {
	// Read reads some bytes, at least one unless there is an error.
	Read(ctx context.Context, into []byte) (int, error)
	// Write writes all of p.
	Write(ctx context.Context, p []byte) error
	// Close ends the stream properly, or as after an internal error.
	Close(properly bool)
}

// dialFunc opens a stream to the service.
type dialFunc func(ctx context.Context, url string, header http.Header) (stream, error)

// closeTimeout bounds the closing handshake of a WebSocket.
const closeTimeout = 5 * time.Second

// webSocketDialer opens WebSockets. The borders of their messages mean nothing in the service protocol.
func webSocketDialer(client *http.Client) dialFunc {
	return func(ctx context.Context, url string, header http.Header) (stream, error) {
		conn, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: client, HTTPHeader: header})
		if err != nil {
			if response != nil && response.StatusCode == http.StatusUnauthorized {
				return nil, errors.New("the service refused the token of the app server with status 401; is the AccessKey of the connection string one of its keys?")
			}
			if response != nil && response.StatusCode != http.StatusSwitchingProtocols {
				return nil, fmt.Errorf("the service answered with status %d", response.StatusCode)
			}
			return nil, err
		}
		conn.SetReadLimit(-1) // A frame of the service protocol has a limit of its own; messages may hold many of them.
		return &webSocketStream{conn: conn}, nil
	}
}

// webSocketStream is a stream over a WebSocket.
type webSocketStream struct {
	conn    *websocket.Conn
	message io.Reader // what is left of the message that is being read
}

func (s *webSocketStream) Read(ctx context.Context, into []byte) (int, error) {
	for {
		if s.message == nil {
			_, message, err := s.conn.Reader(ctx)
			if err != nil {
				return 0, err
			}
			s.message = message
		}
		n, err := s.message.Read(into)
		if errors.Is(err, io.EOF) {
			s.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (s *webSocketStream) Write(ctx context.Context, p []byte) error {
	return s.conn.Write(ctx, websocket.MessageBinary, p)
}

func (s *webSocketStream) Close(properly bool) {
	code := websocket.StatusNormalClosure
	if !properly {
		code = websocket.StatusInternalError
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.conn.Close(code, "")
	}()
	select {
	case <-done:
	case <-time.After(closeTimeout):
		_ = s.conn.CloseNow()
		<-done
	}
}

var _ stream = (*webSocketStream)(nil)
