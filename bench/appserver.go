package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/hubgate/hubgate/internal/svcproto"
)

// appServer is an app server that greets its clients and echoes what they say. It does no more than that, so that what is measured is the service.
type appServer struct {
	links   []*link
	clients atomic.Int64 // that have been greeted
}

type link struct {
	app  *appServer
	conn net.Conn
	in   *bufio.Reader

	mu  sync.Mutex
	out []byte
}

func openAppServer(s *service, connections int) (*appServer, error) {
	token, err := s.token("/server/")
	if err != nil {
		return nil, err
	}
	a := new(appServer)
	for i := range connections {
		conn, in, err := upgrade(s, fmt.Sprintf("/server/?hub=%s&cid=bench-%d", hubName, i), token, "X-ASRS-Server-Id: bench\r\n")
		if err != nil {
			a.close()
			return nil, fmt.Errorf("a server connection: %w", err)
		}
		l := &link{app: a, conn: conn, in: bufio.NewReaderSize(in, 64<<10)}
		a.links = append(a.links, l)
		if err := l.send(&svcproto.HandshakeRequest{Version: 1}); err != nil {
			a.close()
			return nil, err
		}
		greeted := make(chan error, 1)
		go l.read(greeted)
		if err := <-greeted; err != nil {
			a.close()
			return nil, err
		}
	}
	return a, nil
}

func (a *appServer) close() {
	for _, l := range a.links {
		_ = l.conn.Close()
	}
}

func (l *link) send(m svcproto.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(m.Append(nil))
}

// write sends service protocol frames; mu is held.
func (l *link) write(frames []byte) error {
	l.out = appendFrame(l.out[:0], opBinary, frames)
	_, err := l.conn.Write(l.out)
	return err
}

// read answers the service until the link ends.
func (l *link) read(greeted chan<- error) {
	var buf, stream, answers []byte
	var data svcproto.ConnectionData
	for {
		payload, opcode, err := readFrame(l.in, buf[:0])
		if err != nil || opcode != opBinary {
			select {
			case greeted <- fmt.Errorf("a server connection ended: %w", errors.Join(err, errors.New("it was not greeted"))):
			default:
			}
			return
		}
		buf = payload
		stream = append(stream, payload...)
		rest := stream
		answers = answers[:0]
		for {
			body, size, _, err := svcproto.Split(rest, len(rest))
			if err != nil || size == 0 {
				break
			}
			rest = rest[size:]
			t, err := svcproto.TypeOf(body)
			if err != nil {
				continue
			}
			switch t {
			case svcproto.TypeHandshakeResponse:
				var m svcproto.HandshakeResponse
				err := m.Decode(body)
				if err == nil && m.Error != "" {
					err = errors.New(m.Error)
				}
				greeted <- err
			case svcproto.TypePing: // as the SDKs do, which have no clock of their own
				answers = new(svcproto.Ping).Append(answers)
			case svcproto.TypeConnectionData:
				if data.Decode(body) != nil {
					continue
				}
				if data.DataMessageType == svcproto.DataMessageTypeHandshake {
					data.Payload, data.DataMessageType = []byte("{}\x1e"), svcproto.DataMessageTypeUnknown
					l.app.clients.Add(1)
				}
				answers = data.Append(answers)
			}
		}
		stream = append(stream[:0], rest...)
		if len(answers) > 0 {
			l.mu.Lock()
			err := l.write(answers)
			l.mu.Unlock()
			if err != nil {
				return
			}
		}
	}
}
