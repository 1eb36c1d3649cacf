package match

import (
	"net/http"
	"net/url"
	"strings"
)

// Request is what matching looks at.
type Request struct {
	Method    string
	Path      string // escaped, with its leading slash
	RawQuery  string
	Header    http.Header
	TLS       bool // came over TLS
	WebSocket bool // is a WebSocket handshake
}

// MaxSegment is the most bytes that a path segment of a request may have (API Management, "Path segment" limit).
const MaxSegment = 1024

// Match is the outcome. The zero value is ready; reusing one saves allocations, and its strings are parts of the request.
type Match struct {
	API       int    // index of the API, or -1 when there is none
	Operation int    // index of the operation, 0 for a WebSocket API's handshake, or -1
	Path      string // the escaped path below the suffix and the version: "" or with a leading slash
	Base      string // the escaped path up to there

	names      []name
	conditions []condition
	values     []string
	scratch    []byte
}

// Reset forgets the strings of the last request but keeps the memory.
func (m *Match) Reset() {
	clear(m.values[:cap(m.values)])
	*m = Match{API: -1, Operation: -1, values: m.values[:0], scratch: m.scratch[:0]}
}

// Len is the number of template parameters.
func (m *Match) Len() int { return len(m.names) }

// Parameter is the name and the decoded value of the parameter with this index.
func (m *Match) Parameter(i int) (name, value string) {
	return m.names[i].name, decode(m.values[i], m.names[i].query)
}

// Lookup is the decoded value of the template parameter with this name.
func (m *Match) Lookup(name string) (value string, ok bool) {
	for i := range m.names {
		if strings.EqualFold(m.names[i].name, name) {
			return decode(m.values[i], m.names[i].query), true
		}
	}
	return "", false
}

// LookupEscaped is the value of the template parameter with this name as the client wrote it in the path; ok is false for a
// parameter of the query.
func (m *Match) LookupEscaped(name string) (value string, ok bool) {
	for i := range m.names {
		if !m.names[i].query && strings.EqualFold(m.names[i].name, name) {
			return m.values[i], true
		}
	}
	return "", false
}

// decode undoes percent-encoding, in a query also the plus sign; what cannot be undone stays.
func decode(s string, query bool) string {
	if strings.IndexByte(s, '%') < 0 && !(query && strings.IndexByte(s, '+') >= 0) {
		return s
	}
	decoded, err := url.PathUnescape(s)
	if query {
		decoded, err = url.QueryUnescape(s)
	}
	if err != nil {
		return s
	}
	return decoded
}

// TemplateQuery says whether the query parameter with this name, decoded, is part of the operation's template.
func (m *Match) TemplateQuery(name string) bool {
	for i := range m.conditions {
		if strings.EqualFold(m.conditions[i].name, name) {
			return true
		}
	}
	return false
}

// Match fills m with the API and the operation that the request is for; either may be -1.
func (t *Table) Match(r *Request, m *Match) {
	m.Reset()
	path := Clean(r.Path)
	if path == "" || path[0] != '/' {
		return
	}
	best, end, revision := t.longest(path, m)
	if best == nil {
		return
	}
	s := best.http
	if r.WebSocket {
		// A handshake that no WebSocket API answers is refused here: forwarded as a plain request it would hang in the
		// backend, and a client that falls back to another transport waits for the refusal.
		s = best.ws
	}
	if s == nil {
		return
	}
	v, end, revision := s.choose(r, m, path, end, revision)
	if v == nil {
		return
	}
	api := v.current
	if revision != "" {
		var ok bool
		if api, ok = v.revisions[revision]; !ok {
			return
		}
	}
	if api < 0 {
		return
	}
	a := &t.apis[api]
	if r.TLS && !a.tls || !r.TLS && !a.plain {
		return
	}
	m.API, m.Base, m.Path = api, path[:end], path[end:]
	if a.operations == nil {
		m.Operation = 0
		return
	}
	m.match(a.operations, r, m.Path)
}

// longest walks down the tree of suffixes and returns the last node that an API owns, the length of path that it took,
// and the revision when that part of the path ends in ;rev=N.
func (t *Table) longest(path string, m *Match) (best *node, end int, revision string) {
	n := &t.root
	if n.http != nil || n.ws != nil {
		best = n
	}
	// The root API's revision is addressed as "/;rev=2/operation".
	if best != nil && strings.HasPrefix(path, "/;rev=") {
		segment, next := nextSegment(path, 0)
		if base, rev, ok := cutRevision(segment); ok && base == "" {
			return best, next, rev
		}
	}
	for at := 0; at < len(path); {
		segment, next := nextSegment(path, at)
		child := n.children[string(m.lower(segment))]
		if child == nil {
			if base, rev, ok := cutRevision(segment); ok {
				if child = n.children[string(m.lower(base))]; child != nil && (child.http != nil || child.ws != nil) {
					return child, next, rev
				}
			}
			break
		}
		n, at = child, next
		if n.http != nil || n.ws != nil {
			best, end = n, at
		}
	}
	return best, end, ""
}

