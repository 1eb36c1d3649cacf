package match

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// Template is a URL template taken apart.
type Template struct {
	segments []segment
	wildcard string // name of the parameter that takes the rest of the path; "" when there is none
	query    []condition
	names    []name
}

// segment is one path segment: literals and parameters in turn.
type segment []part

// part is a literal in lower case, or a parameter.
type part struct {
	literal   string
	parameter bool
}

// condition is a query parameter that must be there, with this value unless capture is set.
type condition struct {
	name    string
	value   string
	capture bool
}

type name struct {
	name  string
	query bool
}

// Parameters are the names of the template's parameters in order; the wildcard /* is named "*".
func (t *Template) Parameters() []string {
	names := make([]string, len(t.names))
	for i, n := range t.names {
		names[i] = n.name
	}
	return names
}

// ParseTemplate takes a URL template apart: "/orders/{id}/items", "/files/*", "/files/{*path}", "/find?q={text}&kind=open".
func ParseTemplate(text string) (*Template, error) {
	if len(text) > resource.MaxURLTemplate {
		return nil, fmt.Errorf("the URL template has %d characters; at most %d are allowed", len(text), resource.MaxURLTemplate)
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f || text[i] == '#' {
			return nil, fmt.Errorf("the URL template %q has a control character or a # at position %d", text, i+1)
		}
	}
	t := &Template{}
	path, query, hasQuery := resource.CutURLTemplate(text)
	path = strings.TrimPrefix(path, "/")
	path = strings.TrimSuffix(path, "/")
	if path != "" {
		segments := strings.Split(path, "/")
		for i, s := range segments {
			if wildcard, ok := wildcardName(s); ok {
				if i != len(segments)-1 {
					return nil, fmt.Errorf("the wildcard %s of the URL template %q must be its last segment", s, text)
				}
				t.wildcard = wildcard
				t.names = append(t.names, name{name: wildcard})
				break
			}
			parsed, err := t.parseSegment(s)
			if err != nil {
				return nil, fmt.Errorf("the URL template %q: %w", text, err)
			}
			t.segments = append(t.segments, parsed)
		}
	}
	if hasQuery {
		if err := t.parseQuery(query); err != nil {
			return nil, fmt.Errorf("the URL template %q: %w", text, err)
		}
	}
	seen := map[string]bool{}
	for _, n := range t.names {
		key := strings.ToLower(n.name)
		if seen[key] {
			return nil, fmt.Errorf("the URL template %q has the parameter {%s} twice; a name must be unique over path and query", text, n.name)
		}
		seen[key] = true
	}
	return t, nil
}

func wildcardName(segment string) (string, bool) {
	if segment == "*" {
		return "*", true
	}
	if strings.HasPrefix(segment, "{*") && strings.HasSuffix(segment, "}") && len(segment) > 3 && !strings.ContainsAny(segment[2:len(segment)-1], "{}*") {
		return segment[2 : len(segment)-1], true
	}
	return "", false
}

func (t *Template) parseSegment(text string) (segment, error) {
	if text == "" {
		return nil, errors.New("there is an empty segment between two slashes")
	}
	var s segment
	for text != "" {
		if text[0] == '{' {
			end := strings.IndexByte(text, '}')
			if end < 0 {
				return nil, errors.New("a { has no }")
			}
			parameter := text[1:end]
			if err := checkParameter(parameter); err != nil {
				return nil, err
			}
			if len(s) > 0 && s[len(s)-1].parameter {
				return nil, fmt.Errorf("nothing separates {%s} from the parameter before it", parameter)
			}
			t.names = append(t.names, name{name: parameter})
			s = append(s, part{parameter: true})
			text = text[end+1:]
			continue
		}
		end := strings.IndexByte(text, '{')
		if end < 0 {
			end = len(text)
		}
		literal := text[:end]
		if strings.ContainsAny(literal, "}*") {
			return nil, fmt.Errorf("%q has a } without { or a * that is not the last segment by itself", literal)
		}
		decoded, err := url.PathUnescape(literal)
		if err != nil {
			return nil, fmt.Errorf("%q is not a valid path segment: %w", literal, err)
		}
		s = append(s, part{literal: strings.ToLower(decoded)})
		text = text[end:]
	}
	return s, nil
}

func checkParameter(parameter string) error {
	if parameter == "" {
		return errors.New("a parameter {} has no name")
	}
	if strings.ContainsAny(parameter, "{*/?&=") {
		return fmt.Errorf("{%s} is not a parameter name", parameter)
	}
	return nil
}

