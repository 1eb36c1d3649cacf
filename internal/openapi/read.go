package openapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

// The limits of a document.
const (
	// MaxDocument is the most bytes of a document: 4 MiB (API Management, inline import).
	MaxDocument = 4 << 20
	// MaxDepth is the most levels to which objects and arrays nest.
	MaxDepth = 100
	// maxNodes is the most values of a document, those that YAML aliases repeat included.
	maxNodes = 500_000
)

// read parses a document as the format wants it.
func read(document []byte, format Format) (*node, error) {
	if len(document) > MaxDocument {
		return nil, documentError(0, 0, "the document has %d bytes; at most %d are allowed: leave out examples or split the API", len(document), MaxDocument)
	}
	document = bytes.TrimPrefix(document, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimLeft(document, " \t\r\n")
	if len(trimmed) == 0 {
		return nil, documentError(0, 0, "the document is empty")
	}
	if format == OpenAPIJSON || format == SwaggerJSON {
		return readJSON(document)
	}
	if trimmed[0] != '{' {
		return readYAML(document)
	}
	// An object in braces is JSON, or YAML in its flow style. YAML reads most JSON too, but not all of it.
	root, err := readJSON(document)
	if err != nil {
		if other, otherErr := readYAML(document); otherErr == nil {
			return other, nil
		}
	}
	return root, err
}

func documentError(line, column int, format string, args ...any) error {
	return &Error{Problems: []Problem{{Line: line, Column: column, Message: fmt.Sprintf(format, args...)}}}
}

// jsonReader reads JSON into nodes.
type jsonReader struct {
	data    []byte
	decoder *jsontext.Decoder
	nodes   int

	// offset, line and column are a place that was looked up; places are looked up in ascending order.
	offset, line, column int
}

func readJSON(data []byte) (*node, error) {
	r := &jsonReader{data: data, decoder: jsontext.NewDecoder(bytes.NewReader(data)), line: 1, column: 1}
	root, err := r.read(0)
	if err != nil {
		return nil, r.locate(err)
	}
	if _, err := r.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("there is something after the end of the document")
		}
		return nil, r.locate(err)
	}
	return root, nil
}

// locate gives an error of the decoder its line.
func (r *jsonReader) locate(err error) error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	offset := int(r.decoder.InputOffset())
	var message string
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset = int(syntactic.ByteOffset)
		message = strings.TrimPrefix(syntactic.Err.Error(), "jsontext: ")
		if syntactic.JSONPointer != "" {
			message += " (within or after " + string(syntactic.JSONPointer) + ")"
		}
	} else {
		message = strings.TrimPrefix(err.Error(), "jsontext: ")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		message = "the document ends too early"
	}
	line, column := 1, 1
	for _, c := range r.data[:min(offset, len(r.data))] {
		line, column = advance(line, column, c)
	}
	return documentError(line, column, "the document is not JSON: %s", message)
}

// advance is the place after a byte. Columns count characters, as YAML's do.
func advance(line, column int, c byte) (nextLine, nextColumn int) {
	switch {
	case c == '\n':
		return line + 1, 1
	case utf8.RuneStart(c):
		return line, column + 1
	}
	return line, column
}

// place is where the next value begins.
func (r *jsonReader) place() (line, column int) {
	next := int(r.decoder.InputOffset())
	for next < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[next]) >= 0 {
		next++
	}
	for ; r.offset < next; r.offset++ {
		r.line, r.column = advance(r.line, r.column, r.data[r.offset])
	}
	return r.line, r.column
}

func (r *jsonReader) read(depth int) (*node, error) {
	n := &node{}
	n.line, n.column = r.place()
	if depth > MaxDepth {
		return nil, documentError(n.line, n.column, "the document nests deeper than %d levels", MaxDepth)
	}
	if r.nodes++; r.nodes > maxNodes {
		return nil, documentError(n.line, n.column, "the document has more than %d values", maxNodes)
	}
	token, err := r.decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case 'n':
	case 't', 'f':
		n.kind, n.value = boolean, token.String()
	case '0':
		n.kind, n.value = number, token.String()
	case '"':
		n.kind, n.value = text, token.String()
	case '[':
		n.kind = array
		for r.decoder.PeekKind() != ']' {
			item, err := r.read(depth + 1)
			if err != nil {
				return nil, err
			}
			item.parent, item.key = n, strconv.Itoa(len(n.items))
			n.items = append(n.items, item)
		}
		_, err = r.decoder.ReadToken()
	case '{':
		n.kind = object
		for r.decoder.PeekKind() != '}' {
			name, err := r.decoder.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			item, err := r.read(depth + 1)
			if err != nil {
				return nil, err
			}
			n.set(key, item)
		}
		_, err = r.decoder.ReadToken()
	}
	return n, err
}

