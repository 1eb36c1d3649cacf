package proxy

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// memoryConn is a connection without a network: it gives the same bytes as often as it is told, and takes any.
type memoryConn struct {
	net.Conn
	chunk  []byte
	left   int
	closed chan struct{}
}

func (c *memoryConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		if c.chunk == nil {
			<-c.closed
		}
		return 0, io.EOF
	}
	c.left--
	return copy(p, c.chunk), nil
}

func (c *memoryConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }

func (c *memoryConn) Close() error {
	close(c.closed)
	return nil
}

// BenchmarkRelay is what the relay itself does for each read, without the network: 7 to 9 us go into the system calls.
func BenchmarkRelay(b *testing.B) {
	frame := func(size int) []byte {
		return ws.MustCompileFrame(ws.MaskFrameWith(ws.NewTextFrame(bytes.Repeat([]byte("x"), size)), [4]byte{1, 2, 3, 4}))
	}
	for _, c := range []struct {
		name  string
		chunk []byte
	}{{"one small frame", frame(128)}, {"fifty frames", bytes.Repeat(frame(150), 50)}, {"one large frame", frame(8<<10 - 8)}} {
		b.Run(c.name, func(b *testing.B) {
			p := New(Options{})
			place, err := p.Reserve()
			if err != nil {
				b.Fatal(err)
			}
			client := &memoryConn{chunk: c.chunk, left: b.N, closed: make(chan struct{})}
			backend := &memoryConn{closed: make(chan struct{})}
			b.ReportAllocs()
			b.ResetTimer()
			place.Relay(client, nil, backend)
		})
	}
}
