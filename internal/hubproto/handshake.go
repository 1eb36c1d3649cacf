package hubproto

import (
	"fmt"
	"strconv"
)

// MaxHandshakeBytes bounds a handshake record, its separator included. ASP.NET Core leaves a client that sent more
// without an end unanswered until the time for the handshake is up, so a reader drops what lies above the bound, and
// goes on waiting for that time.
const MaxHandshakeBytes = 32 << 10

// MaxVersion is the highest version of a hub protocol that is spoken: 2 is 1 with stateful reconnect.
const MaxVersion = 2

// Error texts of the handshake response, as ASP.NET Core words them.
const (
	// HandshakeFailed answers a record that is no handshake request.
	HandshakeFailed = "An unexpected error occurred during connection handshake."
	// HandshakeCanceled answers a client that sent no whole handshake request in time.
	HandshakeCanceled = "Handshake was canceled."
)

// UnsupportedProtocol is the error text for a hub protocol that the hub does not speak.
func UnsupportedProtocol(protocol string) string {
	return "The protocol '" + protocol + "' is not supported."
}

// UnsupportedVersion is the error text for a version above MaxVersion.
func UnsupportedVersion(protocol string, version int) string {
	return "The server does not support version " + strconv.Itoa(version) + " of the '" + protocol + "' protocol."
}

// UnsupportedTransferFormat is the error text for a binary hub protocol on a transport that carries text alone.
func UnsupportedTransferFormat(protocol string) string {
	return "Cannot use the '" + protocol + "' protocol on the current transport. The transport does not support 'Binary' transfer format."
}

// HandshakeRequest is the first record of a client.
type HandshakeRequest struct {
	// Protocol is the name of the hub protocol as the client wrote it; see ProtocolFor.
	Protocol string
	// Version is the version of the hub protocol that the client wants to speak.
	Version int
}

// ParseHandshakeRequest reads a record that SplitRecord returned. As in ASP.NET Core both fields must be there and of
// their kind, in any order, and others are passed over; the protocol and the version are not judged. Every error is
// answered with HandshakeFailed.
func ParseHandshakeRequest(record []byte) (HandshakeRequest, error) {
	var request HandshakeRequest
	if len(record) >= MaxHandshakeBytes {
		return request, malformed("the handshake request is longer than %d bytes", MaxHandshakeBytes)
	}
	o, err := openObject(record)
	if err != nil {
		return request, fmt.Errorf("handshake request: %w", err)
	}
	var hasProtocol, hasVersion bool
	for o.next() {
		switch string(o.name) {
		case "protocol":
			request.Protocol, hasProtocol = o.string(), true
		case "version":
			if o.null() { // The same as if it were absent.
				hasVersion = false
				continue
			}
			request.Version, hasVersion = int(o.int(32)), true
		default:
			o.skip()
		}
	}
	switch {
	case o.err != nil:
		return HandshakeRequest{}, fmt.Errorf("handshake request: %w", o.err)
	case !hasProtocol:
		return HandshakeRequest{}, malformed(`handshake request: "protocol" is missing`)
	case !hasVersion:
		return HandshakeRequest{}, malformed(`handshake request: "version" is missing`)
	}
	return request, nil
}

// AppendHandshakeRequest appends r as a record, in the exact form that the official clients send.
func AppendHandshakeRequest(dst []byte, r HandshakeRequest) []byte {
	dst = append(dst, `{"protocol":`...)
	dst = appendString(dst, r.Protocol)
	dst = append(dst, `,"version":`...)
	dst = strconv.AppendInt(dst, int64(r.Version), 10)
	return append(dst, '}', recordSeparator)
}

// AppendHandshakeResponse appends a handshake response as a record: a success when errorText is empty.
func AppendHandshakeResponse(dst []byte, errorText string) []byte {
	if errorText == "" {
		return append(dst, '{', '}', recordSeparator)
	}
	dst = append(dst, `{"error":`...)
	dst = appendString(dst, errorText)
	return append(dst, '}', recordSeparator)
}

// ParseHandshakeResponse reads a record that SplitRecord returned. errorText is empty for a success. A record with a
// "type" is a hub message, which a server must not send before its handshake response.
func ParseHandshakeResponse(record []byte) (errorText string, err error) {
	o, err := openObject(record)
	if err != nil {
		return "", fmt.Errorf("handshake response: %w", err)
	}
	for o.next() {
		switch string(o.name) {
		case "error":
			errorText = o.string()
		case "type":
			return "", malformed("handshake response: got a hub message in its place")
		default:
			o.skip()
		}
	}
	if o.err != nil {
		return "", fmt.Errorf("handshake response: %w", o.err)
	}
	return errorText, nil
}
