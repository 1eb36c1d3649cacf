package policy

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/hubgate/hubgate/internal/gateway/match"
)

// rewriteURI is the rewrite-uri policy (rewrite-uri-policy).
type rewriteURI struct {
	template      Value[string]
	copyUnmatched bool
}

var templateParameter = regexp.MustCompile(`\{\*?[^{}/?&]*\}`)

func newRewriteURI(b *Builder) Policy {
	template := b.String("template", 0) // An empty one is the backend's own path.
	if !template.IsSet() {
		b.Errorf("The required attribute 'template' is missing")
	}
	unmatched := b.Bool("copy-unmatched-params", true, LiteralOnly)
	r := &rewriteURI{template: template}
	r.copyUnmatched, _ = unmatched.Known()
	text, known := template.Known()
	if !known || text == "" {
		return r
	}
	if strings.Contains(text, "://") || strings.ContainsAny(text, "#\r\n") {
		b.Errorf("The attribute 'template' is a path and a query below the backend's URL, not %q", text)
		return r
	}
	if b.c.operation == nil {
		return r
	}
	parsed, err := match.ParseTemplate(b.c.operation.URLTemplate)
	if err != nil {
		return r // The operation itself is reported.
	}
	declared := map[string]bool{}
	for _, name := range parsed.Parameters() {
		declared[strings.ToLower(name)] = true
	}
	if request := b.c.operation.Request; request != nil {
		for _, p := range request.QueryParameters {
			declared[strings.ToLower(p.Name)] = true
		}
	}
	for _, reference := range templateParameter.FindAllString(text, -1) {
		if name := referenceName(reference); !declared[strings.ToLower(name)] {
			b.Errorf("The parameter %s is not in the operation's URL template %q", reference, b.c.operation.URLTemplate)
		}
	}
	return r
}

func referenceName(reference string) string {
	name := reference[1 : len(reference)-1]
	if name != "*" {
		name = strings.TrimPrefix(name, "*")
	}
	return name
}

// Run rewrites the path below the backend's URL, and the query.
func (r *rewriteURI) Run(x *Exchange) (Outcome, error) {
	template, err := r.template.Get(x)
	if err != nil {
		return End, err
	}
	if _, literal := r.template.Known(); literal && strings.Contains(template, "{") {
		path, query, hasQuery := strings.Cut(template, "?")
		if path, err = r.fill(x, path, true); err != nil {
			return End, err
		}
		if query, err = r.fill(x, query, false); err != nil {
			return End, err
		}
		template = path
		if hasQuery {
			template += "?" + query
		}
	}
	path, query, _ := strings.Cut(template, "?")
	if path != "" && path[0] != '/' {
		path = "/" + path
	}
	if strings.ContainsAny(template, "\r\n\x00") || strings.Contains(path, "#") {
		return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "The result of rewrite-uri is not a path and a query."}
	}
	x.Request.Path = match.Clean(path)
	if r.copyUnmatched {
		named := func(name string) bool {
			for pair := range strings.SplitSeq(query, "&") {
				key, _, _ := strings.Cut(pair, "=")
				if strings.EqualFold(key, name) {
					return true
				}
			}
			return false
		}
		rest, _ := filterQuery(x.Request.RawQuery, func(name string) bool { return !x.Match.TemplateQuery(name) && !named(name) })
		if rest != "" && query != "" {
			query += "&"
		}
		query += rest
	}
	x.Request.RawQuery = query
	return Continue, nil
}

// fill puts the values of the parameters in.
func (r *rewriteURI) fill(x *Exchange, text string, inPath bool) (string, error) {
	escape := url.QueryEscape
	if inPath {
		escape = url.PathEscape
	}
	var missing string
	filled := templateParameter.ReplaceAllStringFunc(text, func(reference string) string {
		name := referenceName(reference)
		// From path to path a value stays as the client wrote it: an escaped slash is no slash.
		if value, ok := x.Match.LookupEscaped(name); ok && inPath {
			return value
		}
		if value, ok := x.Match.Lookup(name); ok {
			return escape(value)
		}
		if values := x.Inbound.URL.Query()[name]; len(values) > 0 {
			return escape(values[0])
		}
		missing = reference
		return ""
	})
	if missing != "" {
		return "", &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "The request has no parameter " + missing + " for rewrite-uri."}
	}
	return filled, nil
}
