//go:build unix

package transport

import (
	"testing"

	"github.com/hubgate/hubgate/internal/testkit"
)

// A connection that is idle holds no buffer.
func TestSocketHoldsNoBufferWhileIdle(t *testing.T) {
	t.Parallel()
	server, client := pair(t, false)
	s := NewSocket(server)
	var in Buffer
	waits := make(chan bool, 1)
	// The poller's own function tells what it leaves behind when there is nothing to read.
	read := s.poll.onRead
	s.poll.onRead = func(fd uintptr) bool {
		done := read(fd)
		if !done {
			select {
			case waits <- in.data == nil:
			default:
			}
		}
		return done
	}
	filled := make(chan error, 1)
	go func() { filled <- s.Fill(&in) }()
	if !testkit.Receive(t, waits, "the wait for bytes") {
		t.Error("a buffer is held while nothing comes")
	}
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := testkit.Receive(t, filled, "the read"); err != nil || string(in.Bytes()) != "x" {
		t.Errorf("got %q, error %v", in.Bytes(), err)
	}
	in.Use(1)
	in.Release()
}

// Looking whether something has come neither waits nor holds a buffer.
func TestSocketQuiet(t *testing.T) {
	t.Parallel()
	server, client := pair(t, false)
	s := NewSocket(server)
	var in Buffer
	if quiet, err := s.Quiet(&in); !quiet || err != nil || in.data != nil {
		t.Errorf("with nothing to read: quiet %t, error %v, buffer of %d bytes", quiet, err, len(in.data))
	}
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for {
		quiet, err := s.Quiet(&in)
		if err != nil {
			t.Fatal(err)
		}
		if !quiet {
			break
		}
	}
	if string(in.Bytes()) != "x" {
		t.Errorf("got %q", in.Bytes())
	}
	in.Use(1)
	_ = client.Close()
	for {
		if quiet, err := s.Quiet(&in); err != nil {
			if quiet {
				t.Error("the end of the stream is quiet")
			}
			break
		}
	}
	in.Release()
}
