// Package schema validates JSON bodies and values against the JSON Schemas and OpenAPI definitions of an API Management service.
package schema

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Options change how a definition is read.
type Options struct {
	// AdditionalProperties, when not nil, takes the place of what the schema says about properties that it does not name.
	AdditionalProperties *bool
	// IgnoreCase compares the names of properties without regard to case.
	IgnoreCase bool
}

// Schema is a compiled definition. It is immutable.
type Schema struct {
	compiled   *jsonschema.Schema
	ignoreCase bool
}

// ErrNoDefinition is the error of [Compile] when the document has no such definition.
var ErrNoDefinition = errors.New("the schema does not contain the definition")

const documentURL = "schema:///document"

// Compile compiles the definition at a reference like #/components/schemas/Pet in a JSON document; "" or # is the whole document.
// What OpenAPI adds to JSON Schema is understood; references to other documents are refused.
func Compile(document []byte, reference string, o Options) (*Schema, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, fmt.Errorf("the schema is not JSON: %w", err)
	}
	reference = strings.TrimPrefix(reference, "#")
	if !contains(parsed, reference) {
		return nil, fmt.Errorf("%w %q", ErrNoDefinition, reference)
	}
	n := normalizer{o: o}
	parsed = n.normalize(parsed, 0)
	if n.tooDeep {
		return nil, fmt.Errorf("the schema nests deeper than %d levels", maxDepth)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(compilePattern)
	if err := c.AddResource(documentURL, parsed); err != nil {
		return nil, schemaError(err)
	}
	compiled, err := c.Compile(documentURL + "#" + reference)
	if err != nil {
		return nil, schemaError(err)
	}
	return &Schema{compiled: compiled, ignoreCase: o.IgnoreCase}, nil
}

func schemaError(err error) error {
	return fmt.Errorf("the schema cannot be used: %s", strings.ReplaceAll(strings.ReplaceAll(err.Error(), documentURL, ""), "\n", "; "))
}

// contains says whether the document has something at a JSON pointer.
func contains(document any, pointer string) bool {
	if pointer == "" {
		return true
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		m, ok := document.(map[string]any)
		if !ok {
			return false
		}
		if document, ok = m[part]; !ok {
			return false
		}
	}
	return true
}

// noLoader refuses references to other documents: neither files nor the network are an API's business.
type noLoader struct{}

// Load refuses.
func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("the reference to %q leaves the document", url)
}

// pattern is a regular expression with the syntax of .NET and ECMAScript, which Go's own does not have whole.
type pattern struct{ re *regexp2.Regexp }

// patternTime bounds one match: 200 milliseconds.
const patternTime = 200 * time.Millisecond

func compilePattern(text string) (jsonschema.Regexp, error) {
	re, err := regexp2.Compile(text, regexp2.ECMAScript)
	if err != nil {
		if re, err = regexp2.Compile(text, regexp2.None); err != nil {
			return nil, err
		}
	}
	re.MatchTimeout = patternTime
	return pattern{re}, nil
}

// MatchString says whether the text matches. A match that takes too long is none.
func (p pattern) MatchString(text string) bool {
	ok, err := p.re.MatchString(text)
	return ok && err == nil
}

// String is the pattern's source.
func (p pattern) String() string { return p.re.String() }

// maxDepth bounds how deep schemas and bodies may nest.
const maxDepth = 128

// normalizer turns what OpenAPI 2 and 3.0 write their own way into JSON Schema, and puts the options in.
type normalizer struct {
	o       Options
	tooDeep bool
}

func (n *normalizer) normalize(v any, depth int) any {
	if depth > maxDepth {
		n.tooDeep = true
		return v
	}
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = n.normalize(v[i], depth+1)
		}
	case map[string]any:
		for name, inner := range v {
			switch name {
			case "enum", "const", "example", "examples", "default":
				continue // These are values, not schemas.
			}
			v[name] = n.normalize(inner, depth+1)
		}
		n.schema(v)
	}
	return v
}

func (n *normalizer) schema(m map[string]any) {
	if nullable, _ := m["nullable"].(bool); nullable {
		if t, ok := m["type"].(string); ok {
			m["type"] = []any{t, "null"}
			if list, ok := m["enum"].([]any); ok {
				m["enum"] = append(list, nil)
			}
		}
	}
	for exclusive, limit := range map[string]string{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"} {
		if is, ok := m[exclusive].(bool); ok { // The boolean form of OpenAPI 2 and 3.0.
			delete(m, exclusive)
			if bound, there := m[limit]; is && there {
				m[exclusive] = bound
				delete(m, limit)
			}
		}
	}
	if draft, ok := m["$schema"].(string); ok && !strings.Contains(draft, "json-schema.org") {
		delete(m, "$schema")
	}
	properties, ok := m["properties"].(map[string]any)
	if !ok {
		return
	}
	if a := n.o.AdditionalProperties; a != nil {
		m["additionalProperties"] = *a
	}
	if n.o.IgnoreCase {
		lower := make(map[string]any, len(properties))
		for name, inner := range properties {
			lower[strings.ToLower(name)] = inner
		}
		m["properties"] = lower
		if required, ok := m["required"].([]any); ok {
			for i := range required {
				if name, ok := required[i].(string); ok {
					required[i] = strings.ToLower(name)
				}
			}
		}
	}
}

// ErrNotJSON is wrapped by the error of [Schema.Validate] for a body that is no JSON.
var ErrNotJSON = errors.New("the body is not JSON")

// Validate reports what a JSON body has that the definition does not allow.
func (s *Schema) Validate(body []byte) error {
	if depth(body) > maxDepth {
		return fmt.Errorf("%w that nests at most %d levels deep", ErrNotJSON, maxDepth)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotJSON, err)
	}
	return s.ValidateValue(v)
}

// depth is how deep the brackets of a JSON text nest.
func depth(body []byte) int {
	level, deepest, inString := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// ValidateValue reports what a value has that the definition does not allow. The value is what encoding/json makes, with numbers as json.Number.
func (s *Schema) ValidateValue(v any) error {
	if s.ignoreCase {
		v = lowerNames(v)
	}
	err := s.compiled.Validate(v)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return &Invalid{Messages: messages(invalid, nil)}
	}
	return err
}

func lowerNames(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = lowerNames(v[i])
		}
	case map[string]any:
		lower := make(map[string]any, len(v))
		for name, inner := range v {
			lower[strings.ToLower(name)] = lowerNames(inner)
		}
		return lower
	}
	return v
}

// Invalid says what is wrong with a value: one message for each fault.
type Invalid struct{ Messages []string }

// Error is the first fault.
func (e *Invalid) Error() string { return e.Messages[0] }

// maxMessages bounds how many faults of a body are told.
const maxMessages = 32

// messages are the innermost faults, each with its path in the body.
func messages(e *jsonschema.ValidationError, into []string) []string {
	if len(into) >= maxMessages {
		return into
	}
	if len(e.Causes) == 0 {
		text := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
		return append(into, fmt.Sprintf("%s: %s.", path(e.InstanceLocation), text))
	}
	// The library walks maps, so its order is another one each time.
	causes := slices.SortedFunc(slices.Values(e.Causes), func(a, b *jsonschema.ValidationError) int {
		return slices.Compare(a.InstanceLocation, b.InstanceLocation)
	})
	for _, cause := range causes {
		into = messages(cause, into)
	}
	return into
}

func path(parts []string) string {
	if len(parts) == 0 {
		return "The document"
	}
	return "Path '" + strings.Join(parts, ".") + "'"
}
