package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/hubgate/hubgate/internal/resource"
)

// Codec turns records into resources by a table from resource type to constructor. It is immutable after [NewCodec].
type Codec struct {
	constructors map[string]func() resource.Resource // by resource type in lower case
}

// NewCodec makes a codec. The table's keys are resource types as [resource.ID.Type] gives them, without regard to case; each
// constructor returns a pointer to an empty resource.
func NewCodec(table map[string]func() resource.Resource) *Codec {
	c := &Codec{constructors: make(map[string]func() resource.Resource, len(table))}
	for kind, constructor := range table {
		c.constructors[strings.ToLower(kind)] = constructor
	}
	return c
}

// Kinds are the resource types that the codec knows, in lower case and sorted.
func (c *Codec) Kinds() []string {
	kinds := make([]string, 0, len(c.constructors))
	for kind := range c.constructors {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}

// Decode makes the resource of one record. The error is of kind Invalid when the codec does not know its type or the value is
// not of that type.
func (c *Codec) Decode(r Record) (resource.Resource, error) {
	constructor, ok := c.constructors[strings.ToLower(r.Kind)]
	if !ok {
		return nil, &resource.Error{Kind: resource.Invalid, ID: r.ID, Message: fmt.Sprintf("no resource type %q is known here", r.Kind)}
	}
	res := constructor()
	if err := decode(r, res); err != nil {
		return nil, err
	}
	return res, nil
}

// DecodeAll makes the resources of those records whose type the codec knows, in their order; other types are somebody else's and are left out.
// When values do not decode, it returns the resources that do together with one joined error for the rest.
func (c *Codec) DecodeAll(records []Record) ([]resource.Resource, error) {
	resources := make([]resource.Resource, 0, len(records))
	var errs []error
	for _, r := range records {
		if _, ok := c.constructors[strings.ToLower(r.Kind)]; !ok {
			continue
		}
		res, err := c.Decode(r)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		resources = append(resources, res)
	}
	return resources, errors.Join(errs...)
}

// pointer is the pointer to T as a resource: methods of resources have pointer receivers.
type pointer[T any] interface {
	*T
	resource.Resource
}

// Get reads one resource and its revision: Get[resource.SignalR](ctx, s, id).
func Get[T any, P pointer[T]](ctx context.Context, s Store, id resource.ID) (P, uint64, error) {
	r, err := s.Get(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	res := P(new(T))
	if err := decode(r, res); err != nil {
		return nil, 0, err
	}
	return res, r.Revision, nil
}

// Put validates a resource and writes it under its own id; ifRevision is as in [Store.Put].
func Put(ctx context.Context, s Store, res resource.Resource, ifRevision uint64) (revision uint64, err error) {
	value, err := encode(res)
	if err != nil {
		return 0, err
	}
	return s.Put(ctx, res.ResourceID(), value, ifRevision)
}

// Apply creates or replaces resources, those above before those below, and returns the ids of the ones that it had to write: a resource
// that is stored already in the same form keeps its revision. All are validated before the first is written.
func Apply(ctx context.Context, s Store, resources []resource.Resource) (written []resource.ID, err error) {
	type change struct {
		id    resource.ID
		value []byte
	}
	changes := make([]change, 0, len(resources))
	var errs []error
	for _, res := range resources {
		value, err := encode(res)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		changes = append(changes, change{res.ResourceID(), value})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	slices.SortStableFunc(changes, func(a, b change) int {
		return strings.Count(string(a.id), "/") - strings.Count(string(b.id), "/")
	})
	for _, c := range changes {
		stored, err := s.Get(ctx, c.id)
		if err == nil && slices.Equal(stored.Value, c.value) {
			continue
		}
		if err != nil && resource.KindOf(err) != resource.NotFound {
			return written, err
		}
		if _, err := s.Put(ctx, c.id, c.value, AnyRevision); err != nil {
			return written, err
		}
		written = append(written, c.id)
	}
	return written, nil
}

// encode validates a resource and returns its stored form, which is the same for equal resources.
func encode(res resource.Resource) ([]byte, error) {
	if err := res.Validate(); err != nil {
		return nil, err
	}
	value, err := json.Marshal(res, json.Deterministic(true))
	if err != nil {
		return nil, &resource.Error{Kind: resource.Invalid, ID: res.ResourceID(), Message: "the resource has no JSON form", Err: err}
	}
	return value, nil
}

// decode reads a record's value into res. Fields that this version does not know are ignored: a store may have been
// written by a newer one, and what was accepted when it was written is not to be refused when it is read.
func decode(r Record, res resource.Resource) error {
	if err := json.Unmarshal(r.Value, res); err != nil {
		return &resource.Error{Kind: resource.Invalid, ID: r.ID, Message: "the stored value is not a " + r.Kind, Err: err}
	}
	return nil
}
