package policy

import "context"

// sendOneWayRequest is the send-one-way-request policy (send-one-way-request-policy): nobody waits for the response.
type sendOneWayRequest struct{ call *callTemplate }

func newSendOneWayRequest(b *Builder) Policy { return &sendOneWayRequest{call: b.callTemplate()} }

// OneWay is a [Sender] that sends requests beside the one that runs.
type OneWay interface {
	// SendOneWay sends the request in the background within limits of its own. The error is why it was not even begun.
	SendOneWay(ctx context.Context, c *Call) error
}

// Run hands the request over. Whether it arrives is not known; a request that cannot be made fails the exchange.
func (s *sendOneWayRequest) Run(x *Exchange) (Outcome, error) {
	call, err := s.call.make(x)
	if err != nil {
		return End, err
	}
	sender, ok := s.call.runtime.Sender.(OneWay)
	if !ok {
		return Continue, nil
	}
	if err := sender.SendOneWay(context.WithoutCancel(x.Context), call); err != nil {
		s.call.runtime.warn(x, "a one-way request was not sent", err)
		x.trace("send-one-way-request", "error", "The request is not sent: "+err.Error())
	}
	return Continue, nil
}
