package transport

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/message"
)

// WriteTimeout is how long a peer may take to accept one piece of output; ASP.NET Core's TransportSendTimeout.
const WriteTimeout = 10 * time.Second

// Socket reads a stream without holding a buffer while nothing comes, and writes to it without waiting, where the
// system can do that; elsewhere (TLS in this process) it reads into a small buffer and leaves writing to a goroutine.
//
// One goroutine reads, one at a time writes.
type Socket struct {
	conn  net.Conn
	polls bool // whether poll is of use
	poll  poller
}

// NewSocket wraps an accepted stream.
func NewSocket(conn net.Conn) *Socket {
	s := new(Socket)
	s.Init(conn)
	return s
}

// Init makes a Socket that is part of something larger what [NewSocket] returns. The Socket must stay where it is from then on.
func (s *Socket) Init(conn net.Conn) {
	s.conn = conn
	s.polls = s.poll.init(conn)
}

// Conn is the stream itself, for deadlines and closing.
func (s *Socket) Conn() net.Conn { return s.conn }

// Buffer holds bytes that were read and not yet used. It has memory only while it holds some.
type Buffer struct {
	Large bool // ask for a large piece of memory the next time

	data []byte
	r, w int
}

const (
	smallBuffer = 4 << 10
	largeBuffer = 32 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// Bytes are those that were read and not yet used.
func (b *Buffer) Bytes() []byte { return b.data[b.r:b.w] }

// Use marks the first n of them as used.
func (b *Buffer) Use(n int) {
	b.r += n
	if b.r == b.w {
		b.r, b.w = 0, 0
	}
}

// Preload adds bytes that came before the socket was read, and returns how many of p there was room for.
func (b *Buffer) Preload(p []byte) int {
	b.grab()
	n := copy(b.data[b.w:], p)
	b.w += n
	return n
}

// Release gives the memory back; unused bytes are lost.
func (b *Buffer) Release() {
	switch len(b.data) {
	case smallBuffer:
		smallBuffers.Put((*[smallBuffer]byte)(b.data))
	case largeBuffer:
		largeBuffers.Put((*[largeBuffer]byte)(b.data))
	}
	b.data, b.r, b.w = nil, 0, 0
}

// grab makes sure that there is room.
func (b *Buffer) grab() {
	if b.data == nil {
		if b.Large {
			b.data = largeBuffers.Get().(*[largeBuffer]byte)[:]
		} else {
			b.data = smallBuffers.Get().(*[smallBuffer]byte)[:]
		}
		return
	}
	if b.r > 0 { // a few bytes of a header, at most
		b.w = copy(b.data, b.data[b.r:b.w])
		b.r = 0
	}
}

// idle gives the memory back when no byte is in it.
func (b *Buffer) idle() {
	if b.r == b.w {
		b.Release()
	}
}

// Fill waits for bytes and adds them to b. At the end of the stream it returns io.EOF.
func (s *Socket) Fill(b *Buffer) error {
	if b.r == b.w && b.Large && len(b.data) == smallBuffer {
		b.Release()
	}
	if s.polls {
		return s.poll.fill(b, false)
	}
	b.grab()
	n, err := s.conn.Read(b.data[b.w:])
	b.w += n
	if n > 0 {
		return nil
	}
	return err
}

// errNothing says that there is nothing to read.
var errNothing = errors.New("nothing has come")

// Polls reports whether the system lets this stream be used without waiting.
func (s *Socket) Polls() bool { return s.polls }

// Quiet looks whether there is anything to read, and adds it to b; true means that there is not. It is for streams that [Socket.Polls].
func (s *Socket) Quiet(b *Buffer) (bool, error) {
	err := s.poll.fill(b, true)
	if errors.Is(err, errNothing) {
		return true, nil
	}
	return false, err
}

// TryWrite writes what goes out without waiting. n < len(p) without an error means that the peer has to read first.
func (s *Socket) TryWrite(p []byte) (n int, err error) {
	if !s.polls {
		return 0, nil
	}
	return s.poll.tryWrite(p)
}

// Write writes all of p, waiting for the peer at most [WriteTimeout] for each 64 KiB.
func (s *Socket) Write(p []byte) error {
	defer func() { _ = s.conn.SetWriteDeadline(time.Time{}) }()
	for len(p) > 0 {
		piece := p[:min(len(p), 64<<10)]
		if err := s.conn.SetWriteDeadline(time.Now().Add(WriteTimeout)); err != nil {
			return err
		}
		if _, err := s.conn.Write(piece); err != nil {
			return err
		}
		p = p[len(piece):]
	}
	return nil
}

// Form picks what of a message a transport writes.
type Form func(*message.Message) []byte

// joined is how many bytes of small messages leave in one write.
const joined = 64 << 10

var joinBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

// Drain writes what waits in q until nothing does, in as few writes as possible. When the peer has to read first it returns the rest as
// late, which the caller must give to [Socket.DrainLate] on another goroutine; the queue stays scheduled meanwhile.
// ended says that the queue is empty and has ended.
func (s *Socket) Drain(q *Queue, form Form) (late [][]byte, ended bool, err error) {
	var run Run
	for {
		n, end := q.Take(&run)
		if n == 0 {
			return nil, end, nil
		}
		late, err = s.writeRun(run[:n], form)
		clear(run[:n])
		if late != nil || err != nil {
			return late, false, err
		}
	}
}

func (s *Socket) writeRun(run []*message.Message, form Form) (late [][]byte, err error) {
	if len(run) == 1 {
		return s.tryAll(form(run[0]), nil, form)
	}
	buf := joinBuffers.Get().(*[]byte)
	defer func() {
		if cap(*buf) <= joined {
			*buf = (*buf)[:0]
			joinBuffers.Put(buf)
		}
	}()
	for i, m := range run {
		b := form(m)
		if len(*buf) > 0 && len(*buf)+len(b) > joined {
			if late, err = s.tryAll(*buf, run[i:], form); late != nil || err != nil {
				return late, err
			}
			*buf = (*buf)[:0]
		}
		if len(b) >= joined {
			if late, err = s.tryAll(b, run[i+1:], form); late != nil || err != nil {
				return late, err
			}
			continue
		}
		*buf = append(*buf, b...)
	}
	return s.tryAll(*buf, nil, form)
}

// tryAll writes b; what is left of it and of the messages behind it comes back as copies.
func (s *Socket) tryAll(b []byte, behind []*message.Message, form Form) (late [][]byte, err error) {
	n, err := s.TryWrite(b)
	if err != nil || n == len(b) {
		return nil, err
	}
	late = append(late, append([]byte(nil), b[n:]...))
	for _, m := range behind {
		late = append(late, form(m))
	}
	return late, nil
}

// DrainLate writes late and then goes on as [Socket.Drain] does, waiting for the peer. It returns nil once the queue
// is empty, and whether it has ended.
func (s *Socket) DrainLate(late [][]byte, q *Queue, form Form) (ended bool, err error) {
	for {
		for _, b := range late {
			if err := s.Write(b); err != nil {
				return false, err
			}
		}
		late, ended, err = s.Drain(q, form)
		if late == nil {
			return ended, err
		}
	}
}
