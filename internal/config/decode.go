package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// scalar is a type that is written as one scalar. Structs that implement it may be written as a mapping too.
type scalar interface{ setScalar(text string) error }

// The most nodes that a file may have once its aliases are followed, and the most errors that are reported.
const (
	maxNodes    = 100_000
	maxProblems = 20
)

// problem is something wrong at a place of the file.
type problem struct {
	line    int    // 0 when the file has no such place
	path    string // like apiManagement[0].apis[1].type
	message string
}

// decoder fills a Config from YAML nodes. It is stricter than the YAML library and names the path and the line of each problem.
type decoder struct {
	lines    map[string]int // line of each path that is in the file
	problems []problem
	nodes    int
}

// decodeYAML decodes one document into c, over the defaults that it holds. The error is about YAML itself.
func (d *decoder) decodeYAML(data []byte, c *Config) error {
	reader := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	switch err := reader.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil // an empty file
	case err != nil:
		return err
	}
	var more yaml.Node
	if err := reader.Decode(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			return err
		}
		d.report(&more, "", "the file has a second document; one file holds one configuration")
		return nil
	}
	d.decode(document.Content[0], "", reflect.ValueOf(c).Elem())
	return nil
}

func (d *decoder) report(n *yaml.Node, path, format string, args ...any) {
	line := 0
	if n != nil {
		line = n.Line
	}
	d.problems = append(d.problems, problem{line, path, fmt.Sprintf(format, args...)})
}

// visit counts a value and notes its place. It says false when the file has too many, which it reports once.
func (d *decoder) visit(n *yaml.Node, path string) bool {
	if d.nodes++; d.nodes > maxNodes {
		if d.nodes == maxNodes+1 {
			d.report(n, path, "the file has more than %d values", maxNodes)
		}
		return false
	}
	d.lines[path] = n.Line
	return true
}

func (d *decoder) decode(n *yaml.Node, path string, v reflect.Value) {
	if !d.visit(n, path) {
		return
	}
	if n.Kind == yaml.AliasNode {
		d.decode(n.Alias, path, v)
		return
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // a key without a value keeps its default
	}
	if s, ok := v.Addr().Interface().(scalar); ok {
		if n.Kind == yaml.ScalarNode {
			if err := s.setScalar(n.Value); err != nil {
				d.report(n, path, "%v", err)
			}
			return
		}
		if v.Kind() != reflect.Struct {
			d.report(n, path, "a single value belongs here, not %s", describe(n))
			return
		}
	}
	if p, ok := v.Addr().Interface().(*Properties); ok {
		if n.Kind != yaml.MappingNode {
			d.report(n, path, "fields belong here, not %s", describe(n))
			return
		}
		d.walk(n, path)
		p.node = n
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.decodeStruct(n, path, v)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.report(n, path, "a list belongs here, not %s", describe(n))
			return
		}
		list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
		for i, item := range n.Content {
			d.decode(item, fmt.Sprintf("%s[%d]", path, i), list.Index(i))
		}
		v.Set(list)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(n, path, v.Elem())
	case reflect.String:
		if n.Kind != yaml.ScalarNode || n.Tag != "!!str" && n.Tag != "!!int" && n.Tag != "!!float" {
			d.report(n, path, "a text belongs here, not %s", describe(n))
			return
		}
		v.SetString(n.Value)
	case reflect.Bool:
		d.decodeInto(n, path, v, "!!bool", "true or false")
	case reflect.Int:
		d.decodeInto(n, path, v, "!!int", "a whole number")
		if v.Int() < 0 {
			d.report(n, path, "must not be negative")
		}
	default:
		panic("config has a field of a kind that the decoder does not know: " + path)
	}
}

func (d *decoder) decodeInto(n *yaml.Node, path string, v reflect.Value, tag, wanted string) {
	if n.Kind != yaml.ScalarNode || n.Tag != tag || n.Decode(v.Addr().Interface()) != nil {
		d.report(n, path, "%s belongs here, not %s", wanted, describe(n))
	}
}

func (d *decoder) decodeStruct(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.report(n, path, "fields belong here, not %s", describe(n))
		return
	}
	seen := make(map[string]bool)
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field, ok := fieldByName(v, key.Value)
		if key.Kind != yaml.ScalarNode || !ok {
			d.report(key, path, "there is no field %q here; there are %s", key.Value, strings.Join(fieldNames(v.Type()), ", "))
			continue
		}
		if seen[key.Value] {
			d.report(key, join(path, key.Value), "is here a second time")
			continue
		}
		seen[key.Value] = true
		d.decode(value, join(path, key.Value), field)
	}
}

// walk counts the values of properties, notes their places, and looks for what is there twice.
func (d *decoder) walk(n *yaml.Node, path string) {
	if !d.visit(n, path) {
		return
	}
	switch n.Kind {
	case yaml.AliasNode:
		d.walk(n.Alias, path)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			d.walk(item, fmt.Sprintf("%s[%d]", path, i))
		}
	case yaml.MappingNode:
		seen := make(map[string]bool)
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || seen[key.Value] {
				d.report(key, path, "the name of a field belongs here, and each one once")
				continue
			}
			seen[key.Value] = true
			d.walk(n.Content[i+1], join(path, key.Value))
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func fieldByName(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if tag := v.Type().Field(i).Tag.Get("yaml"); tag != "" && tag == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func fieldNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "" {
			names = append(names, tag)
		}
	}
	return names
}

// describe says what a node is. It shows no values, which may be secrets in the wrong place.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!bool":
		return "true or false (in quotes it is a text)"
	case "!!int", "!!float":
		return "a number"
	}
	return "a text"
}

// at reports a problem at a path, with the line of the path or of what it is in.
func (d *decoder) at(path, format string, args ...any) {
	line := 0
	for p := path; ; {
		if l, ok := d.lines[p]; ok {
			line = l
			break
		}
		cut := max(strings.LastIndexByte(p, '.'), strings.LastIndexByte(p, '['))
		if cut < 0 {
			break
		}
		p = p[:cut]
	}
	d.problems = append(d.problems, problem{line, path, fmt.Sprintf(format, args...)})
}

// err is all problems as one error, by line: "file:line: path: message".
func (d *decoder) err(file string) error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b problem) int { return a.line - b.line })
	var errs []error
	for i, p := range d.problems {
		if i == maxProblems {
			errs = append(errs, fmt.Errorf("%s: and %d more", file, len(d.problems)-i))
			break
		}
		place := file
		if p.line > 0 {
			place = fmt.Sprintf("%s:%d", file, p.line)
		}
		if p.path != "" {
			place += ": " + p.path
		}
		errs = append(errs, fmt.Errorf("%s: %s", place, p.message))
	}
	return errors.Join(errs...)
}
