package policy

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// The reasons of failures that come from more than one place (api-management-error-handling-policies, "Predefined errors").
const (
	ReasonOperationNotFound        = "OperationNotFound"
	ReasonKeyNotFound              = "SubscriptionKeyNotFound"
	ReasonKeyInvalid               = "SubscriptionKeyInvalid"
	ReasonClientConnectionFailure  = "ClientConnectionFailure"
	ReasonBackendConnectionFailure = "BackendConnectionFailure"
	ReasonExpressionFailure        = "ExpressionValueEvaluationFailure"
	ReasonTimeout                  = "Timeout"
)

// Failure ends the section that runs and starts the on-error section.
type Failure struct {
	Status    int
	Public    string // the message in the response's body; "" means Internal server error with the request's id
	Source    string // "" means the policy that failed
	Reason    string
	Message   string // context.LastError.Message
	Header    http.Header
	Err       error // what caused it; logged, never shown to the client
	keepsHead bool  // the response that there is stays
}

// Error is the message with its cause.
func (f *Failure) Error() string {
	text := f.Reason
	if f.Message != "" {
		text += ": " + f.Message
	}
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text
}

// Unwrap is the cause.
func (f *Failure) Unwrap() error { return f.Err }

// KeepResponse makes a failure whose pending response is the one that the backend gave.
func KeepResponse(status int, reason, message string) *Failure {
	return &Failure{Status: status, Reason: reason, Message: message, keepsHead: true}
}

// asFailure turns any error into a failure: those that are none already become an internal server error.
func asFailure(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	reason := "InternalError"
	if errors.Is(err, context.Canceled) {
		reason = ReasonClientConnectionFailure
	}
	return &Failure{Status: http.StatusInternalServerError, Reason: reason, Message: err.Error(), Err: err}
}

// ErrorBody is the body of an error response as the gateway of API Management writes it, spaces included.
func ErrorBody(status int, message, activityID string) []byte {
	text, err := json.Marshal(message)
	if err != nil { // A string always marshals.
		text = []byte(`""`)
	}
	b := append([]byte(`{ "statusCode": `), strconv.Itoa(status)...)
	b = append(b, `, "message": `...)
	b = append(b, text...)
	if activityID != "" {
		b = append(append(append(b, `, "activityId": "`...), activityID...), '"')
	}
	return append(b, " }"...)
}

// respondFailure makes the response of a failure the pending one.
func (x *Exchange) respondFailure(f *Failure) {
	if f.keepsHead && x.HasResponse() {
		return
	}
	x.Respond(f.Status)
	x.Response.Header["Content-Type"] = []string{"application/json"}
	for name, values := range f.Header {
		x.Response.Header[name] = values
	}
	public, activity := f.Public, ""
	switch {
	case public != "":
	case f.Status == http.StatusInternalServerError:
		public, activity = "Internal server error", x.RequestID()
	default:
		public = http.StatusText(f.Status)
	}
	x.Response.Body.Set(ErrorBody(f.Status, public, activity))
}
