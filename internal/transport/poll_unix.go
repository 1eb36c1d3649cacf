//go:build unix

package transport

import (
	"io"
	"net"
	"syscall"
)

// poller uses the stream's file descriptor through the runtime's own poller, so that deadlines and Close go on working.
type poller struct {
	raw syscall.RawConn

	// Owned by the goroutine that reads.
	in      *Buffer
	once    bool // do not wait
	readErr error
	onRead  func(fd uintptr) bool

	// Owned by the goroutine that writes.
	out      []byte
	wrote    int
	writeErr error
	onWrite  func(fd uintptr) bool
}

// init reports whether the stream can be polled.
func (p *poller) init(conn net.Conn) bool {
	sc, ok := conn.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	p.raw = raw
	p.onRead, p.onWrite = p.read, p.write // made once: a closure for each call would be garbage
	return true
}

// fill reads; once makes it return [errNothing] where it would wait.
func (p *poller) fill(b *Buffer, once bool) error {
	p.in, p.once, p.readErr = b, once, nil
	err := p.raw.Read(p.onRead)
	p.in = nil
	if err == nil {
		err = p.readErr
	}
	return err
}

// read is called when there may be something to read; false waits.
func (p *poller) read(fd uintptr) bool {
	b := p.in
	b.grab()
	for {
		n, err := syscall.Read(int(fd), b.data[b.w:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			b.idle()
			if !p.once {
				return false
			}
			p.readErr = errNothing
		case err != nil:
			p.readErr = err
		case n == 0:
			p.readErr = io.EOF
		default:
			b.w += n
		}
		return true
	}
}

func (p *poller) tryWrite(out []byte) (int, error) {
	p.out, p.wrote, p.writeErr = out, 0, nil
	err := p.raw.Write(p.onWrite)
	p.out = nil
	if err == nil {
		err = p.writeErr
	}
	return p.wrote, err
}

// write never waits: what does not go out now is left to a goroutine that may.
func (p *poller) write(fd uintptr) bool {
	for p.wrote < len(p.out) {
		n, err := syscall.Write(int(fd), p.out[p.wrote:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return true
		case err != nil:
			p.writeErr = err
			return true
		}
		p.wrote += n
	}
	return true
}
