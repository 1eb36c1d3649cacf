package upstream

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// template is one upstream template, compiled.
type template struct {
	hub, category, event pattern
	parts                []part
}

// part is a piece of a URL template: a text, or the value of a name.
type part struct {
	text string
	name placeholder
}

type placeholder uint8

const (
	placeNone placeholder = iota
	placeHub
	placeCategory
	placeEvent
)

// pattern is nil for anything, else the names that are meant.
type pattern []string

// compilePattern reads "", "*" or a list of names with commas.
func compilePattern(text string) (pattern, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "*" {
		return nil, nil
	}
	var p pattern
	for name := range strings.SplitSeq(text, ",") {
		switch name = strings.TrimSpace(name); name {
		case "":
			return nil, fmt.Errorf("the list %q has an empty name", text)
		case "*":
			return nil, fmt.Errorf("the list %q holds *, which stands alone or not at all", text)
		}
		p = append(p, name)
	}
	return p, nil
}

// matches compares without regard to case: hubs arrive in lower case, and hub methods are not told apart by it in .NET.
func (p pattern) matches(name string) bool {
	if p == nil {
		return true
	}
	for _, want := range p {
		if strings.EqualFold(want, name) {
			return true
		}
	}
	return false
}

// compile checks a template. Everything that can be wrong with it is found here and not when an event comes.
func compile(t resource.UpstreamTemplate) (*template, error) {
	var c template
	var err error
	for _, p := range []struct {
		into *pattern
		text string
		name string
	}{{&c.hub, t.HubPattern, "hubPattern"}, {&c.category, t.CategoryPattern, "categoryPattern"}, {&c.event, t.EventPattern, "eventPattern"}} {
		if *p.into, err = compilePattern(p.text); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	for _, category := range c.category {
		if !strings.EqualFold(category, CategoryConnections) && !strings.EqualFold(category, CategoryMessages) {
			return nil, fmt.Errorf("categoryPattern: there is no category %q; use connections, messages or *", category)
		}
	}
	if c.parts, err = compileURL(t.URLTemplate); err != nil {
		return nil, fmt.Errorf("urlTemplate: %w", err)
	}
	return &c, nil
}

// compileURL cuts a URL template at its placeholders.
func compileURL(text string) ([]part, error) {
	const keyVault = "{@Microsoft.KeyVault("
	if strings.Contains(strings.ToLower(text), strings.ToLower(keyVault)) {
		return nil, errors.New("a Key Vault reference cannot be resolved here; write its value into the URL")
	}
	var parts []part
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		if before != "" {
			parts = append(parts, part{text: before})
		}
		if !found {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return nil, errors.New("a { has no }")
		}
		p := part{}
		switch name {
		case "hub":
			p.name = placeHub
		case "category":
			p.name = placeCategory
		case "event":
			p.name = placeEvent
		default:
			return nil, fmt.Errorf("there is no parameter {%s}; use {hub}, {category} or {event}", name)
		}
		parts = append(parts, p)
		rest = behind
	}
	// Two different events must come to the same host: a client chooses the event.
	var hosts [2]string
	for i, event := range []string{"a", "b"} {
		u, err := url.Parse(expand(parts, &Event{Hub: "h", Category: CategoryMessages, Name: event}))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("must be an absolute http or https URL")
		}
		if u.Fragment != "" {
			return nil, errors.New("must not have a fragment")
		}
		hosts[i] = u.Host + " " + u.User.String()
	}
	if hosts[0] != hosts[1] {
		return nil, errors.New("{event} must not be part of the host: clients choose it")
	}
	return parts, nil
}

// expand fills in the values, escaped so that none can reach out of its place.
func expand(parts []part, e *Event) string {
	var b strings.Builder
	for _, p := range parts {
		switch p.name {
		case placeNone:
			b.WriteString(p.text)
		case placeHub:
			b.WriteString(escape(e.Hub))
		case placeCategory:
			b.WriteString(escape(e.Category))
		case placeEvent:
			b.WriteString(escape(e.Name))
		}
	}
	return b.String()
}

// escape makes text a value for the path or the query of a URL: all but the unreserved characters of RFC 3986 are escaped.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

// url is where the event goes.
func (t *template) url(e *Event) (string, error) {
	for _, p := range t.parts {
		if p.name == placeEvent && (e.Name == "." || e.Name == "..") {
			return "", errors.New("an event named . or .. cannot stand in the path of a URL")
		}
	}
	return expand(t.parts, e), nil
}

// match is the first template that wants the event, or nil.
func (s *settings) match(e *Event) *template {
	for _, t := range s.templates {
		if t.hub.matches(e.Hub) && t.category.matches(e.Category) && t.event.matches(e.Name) {
			return t
		}
	}
	return nil
}
