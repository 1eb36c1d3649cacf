package policy

import (
	"strings"
)

// expression is a policy expression as it stands in a document.
type expression struct {
	source     string // without the @ and the outer brackets
	statements bool   // @{…} rather than @(…)
	offset     int    // of the @ in the document
	length     int    // from the @ to the closing bracket
}

// Placeholders stand for expressions while the XML parser runs: the number of the expression between two characters of
// the private use area, which no policy needs.
const (
	placeholderStart = '\uE000'
	placeholderEnd   = '\uE001'
)

// scanned is a document whose expressions are replaced by placeholders.
type scanned struct {
	text        string
	original    string
	expressions []expression
	marks       []mark
}

// mark says that text from position at on stands in the original from position original on.
type mark struct{ at, original int }

// originalOffset is the place in the document of a place in the text.
func (s *scanned) originalOffset(offset int) int {
	delta := 0
	for _, m := range s.marks {
		if m.at > offset {
			break
		}
		delta = m.original - m.at
	}
	return min(offset+delta, len(s.original))
}

// scanner walks over a document as far as is needed to know where an attribute or a text begins.
type scanner struct {
	in   string
	pos  int
	done int // everything before it is in out
	out  strings.Builder
	s    *scanned
}

// scanExpressions replaces the expressions of a document by placeholders. Inside them it understands C#: strings, verbatim
// and interpolated strings, characters, comments and brackets.
func scanExpressions(document string) (*scanned, *Error) {
	sc := &scanner{in: document, s: &scanned{original: document}}
	if i := strings.IndexAny(document, string(placeholderStart)+string(placeholderEnd)); i >= 0 {
		return nil, sc.errorAt(i, "the character U+%04X of the private use area is not allowed in a policy", []rune(document[i:])[0])
	}
	for sc.pos < len(sc.in) {
		rest := sc.in[sc.pos:]
		var err *Error
		switch {
		case strings.HasPrefix(rest, "<!--"):
			// Comments say nothing to the gateway, and XML is stricter about hyphens in them than their authors.
			start := sc.pos
			end := strings.Index(rest[len("<!--"):], "-->") // <!--> does not end itself
			if end < 0 {
				return nil, sc.errorAt(start, "the comment is not closed by -->")
			}
			sc.pos += len("<!--") + end + len("-->")
			sc.cut(start, sc.pos)
		case strings.HasPrefix(rest, "<![CDATA["):
			// Expressions in CDATA are well-formed as they are; the parser hands them on.
			err = sc.skipTo("]]>", "the CDATA section is not closed by ]]>")
		case strings.HasPrefix(rest, "<?"):
			err = sc.skipTo("?>", "the processing instruction is not closed by ?>")
		case rest[0] == '<':
			err = sc.tag()
		default:
			err = sc.content()
		}
		if err != nil {
			return nil, err
		}
	}
	sc.out.WriteString(sc.in[sc.done:])
	sc.s.text = sc.out.String()
	return sc.s, nil
}

func (sc *scanner) errorAt(offset int, format string, args ...any) *Error {
	line, column := lineColumn(sc.in, offset)
	return errorf("", line, column, format, args...)
}

func (sc *scanner) skipTo(end, message string) *Error {
	i := strings.Index(sc.in[sc.pos:], end)
	if i < 0 {
		return sc.errorAt(sc.pos, "%s", message)
	}
	sc.pos += i + len(end)
	return nil
}

// tag goes over a start or end tag, whose attributes may be expressions.
func (sc *scanner) tag() *Error {
	start := sc.pos
	for sc.pos++; sc.pos < len(sc.in); {
		switch c := sc.in[sc.pos]; c {
		case '>':
			sc.pos++
			return nil
		case '"', '\'':
			if err := sc.attribute(c); err != nil {
				return err
			}
		default:
			sc.pos++
		}
	}
	return sc.errorAt(start, "the tag is not closed by >")
}

func (sc *scanner) attribute(quote byte) *Error {
	open := sc.pos
	sc.pos++
	at := sc.pos + spaces(sc.in[sc.pos:])
	if startsExpression(sc.in[at:]) {
		end, err := sc.expression(at)
		if err != nil {
			return err
		}
		after := end + spaces(sc.in[end:])
		if after >= len(sc.in) || sc.in[after] != quote {
			return sc.errorAt(end, "the attribute goes on after its expression; an attribute is one expression or a literal")
		}
		sc.pos = after + 1
		return nil
	}
	i := strings.IndexByte(sc.in[sc.pos:], quote)
	if i < 0 {
		return sc.errorAt(open, "the attribute's value is not closed by %c", quote)
	}
	sc.pos += i + 1
	return nil
}

// content goes over text between tags.
func (sc *scanner) content() *Error {
	at := sc.pos + spaces(sc.in[sc.pos:])
	if at < len(sc.in) && startsExpression(sc.in[at:]) {
		end, err := sc.expression(at)
		if err != nil {
			return err
		}
		sc.pos = end + spaces(sc.in[end:])
		if sc.pos < len(sc.in) && sc.in[sc.pos] != '<' {
			return sc.errorAt(end, "the text goes on after its expression; a text is one expression or a literal")
		}
		return nil
	}
	if i := strings.IndexByte(sc.in[sc.pos:], '<'); i >= 0 {
		sc.pos += i
	} else {
		sc.pos = len(sc.in)
	}
	return nil
}

