package transform

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds how deep documents may nest: 128 levels.
const maxDepth = 128

var errTooDeep = fmt.Errorf("the document nests deeper than %d levels", maxDepth)

// value is a JSON value with its members in their order, which XML needs and a Go map loses.
type value struct {
	kind    jsontext.Kind // { [ " 0 t f n
	text    string        // of a string, unquoted; of a number, as it stands
	members []member
	items   []value
}

type member struct {
	name  string
	value value
}

// parseJSON reads one JSON document. Of a name that is there twice the last value counts, at the place of the first.
func parseJSON(data []byte) (value, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	d := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))
	v, err := readValue(d, 0)
	if err != nil {
		if errors.Is(err, io.EOF) {
			return v, errors.New("the body is empty")
		}
		return v, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return v, errors.New("there is more after the JSON document")
	}
	return v, nil
}

func readValue(d *jsontext.Decoder, depth int) (value, error) {
	if depth > maxDepth {
		return value{}, errTooDeep
	}
	token, err := d.ReadToken()
	if err != nil {
		return value{}, err
	}
	v := value{kind: token.Kind()}
	switch v.kind {
	case '"', '0':
		v.text = token.String()
	case '[':
		for d.PeekKind() != ']' {
			item, err := readValue(d, depth+1)
			if err != nil {
				return v, err
			}
			v.items = append(v.items, item)
		}
		_, err = d.ReadToken()
	case '{':
		at := map[string]int{}
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return v, err
			}
			m := member{name: name.String()}
			if m.value, err = readValue(d, depth+1); err != nil {
				return v, err
			}
			if i, there := at[m.name]; there {
				v.members[i] = m
				continue
			}
			at[m.name] = len(v.members)
			v.members = append(v.members, m)
		}
		_, err = d.ReadToken()
	}
	return v, err
}

// append writes the value as JSON without any space.
func (v *value) append(b []byte) []byte {
	switch v.kind {
	case '{':
		b = append(b, '{')
		for i := range v.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, v.members[i].name), ':')
			b = v.members[i].value.append(b)
		}
		return append(b, '}')
	case '[':
		b = append(b, '[')
		for i := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = v.items[i].append(b)
		}
		return append(b, ']')
	case '"':
		return appendString(b, v.text)
	case '0':
		return append(b, v.text...)
	case 't':
		return append(b, "true"...)
	case 'f':
		return append(b, "false"...)
	}
	return append(b, "null"...)
}

func appendString(b []byte, s string) []byte {
	// Invalid UTF-8 is the only error, and both parsers give none; the replacement character would stand for it.
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

func text(s string) value { return value{kind: '"', text: s} }
