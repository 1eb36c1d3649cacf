// Package resource holds the typed resources of both providers, Microsoft.SignalRService and
// Microsoft.ApiManagement: their ids, their fields, what makes them valid, and the kinds of error that
// everything above them speaks.
package resource

import (
	"errors"
	"fmt"
	"strings"
)

// Resource is one stored thing: a SignalR instance, an API, a policy document.
type Resource interface {
	// ResourceID is the id under which the resource is stored.
	ResourceID() ID
	// Validate reports the first thing that is wrong with the resource as an *Error of kind Invalid,
	// with the JSON path of the field as its target. It never changes the resource.
	Validate() error
}

// ID is an Azure Resource Manager id:
//
//	/subscriptions/{s}/resourceGroups/{g}/providers/{namespace}/{type}/{name}[/{type}/{name}…]
//
// Ids compare without regard to case (Azure Resource Manager, "Resource ID"), so use [ID.Key] and not == to look one up.
type ID string

// The place of resources that were made without one: on the command line or from a configuration file.
const (
	DefaultSubscription  = "00000000-0000-0000-0000-000000000000"
	DefaultResourceGroup = "hubgate"
)

// The two providers, as they stand in ids.
const (
	SignalRService = "Microsoft.SignalRService"
	ApiManagement  = "Microsoft.ApiManagement"
)

// NewID makes an id in the default subscription and resource group. The parts are pairs of type and name:
//
//	NewID(resource.SignalRService, "signalR", "ASRS1")
//	NewID(resource.ApiManagement, "service", "APIM1", "apis", "connect")
func NewID(provider string, typesAndNames ...string) ID {
	return NewIDIn(DefaultSubscription, DefaultResourceGroup, provider, typesAndNames...)
}

// NewIDIn is [NewID] with the subscription and the resource group stated.
func NewIDIn(subscription, group, provider string, typesAndNames ...string) ID {
	return ID("/subscriptions/" + subscription + "/resourceGroups/" + group + "/providers/" + provider + "/" + strings.Join(typesAndNames, "/"))
}

// Child is the id of a resource below id, given as pairs of type and name.
func (id ID) Child(typesAndNames ...string) ID {
	return id + "/" + ID(strings.Join(typesAndNames, "/"))
}

// Key is the id in the form in which two spellings of one id are equal.
func (id ID) Key() string { return strings.ToLower(string(id)) }

// Name is the last part of the id.
func (id ID) Name() string { return string(id[strings.LastIndexByte(string(id), '/')+1:]) }

// Parent is the id without its last type and name, or "" for a top-level resource.
func (id ID) Parent() ID {
	_, types, _ := id.split()
	if len(types) <= 2 {
		return ""
	}
	cut := len(types[len(types)-1]) + len(types[len(types)-2]) + 2
	return id[:len(id)-cut]
}

// Type is the full resource type, provider included: "Microsoft.ApiManagement/service/apis".
func (id ID) Type() string {
	provider, types, ok := id.split()
	if !ok {
		return ""
	}
	parts := []string{provider}
	for i := 0; i < len(types); i += 2 {
		parts = append(parts, types[i])
	}
	return strings.Join(parts, "/")
}

// Subscription and ResourceGroup are the place of the resource.
func (id ID) Subscription() string { return id.segment(2) }

// ResourceGroup is the name of the resource group in which the resource is.
func (id ID) ResourceGroup() string { return id.segment(4) }

func (id ID) segment(n int) string {
	parts := strings.Split(string(id), "/")
	if n >= len(parts) {
		return ""
	}
	return parts[n]
}

// split returns the provider and the pairs of type and name.
func (id ID) split() (provider string, typesAndNames []string, ok bool) {
	_, after, found := strings.Cut(string(id), "/providers/")
	if !found {
		return "", nil, false
	}
	parts := strings.Split(after, "/")
	if len(parts) < 3 || len(parts)%2 == 0 {
		return "", nil, false
	}
	return parts[0], parts[1:], true
}

// ErrorKind says what sort of thing went wrong; the edge of the system turns it into a status.
type ErrorKind string

// The kinds of error.
const (
	Invalid            ErrorKind = "Invalid"            // the resource itself is wrong: 400
	NotFound           ErrorKind = "NotFound"           // there is no such resource: 404
	Conflict           ErrorKind = "Conflict"           // it clashes with another resource: 409
	PreconditionFailed ErrorKind = "PreconditionFailed" // it is not at the stated revision: 412
	Unavailable        ErrorKind = "Unavailable"        // the store does not answer: 503
)

// Error is an error about a resource, with its place.
type Error struct {
	Kind    ErrorKind
	ID      ID     // the resource, when known
	Target  string // JSON path of the field, when one is to blame
	Message string // what is wrong and what to do about it; no secrets
	Err     error  // what caused it, if anything did
}

// Error is the message with its place in front.
func (e *Error) Error() string {
	var b strings.Builder
	if e.ID != "" {
		b.WriteString(e.ID.Name())
		b.WriteString(": ")
	}
	if e.Target != "" {
		b.WriteString(e.Target)
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap is what caused the error.
func (e *Error) Unwrap() error { return e.Err }

// Invalidf makes an error of kind [Invalid] about one field.
func Invalidf(id ID, target, format string, args ...any) *Error {
	return &Error{Kind: Invalid, ID: id, Target: target, Message: fmt.Sprintf(format, args...)}
}

// KindOf is the kind of the first *Error in err's chain, or "" when there is none.
func KindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}