func (t *Template) parseQuery(query string) error {
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		key, err := url.QueryUnescape(key)
		if err != nil || key == "" || strings.ContainsAny(key, "{}") {
			return fmt.Errorf("%q is not a query parameter with a name", pair)
		}
		if strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") {
			parameter := value[1 : len(value)-1]
			if err := checkParameter(parameter); err != nil {
				return err
			}
			t.query = append(t.query, condition{name: strings.ToLower(key), capture: true})
			t.names = append(t.names, name{name: parameter, query: true})
			continue
		}
		if strings.ContainsAny(value, "{}") {
			return fmt.Errorf("the value of %q is neither a constant nor one {parameter}", pair)
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return fmt.Errorf("the value of %q is not valid: %w", pair, err)
		}
		t.query = append(t.query, condition{name: strings.ToLower(key), value: value})
	}
	return nil
}

// operationNode is a path segment in the tree of an API's templates.
type operationNode struct {
	literals map[string]*operationNode // keys decoded and in lower case
	mixed    []mixedSegment            // segments of literals and parameters; the one with most literal text first
	anything *operationNode            // a segment that is one parameter
	ends     []end                     // operations whose template ends here
	wildcard []end                     // operations whose template goes on with a wildcard
}

type mixedSegment struct {
	parts segment
	next  *operationNode
}

// end is an operation at the place where its template ends.
type end struct {
	operation int
	method    string
	query     []condition
	names     []name
}

func compileOperations(api int, operations []Operation) (*operationNode, []error) {
	root := &operationNode{}
	var errs []error
	for i := range operations {
		o := &operations[i]
		t, err := ParseTemplate(o.Template)
		if err != nil {
			errs = append(errs, &TemplateError{API: api, Operation: i, Err: err})
			continue
		}
		n := root
		for _, s := range t.segments {
			n = n.child(s)
		}
		list := &n.ends
		if t.wildcard != "" {
			list = &n.wildcard
		}
		e := end{operation: i, method: o.Method, query: t.query, names: t.names}
		for _, other := range *list {
			if other.method == e.method && slices.Equal(other.query, e.query) {
				errs = append(errs, &ConflictError{API: api, Other: api, Operation: i, Message: fmt.Sprintf(
					"operation '%s' has the same method and URL template as operation '%s': %s %s", o.Name, operations[other.operation].Name, o.Method, o.Template)})
			}
		}
		*list = append(*list, e)
	}
	root.sort()
	return root, errs
}

func (n *operationNode) child(s segment) *operationNode {
	switch {
	case len(s) == 1 && s[0].parameter:
		if n.anything == nil {
			n.anything = &operationNode{}
		}
		return n.anything
	case len(s) == 1:
		if n.literals == nil {
			n.literals = map[string]*operationNode{}
		}
		c := n.literals[s[0].literal]
		if c == nil {
			c = &operationNode{}
			n.literals[s[0].literal] = c
		}
		return c
	}
	for i := range n.mixed {
		if slices.Equal(n.mixed[i].parts, s) {
			return n.mixed[i].next
		}
	}
	c := &operationNode{}
	n.mixed = append(n.mixed, mixedSegment{parts: s, next: c})
	return c
}

// sort brings the more specific first: mixed segments by literal text, ends by exact method, then by constants and parameters in the query.
func (n *operationNode) sort() {
	slices.SortStableFunc(n.mixed, func(a, b mixedSegment) int { return cmp.Compare(b.parts.literalLength(), a.parts.literalLength()) })
	for _, list := range [][]end{n.ends, n.wildcard} {
		slices.SortStableFunc(list, func(a, b end) int { return cmp.Compare(b.rank(), a.rank()) })
	}
	for _, c := range n.literals {
		c.sort()
	}
	for i := range n.mixed {
		n.mixed[i].next.sort()
	}
	if n.anything != nil {
		n.anything.sort()
	}
}

func (s segment) literalLength() int {
	total := 0
	for _, p := range s {
		total += len(p.literal)
	}
	return total
}

// rank orders operations that end at one place: more conditions first, a constant before a parameter, a named method before "*".
func (e *end) rank() int {
	rank := 0
	for _, c := range e.query {
		rank += 4
		if !c.capture {
			rank += 2
		}
	}
	if e.method != "*" {
		rank++
	}
	return rank
}