func startsExpression(s string) bool {
	return strings.HasPrefix(s, "@(") || strings.HasPrefix(s, "@{")
}

func spaces(s string) int { return len(s) - len(strings.TrimLeft(s, " \t\r\n")) }

// expression takes out the expression that begins at position at and returns the position after it.
func (sc *scanner) expression(at int) (end int, err *Error) {
	end, fault := skipBrackets(sc.in, at+1)
	if fault != nil {
		return 0, sc.errorAt(fault.at, "%s", fault.message)
	}
	sc.cut(at, end, string(placeholderStart), itoa(len(sc.s.expressions)), string(placeholderEnd))
	sc.s.expressions = append(sc.s.expressions, expression{source: sc.in[at+2 : end-1], statements: sc.in[at+1] == '{', offset: at, length: end - at})
	return end, nil
}

// cut replaces a part of the document.
func (sc *scanner) cut(from, to int, by ...string) {
	sc.out.WriteString(sc.in[sc.done:from])
	for _, text := range by {
		sc.out.WriteString(text)
	}
	sc.s.marks = append(sc.s.marks, mark{at: sc.out.Len(), original: to})
	sc.done = to
}

type scanFault struct {
	at      int
	message string
}

// maxBrackets bounds how deep brackets and interpolated strings may nest.
const maxBrackets = 512

// skipBrackets goes over C# text from the opening bracket at position at and returns the position after the bracket that
// closes it.
func skipBrackets(s string, at int) (int, *scanFault) { return skipNested(s, at, 0) }

func skipNested(s string, at, level int) (int, *scanFault) {
	var open []int
	for i := at; i < len(s); {
		rest := s[i:]
		switch c := s[i]; {
		case c == '(' || c == '[' || c == '{':
			if len(open)+level >= maxBrackets {
				return 0, &scanFault{i, "the expression nests brackets too deep"}
			}
			open = append(open, i)
			i++
		case c == ')' || c == ']' || c == '}':
			if last := s[open[len(open)-1]]; closing(last) != c {
				return 0, &scanFault{i, "the bracket " + string(rune(c)) + " does not close " + string(rune(last))}
			}
			open = open[:len(open)-1]
			i++
			if len(open) == 0 {
				return i, nil
			}
		case strings.HasPrefix(rest, "//"):
			j := strings.IndexByte(rest, '\n')
			if j < 0 {
				return 0, &scanFault{i, "the comment does not end before the document does"}
			}
			i += j + 1
		case strings.HasPrefix(rest, "/*"):
			j := strings.Index(rest[2:], "*/")
			if j < 0 {
				return 0, &scanFault{i, "the comment is not closed by */"}
			}
			i += j + 4
		case strings.HasPrefix(rest, "&quot;"):
			// The author escaped the quotes, as XML wants it.
			j := strings.Index(rest[6:], "&quot;")
			if j < 0 {
				return 0, &scanFault{i, "the string is not closed by &quot;"}
			}
			i += j + 12
		case c == '"', c == '$' || c == '@':
			j, fault := skipString(s, i, level+len(open))
			if fault != nil {
				return 0, fault
			}
			i = j
		case c == '\'':
			j, fault := skipCharacter(s, i)
			if fault != nil {
				return 0, fault
			}
			i = j
		default:
			i++
		}
	}
	return 0, &scanFault{at - 1, "the expression is not closed: no bracket matches its " + string(rune(s[at]))}
}

func closing(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[':
		return ']'
	}
	return '}'
}

// skipString goes over "…", @"…", $"…", $@"…" and @$"…"; an @ or $ that begins no string is one character.
func skipString(s string, at, level int) (int, *scanFault) {
	verbatim, interpolated := false, false
	i := at
	for ; i < len(s) && (s[i] == '@' || s[i] == '$'); i++ {
		if s[i] == '@' {
			verbatim = true
		} else {
			interpolated = true
		}
	}
	if i >= len(s) || s[i] != '"' {
		return at + 1, nil
	}
	for i++; i < len(s); {
		switch c := s[i]; {
		case c == '"' && verbatim && i+1 < len(s) && s[i+1] == '"':
			i += 2
		case c == '"':
			return i + 1, nil
		case c == '\\' && !verbatim:
			i += 2
		case c == '\n' && !verbatim:
			return 0, &scanFault{at, "the string does not end on its line"}
		case c == '{' && interpolated:
			if i+1 < len(s) && s[i+1] == '{' {
				i += 2
				continue
			}
			if level >= maxBrackets {
				return 0, &scanFault{i, "the expression nests brackets too deep"}
			}
			j, fault := skipNested(s, i, level+1)
			if fault != nil {
				return 0, fault
			}
			i = j
		default:
			i++
		}
	}
	return 0, &scanFault{at, "the string is not closed"}
}

func skipCharacter(s string, at int) (int, *scanFault) {
	for i := at + 1; i < len(s) && i < at+12; {
		switch s[i] {
		case '\\':
			i += 2
		case '\'':
			return i + 1, nil
		case '\n':
			i = len(s)
		default:
			i++
		}
	}
	return 0, &scanFault{at, "the character literal is not closed by '"}
}
