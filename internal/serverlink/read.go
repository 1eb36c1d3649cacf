package serverlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/telemetry"
	"github.com/hubgate/hubgate/internal/transport/websocket"
)

// reader takes the link's stream apart: WebSocket messages mean nothing here, their payloads are one stream of frames
// (service protocol §5.1).
type reader struct {
	raw    []byte // memory for reading
	r, w   int    // what of raw is filled and not used
	stream []byte // the beginning of a frame that is not whole yet

	header   ws.Header
	left     int64 // bytes of the WebSocket frame's payload still to come
	offset   int64
	fragment bool // a fragmented WebSocket message is open
}

const readBuffer = 64 << 10

// run reads until the link is over, and then cleans up after it.
func (l *Link) run(rest []byte) {
	l.in.raw = make([]byte, readBuffer)
	l.in.w = copy(l.in.raw, rest)
	_ = l.socket.Conn().SetReadDeadline(time.Now().Add(l.server.Limits.HandshakeTimeout))
	err := l.read(l.greet)
	if err == nil {
		_ = l.socket.Conn().SetReadDeadline(time.Time{})
		stop := make(chan struct{})
		go l.keepAlive(stop)
		l.trace("ConnectionStarted", telemetry.Informational, "")
		if l.kind != svcproto.ConnectionWeak {
			l.hub.AddLink(l)
			if l.server.serverless.Load() { // since it was greeted
				l.end(ws.StatusPolicyViolation, textServerless)
			}
		}
		l.release()
		if err = l.frames(nil, l.dispatch); err == nil {
			err = l.read(l.dispatch)
		}
		close(stop)
	}
	l.hub.RemoveLink(l)
	carried := l.endClients() // first: an app server that is told what it did wrong may take its time
	if p, ok := errors.AsType[*protocolError](err); ok {
		l.complain(p)
	}
	l.cut(errLinkOver)
	carried += l.endClients() // those that were on their way here
	l.keys.end()
	log := l.server.Logger.Info
	if err != nil && !errors.Is(err, errPeerClosed) {
		log = l.server.Logger.Warn
	}
	log("server connection ended", "hub", l.hub.Name, "server", l.serverID, "connection", l.id, "clients", carried, "reason", err)
	if err != nil && errors.Is(err, errPeerClosed) {
		l.trace("ConnectionEnded", telemetry.Informational, err.Error())
	} else {
		l.trace("ConnectionAborted", telemetry.Warning, fmt.Sprint(err))
	}
}

// endClients ends, or moves, the clients that the link carries, and returns how many those were.
func (l *Link) endClients() int {
	all := l.hub.ClientsOf(l)
	for _, c := range all {
		c.Receiver.LinkLost(&l.batch)
	}
	l.batch.Flush()
	return len(all)
}

var (
	errPeerClosed = errors.New("the app server closed it")
	errGreeted    = errors.New("greeted") // ends reading after the handshake
)

// protocolError is a message that cannot be understood; the app server is told of it before the link ends.
type protocolError struct{ text string }

func (e *protocolError) Error() string { return e.text }

// complain says what was wrong, in the service protocol and in the close frame, and waits a moment for the peer to read it.
func (l *Link) complain(p *protocolError) {
	_ = l.Send(&svcproto.ServiceError{Error: p.text})
	text := p.text
	if len(text) > 120 { // with its code, a close frame holds 125 bytes
		text = strings.ToValidUTF8(text[:120], "")
	}
	l.end(ws.StatusProtocolError, text)
	_, _ = io.CopyN(io.Discard, l.socket.Conn(), 1<<20)
}

// read hands every whole frame to handle until handle or the stream ends.
func (l *Link) read(handle func(body []byte) error) error {
	for {
		err := l.consume(handle)
		l.batch.Flush()
		if errors.Is(err, errGreeted) {
			return nil
		}
		if err != nil {
			return err
		}
		in := &l.in
		if in.r > 0 {
			in.w = copy(in.raw, in.raw[in.r:in.w])
			in.r = 0
		}
		n, err := l.socket.Conn().Read(in.raw[in.w:])
		if n > 0 {
			in.w += n
			l.lastRead.Store(time.Now().UnixNano())
			continue
		}
		if errors.Is(err, io.EOF) {
			return errors.New("the app server's connection was lost")
		}
		return err
	}
}

// consume works through what has been read.
func (l *Link) consume(handle func([]byte) error) error {
	in := &l.in
	for {
		if in.left == 0 {
			h, size, err := websocket.ParseHeader(in.raw[in.r:in.w])
			if err == nil && size > 0 {
				state := ws.StateServerSide
				if in.fragment {
					state |= ws.StateFragmented
				}
				err = ws.CheckHeader(h, state)
			}
			if err != nil {
				return &protocolError{"the WebSocket frame is malformed: " + err.Error()}
			}
			if size == 0 {
				return nil
			}
			if h.OpCode.IsControl() {
				if in.w-in.r < size+int(h.Length) {
					return nil
				}
				payload := in.raw[in.r+size : in.r+size+int(h.Length)]
				websocket.Unmask(payload, h.Mask, 0)
				in.r += size + int(h.Length)
				if err := l.wsControl(h, payload); err != nil {
					return err
				}
				continue
			}
			in.r += size
			in.header, in.left, in.offset, in.fragment = h, h.Length, 0, !h.Fin
			if h.Length == 0 {
				continue
			}
		}
		n := int(min(int64(in.w-in.r), in.left))
		if n == 0 {
			return nil
		}
		piece := in.raw[in.r : in.r+n]
		websocket.Unmask(piece, in.header.Mask, in.offset)
		in.r += n
		in.left -= int64(n)
		in.offset += int64(n)
		if err := l.frames(piece, handle); err != nil {
			return err
		}
	}
}

func (l *Link) wsControl(h ws.Header, payload []byte) error {
	switch h.OpCode {
	case ws.OpPing:
		l.pong(payload)
	case ws.OpClose:
		code := ws.StatusNormalClosure
		if len(payload) >= 2 {
			code = ws.StatusCode(binary.BigEndian.Uint16(payload))
		}
		l.end(ws.StatusNormalClosure, "")
		if code != ws.StatusNormalClosure {
			return fmt.Errorf("the app server closed it with code %d", code)
		}
		return errPeerClosed
	}
	return nil
}

// frames cuts service protocol frames off the stream. What is whole in piece is handled where it lies.
func (l *Link) frames(piece []byte, handle func([]byte) error) error {
	in := &l.in
	if len(in.stream) > 0 {
		in.stream = append(in.stream, piece...)
		piece = in.stream
	}
	for len(piece) > 0 {
		body, size, needed, err := svcproto.Split(piece, l.server.Limits.FrameBytes)
		if err != nil {
			return &protocolError{err.Error()}
		}
		if size == 0 { // the rest waits, with room for all of its frame so that it is not copied again and again
			if needed > cap(in.stream) {
				in.stream = make([]byte, 0, needed)
			}
			in.stream = append(in.stream[:0], piece...)
			return nil
		}
		piece = piece[size:]
		if err := handle(body); err != nil {
			in.stream = append(in.stream[:0], piece...) // what came behind a handshake is not lost
			return err
		}
	}
	in.stream = in.stream[:0]
	in.release()
	return nil
}

// release gives the memory of an unusually large frame back.
func (in *reader) release() {
	if cap(in.stream) > 1<<20 {
		in.stream = nil
	}
}
