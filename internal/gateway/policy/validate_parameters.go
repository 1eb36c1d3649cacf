package policy

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hubgate/hubgate/internal/gateway/schema"
	"github.com/hubgate/hubgate/internal/resource"
)

// parameterKind is where a parameter is.
type parameterKind struct {
	typ   string // of validation errors
	what  string // in sentences
	title string // at their beginning
}

var (
	queryParameter = &parameterKind{"QueryParameter", "query parameter", "Query parameter"}
	pathParameter  = &parameterKind{"PathParameter", "path parameter", "Path parameter"}
	requestHeader  = &parameterKind{"RequestHeader", "header", "Header"}
	responseHeader = &parameterKind{"ResponseHeader", "header", "Header"}
)

// parameterRules are the actions for the parameters of one kind.
type parameterRules struct {
	specified, unspecified Value[string]
	own                    map[string]Value[string] // by name, in lower case
}

// parameterRules reads the elements with this name below the element.
func (b *Builder) parameterRules(element string, fold bool) map[string]Value[string] {
	own := map[string]Value[string]{}
	for _, child := range b.Children(element) {
		name := child.Literal("name", "", Required)
		if fold {
			name = strings.ToLower(name)
		}
		if _, twice := own[name]; twice {
			child.Errorf("There is a second '%s' for '%s'", element, name)
		}
		own[name] = child.validationAction("action")
		child.Done()
	}
	return own
}

// action is what is done about a parameter.
func (r *parameterRules) action(x *Exchange, name string, specified bool) (string, error) {
	if own, ok := r.own[name]; ok {
		return own.Get(x)
	}
	if specified {
		return r.specified.Get(x)
	}
	return r.unspecified.Get(x)
}

// validateParameters is the validate-parameters policy (validate-parameters-policy).
type validateParameters struct {
	headers, query, path parameterRules
	variable             string
	schemas              *SchemaSet
}

func newValidateParameters(b *Builder) Policy {
	v := &validateParameters{variable: b.Literal("errors-variable-name", "", 0), schemas: b.c.environment.Schemas}
	specified, unspecified := b.validationAction("specified-parameter-action"), b.validationAction("unspecified-parameter-action")
	for _, r := range []*parameterRules{&v.headers, &v.query, &v.path} {
		r.specified, r.unspecified = specified, unspecified
	}
	seen := map[string]bool{}
	for _, child := range b.Children("headers", "query", "path") {
		name := child.Element()
		if seen[name] {
			child.Errorf("There is a second '%s'", name)
		}
		seen[name] = true
		r := map[string]*parameterRules{"headers": &v.headers, "query": &v.query, "path": &v.path}[name]
		r.specified = child.validationAction("specified-parameter-action")
		if name != "path" {
			r.unspecified = child.validationAction("unspecified-parameter-action")
		}
		r.own = child.parameterRules("parameter", name == "headers")
		child.Done()
	}
	return v
}

// Run checks the request's headers, query and path against what the operation declares.
func (v *validateParameters) Run(x *Exchange) (Outcome, error) {
	if x.Operation == nil {
		return Continue, nil
	}
	found := findings{}
	check := parameterCheck{x: x, schemas: v.schemas, found: &found}
	if err := v.checkPath(&check); err != nil {
		return End, err
	}
	if err := v.checkQuery(&check); err != nil {
		return End, err
	}
	var declared []resource.TemplateParameter
	if x.Operation.Request != nil {
		declared = x.Operation.Request.Headers
	}
	keyHeader, _ := x.API.KeyNames()
	if err := check.headers(x.Request.Header, declared, &v.headers, requestHeader, func(name string) bool { return strings.EqualFold(name, keyHeader) }); err != nil {
		return End, err
	}
	return found.finish(x, v.variable)
}

func (v *validateParameters) checkPath(c *parameterCheck) error {
	for i := range c.x.Operation.TemplateParameters {
		p := &c.x.Operation.TemplateParameters[i]
		value, there := c.x.Match.Lookup(p.Name)
		if !there || c.x.Match.TemplateQuery(p.Name) {
			continue
		}
		action, err := v.path.action(c.x, p.Name, true)
		if err != nil {
			return err
		}
		c.value(p, []string{value}, action, pathParameter)
	}
	return nil
}

func (v *validateParameters) checkQuery(c *parameterCheck) error {
	// What cannot be parsed is no parameter; the values that can are checked.
	query, _ := url.ParseQuery(c.x.Request.RawQuery)
	declared := map[string]*resource.TemplateParameter{}
	var names []string
	note := func(list []resource.TemplateParameter, only func(name string) bool) {
		for i := range list {
			if only(list[i].Name) {
				declared[list[i].Name] = &list[i]
				names = append(names, list[i].Name)
			}
		}
	}
	if c.x.Operation.Request != nil {
		note(c.x.Operation.Request.QueryParameters, func(string) bool { return true })
	}
	note(c.x.Operation.TemplateParameters, c.x.Match.TemplateQuery)
	for _, name := range names {
		action, err := v.query.action(c.x, name, true)
		if err != nil {
			return err
		}
		if values, there := query[name]; there {
			c.value(declared[name], values, action, queryParameter)
		} else if declared[name].Required {
			c.missing(name, action, queryParameter)
		}
	}
	_, keyQuery := c.x.API.KeyNames()
	for _, name := range sortedNames(query) {
		if declared[name] != nil || name == keyQuery || c.x.Match.TemplateQuery(name) {
			continue
		}
		action, err := v.query.action(c.x, name, false)
		if err != nil {
			return err
		}
		c.unspecified(name, action, queryParameter)
	}
	return nil
}

