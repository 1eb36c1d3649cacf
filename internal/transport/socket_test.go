package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/testkit"
)

// pair is two ends of a real TCP connection on the loopback. A small buffer for sending makes a reader slow soon.
func pair(t testing.TB, small bool) (server, client *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			accepted <- c
		}
		close(accepted)
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := testkit.Receive(t, accepted, "the accepted connection")
	server, client = s.(*net.TCPConn), c.(*net.TCPConn)
	t.Cleanup(func() { _, _ = server.Close(), client.Close() })
	if small {
		_ = server.SetWriteBuffer(8 << 10)
	}
	return server, client
}

// opaque hides what kind of stream it is, as a TLS stream would.
type opaque struct{ net.Conn }

// eachSocket runs f over a socket that can be polled and one that cannot.
func eachSocket(t *testing.T, small bool, f func(t *testing.T, s *Socket, peer *net.TCPConn)) {
	t.Run("polled", func(t *testing.T) {
		t.Parallel()
		server, client := pair(t, small)
		s := NewSocket(server)
		if !s.polls {
			t.Skip("this system's streams cannot be polled")
		}
		f(t, s, client)
	})
	t.Run("not polled", func(t *testing.T) {
		t.Parallel()
		server, client := pair(t, small)
		f(t, NewSocket(opaque{server}), client)
	})
}

func payload(m *message.Message) []byte { return m.Payload() }

func TestSocketFill(t *testing.T) {
	t.Parallel()
	eachSocket(t, false, func(t *testing.T, s *Socket, peer *net.TCPConn) {
		sent := bytes.Repeat([]byte("0123456789"), 20_000)
		go func() {
			_, _ = peer.Write(sent)
			_ = peer.CloseWrite()
		}()
		var in Buffer
		var got []byte
		for {
			err := s.Fill(&in)
			got = append(got, in.Bytes()...)
			in.Use(len(in.Bytes()))
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatalf("the end of the stream is %v", err)
				}
				break
			}
			in.Large = len(got) > 5000
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("%d of %d bytes came, or they differ", len(got), len(sent))
		}
	})
}

func TestSocketFillKeepsWhatWasNotUsed(t *testing.T) {
	t.Parallel()
	eachSocket(t, false, func(t *testing.T, s *Socket, peer *net.TCPConn) {
		var in Buffer
		write := func(text string) {
			if _, err := peer.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		write("abcdef")
		for len(in.Bytes()) < 6 {
			if err := s.Fill(&in); err != nil {
				t.Fatal(err)
			}
		}
		in.Use(4)
		write("ghi")
		for len(in.Bytes()) < 5 {
			if err := s.Fill(&in); err != nil {
				t.Fatal(err)
			}
		}
		if got := string(in.Bytes()); got != "efghi" {
			t.Errorf("got %q", got)
		}
	})
}

func TestBufferPreload(t *testing.T) {
	t.Parallel()
	rest := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	var in Buffer
	var got []byte
	for left := rest; len(left) > 0; {
		n := in.Preload(left)
		if n == 0 {
			t.Fatal("there is no room though almost all was used")
		}
		left = left[n:]
		keep := 7 // a header that is not whole stays in front
		if len(left) == 0 {
			keep = 0
		}
		used := len(in.Bytes()) - keep
		got = append(got, in.Bytes()[:used]...)
		in.Use(used)
	}
	if !bytes.Equal(got, rest) {
		t.Errorf("%d of %d bytes came, or they differ", len(got), len(rest))
	}
	in.Release()
}

// drainAll does what a transport does: it drains, late on another goroutine, until the queue is empty.
func drainAll(s *Socket, q *Queue) chan error {
	done := make(chan error, 1)
	late, _, err := s.Drain(q, payload)
	if late == nil {
		done <- err
		return done
	}
	go func() {
		_, err := s.DrainLate(late, q, payload)
		done <- err
	}()
	return done
}

func TestSocketDrain(t *testing.T) {
	t.Parallel()
	sizes := map[string][]int{
		"one":                        {10},
		"a few":                      {1, 2, 3, 4},
		"many small":                 many(1000, 100),
		"joined just so":             {joined - 10, 9, 1, 1},
		"large ones":                 {joined, joined + 1, 10, 3 * joined, 10},
		"small ones around a large":  {10, 10, 200_000, 10, 10},
		"more than a run, and large": append(many(40, 20_000), 500_000, 1),
	}
	for name, list := range sizes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachSocket(t, true, func(t *testing.T, s *Socket, peer *net.TCPConn) {
				q := newQueue(noLimit)
				var want []byte
				for i, n := range list {
					p := bytes.Repeat([]byte{byte(i), byte(i >> 8), 'x'}, n/3+1)[:n]
					want = append(want, p...)
					if _, err := q.Push(message.New(p, true)); err != nil {
						t.Fatal(err)
					}
				}
				done := drainAll(s, q)
				got := make([]byte, len(want))
				_ = peer.SetReadDeadline(time.Now().Add(testkit.Patience))
				if _, err := io.ReadFull(peer, got); err != nil {
					t.Fatal(err)
				}
				if err := testkit.Receive(t, done, "the end of the drain"); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Error("what came differs from what was sent")
				}
				if q.Bytes() != 0 || q.Scheduled() {
					t.Errorf("%d bytes are left, scheduled %t", q.Bytes(), q.Scheduled())
				}
			})
		})
	}
}

