package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"bufio"

	"github.com/hubgate/hubgate/internal/transport/websocket"
)

// upgrade opens a WebSocket with as little as possible in this process: ten thousand clients share it with the measuring.
func upgrade(s *service, path, token string, headers ...string) (net.Conn, *bufio.Reader, error) {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return nil, nil, err
	}
	request := "GET " + path + " HTTP/1.1\r\nHost: " + s.address + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer " + token + "\r\n" + strings.Join(headers, "") + "\r\n"
	if _, err := conn.Write([]byte(request)); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	in := bufio.NewReaderSize(conn, 512)
	w, err := http.ReadResponse(in, nil)
	if err == nil && w.StatusCode != http.StatusSwitchingProtocols {
		err = fmt.Errorf("a WebSocket is refused with status %d", w.StatusCode)
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, in, nil
}

// appendFrame appends a frame of a client. Its mask is zero, which leaves the payload as it is.
func appendFrame(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	return append(append(dst, 0, 0, 0, 0), payload...)
}

const (
	opText   = 1
	opBinary = 2
)

// readFrame reads one frame of the service into buf and returns its payload.
func readFrame(in *bufio.Reader, buf []byte) (payload []byte, opcode byte, err error) {
	head, err := in.Peek(2)
	if err != nil {
		return nil, 0, err
	}
	length := 2
	switch head[1] & 0x7f {
	case 126:
		length = 4
	case 127:
		length = 10
	}
	if head, err = in.Peek(length); err != nil {
		return nil, 0, err
	}
	h, _, err := websocket.ParseHeader(head)
	if err != nil {
		return nil, 0, err
	}
	_, _ = in.Discard(length)
	if int64(cap(buf)) < h.Length {
		buf = make([]byte, h.Length)
	}
	buf = buf[:h.Length]
	_, err = io.ReadFull(in, buf)
	return buf, byte(h.OpCode), err
}
