package openapi

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// json writes a node as JSON; indent is "" for one line.
func (n *node) json(indent string) ([]byte, error) {
	var b bytes.Buffer
	options := []jsontext.Options{jsontext.EscapeForHTML(false)}
	if indent != "" {
		options = append(options, jsontext.WithIndent(indent))
	}
	if err := n.encode(jsontext.NewEncoder(&b, options...)); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func (n *node) encode(e *jsontext.Encoder) error {
	switch n.kind {
	case null:
		return e.WriteToken(jsontext.Null)
	case boolean:
		return e.WriteToken(jsontext.Bool(n.value == "true"))
	case number:
		return e.WriteValue(jsontext.Value(n.value))
	case text:
		return e.WriteToken(jsontext.String(strings.ToValidUTF8(n.value, "\uFFFD")))
	case array:
		if err := e.WriteToken(jsontext.BeginArray); err != nil {
			return err
		}
		for _, item := range n.items {
			if err := item.encode(e); err != nil {
				return err
			}
		}
		return e.WriteToken(jsontext.EndArray)
	}
	if err := e.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for i, name := range n.names {
		if err := e.WriteToken(jsontext.String(strings.ToValidUTF8(name, "\uFFFD"))); err != nil {
			return fmt.Errorf("member %q: %w", name, err)
		}
		if err := n.items[i].encode(e); err != nil {
			return err
		}
	}
	return e.WriteToken(jsontext.EndObject)
}

// yaml writes a node as a YAML document.
func (n *node) yaml() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n.yamlNode()); err != nil {
		return nil, err
	}
	if err := e.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (n *node) yamlNode() *yaml.Node {
	y := &yaml.Node{Kind: yaml.ScalarNode, Value: n.value}
	switch n.kind {
	case null:
		y.Tag, y.Value = "!!null", "null"
	case boolean:
		y.Tag = "!!bool"
	case number:
		y.Tag = "!!int"
		if strings.ContainsAny(n.value, ".eE") {
			y.Tag = "!!float"
		}
	case text:
		y.SetString(n.value)
	case array:
		y.Kind, y.Tag = yaml.SequenceNode, "!!seq"
		for _, item := range n.items {
			y.Content = append(y.Content, item.yamlNode())
		}
	case object:
		y.Kind, y.Tag = yaml.MappingNode, "!!map"
		for i, name := range n.names {
			var key yaml.Node
			key.SetString(name)
			y.Content = append(y.Content, &key, n.items[i].yamlNode())
		}
	}
	return y
}
