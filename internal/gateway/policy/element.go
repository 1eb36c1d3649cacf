package policy

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hubgate/hubgate/internal/resource"
)

// Error is a fault in a policy document.
type Error struct {
	Element string // name of the element; "" when the document could not be read that far
	Line    int    // from 1
	Column  int    // from 1, in characters
	Message string // a sentence without its full stop at the end
}

// Error reads as API Management's own: Error in element 'x' on line 11, column 4: reason.
func (e *Error) Error() string {
	if e.Element == "" {
		return fmt.Sprintf("Error on line %d, column %d: %s", e.Line, e.Column, e.Message)
	}
	return fmt.Sprintf("Error in element '%s' on line %d, column %d: %s", e.Element, e.Line, e.Column, e.Message)
}

func errorf(element string, line, column int, format string, args ...any) *Error {
	return &Error{Element: element, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
}

// Errors are all faults of a document, in its order.
type Errors []*Error

// Error is one fault a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// element is an element of a document with its place.
type element struct {
	name       string
	line       int // of the name
	column     int
	attributes []attribute
	children   []*element
	content    content // the text between the tags, or all of it when there are children
}

type attribute struct {
	name  string
	value content
}

// content is a literal or an expression. Named values are still in it.
type content struct {
	literal    string
	expression *expression // nil for a literal
	line       int         // of the expression's @
	column     int
}

// maxDepth bounds how deep elements may nest.
const maxDepth = 64

// reader turns a scanned document into elements.
type reader struct {
	s       *scanned
	decoder *xml.Decoder
}

// parseDocument reads a document of either format.
func parseDocument(text string, format resource.PolicyFormat) (*element, *Error) {
	text = strings.TrimPrefix(text, "\ufeff")
	var s *scanned
	if format == resource.PolicyRawXML {
		var err *Error
		if s, err = scanExpressions(text); err != nil {
			return nil, err
		}
	} else {
		s = &scanned{text: text, original: text}
	}
	r := &reader{s: s, decoder: xml.NewDecoder(strings.NewReader(s.text))}
	// The text is a Go string already, whatever encoding its declaration names.
	r.decoder.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	root, err := r.document()
	if err != nil && format != resource.PolicyRawXML && err.Element == "" && strings.Contains(text, "@") {
		err.Message += "; in the format xml the special characters of expressions must be escaped, in rawxml they need not be"
	}
	return root, err
}

func (r *reader) place(offset int) (line, column int) {
	return lineColumn(r.s.original, r.s.originalOffset(offset))
}

func (r *reader) errorAt(offset int, format string, args ...any) *Error {
	line, column := r.place(offset)
	return errorf("", line, column, format, args...)
}

func (r *reader) token() (xml.Token, int, *Error) {
	offset := int(r.decoder.InputOffset())
	token, err := r.decoder.Token()
	if err == nil {
		return token, offset, nil
	}
	if errors.Is(err, io.EOF) {
		return nil, offset, r.errorAt(offset, "the document ends too early")
	}
	return nil, offset, r.errorAt(int(r.decoder.InputOffset()), "the document is not well-formed: %s", syntaxMessage(err))
}

func (r *reader) document() (*element, *Error) {
	var root *element
	for {
		offset := int(r.decoder.InputOffset())
		token, err := r.decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, r.errorAt(int(r.decoder.InputOffset()), "the document is not well-formed: %s", syntaxMessage(err))
		}
		switch token := token.(type) {
		case xml.StartElement:
			if root != nil {
				return nil, r.errorAt(offset, "there is a second root element, %s", token.Name.Local)
			}
			var fault *Error
			if root, fault = r.element(token, offset, 0); fault != nil {
				return nil, fault
			}
		case xml.CharData:
			if strings.TrimSpace(string(token)) != "" {
				return nil, r.errorAt(offset, "there is text outside the root element")
			}
		case xml.Directive:
			return nil, r.errorAt(offset, "a document type declaration is not allowed")
		}
	}
	if root == nil {
		return nil, errorf("", 1, 1, "the document has no root element")
	}
	return root, nil
}

