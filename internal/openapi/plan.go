package openapi

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/hubgate/hubgate/internal/resource"
)

// Changes bring a service from what it has to what a document says. Written in the order Create, Update, Delete they leave no
// operation out in between.
type Changes struct {
	// Create holds what is new: schemas, operations, and policies that were copied to new operations; the API first when it is new.
	Create []resource.Resource
	// Update holds what exists and is different.
	Update []resource.Resource
	// Delete holds operations that the document does not have and definitions that are left over, each after what is below it.
	Delete []resource.ID
	// CopiedPolicies says where the policies in Create come from.
	CopiedPolicies []PolicyCopy
}

// PolicyCopy is a policy document that a new operation takes over from one with the same method and URL template.
type PolicyCopy struct {
	From, To resource.ID
}

// Empty says whether there is nothing to do.
func (c *Changes) Empty() bool { return len(c.Create)+len(c.Update)+len(c.Delete) == 0 }

// Plan compares an imported document with what exists. Operations match by name, so by operationId, and are updated in place with
// their policies; a new operation takes over the policy of an existing one with the same method and URL template; operations without
// a match are deleted with all that is below them. Of schemas only those of earlier imports are touched. Resources that do not
// belong to the API are ignored, so existing may be all that a service has.
func Plan(existing []resource.Resource, imported *Result) (*Changes, error) {
	var changes Changes
	have := map[string]resource.Resource{}
	below := strings.ToLower(string(imported.API.ID)) + "/"
	for _, r := range existing {
		if key := r.ResourceID().Key(); key == imported.API.ID.Key() || strings.HasPrefix(key, below) {
			have[key] = r
		}
	}
	wanted := map[string]bool{}
	want := func(r resource.Resource) error {
		key := r.ResourceID().Key()
		wanted[key] = true
		old, there := have[key]
		if !there {
			changes.Create = append(changes.Create, r)
			return nil
		}
		same, err := equal(old, r)
		if err == nil && !same {
			changes.Update = append(changes.Update, r)
		}
		return err
	}
	if err := want(imported.API); err != nil {
		return nil, err
	}
	for _, s := range imported.Schemas {
		if err := want(s); err != nil {
			return nil, err
		}
	}
	for _, o := range imported.Operations {
		if err := want(o); err != nil {
			return nil, err
		}
	}
	// Policies of new operations come from any existing operation that matches the same requests, the first one in existing.
	donors := map[string]*resource.Operation{}
	for _, r := range existing {
		if o, ok := r.(*resource.Operation); ok && have[o.ID.Key()] == r {
			if key := o.Method + " " + MatchKey(o.URLTemplate); donors[key] == nil {
				donors[key] = o
			}
		}
	}
	for _, o := range imported.Operations {
		donor := donors[o.Method+" "+MatchKey(o.URLTemplate)]
		if _, there := have[o.ID.Key()]; there || donor == nil {
			continue
		}
		policy, ok := have[donor.ID.Child("policies", "policy").Key()].(*resource.Policy)
		if !ok {
			continue
		}
		moved := *policy
		moved.ID = o.ID.Child("policies", "policy")
		if _, there := have[moved.ID.Key()]; there {
			continue
		}
		changes.Create = append(changes.Create, &moved)
		changes.CopiedPolicies = append(changes.CopiedPolicies, PolicyCopy{From: policy.ID, To: moved.ID})
	}
	changes.Delete = leftOver(existing, have, wanted)
	return &changes, nil
}

// leftOver are the ids to delete: operations and schemas of imports that are not wanted, each after what is below it.
func leftOver(existing []resource.Resource, have map[string]resource.Resource, wanted map[string]bool) []resource.ID {
	below := map[string][]resource.ID{} // by key of the operation
	for _, r := range existing {
		for id := r.ResourceID().Parent(); id != ""; id = id.Parent() {
			if _, ok := have[id.Key()].(*resource.Operation); ok {
				below[id.Key()] = append(below[id.Key()], r.ResourceID())
				break
			}
		}
	}
	var ids []resource.ID
	for _, r := range existing {
		id := r.ResourceID()
		if have[id.Key()] != r || wanted[id.Key()] {
			continue
		}
		switch r.(type) {
		case *resource.Operation:
			ids = append(append(ids, below[id.Key()]...), id)
		case *resource.APISchema:
			if name := id.Name(); strings.EqualFold(name, ComponentsSchema) || strings.EqualFold(name, DefinitionsSchema) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// equal compares resources as they are stored.
func equal(a, b resource.Resource) (bool, error) {
	left, err := json.Marshal(a)
	if err != nil {
		return false, fmt.Errorf("compare %s: %w", a.ResourceID().Name(), err)
	}
	right, err := json.Marshal(b)
	if err != nil {
		return false, fmt.Errorf("compare %s: %w", b.ResourceID().Name(), err)
	}
	// The store may spell an id as it was first written.
	return a.ResourceID().Key() == b.ResourceID().Key() && bytes.Equal(withoutID(left), withoutID(right)), nil
}

// withoutID cuts the id, which is the first member of every resource.
func withoutID(object []byte) []byte {
	if !bytes.HasPrefix(object, []byte(`{"id":"`)) {
		return object
	}
	_, rest, _ := bytes.Cut(object, []byte(`",`))
	return rest
}
