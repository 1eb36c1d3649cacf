package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// gRPC's own statuses for what breaks on the way (grpc/doc/statuscodes.md).
const (
	grpcDeadlineExceeded = "4"
	grpcUnavailable      = "14"
)

// breakGRPC ends a gRPC answer whose backend broke off: with a status in the trailer, for the code of a stream that net/http resets
// says "internal error" whatever the backend's was, and hides a deadline that has passed there a moment before the client's.
// It says false when the answer is none of gRPC's.
func (t *transaction) breakGRPC() bool {
	x := &t.x
	if x.Inbound.ProtoMajor < 2 || !strings.HasPrefix(x.Response.Header.Get("Content-Type"), "application/grpc") {
		return false
	}
	status, message := grpcUnavailable, "the backend's answer broke off"
	if timeout, ok := grpcTimeout(x.Inbound.Header.Get("Grpc-Timeout")); ok && time.Since(x.Start) >= timeout {
		status, message = grpcDeadlineExceeded, "the deadline has passed"
	}
	header := t.w.Header()
	header[http.TrailerPrefix+"Grpc-Status"] = []string{status}
	header[http.TrailerPrefix+"Grpc-Message"] = []string{message}
	return true
}

// grpcTimeout reads a header like 100m: at most eight digits and a unit (grpc/doc/PROTOCOL-HTTP2.md).
func grpcTimeout(text string) (time.Duration, bool) {
	if len(text) < 2 || len(text) > 9 {
		return 0, false
	}
	units := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}
	unit, ok := units[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 31)
	if !ok || err != nil {
		return 0, false
	}
	// The longest that fits is some 292 years, and what is longer never passes.
	if n > uint64((1<<63-1)/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
