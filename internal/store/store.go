// Package store keeps resources: revisioned, watchable, and durable when a write is acknowledged.
package store

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// AnyRevision as the expected revision of a write says that the write does not depend on what is stored.
const AnyRevision uint64 = math.MaxUint64

// The largest id and the largest value that a store takes, in bytes. An API's OpenAPI document or schema is the largest
// value that Azure's own management plane allows, at 4 MiB.
const (
	MaxIDLength    = 1024
	MaxValueLength = 4 << 20
)

// Record is one resource as it is stored.
type Record struct {
	ID       resource.ID // spelled as it was when the record was made
	Kind     string      // the resource type, like "Microsoft.SignalRService/signalR"; "" for an id without a provider
	Value    []byte      // JSON; shared by all readers, so it must not be changed
	Revision uint64      // grows with every write to the store; two records never have the same one
}

// Event is one step of a watch.
type Event struct {
	// Record is what was written. For a deletion it has the id, the kind and the revision of the deletion.
	Record Record
	// Deleted says that the record is gone.
	Deleted bool
	// Synced marks the end of the records that were there when the watch began; such an event has no record.
	Synced bool
}

// Store keeps records by id. Ids are equal without regard to case. All methods may be called at the same time, and a
// read that starts after a write of the same store has returned sees that write.
//
// Errors about a record are *resource.Error: NotFound, Conflict, PreconditionFailed, Invalid for an id or value that
// cannot be stored, and Unavailable when the store does not answer or is closed.
type Store interface {
	// Get returns the record under id, or an error of kind NotFound.
	Get(ctx context.Context, id resource.ID) (Record, error)

	// List returns the record under prefix and all records below it, sorted by [resource.ID.Key]; "" lists everything.
	// A prefix ends at a part of an id: "…/apis/a" does not list "…/apis/ab".
	List(ctx context.Context, prefix resource.ID) ([]Record, error)

	// Put writes value under id and returns the new revision once the write is durable. With ifRevision [AnyRevision] it
	// creates or replaces; with 0 it creates, and the error is Conflict when there is a record; with another value
	// it replaces the record of exactly that revision, and the error is PreconditionFailed when there is none.
	// Put keeps no reference to value.
	Put(ctx context.Context, id resource.ID, value []byte, ifRevision uint64) (revision uint64, err error)

	// Delete removes the record under id once it is durably gone. The error is NotFound when there is none, and PreconditionFailed when
	// ifRevision is neither [AnyRevision] nor the record's revision.
	Delete(ctx context.Context, id resource.ID, ifRevision uint64) error

	// Watch sends the records that List(prefix) would return, then one event with Synced, then every change in order, until ctx ends or
	// the store closes; then it closes the channel. A slow reader holds up nobody and loses nothing. (Where several nodes share a store,
	// one of two changes that different nodes make to a record at nearly the same time may be left out, but never the last one.)
	Watch(ctx context.Context, prefix resource.ID) (<-chan Event, error)

	// Close ends all watches and releases what the store holds. Later calls fail with Unavailable; closing again does nothing.
	Close() error
}

// CheckID reports as an error of kind Invalid why id cannot be the id of a record.
func CheckID(id resource.ID) error {
	switch {
	case len(id) > MaxIDLength:
		return &resource.Error{Kind: resource.Invalid, Target: "id", Message: fmt.Sprintf("an id has at most %d bytes; this one has %d", MaxIDLength, len(id))}
	case !strings.HasPrefix(string(id), "/"):
		return &resource.Error{Kind: resource.Invalid, Target: "id", Message: fmt.Sprintf("%q must begin with a slash, like /subscriptions/…", id)}
	case strings.HasSuffix(string(id), "/") || strings.Contains(string(id), "//"):
		return &resource.Error{Kind: resource.Invalid, Target: "id", Message: fmt.Sprintf("%q has an empty part", id)}
	case strings.ContainsFunc(string(id), func(r rune) bool { return r < ' ' || r == 0x7f }):
		return &resource.Error{Kind: resource.Invalid, Target: "id", Message: fmt.Sprintf("%q has a control character", id)}
	}
	return nil
}

// CheckPrefix is [CheckID] for the prefix of a list or a watch, which may be "".
func CheckPrefix(prefix resource.ID) error {
	if prefix == "" {
		return nil
	}
	return CheckID(prefix)
}

// CheckPut reports as an error of kind Invalid why value cannot be stored under id.
func CheckPut(id resource.ID, value []byte) error {
	if err := CheckID(id); err != nil {
		return err
	}
	if len(value) > MaxValueLength {
		return &resource.Error{Kind: resource.Invalid, ID: id, Message: fmt.Sprintf("a stored resource has at most %d bytes of JSON; this one has %d", MaxValueLength, len(value))}
	}
	return nil
}

// NotFound is the error about a record that is not there.
func NotFound(id resource.ID) *resource.Error {
	return &resource.Error{Kind: resource.NotFound, ID: id, Message: "there is no such resource"}
}

// Conflict is the error of a creation where there is a record already.
func Conflict(id resource.ID) *resource.Error {
	return &resource.Error{Kind: resource.Conflict, ID: id, Message: "the resource exists already"}
}

// PreconditionFailed is the error of a write that expects another revision than the stored one.
func PreconditionFailed(id resource.ID, ifRevision uint64) *resource.Error {
	return &resource.Error{Kind: resource.PreconditionFailed, ID: id, Message: fmt.Sprintf("the resource is not at revision %d; read it again and repeat the change", ifRevision)}
}

// Unavailable is the error of a store that does not answer or is closed; cause may be nil.
func Unavailable(id resource.ID, cause error) *resource.Error {
	return &resource.Error{Kind: resource.Unavailable, ID: id, Message: "the resource store does not answer", Err: cause}
}
