package policy

import (
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// Document is the compiled policy document of one scope. It is immutable.
type Document struct {
	sections      [4]section
	readsResponse bool
}

// section is a section of a document: steps before and after the places of <base/>.
type section struct {
	present bool
	parts   [][]Step // between two parts stands a <base/>
}

// Source is a document to compile.
type Source struct {
	Text   string
	Format resource.PolicyFormat
	Scope  Scope
	// Owner is the resource that the document belongs to; counters of its policies are named by it.
	Owner resource.ID
	// Handshake compiles for the handshakes of WebSocket APIs.
	Handshake bool
	// Operation is the operation of an operation's document, for checks against its URL template.
	Operation *resource.Operation
}

// Compile compiles a document. The error is [Errors] with all faults found.
func Compile(s Source, environment *Environment) (*Document, error) {
	if len(s.Text) > resource.MaxPolicySize {
		return nil, Errors{errorf("", 1, 1, "the document has %d bytes; at most %d are allowed", len(s.Text), resource.MaxPolicySize)}
	}
	root, fault := parseDocument(s.Text, s.Format)
	if fault != nil {
		return nil, Errors{fault}
	}
	c := &compilation{environment: environment, policies: environment.Policies, scope: s.Scope, owner: s.Owner, handshake: s.Handshake, operation: s.Operation}
	if c.policies == nil {
		c.policies = Policies()
	}
	d := &Document{}
	b := &Builder{c: c, e: root, depth: -1}
	if root.name != "policies" {
		b.Errorf("The root element of a policy document must be 'policies'")
		return nil, c.errors
	}
	for _, child := range b.Children("inbound", "backend", "outbound", "on-error") {
		child.section = sectionNamed(child.e.name)
		at := &d.sections[child.section.index()]
		if at.present {
			child.Errorf("The section is there twice")
			continue
		}
		*at = child.compileSection()
	}
	b.Done()
	d.readsResponse = c.readsResponse
	if len(c.errors) > 0 {
		return nil, c.errors
	}
	return d, nil
}

func sectionNamed(name string) Section {
	for _, s := range []Section{Inbound, Backend, Outbound} {
		if s.String() == name {
			return s
		}
	}
	return OnError
}

func (b *Builder) compileSection() section {
	s := section{present: true}
	b.children = true
	b.path = ""
	count := map[string]int{}
	var part []Step
	for _, e := range b.e.children {
		count[e.name]++
		child := b.child(e, count[e.name])
		child.depth = 0
		if e.name == "base" {
			child.attribute("id", 0)
			child.Done()
			s.parts = append(s.parts, part)
			part = nil
			continue
		}
		part = append(part, child.build(count[e.name])...)
	}
	s.parts = append(s.parts, part)
	b.Done()
	return s
}

// defaultForward is what an API Management service without a global policy document has in its backend section.
func defaultForward() []Step {
	return []Step{{
		Policy: &forwardRequest{options: ForwardOptions{DefaultHTTPVersion: true, HTTPVersion: "1"}},
		Place:  &Place{Name: "forward-request", Scope: Global, Section: Backend, Path: "forward-request[1]"},
	}}
}

// Flatten makes the effective policy of the documents from wide to narrow, global first. A nil document is a scope that has none.
func Flatten(documents ...*Document) *Pipeline {
	p := &Pipeline{}
	for i := range p.sections {
		var steps []Step
		if i == Backend.index() {
			steps = defaultForward()
		}
		for j, d := range documents {
			if d == nil || !d.sections[i].present {
				continue
			}
			base := steps
			if j == 0 {
				base = nil // <base/> has no effect at the global scope.
			}
			steps = nil
			for k, part := range d.sections[i].parts {
				if k > 0 {
					steps = append(steps, base...)
				}
				steps = append(steps, part...)
			}
		}
		p.sections[i] = steps
	}
	for _, d := range documents {
		p.ReadsResponse = p.ReadsResponse || d != nil && d.readsResponse
	}
	for _, s := range p.sections[0] {
		if c, ok := s.Policy.(*cors); ok {
			p.cors = append(p.cors, c)
		}
	}
	return p
}

// fragment is what include-fragment compiles to; its steps take its place.
type fragment struct{ steps []Step }

// Run runs the steps; a pipeline holds them directly instead.
func (f fragment) Run(x *Exchange) (Outcome, error) { return Run(x, f.steps) }

func newIncludeFragment(b *Builder) Policy {
	id := b.Literal("fragment-id", "", Required)
	f := b.c.environment.Fragments[strings.ToLower(id)]
	if f == nil {
		if id != "" && !b.c.environment.Offline {
			b.Errorf("Policy fragment with id '%s' could not be found.", id)
		}
		return fragment{}
	}
	if b.c.inFragment != nil {
		b.Errorf("A policy fragment must not include another one")
		return fragment{}
	}
	root, fault := parseDocument(f.Value, f.Format)
	b.c.inFragment = b.e
	defer func() { b.c.inFragment = nil }()
	if fault != nil {
		b.c.report(fault)
		return fragment{}
	}
	inner := &Builder{c: b.c, e: root, section: b.section, path: b.path, depth: b.depth - 1}
	if root.name != "fragment" {
		inner.Errorf("The root element of a policy fragment must be 'fragment'")
		return fragment{}
	}
	inner.children = true
	steps := inner.steps(root.children, b.depth)
	inner.Done()
	return fragment{steps: steps}
}

// CheckFragment compiles a fragment by itself, in the given section, to find its faults before anything includes it.
func CheckFragment(f *resource.PolicyFragment) error {
	root, fault := parseDocument(f.Value, f.Format)
	if fault != nil {
		return Errors{fault}
	}
	if root.name != "fragment" {
		return Errors{errorf(root.name, root.line, root.column, "The root element of a policy fragment must be 'fragment'")}
	}
	return nil
}
