package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/hubgate/hubgate/internal/resource"
)

// RawResource is a resource in the words of Azure's REST API and of its templates, for what the file has no field of its own for: backends and
// pools, policy fragments, version sets, revisions, certificates, loggers, caches, users, groups, tags, schemas.
type RawResource struct {
	// ID is the resource's type and name below the service, like backends/weather or apis/weather;rev=2. It is needed.
	ID string `yaml:"id"`
	// Properties are those of the resource in Azure. A text may be read from elsewhere: {file: NAME} or {env: NAME}.
	Properties Properties `yaml:"properties"`

	resource resource.Resource // what it is, once it is resolved
}

// Properties are fields that the type of a resource names.
type Properties struct{ node *yaml.Node }

// rawResource makes the resource. What is wrong with it is reported.
func (r *resolver) rawResource(path string, service resource.ID, raw *RawResource) {
	id, empty, err := rawID(service, raw.ID)
	if err != nil {
		r.at(path+".id", "%v", err)
		return
	}
	fields := map[string]any{}
	if n := raw.Properties.node; n != nil {
		before := len(r.problems)
		value := r.rawValue(n, path+".properties")
		if len(r.problems) > before {
			return
		}
		properties, ok := value.(map[string]any)
		if !ok { // a reference to a text
			r.at(path+".properties", "fields belong here; only a text in them may be read from elsewhere")
			return
		}
		fields = properties
	}
	if _, given := fields["id"]; given {
		r.at(path+".properties.id", "belongs beside the properties, not into them")
		return
	}
	fields["id"] = string(id)
	text, err := json.Marshal(fields)
	if err == nil {
		err = json.Unmarshal(text, empty, json.RejectUnknownMembers(true))
	}
	if err != nil {
		place, reason := misfit(err)
		r.at(path+".properties"+place, "%s", reason)
		return
	}
	raw.resource = empty
}

// rawID is the id of a resource below a service, and an empty resource of its type.
func rawID(service resource.ID, text string) (resource.ID, resource.Resource, error) {
	parts := strings.Split(text, "/")
	if len(parts)%2 != 0 || slices.Contains(parts, "") {
		return "", nil, fmt.Errorf("%q is not the type and the name of a resource below the service, like backends/weather", text)
	}
	id := service.Child(parts...)
	var known []string
	for t, empty := range resource.Types() {
		if strings.EqualFold(t, id.Type()) {
			return id, withDefaults(empty()), nil
		}
		if below, ok := strings.CutPrefix(t, service.Type()+"/"); ok {
			known = append(known, below)
		}
	}
	slices.Sort(known)
	unknown := strings.TrimPrefix(id.Type(), service.Type()+"/")
	return "", nil, fmt.Errorf("a service has no resources of the type %s; there are %s", unknown, strings.Join(known, ", "))
}

// withDefaults fills in those defaults of Azure's that are not the zero value.
func withDefaults(r resource.Resource) resource.Resource {
	switch r := r.(type) {
	case *resource.API:
		r.SubscriptionRequired = true
	case *resource.Product:
		r.SubscriptionRequired = true
	}
	return r
}

// rawValue is a node in the form that JSON has, with references to texts followed.
func (r *resolver) rawValue(n *yaml.Node, path string) any {
	switch n.Kind {
	case yaml.AliasNode:
		return r.rawValue(n.Alias, path)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = r.rawValue(item, fmt.Sprintf("%s[%d]", path, i))
		}
		return list
	case yaml.MappingNode:
		fields := make(map[string]any, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			name := n.Content[i].Value
			fields[name] = r.rawValue(n.Content[i+1], join(path, name))
		}
		if len(fields) == 1 {
			file, _ := fields["file"].(string)
			env, _ := fields["env"].(string)
			if file != "" || env != "" {
				s := Secret{File: file, Env: env}
				r.text(path, &s, resource.MaxPolicySize)
				return s.text
			}
		}
		return fields
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return b
		}
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			return i
		}
	case "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return f
		}
	}
	return n.Value
}

// misfit says where properties are not those of their resource, and why. It shows no values.
func misfit(err error) (place, reason string) {
	e, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		return "", "these are not the properties of such a resource"
	}
	switch place = fieldPath(e.JSONPointer); {
	case errors.Is(e, json.ErrUnknownName):
		name := e.JSONPointer.LastToken()
		return fieldPath(e.JSONPointer.Parent()), fmt.Sprintf("there is no field %q here", name)
	case e.GoType != nil:
		return place, kindName(e.GoType) + " belongs here"
	}
	return place, "does not fit here"
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map, reflect.Pointer:
		return "fields"
	}
	return "a text"
}

// fieldPath is a JSON pointer as a path of the file, with a dot or a bracket in front.
func fieldPath(p jsontext.Pointer) string {
	var b strings.Builder
	for token := range p.Tokens() {
		if _, err := strconv.Atoi(token); err == nil {
			b.WriteString("[" + token + "]")
		} else {
			b.WriteString("." + token)
		}
	}
	return b.String()
}
