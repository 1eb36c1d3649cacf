package openapi

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// templateNames are the parameters of a template's path in order. A problem says why it is no template. The wildcard is named "*",
// or path when it is written {*path}.
func templateNames(path string) (names []string, problem string) {
	// One slash at each end does not count, as for the gateway.
	segments := strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch {
		case segment == "*":
			if !last {
				return nil, "the wildcard * must be the last segment"
			}
			return append(names, "*"), ""
		case segment == "" && len(segments) > 1:
			return nil, "there is an empty segment between two slashes"
		}
		afterParameter := false
		for segment != "" {
			literal, rest, found := strings.Cut(segment, "{")
			if strings.ContainsAny(literal, "}*") {
				return nil, fmt.Sprintf("%q has a } without { or a * that is not the last segment by itself", literal)
			}
			if _, err := url.PathUnescape(literal); err != nil {
				return nil, fmt.Sprintf("%q has a %% that does not begin an escape like %%20", literal)
			}
			if !found {
				break
			}
			if literal == "" && afterParameter {
				return nil, "nothing separates two parameters"
			}
			name, after, closed := strings.Cut(rest, "}")
			if !closed {
				return nil, "a { has no }"
			}
			if wildcard, is := strings.CutPrefix(name, "*"); is && literal == "" && after == "" && !afterParameter {
				if !last {
					return nil, "the wildcard {" + name + "} must be the last segment"
				}
				name = wildcard
			}
			if !parameterName(name) {
				return nil, fmt.Sprintf("{%s} is no parameter name", name)
			}
			names = append(names, name)
			segment, afterParameter = after, true
		}
	}
	return names, ""
}

// parameterName says whether a name can stand in braces.
func parameterName(name string) bool { return name != "" && !strings.ContainsAny(name, "{}*/?&=") }

// queryNames are the parameters of a template's query in order. A problem says why it is no template.
func queryNames(parts []queryPart) (names []string, problem string) {
	for _, part := range parts {
		if part.name == "" || strings.ContainsAny(part.name, "{}") {
			return nil, fmt.Sprintf("%q is no query parameter with a name", part.raw)
		}
		if strings.HasPrefix(part.value, "{") && strings.HasSuffix(part.value, "}") {
			name := part.value[1 : len(part.value)-1]
			if !parameterName(name) {
				return nil, fmt.Sprintf("{%s} is no parameter name", name)
			}
			names = append(names, name)
			continue
		}
		if _, err := url.QueryUnescape(part.raw); err != nil || strings.ContainsAny(part.value, "{}") {
			return nil, fmt.Sprintf("the value of %q is neither a constant nor one {parameter}", part.raw)
		}
	}
	return names, ""
}

// parseTemplateQuery takes the query of a URL template apart.
func parseTemplateQuery(query string) []queryPart {
	var parts []queryPart
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		part := queryPart{name: name, value: value, raw: pair}
		if decoded, err := url.QueryUnescape(name); err == nil {
			part.name = decoded
		}
		parts = append(parts, part)
	}
	return parts
}

// escapeQueryName writes the name of a query parameter for a URL template. Only what would be read as something else is escaped, so
// that names like $filter and api-version stay as they are.
func escapeQueryName(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("%&=+#?{}*", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// MatchKey is a URL template in a form in which two that match the same requests are equal: in lower case, without the names of
// parameters, without slashes at the end, the query in order.
func MatchKey(template string) string {
	path, query, _ := resource.CutURLTemplate(template)
	var b strings.Builder
	withoutNames := func(text string) {
		for {
			literal, rest, found := strings.Cut(text, "{")
			b.WriteString(strings.ToLower(literal))
			if !found {
				return
			}
			name, after, _ := strings.Cut(rest, "}")
			if strings.HasPrefix(name, "*") {
				b.WriteString("*")
			} else {
				b.WriteString("{}")
			}
			text = after
		}
	}
	withoutNames(strings.Trim(path, "/"))
	parts := parseTemplateQuery(query)
	keys := make([]string, len(parts))
	for i, part := range parts {
		value := part.value
		if strings.HasPrefix(value, "{") {
			value = "{}"
		}
		keys[i] = strings.ToLower(part.name) + "=" + value
	}
	slices.Sort(keys)
	return b.String() + "?" + strings.Join(keys, "&")
}
