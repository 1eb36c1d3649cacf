package policy

import (
	"math"
	"net/http"
	"time"
)

// DefaultForwardTimeout is how long a backend has for the head of its response (forward-request-policy).
const DefaultForwardTimeout = 300 * time.Second

// forwardRequest is the forward-request policy.
type forwardRequest struct {
	options         ForwardOptions // what does not depend on the request
	timeout         Value[int]     // in unit
	unit            time.Duration
	followRedirects Value[bool]
}

func newForwardRequest(b *Builder) Policy {
	f := &forwardRequest{unit: time.Second, followRedirects: b.Bool("follow-redirects", false, 0)}
	if b.Has("timeout") && b.Has("timeout-ms") {
		b.Errorf("The attributes 'timeout' and 'timeout-ms' exclude each other")
	}
	f.timeout = b.Int("timeout", 0, 1, math.MaxInt32, 0)
	if milliseconds := b.Int("timeout-ms", 0, 1, math.MaxInt32, 0); milliseconds.IsSet() {
		f.timeout, f.unit = milliseconds, time.Millisecond
	}
	version := b.OneOf("http-version", LiteralOnly, "1", "2or1", "2")
	f.options.HTTPVersion, _ = version.Known()
	f.options.DefaultHTTPVersion = !version.IsSet()
	bufferRequest := b.Bool("buffer-request-body", false, LiteralOnly)
	f.options.BufferRequestBody, _ = bufferRequest.Known()
	fail := b.Bool("fail-on-error-status-code", false, LiteralOnly)
	f.options.FailOnErrorStatus, _ = fail.Known()
	if buffer := b.Bool("buffer-response", true, LiteralOnly); buffer.IsSet() {
		f.options.BufferResponse = BufferOff
		if on, _ := buffer.Known(); on {
			f.options.BufferResponse = BufferOn
		}
	}
	return f
}

// Run sends the request to the backend.
func (f *forwardRequest) Run(x *Exchange) (Outcome, error) {
	o := &f.options
	if f.timeout.IsSet() || f.followRedirects.IsSet() {
		// The options of this request differ from the statement's.
		own := f.options
		n, err := f.timeout.Get(x)
		if err != nil {
			return End, err
		}
		own.Timeout = time.Duration(n) * f.unit
		if own.FollowRedirects, err = f.followRedirects.Get(x); err != nil {
			return End, err
		}
		o = &own
	}
	if o.BufferRequestBody {
		if err := x.Request.Body.Buffer(); err != nil {
			return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonClientConnectionFailure, Message: "The request's body could not be read.", Err: err}
		}
	}
	if x.Forwarder == nil {
		return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonBackendConnectionFailure, Message: "There is no way to a backend."}
	}
	if err := x.Forwarder.Forward(x, o); err != nil {
		return End, err
	}
	if x.completed {
		return Continue, nil
	}
	return Continue, o.checkStatus(x)
}

// checkStatus is the failure that fail-on-error-status-code makes of the response, or nil.
func (o *ForwardOptions) checkStatus(x *Exchange) error {
	if o.FailOnErrorStatus && x.Response.Status >= 400 && x.Response.Status <= 599 {
		return KeepResponse(x.Response.Status, "ErrorStatusCode", "The backend answered with an error status code.")
	}
	return nil
}

// CompleteForward is [Exchange.Complete] for a forwarder that writes the response itself: the head has been received.
func (x *Exchange) CompleteForward(o *ForwardOptions) {
	err := o.checkStatus(x)
	if err != nil {
		x.noteError(x.current, asFailure(err))
	}
	x.Complete(err)
}
