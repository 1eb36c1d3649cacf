package policy

import "strings"

// CrossDomainPath is where clients of Adobe look for a policy file.
const CrossDomainPath = "/crossdomain.xml"

// crossDomain is the cross-domain policy (cross-domain-policy): the policy file for Adobe's clients.
type crossDomain struct{ document []byte }

func newCrossDomain(b *Builder) Policy {
	text := b.Body()
	known, ok := text.Known()
	known = strings.TrimSpace(known)
	if !ok || len(b.e.children) != 1 || b.e.children[0].name != "cross-domain-policy" {
		b.Errorf("The element takes one element 'cross-domain-policy', as Adobe's specification has it")
	}
	return &crossDomain{document: []byte(`<?xml version="1.0"?>` + "\n" + known)}
}

// Run does nothing: the document is served under its own path, see [Pipeline.CrossDomain].
func (c *crossDomain) Run(*Exchange) (Outcome, error) { return Continue, nil }

// CrossDomain is the policy file of the pipeline's cross-domain statement, or nil when there is none.
func (p *Pipeline) CrossDomain() []byte {
	for _, s := range p.sections[0] {
		if c, ok := s.Policy.(*crossDomain); ok {
			return c.document
		}
	}
	return nil
}
