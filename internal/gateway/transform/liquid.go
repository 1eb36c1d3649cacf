package transform

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/osteele/liquid"
)

// Template is a parsed Liquid template with the filters of DotLiquid, in C# naming (UrlEncode) or Ruby's (url_encode).
type Template struct{ parsed *liquid.Template }

var (
	liquidTag     = regexp.MustCompile(`(?s)\{\{(.*?)\}\}|\{%-?\s*(\w+)?(.*?)%\}`)
	liquidString  = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	liquidFilter  = regexp.MustCompile(`\|\s*([A-Za-z_]\w*)`)
	liquidRawText = regexp.MustCompile(`(?s)\{%-?\s*(raw|comment)\s*-?%\}.*?\{%-?\s*end(raw|comment)\s*-?%\}`)
)

// ParseTemplate parses a template. Filters and tags that do not exist are errors here, not when it renders.
func ParseTemplate(source string) (t *Template, err error) {
	defer func() {
		if p := recover(); p != nil {
			t, err = nil, fmt.Errorf("the template cannot be parsed: %v", p)
		}
	}()
	filters := liquidFilters()
	for _, found := range liquidTag.FindAllStringSubmatch(liquidRawText.ReplaceAllString(source, ""), -1) {
		if found[2] == "include" || found[2] == "render" {
			return nil, fmt.Errorf("the tag %q is not supported: there are no other templates", found[2])
		}
		inner := liquidString.ReplaceAllString(found[1]+found[3], "''")
		for _, f := range liquidFilter.FindAllStringSubmatch(inner, -1) {
			if filters[f[1]] == nil {
				return nil, fmt.Errorf("there is no filter %q; there are %s", f[1], strings.Join(filterNames(filters), ", "))
			}
		}
	}
	engine := liquid.NewEngine()
	for name, filter := range filters {
		engine.RegisterFilter(name, filter)
	}
	parsed, fault := engine.ParseString(source)
	if fault != nil {
		if cause := fault.Cause(); cause != nil {
			return nil, fmt.Errorf("line %d: %w", fault.LineNumber()+1, cause)
		}
		return nil, fault
	}
	return &Template{parsed: parsed}, nil
}

func filterNames(filters map[string]any) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(filters)) {
		if name[0] >= 'A' && name[0] <= 'Z' {
			names = append(names, name)
		}
	}
	return names
}

var errTemplateLimit = errors.New("the template's output is larger than is allowed")

// budget is the buffer that a template writes to. It ends a template that writes too much or runs too long.
type budget struct {
	bytes.Buffer
	limit    int
	deadline time.Time
	writes   int
}

// Write keeps the bytes within the budget.
func (b *budget) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		return 0, errTemplateLimit
	}
	if b.writes++; b.writes%256 == 0 && time.Now().After(b.deadline) {
		return 0, errors.New("the template runs longer than is allowed")
	}
	return b.Buffer.Write(p)
}

// templateTime is how long a template may run: 5 seconds, as long as an expression.
const templateTime = 5 * time.Second

// Render fills the template in. Output beyond limit bytes is an error.
func (t *Template) Render(bindings map[string]any, limit int) (out []byte, err error) {
	w := &budget{limit: limit, deadline: time.Now().Add(templateTime)}
	defer func() {
		if p := recover(); p != nil { // The library panics where a filter does not take its argument.
			out, err = nil, fmt.Errorf("the template failed: %v", p)
		}
	}()
	if fault := t.parsed.FRender(w, bindings); fault != nil {
		if cause := fault.Cause(); cause != nil {
			return nil, cause
		}
		return nil, fault
	}
	return w.Bytes(), nil
}

// LiquidJSON is a JSON document as templates see it. With parseDate, texts that are dates are brought into .NET's round-trip form.
func LiquidJSON(data []byte, parseDate bool) (any, error) {
	v, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	return v.plain(parseDate), nil
}

func (v *value) plain(parseDate bool) any {
	switch v.kind {
	case '{':
		m := make(map[string]any, len(v.members))
		for i := range v.members {
			m[v.members[i].name] = v.members[i].value.plain(parseDate)
		}
		return m
	case '[':
		list := make([]any, len(v.items))
		for i := range v.items {
			list[i] = v.items[i].plain(parseDate)
		}
		return list
	case '"':
		if parseDate {
			return roundTripDate(v.text)
		}
		return v.text
	case '0':
		if n, err := strconv.Atoi(v.text); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(v.text, 64); err == nil {
			return number(f)
		}
		return v.text
	case 't':
		return true
	case 'f':
		return false
	}
	return nil
}

// LiquidXML is an XML document as templates see it: elements by their local names, attributes left out, several elements of a name as a
// list. A name that begins with a capital is there with a small one too, as the templates of imported SOAP services have it.
// Elements with xsi:nil="true" are null when nilIsNull, else empty.
func LiquidXML(data []byte, nilIsNull bool) (any, error) {
	data, err := toUTF8(data)
	if err != nil {
		return nil, err
	}
	r := &xmlReader{data: data, d: newXMLDecoder(data)}
	v, err := r.document()
	if err != nil {
		return nil, err
	}
	return v.elements(nilIsNull), nil
}

func (v *value) elements(nilIsNull bool) any {
	switch v.kind {
	case '[':
		list := make([]any, len(v.items))
		for i := range v.items {
			list[i] = v.items[i].elements(nilIsNull)
		}
		return list
	case '"':
		return v.text
	case 'n':
		return ""
	}
	m := map[string]any{}
	content := ""
	for i := range v.members {
		name, inner := v.members[i].name, &v.members[i].value
		switch {
		case name == "#text":
			content = inner.text
			continue
		case strings.HasPrefix(name, "@"):
			if strings.HasSuffix(name, "$nil") && inner.text == "true" {
				if nilIsNull {
					return nil
				}
				return ""
			}
			continue
		}
		if _, local, found := strings.Cut(name, "$"); found {
			name = local
		}
		m[name] = inner.elements(nilIsNull)
	}
	if len(m) == 0 {
		return content
	}
	for name, inner := range maps.Clone(m) {
		if small := strings.ToLower(name[:1]) + name[1:]; small != name {
			if _, there := m[small]; !there {
				m[small] = inner
			}
		}
	}
	return m
}
