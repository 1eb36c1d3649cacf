// Package websocket is the WebSocket transport: one small goroutine and no buffers for a connection while nothing moves.
package websocket

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/hubgate/hubgate/internal/transport"
)

// IsUpgrade reports whether r asks for a WebSocket.
func IsUpgrade(r *http.Request) bool {
	return hasToken(r.Header, "Connection", "upgrade") && hasToken(r.Header, "Upgrade", "websocket")
}

func hasToken(h http.Header, name, token string) bool {
	for _, v := range h.Values(name) {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// Upgrade answers the opening handshake (RFC 6455, section 4.2) and takes the stream over. rest holds bytes that the peer sent behind the
// request. Neither a subprotocol nor an extension is agreed on. When the request is not a proper one, it is answered and an error comes back.
//
// Headers that stand in w.Header() are part of the answer.
func Upgrade(w http.ResponseWriter, r *http.Request) (conn net.Conn, rest []byte, err error) {
	refuse := func(status int, text string) (net.Conn, []byte, error) {
		http.Error(w, text, status)
		return nil, nil, errors.New(text)
	}
	key := r.Header.Get("Sec-WebSocket-Key")
	switch {
	case r.Method != http.MethodGet:
		return refuse(http.StatusMethodNotAllowed, "a WebSocket is opened with GET")
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return refuse(http.StatusHTTPVersionNotSupported, "a WebSocket is opened over HTTP/1.1")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		w.Header().Set("Sec-WebSocket-Version", "13")
		return refuse(http.StatusUpgradeRequired, "only version 13 of the WebSocket protocol is spoken here")
	case len(key) != 24:
		return refuse(http.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64")
	}
	if h, ok := w.(transport.HeadWriter); ok {
		h.Head(http.StatusSwitchingProtocols)
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return refuse(http.StatusInternalServerError, "the connection cannot be taken over")
	}
	if n := buffered.Reader.Buffered(); n > 0 {
		if rest, err = buffered.Reader.Peek(n); err != nil {
			_ = conn.Close()
			return nil, nil, err
		}
		rest = append([]byte(nil), rest...)
	}
	if err = conn.SetDeadline(time.Time{}); err == nil {
		err = writeHead(conn, buffered.Writer, w.Header(), key)
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, fmt.Errorf("answering the upgrade: %w", err)
	}
	return conn, rest, nil
}

func writeHead(conn net.Conn, w *bufio.Writer, header http.Header, key string) error {
	w.Reset(conn)
	_, _ = w.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptKey(key) + "\r\n")
	for _, name := range []string{"Upgrade", "Connection", "Sec-Websocket-Accept", "Content-Length", "Content-Type", "Transfer-Encoding"} {
		header.Del(name)
	}
	_ = header.Write(w)
	_, _ = w.WriteString("\r\n")
	return w.Flush()
}

// Header is what stands in front of a frame's payload.
type Header = ws.Header

// errShort says that more bytes are needed.
var errShort = errors.New("the header is not whole yet")

// ParseHeader reads a frame header from the front of b; size is 0 when it is not whole yet.
func ParseHeader(b []byte) (h Header, size int, err error) {
	h, size, err = parseHeader(b)
	if errors.Is(err, errShort) {
		return Header{}, 0, nil
	}
	return h, size, err
}
