package config

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// YAML is an API as it is written in a configuration file: an item for the list apis of a service or, with the name of a service, a whole
// file with that service. Fields that have no value are left out. References to files are written as what was read from them.
func (a API) YAML(service string) ([]byte, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{encode(reflect.ValueOf(a))}}
	root := list
	if service != "" {
		one := mapping("name", textNode(service), "apis", list)
		root = mapping("apiManagement", &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{one}})
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return nil, err
	}
	if err := e.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// mapping is a mapping of names and nodes.
func mapping(pairs ...any) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range pairs {
		if name, ok := p.(string); ok {
			p = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}
		}
		n.Content = append(n.Content, p.(*yaml.Node))
	}
	return n
}

// encode is the reverse of the decoder for the types that an API is made of.
func encode(v reflect.Value) *yaml.Node {
	switch v.Kind() {
	case reflect.Struct:
		n := mapping()
		for i := range v.NumField() {
			name, field := v.Type().Field(i).Tag.Get("yaml"), v.Field(i)
			if name == "" || field.IsZero() || field.Kind() == reflect.Slice && field.Len() == 0 {
				continue
			}
			n.Content = append(n.Content, mapping(name, encode(field)).Content...)
		}
		return n
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			n.Content = append(n.Content, encode(v.Index(i)))
		}
		return n
	case reflect.Pointer:
		return encode(v.Elem())
	case reflect.Bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v.Bool())}
	case reflect.Int:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(v.Int(), 10)}
	case reflect.String:
		return textNode(v.String())
	}
	panic("an API of the configuration has a field of a kind that cannot be written: " + v.Type().String())
}

// textNode is a text. One of several lines is written as a block where a block gives back the same text, else in quotes.
func textNode(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	plain := !strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) })
	switch {
	case plain && strings.Contains(text, "\n") && !strings.ContainsAny(text[:1], " \n") && !strings.HasSuffix(text, "\n\n") && !strings.Contains(text, " \n"):
		n.Style = yaml.LiteralStyle
	case !plain || strings.Contains(text, "\n"):
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}