func syntaxMessage(err error) string {
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return syntax.Msg
	}
	return err.Error()
}

func (r *reader) element(start xml.StartElement, offset, depth int) (*element, *Error) {
	if depth > maxDepth {
		return nil, r.errorAt(offset, "elements nest deeper than %d", maxDepth)
	}
	e := &element{name: qualified(start.Name)}
	e.line, e.column = r.place(offset + 1)
	for _, a := range start.Attr {
		name := qualified(a.Name)
		for _, other := range e.attributes {
			if other.name == name {
				return nil, errorf(e.name, e.line, e.column, "The attribute '%s' is there twice", name)
			}
		}
		e.attributes = append(e.attributes, attribute{name: name, value: r.content(a.Value, e)})
	}
	inner := int(r.decoder.InputOffset())
	var text strings.Builder
	for {
		token, at, err := r.token()
		if err != nil {
			if err.Message == "the document ends too early" {
				return nil, errorf(e.name, e.line, e.column, "The element is not closed by </%s>", e.name)
			}
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			child, err := r.element(token, at, depth+1)
			if err != nil {
				return nil, err
			}
			e.children = append(e.children, child)
		case xml.CharData:
			text.Write(token)
		case xml.Directive:
			return nil, r.errorAt(at, "a document type declaration is not allowed")
		case xml.EndElement:
			e.content = r.content(text.String(), e)
			if len(e.children) > 0 && e.content.expression == nil && inner <= at {
				// A body written as elements is wanted as it stands.
				e.content.literal = r.restore(r.s.text[inner:at])
			}
			return e, nil
		}
	}
}

func qualified(name xml.Name) string {
	if name.Space != "" {
		return name.Space + ":" + name.Local
	}
	return name.Local
}

// content makes a literal or an expression of the value of an attribute or of a text.
func (r *reader) content(text string, e *element) content {
	trimmed := strings.TrimSpace(text)
	if number, ok := placeholder(trimmed); ok && number < len(r.s.expressions) {
		x := r.s.expressions[number]
		c := content{expression: &x}
		c.line, c.column = lineColumn(r.s.original, x.offset)
		return c
	}
	if x, ok := wholeExpression(trimmed); ok {
		return content{expression: x, line: e.line, column: e.column}
	}
	return content{literal: text}
}

// wholeExpression says whether a literal text is an expression, as in the format xml, in CDATA and in named values.
func wholeExpression(text string) (*expression, bool) {
	if !startsExpression(text) {
		return nil, false
	}
	end, fault := skipBrackets(text, 1)
	if fault == nil && end != len(text) {
		return nil, false
	}
	if fault != nil {
		// The expression compiler says better what is wrong with it.
		end = len(text)
		if text[end-1] != closing(text[1]) {
			end++
			text += " "
		}
	}
	return &expression{source: text[2 : end-1], statements: text[1] == '{'}, true
}

func placeholder(text string) (int, bool) {
	inner, ok := strings.CutPrefix(text, string(placeholderStart))
	if !ok {
		return 0, false
	}
	if inner, ok = strings.CutSuffix(inner, string(placeholderEnd)); !ok {
		return 0, false
	}
	n, err := strconv.Atoi(inner)
	return n, err == nil && n >= 0
}

// restore puts the expressions back into a part of the text.
func (r *reader) restore(text string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, string(placeholderStart))
		out.WriteString(before)
		if !found {
			return out.String()
		}
		number, after, _ := strings.Cut(rest, string(placeholderEnd))
		if n, err := strconv.Atoi(number); err == nil && n < len(r.s.expressions) {
			x := r.s.expressions[n]
			out.WriteString(r.s.original[x.offset : x.offset+x.length])
		}
		text = after
	}
}

// lineColumn is the place of an offset, both from 1, the column in characters.
func lineColumn(text string, offset int) (line, column int) {
	before := text[:min(max(offset, 0), len(text))]
	line = strings.Count(before, "\n") + 1
	return line, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

func itoa(n int) string { return strconv.Itoa(n) }