// choose picks the version. It returns nil when the request names one that is not there, or none where one is needed.
func (s *slot) choose(r *Request, m *Match, path string, end int, revision string) (v *versioned, newEnd int, newRevision string) {
	switch s.version.Scheme {
	case SegmentVersion:
		if end < len(path) {
			segment, next := nextSegment(path, end)
			if v := s.lookup(m.lower(segment)); v != nil && v.value != "" {
				return v, next, revision
			}
			if base, rev, ok := cutRevision(segment); ok && revision == "" {
				if v := s.lookup(m.lower(base)); v != nil && v.value != "" {
					return v, next, rev
				}
			}
		}
	case QueryVersion:
		if value, ok := queryValue(r.RawQuery, s.version.Name); ok && value != "" {
			return s.lookup(m.lower(value)), end, revision
		}
	case HeaderVersion:
		if values := r.Header[s.version.Name]; len(values) > 0 && values[0] != "" {
			return s.lookup(m.lower(values[0])), end, revision
		}
	}
	return s.lookup(nil), end, revision
}

func (s *slot) lookup(value []byte) *versioned {
	for i := range s.versions {
		if s.versions[i].value == string(value) {
			return &s.versions[i]
		}
	}
	return nil
}

// match finds the operation for the path below the suffix. A more specific template whose method or query does not fit
// gives way to a less specific one. Each node of the tree is tried at most once, so the work is bounded by the tree.
func (m *Match) match(n *operationNode, r *Request, rest string) bool {
	if rest == "" || rest == "/" {
		return m.take(n.ends, r) || m.takeRest(n, r, rest)
	}
	segment, next := nextSegment(rest, 0)
	whole := rest
	rest = rest[next:]
	if segment != "" {
		if child := n.literals[string(m.lower(segment))]; child != nil && m.match(child, r, rest) {
			return true
		}
		depth := len(m.values)
		for i := range n.mixed {
			if n.mixed[i].parts.match(segment, m) && m.match(n.mixed[i].next, r, rest) {
				return true
			}
			m.values = m.values[:depth]
		}
		if n.anything != nil {
			m.values = append(m.values, segment)
			if m.match(n.anything, r, rest) {
				return true
			}
			m.values = m.values[:depth]
		}
	}
	return m.takeRest(n, r, whole)
}

func (m *Match) takeRest(n *operationNode, r *Request, rest string) bool {
	if len(n.wildcard) == 0 {
		return false
	}
	m.values = append(m.values, strings.TrimPrefix(rest, "/"))
	if m.take(n.wildcard, r) {
		return true
	}
	m.values = m.values[:len(m.values)-1]
	return false
}

// take takes the first operation whose method and query fit.
func (m *Match) take(ends []end, r *Request) bool {
	for i := range ends {
		e := &ends[i]
		if e.method != r.Method && e.method != "*" {
			continue
		}
		depth := len(m.values)
		if !m.takeQuery(e, r.RawQuery) {
			m.values = m.values[:depth]
			continue
		}
		m.Operation, m.names, m.conditions = e.operation, e.names, e.query
		return true
	}
	return false
}

func (m *Match) takeQuery(e *end, rawQuery string) bool {
	for i := range e.query {
		c := &e.query[i]
		value, ok := queryValue(rawQuery, c.name)
		if !ok {
			return false
		}
		if c.capture {
			m.values = append(m.values, value)
		} else if decode(value, true) != c.value {
			return false
		}
	}
	return true
}

// match says whether the segment has the form, and appends its parameters. A parameter takes as little as it can and
// never nothing.
func (s segment) match(text string, m *Match) bool {
	depth := len(m.values)
	at, open := 0, -1
	for i, p := range s {
		if p.parameter {
			open = at
			continue
		}
		var found int
		switch {
		case open < 0:
			found = prefixLength(text[at:], p.literal)
			if found < 0 {
				return m.fail(depth)
			}
			at += found
			continue
		case i == len(s)-1:
			found = len(text) - len(p.literal)
			if found <= open || !strings.EqualFold(text[found:], p.literal) {
				return m.fail(depth)
			}
		default:
			found = indexFold(text, open+1, p.literal)
			if found < 0 {
				return m.fail(depth)
			}
		}
		m.values = append(m.values, text[open:found])
		at, open = found+len(p.literal), -1
	}
	if open >= 0 {
		if open == len(text) {
			return m.fail(depth)
		}
		m.values = append(m.values, text[open:])
		return true
	}
	return at == len(text) || m.fail(depth)
}

func (m *Match) fail(depth int) bool {
	m.values = m.values[:depth]
	return false
}

func prefixLength(text, prefix string) int {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return -1
	}
	return len(prefix)
}

func indexFold(text string, from int, literal string) int {
	for i := from; i+len(literal) <= len(text); i++ {
		if strings.EqualFold(text[i:i+len(literal)], literal) {
			return i
		}
	}
	return -1
}
