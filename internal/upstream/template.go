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
	credential           *credential // nil: none
}

// part is a piece of a URL template: a text, the value of a parameter, or a secret.
type part struct {
	text      string
	parameter resource.UpstreamParameter
	secret    *secret
}

// pattern is nil for anything, else the names that are meant.
type pattern []string

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
func compile(t resource.UpstreamTemplate, found *secrets) (*template, error) {
	var c template
	for _, p := range []struct {
		into *pattern
		text string
		name string
	}{{&c.hub, t.HubPattern, "hubPattern"}, {&c.category, t.CategoryPattern, "categoryPattern"}, {&c.event, t.EventPattern, "eventPattern"}} {
		names, err := resource.ParseUpstreamPattern(p.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		*p.into = names
	}
	for _, category := range c.category {
		if !strings.EqualFold(category, CategoryConnections) && !strings.EqualFold(category, CategoryMessages) {
			return nil, fmt.Errorf("categoryPattern: there is no category %q; use connections, messages or *", category)
		}
	}
	var err error
	if c.parts, err = compileURL(t.URLTemplate, found); err != nil {
		return nil, fmt.Errorf("urlTemplate: %w", err)
	}
	return &c, nil
}

// compileURL cuts a URL template at its parameters.
func compileURL(text string, found *secrets) ([]part, error) {
	parsed, err := resource.ParseUpstreamURL(text)
	if err != nil {
		return nil, err
	}
	parts := make([]part, len(parsed))
	for i, p := range parsed {
		parts[i] = part{text: p.Text, parameter: p.Parameter}
		if p.Parameter == resource.UpstreamSecret {
			if parts[i].secret, err = found.of(p.Secret); err != nil {
				return nil, err
			}
		}
	}
	return parts, nil
}

// expand fills in the values, escaped so that none can reach out of its place. It fails when a secret cannot be read.
func expand(parts []part, e *Event) (string, error) {
	var b strings.Builder
	for _, p := range parts {
		switch p.parameter {
		case resource.UpstreamText:
			b.WriteString(p.text)
		case resource.UpstreamHub:
			b.WriteString(escape(e.Hub))
		case resource.UpstreamCategory:
			b.WriteString(escape(e.Category))
		case resource.UpstreamEvent:
			b.WriteString(escape(e.Name))
		case resource.UpstreamSecret:
			text, err := p.secret.value()
			if err != nil {
				return "", fmt.Errorf("%w: %w", errNoSecret, err)
			}
			b.WriteString(escape(text))
		}
	}
	return b.String(), nil
}

// escape makes text a value for the path or the query of a URL: all but the unreserved characters of RFC 3986 are escaped.
func escape(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}

var errDots = errors.New("an event named . or .. cannot stand in the path of a URL")

// url is where the event goes.
func (t *template) url(e *Event) (string, error) {
	for _, p := range t.parts {
		if p.parameter == resource.UpstreamEvent && (e.Name == "." || e.Name == "..") {
			return "", errDots
		}
	}
	return expand(t.parts, e)
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