func many(count, size int) []int {
	all := make([]int, count)
	for i := range all {
		all[i] = size
	}
	return all
}

// What does not go out at once is left to another goroutine, and what is pushed meanwhile follows in order.
func TestSocketSlowReader(t *testing.T) {
	t.Parallel()
	eachSocket(t, true, func(t *testing.T, s *Socket, peer *net.TCPConn) {
		q := newQueue(noLimit)
		big := bytes.Repeat([]byte("b"), 4<<20)
		if _, err := q.Push(message.New(big, true)); err != nil {
			t.Fatal(err)
		}
		late, _, err := s.Drain(q, payload)
		if err != nil || len(late) == 0 {
			t.Fatalf("%d MiB went into small buffers at once: late %d, error %v", len(big)>>20, len(late), err)
		}
		if !q.Scheduled() {
			t.Error("the queue is no longer scheduled though something is left")
		}
		if push(t, q, "meanwhile") {
			t.Error("a second goroutine would be told to write")
		}
		done := make(chan error, 1)
		go func() {
			_, err := s.DrainLate(late, q, payload)
			done <- err
		}()
		push(t, q, " and more")
		got, err := io.ReadAll(io.LimitReader(peer, int64(len(big)+len("meanwhile and more"))))
		if err != nil {
			t.Fatal(err)
		}
		if want := string(big) + "meanwhile and more"; string(got) != want {
			t.Errorf("%d bytes came, want %d, or they differ", len(got), len(want))
		}
		if err := testkit.Receive(t, done, "the end of the drain"); err != nil {
			t.Error(err)
		}
	})
}

// expired is a stream whose writes all run into their deadline: waiting for a real one would take the 10 s that a peer has.
type expired struct {
	net.Conn
	deadlines []time.Time
}

func (e *expired) SetWriteDeadline(at time.Time) error {
	e.deadlines = append(e.deadlines, at)
	if !at.IsZero() {
		at = time.Now().Add(-time.Second)
	}
	return e.Conn.SetWriteDeadline(at)
}

func TestSocketWriteTimeout(t *testing.T) {
	t.Parallel()
	server, _ := pair(t, true)
	e := &expired{Conn: server}
	s := NewSocket(e)
	before := time.Now()
	err := s.Write(make([]byte, 1<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v, want the deadline", err)
	}
	if len(e.deadlines) != 2 || e.deadlines[0].Before(before.Add(WriteTimeout)) || !e.deadlines[1].IsZero() {
		t.Errorf("deadlines %v: want one at least %s away, and then none, so that later writes have their own", e.deadlines, WriteTimeout)
	}
}

func TestSocketDrainError(t *testing.T) {
	t.Parallel()
	eachSocket(t, true, func(t *testing.T, s *Socket, peer *net.TCPConn) {
		_ = s.Conn().Close()
		q := newQueue(noLimit)
		push(t, q, "x")
		if err := testkit.Receive(t, drainAll(s, q), "the end of the drain"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
		if err := s.Fill(new(Buffer)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("reading: got %v", err)
		}
	})
}

func TestSocketDrainEnded(t *testing.T) {
	t.Parallel()
	server, _ := pair(t, false)
	s := NewSocket(server)
	q := newQueue(noLimit)
	push(t, q, "x")
	if _, ended, _ := s.Drain(q, payload); ended && s.polls {
		t.Error("it has ended before the end")
	}
	q.End(text("y"))
	late, ended, err := s.Drain(q, payload)
	if late != nil {
		ended, err = s.DrainLate(late, q, payload)
	}
	if !ended || err != nil {
		t.Errorf("ended %t, error %v", ended, err)
	}
}

func TestSocketAllocations(t *testing.T) { // not parallel: it counts the allocations of the process
	if raceEnabled {
		t.Skip("allocations cannot be counted under the race detector")
	}
	server, client := pair(t, false)
	s := NewSocket(server)
	if !s.polls {
		t.Skip("this system's streams cannot be polled")
	}
	m := text("hello")
	q := newQueue(noLimit)
	got := make([]byte, 64)
	for _, burst := range []int{1, 5} {
		if n := testing.AllocsPerRun(200, func() {
			for range burst {
				_, _ = q.Push(m)
			}
			_, _, _ = s.Drain(q, payload)
			_, _ = io.ReadFull(client, got[:5*burst])
		}); n >= 1 {
			t.Errorf("writing %d messages: %v allocations", burst, n)
		}
	}
	var in Buffer
	if n := testing.AllocsPerRun(200, func() {
		_, _ = client.Write(got[:5])
		_ = s.Fill(&in)
		in.Use(len(in.Bytes()))
		in.Release()
	}); n >= 1 {
		t.Errorf("reading: %v allocations", n)
	}
}

func BenchmarkSocketDrain(b *testing.B) {
	for _, burst := range []int{1, 16} {
		b.Run(fmt.Sprintf("burst=%d", burst), func(b *testing.B) {
			server, client := pair(b, false)
			go func() { _, _ = io.Copy(io.Discard, client) }()
			s := NewSocket(server)
			q := newQueue(noLimit)
			m := message.New(make([]byte, 128), true)
			b.ReportAllocs()
			for b.Loop() {
				for range burst {
					_, _ = q.Push(m)
				}
				if late, _, err := s.Drain(q, payload); err != nil {
					b.Fatal(err)
				} else if late != nil {
					if _, err := s.DrainLate(late, q, payload); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(burst), "ns/message")
		})
	}
}
