package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is the class of a token.
type tokenKind uint8

const (
	endToken tokenKind = iota
	identifierToken
	keywordToken
	numberToken
	stringToken
	charToken
	interpolationToken
	operatorToken
)

// token is one lexical element. Offsets are bytes within the source.
type token struct {
	kind       tokenKind
	text       string // identifier, keyword or operator
	start, end int
	value      Value // of literals
	parts      []interpolationPart
}

// interpolationPart is literal text, or a hole with its alignment and format.
type interpolationPart struct {
	text                 string
	hole                 bool
	start, end           int // of the hole's expression
	alignStart, alignEnd int // zero when absent
	format               string
	hasFormat            bool
}

// keywords are C# 7.3's reserved words.
var keywords = func() map[string]bool {
	words := map[string]bool{}
	for w := range strings.FieldsSeq(`abstract as base bool break byte case catch char checked class const continue decimal default delegate do double
		else enum event explicit extern false finally fixed float for foreach goto if implicit in int interface internal is lock long namespace new
		null object operator out override params private protected public readonly ref return sbyte sealed short sizeof stackalloc static string
		struct switch this throw true try typeof uint ulong unchecked unsafe ushort using virtual void volatile while`) {
		words[w] = true
	}
	return words
}()

// lexer turns source into tokens.
type lexer struct {
	src  string
	pos  int
	end  int
	fail func(offset int, code, format string, args ...any)
}

// operators are C#'s, longest first. The shift `>>` is put together by the parser, for it also closes two type argument lists.
var operators = []string{
	"??=", "<<=", "=>", "==", "!=", "<=", "&&", "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", "::", "->", "..",
	"(", ")", "[", "]", "{", "}", ";", ",", ".", "?", ":", "+", "-", "*", "/", "%", "&", "|", "^", "~", "!", "<", ">", "=",
}

// next returns the next token.
func (l *lexer) next() token {
	l.skipSpace()
	start := l.pos
	if start >= l.end {
		return token{kind: endToken, start: start, end: start}
	}
	c := l.src[start]
	switch {
	case c == '"':
		return l.regularString()
	case c == '\'':
		return l.charLiteral()
	case c == '@' && l.peek(1) == '"':
		return l.verbatimString()
	case c == '$' && l.peek(1) == '"':
		return l.interpolated(2, false)
	case c == '$' && l.peek(1) == '@' && l.peek(2) == '"':
		return l.interpolated(3, true)
	case c == '@' && l.peek(1) == '$' && l.peek(2) == '"':
		l.fail(start, "CS8401", "write $@\" for a verbatim interpolated string; @$\" needs a newer language version")
	case c == '@':
		l.pos++
		if name := l.identifier(); name != "" {
			return token{kind: identifierToken, text: name, start: start, end: l.pos}
		}
		l.fail(start, "CS1646", "keyword, identifier, or string expected after verbatim specifier: @")
	case c >= '0' && c <= '9', c == '.' && isDigit(l.peek(1)):
		return l.number()
	}
	if name := l.identifier(); name != "" {
		kind := identifierToken
		if keywords[name] {
			kind = keywordToken
		}
		return token{kind: kind, text: name, start: start, end: l.pos}
	}
	for _, op := range operators {
		if strings.HasPrefix(l.src[start:l.end], op) {
			if op == "?." && isDigit(l.peek(2)) {
				op = "?"
			}
			l.pos += len(op)
			return token{kind: operatorToken, text: op, start: start, end: l.pos}
		}
	}
	r, _ := utf8.DecodeRuneInString(l.src[start:l.end])
	l.fail(start, "CS1056", "unexpected character '%c'", r)
	panic("unreachable")
}

func (l *lexer) peek(n int) byte {
	if l.pos+n < l.end {
		return l.src[l.pos+n]
	}
	return 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// skipSpace skips white space and comments.
func (l *lexer) skipSpace() {
	for l.pos < l.end {
		rest := l.src[l.pos:l.end]
		switch {
		case strings.HasPrefix(rest, "//"):
			n := strings.IndexAny(rest, "\r\n")
			if n < 0 {
				n = len(rest)
			}
			l.pos += n
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				l.fail(l.pos, "CS1035", "end-of-file found, '*/' expected")
			}
			l.pos += n + 4
		default:
			r, size := utf8.DecodeRuneInString(rest)
			if !unicode.IsSpace(r) && r != '\ufeff' {
				return
			}
			l.pos += size
		}
	}
}