func sortedNames(m map[string][]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// parameterCheck checks parameters of one request or response.
type parameterCheck struct {
	x       *Exchange
	schemas *SchemaSet
	found   *findings
}

// headers checks the headers of a message. Those for which exempt is true belong to the gateway.
func (c *parameterCheck) headers(header http.Header, declared []resource.TemplateParameter, rules *parameterRules, kind *parameterKind, exempt func(string) bool) error {
	known := map[string]bool{}
	for i := range declared {
		p := &declared[i]
		name := strings.ToLower(p.Name)
		known[name] = true
		action, err := rules.action(c.x, name, true)
		if err != nil {
			return err
		}
		if values, there := header[http.CanonicalHeaderKey(p.Name)]; there {
			c.value(p, values, action, kind)
		} else if p.Required {
			c.missing(p.Name, action, kind)
		}
	}
	for _, name := range sortedNames(header) {
		if known[strings.ToLower(name)] || exempt(name) || len(header[name]) == 0 {
			continue
		}
		action, err := rules.action(c.x, strings.ToLower(name), false)
		if err != nil {
			return err
		}
		c.unspecified(name, action, kind)
	}
	return nil
}

func (c *parameterCheck) unspecified(name, action string, kind *parameterKind) {
	c.found.add(action, ValidationError{Name: name, Type: kind.typ, ValidationRule: "Unspecified", Details: "Unspecified " + kind.what + " " + name + " is not allowed."}, "")
}

func (c *parameterCheck) missing(name, action string, kind *parameterKind) {
	c.found.add(action, ValidationError{Name: name, Type: kind.typ, ValidationRule: "IncorrectMessage", Details: "Required " + kind.what + " " + name + " is missing."}, "")
}

// value checks the values of a declared parameter.
func (c *parameterCheck) value(p *resource.TemplateParameter, values []string, action string, kind *parameterKind) {
	if action == validationIgnore {
		return
	}
	incorrect := func(text string) {
		details := "Value of the " + kind.what + " " + p.Name + " does not conform to the definition.\n\n" + text
		c.found.add(action, ValidationError{Name: p.Name, Type: kind.typ, ValidationRule: "IncorrectMessage", Details: details}, "The v"+details[1:])
	}
	isArray := strings.EqualFold(p.Type, "array")
	if len(values) > 1 && !isArray {
		subject := "Request"
		if kind == responseHeader {
			subject = "Response"
		}
		c.found.add(action, ValidationError{Name: p.Name, Type: kind.typ, ValidationRule: "IncorrectMessage",
			Details: subject + " cannot contain multiple values for the " + kind.what + " " + p.Name + "."}, "")
		return
	}
	for _, text := range values {
		parsed, err := parseParameter(text, p.Type)
		if err != "" {
			details := "Value of the " + kind.what + " " + p.Name + " cannot be parsed according to the definition.\n\n" + err
			c.found.add(action, ValidationError{Name: p.Name, Type: kind.typ, ValidationRule: "IncorrectMessage", Details: details}, strings.Replace(details, "cannot", "couldn't", 1))
			return
		}
		if len(p.Values) > 0 && !isArray && !slices.Contains(p.Values, text) {
			incorrect("The value is none of " + strings.Join(p.Values, ", ") + ".")
			return
		}
		if p.SchemaID == "" || isArray {
			continue
		}
		s, fault := c.schemas.ofAPI(c.x.API, p.SchemaID, p.TypeName, schema.Options{})
		if fault != nil {
			c.found.add(action, ValidationError{Name: p.Name, Type: kind.typ, ValidationRule: "MissingDefinition",
				Details: "API's schema does not contain definition " + p.TypeName + ", which is associated with the " + kind.what + " " + p.Name + "."}, internalPublic)
			return
		}
		for _, fault := range faults(s.ValidateValue(parsed)) {
			incorrect(fault)
		}
	}
}

// parseParameter is a parameter's value as its type has it; fault says why it cannot be.
func parseParameter(text, typ string) (value any, fault string) {
	switch strings.ToLower(typ) {
	case "integer":
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return nil, "The value is not an integer."
		}
		return json.Number(text), ""
	case "number":
		if f, err := strconv.ParseFloat(text, 64); err != nil || f-f != 0 {
			return nil, "The value is not a number."
		}
		return json.Number(text), ""
	case "boolean":
		if text != "true" && text != "false" {
			return nil, "The value is neither true nor false."
		}
		return text == "true", ""
	}
	return text, ""
}
