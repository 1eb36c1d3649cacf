package policy

import "net/http"

// sendRequest is the send-request policy (send-request-policy).
type sendRequest struct {
	call        *callTemplate
	variable    string
	ignoreError Value[bool]
	failStatus  bool
}

func newSendRequest(b *Builder) Policy {
	s := &sendRequest{call: b.callTemplate(), variable: b.Literal("response-variable-name", "", Required), ignoreError: b.Bool("ignore-error", false, 0)}
	b.Bool("buffer-response", true, LiteralOnly) // The response is held in memory in any case: a variable has it.
	fail := b.Bool("fail-on-error-status-code", false, LiteralOnly)
	s.failStatus, _ = fail.Known()
	return s
}

// Run sends the request and stores its response. What goes wrong fails the exchange, or leaves null in the variable.
func (s *sendRequest) Run(x *Exchange) (Outcome, error) {
	ignore, err := s.ignoreError.Get(x)
	if err != nil {
		return End, err
	}
	call, err := s.call.make(x)
	if err != nil {
		return End, err // A document that is wrong is no failure of the network.
	}
	response, err := s.call.send(x, call)
	if err == nil && s.failStatus && response.Status >= http.StatusBadRequest {
		err = &Failure{Status: http.StatusInternalServerError, Reason: "ErrorStatusCode", Message: "The request was answered with an error status code."}
	}
	if err != nil {
		if !ignore {
			return End, err
		}
		x.trace("send-request", "error", "The request failed, which is ignored: "+err.Error())
		x.SetVariable(s.variable, nil)
		return Continue, nil
	}
	x.SetVariable(s.variable, response)
	return Continue, nil
}
