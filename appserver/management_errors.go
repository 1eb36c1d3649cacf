package appserver

import (
	"fmt"
	"net/http"
)

// ServiceErrorKind is what is wrong with a request to the service, in the kinds of the .NET Management SDK.
type ServiceErrorKind int

const (
	// RuntimeError is any other status than those below: StatusCode tells which.
	RuntimeError ServiceErrorKind = iota
	// InvalidArgument is status 400, or a name that cannot be sent.
	InvalidArgument
	// UnauthorizedRequest is status 401: the access key or the endpoint of the connection string is not the service's.
	UnauthorizedRequest
	// InaccessibleEndpoint is status 404: there is no SignalR service under the endpoint, or one that is too old for the call.
	InaccessibleEndpoint
	// NoAnswer is a request that had no answer; the error wraps what happened.
	NoAnswer
)

// String is the kind in words.
func (k ServiceErrorKind) String() string {
	switch k {
	case InvalidArgument:
		return "an argument is invalid"
	case UnauthorizedRequest:
		return "the request is not authorized; is the AccessKey of the connection string one of the service's keys?"
	case InaccessibleEndpoint:
		return "the endpoint of the connection string does not have this operation"
	case NoAnswer:
		return "the service did not answer"
	}
	return "the service could not do it"
}

// ServiceError is the error of a call of a ServiceManager over Transient.
type ServiceError struct {
	// Kind is what is wrong.
	Kind ServiceErrorKind
	// Operation is what was asked for: method and path, without the query.
	Operation string
	// StatusCode is the HTTP status, 0 when there was no answer.
	StatusCode int
	// Code is the service's own name of the error (x-ms-error-code), where it gave one.
	Code string
	// Message is what the service says about an invalid argument, or why a name cannot be sent.
	Message string
	// Err is what happened to a request without an answer.
	Err error
}

// Error says all of it.
func (e *ServiceError) Error() string {
	text := e.Operation + ": " + e.Kind.String()
	if e.StatusCode != 0 {
		text += fmt.Sprintf(": status %d %s", e.StatusCode, http.StatusText(e.StatusCode))
	}
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap is Err.
func (e *ServiceError) Unwrap() error { return e.Err }

// kindOf is the kind of a status that is no success.
func kindOf(status int) ServiceErrorKind {
	switch status {
	case http.StatusBadRequest:
		return InvalidArgument
	case http.StatusUnauthorized:
		return UnauthorizedRequest
	case http.StatusNotFound:
		return InaccessibleEndpoint
	}
	return RuntimeError
}
