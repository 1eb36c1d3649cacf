package proxy

import (
	"io"
	"net/http"
	"sync"
)

// smallBuffers and largeBuffers hold parts of bodies on their way. A stream that is flushed at once trickles, and keeps its buffer for long.
var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, 4<<10); return &b }}
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}
)

// ReadError is an error of the backend's body, after the head has gone to the client.
type ReadError struct{ Err error }

// Error is the cause.
func (e *ReadError) Error() string { return "the backend's body broke off: " + e.Err.Error() }

// Unwrap is the cause.
func (e *ReadError) Unwrap() error { return e.Err }

// Stream copies a body to the client. With flush each part goes out at once, the head before the first one. An error of the
// body is a *[ReadError], any other is the client's.
func Stream(w http.ResponseWriter, body io.Reader, flush bool) (total int64, err error) {
	pool := &largeBuffers
	var controller *http.ResponseController
	if flush {
		pool = &smallBuffers
		controller = http.NewResponseController(w)
		if err := controller.Flush(); err != nil {
			return 0, err
		}
	}
	buf := pool.Get().(*[]byte)
	defer func() { pool.Put(buf) }()
	for {
		n, err := body.Read(*buf)
		if n > 0 {
			if _, err := w.Write((*buf)[:n]); err != nil {
				return total, err
			}
			total += int64(n)
			if flush {
				if err := controller.Flush(); err != nil {
					return total, err
				}
				if n == len(*buf) && pool == &smallBuffers {
					pool.Put(buf)
					pool = &largeBuffers
					buf = pool.Get().(*[]byte)
				}
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, &ReadError{err}
		}
	}
}