// identifier reads an identifier, or returns the empty string.
func (l *lexer) identifier() string {
	start := l.pos
	for l.pos < l.end {
		r, size := utf8.DecodeRuneInString(l.src[l.pos:l.end])
		if r != '_' && !unicode.IsLetter(r) && (l.pos == start || !(unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r) || unicode.Is(unicode.Pc, r))) {
			break
		}
		l.pos += size
	}
	return l.src[start:l.pos]
}

// regularString reads "…" with escapes.
func (l *lexer) regularString() token {
	start := l.pos
	l.pos++
	var text textBuilder
	for {
		if l.pos >= l.end || l.src[l.pos] == '\n' || l.src[l.pos] == '\r' {
			l.fail(start, "CS1010", "newline or end in string literal")
		}
		c := l.src[l.pos]
		switch c {
		case '"':
			l.pos++
			return token{kind: stringToken, start: start, end: l.pos, value: text.String()}
		case '\\':
			l.escape(&text)
		default:
			text.WriteByte(c)
			l.pos++
		}
	}
}

// escape reads one backslash escape into text.
func (l *lexer) escape(text *textBuilder) {
	start := l.pos
	l.pos++
	c := l.peek(0)
	l.pos++
	const simple, meant = `'"\0abfnrtv`, "'\"\\\x00\a\b\f\n\r\t\v"
	if i := strings.IndexByte(simple, c); i >= 0 && c != 0 {
		text.WriteByte(meant[i])
		return
	}
	digits := 0
	switch c {
	case 'u':
		digits = 4
	case 'U':
		digits = 8
	case 'x':
		for digits < 4 && isHex(l.peek(digits)) {
			digits++
		}
	}
	var n rune
	for i := range digits {
		d := l.peek(i)
		if !isHex(d) {
			digits = 0
			break
		}
		n = n<<4 | rune(hexValue(d))
	}
	if digits == 0 || n > unicode.MaxRune || n < 0 {
		l.fail(start, "CS1009", "unrecognized escape sequence")
	}
	l.pos += digits
	text.writeUnitOrRune(n)
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexValue(c byte) int {
	switch {
	case c <= '9':
		return int(c - '0')
	case c >= 'a':
		return int(c-'a') + 10
	}
	return int(c-'A') + 10
}

// verbatimString reads @"…", where a doubled quote is a quote.
func (l *lexer) verbatimString() token {
	start := l.pos
	l.pos += 2
	var text strings.Builder
	for {
		n := strings.IndexByte(l.src[l.pos:l.end], '"')
		if n < 0 {
			l.fail(start, "CS1039", "unterminated string literal")
		}
		text.WriteString(l.src[l.pos : l.pos+n])
		l.pos += n + 1
		if l.peek(0) != '"' {
			return token{kind: stringToken, start: start, end: l.pos, value: text.String()}
		}
		text.WriteByte('"')
		l.pos++
	}
}

// charLiteral reads '…'.
func (l *lexer) charLiteral() token {
	start := l.pos
	l.pos++
	var text textBuilder
	for {
		if l.pos >= l.end || l.src[l.pos] == '\n' || l.src[l.pos] == '\r' {
			l.fail(start, "CS1010", "newline or end in character literal")
		}
		c := l.src[l.pos]
		if c == '\'' {
			l.pos++
			break
		}
		if c == '\\' {
			l.escape(&text)
			continue
		}
		text.WriteByte(c)
		l.pos++
	}
	units := utf16Units(text.String())
	if len(units) == 0 {
		l.fail(start, "CS1011", "empty character literal")
	}
	if len(units) > 1 {
		l.fail(start, "CS1012", "too many characters in character literal")
	}
	return token{kind: charToken, start: start, end: l.pos, value: Char(units[0])}
}

// interpolated reads $"…" or $@"…" into parts. Holes are left as source ranges for the parser.
func (l *lexer) interpolated(prefix int, verbatim bool) token {
	start := l.pos
	l.pos += prefix
	var parts []interpolationPart
	var text textBuilder
	for {
		if l.pos >= l.end {
			l.fail(start, "CS1039", "unterminated string literal")
		}
		c := l.src[l.pos]
		switch {
		case c == '"' && verbatim && l.peek(1) == '"':
			text.WriteByte('"')
			l.pos += 2
		case c == '"':
			l.pos++
			if text.Len() > 0 {
				parts = append(parts, interpolationPart{text: text.String()})
			}
			return token{kind: interpolationToken, start: start, end: l.pos, parts: parts}
		case (c == '\n' || c == '\r') && !verbatim:
			l.fail(start, "CS1010", "newline in string literal")
		case c == '{' && l.peek(1) == '{', c == '}' && l.peek(1) == '}':
			text.WriteByte(c)
			l.pos += 2
		case c == '}':
			l.fail(l.pos, "CS8086", "a '}' character must be escaped (by doubling) in an interpolated string")
		case c == '{':
			if text.Len() > 0 {
				parts = append(parts, interpolationPart{text: text.String()})
				text.Reset()
			}
			parts = append(parts, l.hole(verbatim))
		case c == '\\' && !verbatim:
			l.escape(&text)
		default:
			text.WriteByte(c)
			l.pos++
		}
	}
}

// hole reads {expression[,alignment][:format]} of an interpolated string.
func (l *lexer) hole(verbatim bool) interpolationPart {
	open := l.pos
	l.pos++
	part := interpolationPart{hole: true, start: l.pos}
	depth, question := 0, 0
	closeExpression := func() {
		if part.alignStart > 0 {
			part.alignEnd = l.pos
		} else {
			part.end = l.pos
		}
	}
	for {
		if l.pos >= l.end {
			l.fail(open, "CS8076", "missing close delimiter '}' for interpolated expression started with '{'")
		}
		c := l.src[l.pos]
		switch c {
		case '"', '\'':
			if c == '"' {
				l.regularString()
			} else {
				l.charLiteral()
			}
			continue
		case '@', '$':
			if n := l.peek(1); n == '"' || n == '@' && l.peek(2) == '"' {
				l.next()
				continue
			}
		case '/':
			if n := l.peek(1); n == '/' || n == '*' {
				l.skipSpace()
				continue
			}
		case '\n', '\r':
			if !verbatim {
				l.fail(open, "CS8076", "newlines are not allowed inside a non-verbatim interpolated string's holes")
			}
		case '(', '[', '{':
			depth++
		case ')', ']':
			depth--
		case '?':
			if depth == 0 && l.peek(1) != '.' && l.peek(1) != '?' && l.peek(1) != '[' {
				question++
			} else if l.peek(1) == '?' {
				l.pos++
			}
		case '}':
			if depth == 0 {
				closeExpression()
				l.pos++
				if strings.TrimSpace(l.src[part.start:part.end]) == "" {
					l.fail(open, "CS1733", "expected expression")
				}
				return part
			}
			depth--
		case ',':
			if depth == 0 && part.alignStart == 0 {
				closeExpression()
				part.alignStart = l.pos + 1
			}
		case ':':
			if depth == 0 && l.peek(1) != ':' {
				if question > 0 && part.alignStart == 0 {
					l.fail(open, "CS8361", "a conditional expression cannot be used directly in a string interpolation because the ':' ends the interpolation; parenthesize it")
				}
				closeExpression()
				l.pos++
				l.holeFormat(&part, open, verbatim)
				return part
			}
		}
		l.pos++
	}
}

// holeFormat reads the format of a hole up to its closing brace.
func (l *lexer) holeFormat(part *interpolationPart, open int, verbatim bool) {
	var format textBuilder
	for {
		if l.pos >= l.end || l.src[l.pos] == '"' && !verbatim {
			l.fail(open, "CS8076", "missing close delimiter '}' for interpolated expression started with '{'")
		}
		c := l.src[l.pos]
		switch {
		case c == '}' && l.peek(1) == '}', c == '{' && l.peek(1) == '{':
			format.WriteByte(c)
			l.pos += 2
		case c == '}':
			l.pos++
			part.format, part.hasFormat = format.String(), true
			if part.format == "" {
				l.fail(open, "CS8089", "empty format specifier")
			}
			return
		case c == '\\' && !verbatim:
			l.escape(&format)
		default:
			format.WriteByte(c)
			l.pos++
		}
	}
}
