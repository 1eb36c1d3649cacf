package appserver

import (
	"errors"
	"fmt"
)

// HubError is an error whose message the client is meant to read, as HubException is in .NET. A hub method that returns one
// fails the invocation with that message; Client.Invoke gives one when the client answered with an error.
type HubError struct {
	Message string
}

// Error is the message.
func (e *HubError) Error() string { return e.Message }

// HubErrorf makes a HubError with a formatted message.
func HubErrorf(format string, args ...any) error { return &HubError{fmt.Sprintf(format, args...)} }

var (
	// ErrUnauthorized refuses a user. Returned by a hub method it tells the client that the user is unauthorized; returned
	// by HubOptions.Authenticate it answers the negotiate request with status 401.
	ErrUnauthorized = errors.New("the user is unauthorized")

	// ErrNotConnected means that there is no server connection to the service at the moment.
	ErrNotConnected = errors.New("no server connection to the service is up")

	// ErrNotFound means that the service knows no such connection.
	ErrNotFound = errors.New("no such connection")

	// ErrAckTimeout means that the service did not confirm a request within ten seconds.
	ErrAckTimeout = errors.New("the service did not confirm the request in time")

	// ErrClientDisconnected means that the client went before it answered an invocation.
	ErrClientDisconnected = errors.New("the client disconnected before it answered")

	// ErrEntraUnsupported is the error of App.Run for a connection string without an access key.
	ErrEntraUnsupported = errors.New("the connection string asks for a Microsoft Entra ID credential, which this package does not support; use one with an AccessKey")
)

// errInOnConnected refuses client results before the client's messages are read, for its answer would never be.
var errInOnConnected = &HubError{"Client results inside OnConnectedAsync Hub methods are not allowed."}

// invalidDataError is a fault of what a client sent, in the words of ASP.NET Core. Its text reaches the client with detailed
// errors only.
type invalidDataError string

func (e invalidDataError) Error() string { return string(e) }

// errorText is what a client is told about err: base, and behind it the details that it may see.
func errorText(base string, err error, detailed bool) string {
	var hubError *HubError
	if errors.As(err, &hubError) {
		return base + " HubException: " + hubError.Message
	}
	if !detailed {
		return base
	}
	var invalid invalidDataError
	if errors.As(err, &invalid) {
		return base + " InvalidDataException: " + string(invalid)
	}
	return base + " " + err.Error()
}

// The texts of ASP.NET Core that clients see; %s is the target as the client wrote it.
const (
	textInvokeFailed      = "An unexpected error occurred invoking '%s' on the server."
	textBindFailed        = "Failed to invoke '%s' due to an error on the server."
	textUnauthorized      = "Failed to invoke '%s' because user is unauthorized"
	textStreamingOnly     = "The client attempted to invoke the streaming '%s' method with a non-streaming invocation."
	textNotStreaming      = "The client attempted to invoke the non-streaming '%s' method with a streaming invocation."
	textNoStream          = "The value returned by the streaming method '%s' is not a ChannelReader<> or IAsyncEnumerable<>."
	textStreamFailed      = "An error occurred on the server while streaming results."
	textInvocationInUse   = "Invocation ID '%s' is already in use."
	textStreamCount       = "Client sent %d stream(s), Hub method expects %d."
	textArgumentCount     = "Invocation provides %d argument(s) but target expects %d."
	textArgumentType      = "Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."
	textNoMethod          = "Method does not exist."
	textMessageTooLarge   = "The maximum message size of %dB was exceeded. The message size can be configured in AddHubOptions."
	textClientTimeout     = "Client hasn't sent a message/ping within the configured ClientTimeoutInterval."
	textBufferExceeded    = "The client sent %d bytes that the hub has not come to yet; the limit is %d."
	textStreamNoID        = "Stream invocation must have an 'invocationId'."
	textUnexpectedMessage = "Received unexpected message of type %s."
)
