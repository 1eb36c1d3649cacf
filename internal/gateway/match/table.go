package match

import (
	"fmt"
	"strings"
)

// VersionScheme says where a request carries the version of an API.
type VersionScheme uint8

// The version schemes.
const (
	Unversioned    VersionScheme = iota
	SegmentVersion               // the path segment after the suffix
	QueryVersion                 // a query parameter
	HeaderVersion                // a header
)

// Version places an API in a version set.
type Version struct {
	Set    string // identity of the version set; APIs of one set may share a suffix
	Scheme VersionScheme
	Name   string // of the query parameter, or of the header in canonical form
	Value  string // "" is the original version, which answers requests without a version
}

// API is what the table has to know about one revision of an API.
type API struct {
	Name      string // for error messages
	Suffix    string // leading and trailing slashes do not count; "" is the root
	WebSocket bool   // a WebSocket API matches handshakes, has no operations, and answers every path below its suffix
	Plain     bool   // calls without TLS match
	TLS       bool   // calls over TLS match
	Version   Version
	Revision  string // the N of ;rev=N
	Current   bool   // also answers requests without ;rev
	// Operations of an HTTP API.
	Operations []Operation
}

// Operation is a method and a URL template. The method "*" stands for every method.
type Operation struct {
	Name     string // for error messages
	Method   string
	Template string
}

// Table is the compiled form of a set of APIs. It is immutable.
type Table struct {
	root node
	apis []compiledAPI
}

type compiledAPI struct {
	plain, tls bool
	operations *operationNode // nil for a WebSocket API
}

// node is a path segment in the tree of suffixes.
type node struct {
	children map[string]*node // keys in lower case
	http, ws *slot
}

// slot is a suffix that APIs of one kind own.
type slot struct {
	owner    int // the first API, for the error message
	version  Version
	versions []versioned // versions[i].value "" is the original version
}

// versioned holds the revisions of one version: indexes into Table.apis, or -1.
type versioned struct {
	value     string // in lower case
	current   int
	revisions map[string]int
}

// ConflictError reports two APIs that cannot both own a suffix, or an API with two operations of one method and template.
type ConflictError struct {
	API, Other int // indexes of the APIs; the same when operations clash
	Operation  int // index of the second operation, or -1
	Message    string
}

// Error is the message.
func (e *ConflictError) Error() string { return e.Message }

// TemplateError reports a URL template that cannot be compiled.
type TemplateError struct {
	API, Operation int // indexes
	Err            error
}

// Error names the template's fault.
func (e *TemplateError) Error() string { return e.Err.Error() }

// Unwrap is the fault.
func (e *TemplateError) Unwrap() error { return e.Err }

// New compiles the APIs. An API that clashes with an earlier one or has a bad template is left out of the table and
// reported; the others are in it, so that all faults come out at once.
func New(apis []API) (*Table, []error) {
	t := &Table{apis: make([]compiledAPI, len(apis))}
	var errs []error
	for i := range apis {
		a := &apis[i]
		t.apis[i] = compiledAPI{plain: a.Plain, tls: a.TLS}
		if !a.WebSocket {
			operations, bad := compileOperations(i, a.Operations)
			errs = append(errs, bad...)
			t.apis[i].operations = operations
		}
		if err := t.place(i, a, apis); err != nil {
			errs = append(errs, err)
		}
	}
	return t, errs
}

func (t *Table) place(index int, a *API, apis []API) error {
	n := &t.root
	if suffix := strings.ToLower(strings.Trim(a.Suffix, "/")); suffix != "" {
		for segment := range strings.SplitSeq(suffix, "/") {
			child := n.children[segment]
			if child == nil {
				child = &node{}
				if n.children == nil {
					n.children = map[string]*node{}
				}
				n.children[segment] = child
			}
			n = child
		}
	}
	at := &n.http
	if a.WebSocket {
		at = &n.ws
	}
	if *at == nil {
		*at = &slot{owner: index, version: a.Version}
	}
	s := *at
	// Revisions of one API share its suffix and are told apart by their number below.
	same := apis[s.owner].Name == a.Name
	if !same && (a.Version.Set == "" || !strings.EqualFold(s.version.Set, a.Version.Set)) {
		return &ConflictError{API: index, Other: s.owner, Operation: -1, Message: fmt.Sprintf(
			"Cannot create API '%s' with the same Path '%s' as API '%s' unless it's a part of the same version set",
			a.Name, strings.Trim(a.Suffix, "/"), apis[s.owner].Name)}
	}
	value := strings.ToLower(a.Version.Value)
	v := s.find(value)
	if v == nil {
		s.versions = append(s.versions, versioned{value: value, current: -1, revisions: map[string]int{}})
		v = &s.versions[len(s.versions)-1]
	}
	for _, other := range v.revisions {
		if apis[other].Name != a.Name {
			return &ConflictError{API: index, Other: other, Operation: -1, Message: fmt.Sprintf(
				"API '%s' has the same version '%s' in the same version set as API '%s'", a.Name, a.Version.Value, apis[other].Name)}
		}
	}
	if other, taken := v.revisions[a.Revision]; taken {
		return &ConflictError{API: index, Other: other, Operation: -1, Message: fmt.Sprintf("API '%s' has revision %s twice", a.Name, a.Revision)}
	}
	v.revisions[a.Revision] = index
	if a.Current {
		if v.current >= 0 {
			return &ConflictError{API: index, Other: v.current, Operation: -1, Message: fmt.Sprintf(
				"API '%s' has two current revisions, %s and %s", a.Name, apis[v.current].Revision, a.Revision)}
		}
		v.current = index
	}
	return nil
}

func (s *slot) find(value string) *versioned {
	for i := range s.versions {
		if s.versions[i].value == value {
			return &s.versions[i]
		}
	}
	return nil
}