// yamlReader turns what the YAML library parsed into nodes.
type yamlReader struct {
	nodes int
}

func readYAML(data []byte) (*node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var parsed yaml.Node
	if err := decoder.Decode(&parsed); errors.Is(err, io.EOF) {
		return nil, documentError(0, 0, "the document is empty")
	} else if err != nil {
		return nil, yamlError(err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		return nil, documentError(second.Line, second.Column, "there is a second YAML document; only one is allowed")
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlError(err)
	}
	r := &yamlReader{}
	return r.read(&parsed, 0)
}

// yamlError gives an error of the YAML library its line, which stands in its text.
func yamlError(err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if rest, ok := strings.CutPrefix(message, "line "); ok {
		if digits, after, found := strings.Cut(rest, ": "); found {
			if n, err := strconv.Atoi(digits); err == nil {
				line, message = n, after
			}
		}
	}
	return documentError(line, 0, "the document is not YAML: %s", message)
}

func (r *yamlReader) read(y *yaml.Node, depth int) (*node, error) {
	if y.Kind == yaml.DocumentNode && len(y.Content) == 1 {
		return r.read(y.Content[0], depth)
	}
	// An alias that stands within what it repeats ends here as well.
	if depth > MaxDepth {
		return nil, documentError(y.Line, y.Column, "the document nests deeper than %d levels", MaxDepth)
	}
	if r.nodes++; r.nodes > maxNodes {
		return nil, documentError(y.Line, y.Column, "the document has more than %d values, those repeated by aliases included", maxNodes)
	}
	n := &node{line: y.Line, column: y.Column}
	switch y.Kind {
	case yaml.AliasNode:
		return r.read(y.Alias, depth+1)
	case yaml.SequenceNode:
		n.kind = array
		for i, content := range y.Content {
			item, err := r.read(content, depth+1)
			if err != nil {
				return nil, err
			}
			item.parent, item.key = n, strconv.Itoa(i)
			n.items = append(n.items, item)
		}
	case yaml.MappingNode:
		n.kind = object
		return n, r.members(n, y, depth)
	case yaml.ScalarNode:
		return n, readScalar(n, y)
	default:
		return nil, documentError(y.Line, y.Column, "the document has no value here")
	}
	return n, nil
}

// members reads the members of a mapping. Those that "<<" brings in come last and give way to the mapping's own.
func (r *yamlReader) members(n *node, y *yaml.Node, depth int) error {
	var merged []*yaml.Node
	for i := 0; i+1 < len(y.Content); i += 2 {
		name, content := y.Content[i], y.Content[i+1]
		for name.Kind == yaml.AliasNode {
			name = name.Alias
		}
		if name.Kind != yaml.ScalarNode {
			return documentError(name.Line, name.Column, "the name of a member must be a text")
		}
		if name.ShortTag() == "!!merge" {
			merged = append(merged, content)
			continue
		}
		if n.has(name.Value) {
			return documentError(name.Line, name.Column, "there is a second member %q", name.Value)
		}
		item, err := r.read(content, depth+1)
		if err != nil {
			return err
		}
		n.set(name.Value, item)
	}
	for _, content := range merged {
		item, err := r.read(content, depth+1)
		if err != nil {
			return err
		}
		sources := []*node{item}
		if item.kind == array {
			sources = item.items
		}
		for _, source := range sources {
			if source.kind != object {
				return documentError(content.Line, content.Column, "<< takes a mapping or a list of mappings")
			}
			for i, name := range source.names {
				if !n.has(name) {
					source.items[i].parent = nil
					n.set(name, source.items[i])
				}
			}
		}
	}
	return nil
}

// readScalar gives a plain value the JSON type that it has in YAML 1.2's core schema. Dates stay texts.
func readScalar(n *node, y *yaml.Node) error {
	n.kind, n.value = text, y.Value
	switch y.ShortTag() {
	case "!!null":
		n.kind, n.value = null, ""
	case "!!bool":
		var b bool
		if err := y.Decode(&b); err != nil {
			return documentError(y.Line, y.Column, "%q is neither true nor false", y.Value)
		}
		n.kind, n.value = boolean, strconv.FormatBool(b)
	case "!!int", "!!float":
		if jsontext.Value(y.Value).Kind() == '0' && jsontext.Value(y.Value).IsValid() {
			n.kind = number
			return nil
		}
		var i int64
		var f float64
		switch {
		case y.Decode(&i) == nil:
			n.kind, n.value = number, strconv.FormatInt(i, 10)
		case y.Decode(&f) == nil && !math.IsInf(f, 0) && !math.IsNaN(f):
			n.kind, n.value = number, strconv.FormatFloat(f, 'g', -1, 64)
		}
	}
	return nil
}
