package expr

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxNesting bounds how deep brackets, blocks and operators may nest, for parser and binder recurse.
const maxNesting = 200

// parser reads C# 7.3 expressions and statements by precedence climbing.
type parser struct {
	src    string
	tokens []token
	pos    int
	depth  int
}

// newParser returns a parser of src.
func newParser(src string) *parser {
	p := &parser{src: src}
	p.tokens = p.scan(0, len(src))
	return p
}

// scan splits the source between two offsets into tokens.
func (p *parser) scan(from, to int) []token {
	l := lexer{src: p.src, pos: from, end: to, fail: p.fail}
	var tokens []token
	for {
		t := l.next()
		tokens = append(tokens, t)
		if t.kind == endToken {
			return tokens
		}
	}
}

// newCompileError makes an error at a byte offset of src.
func newCompileError(src string, offset int, code, format string, args ...any) *CompileError {
	offset = min(offset, len(src))
	line := 1 + strings.Count(src[:offset], "\n")
	start := strings.LastIndexByte(src[:offset], '\n') + 1
	return &CompileError{Line: line, Column: 1 + utf8.RuneCountInString(src[start:offset]), Code: code, Message: fmt.Sprintf(format, args...)}
}

// fail stops the compilation; Compile recovers it.
func (p *parser) fail(offset int, code, format string, args ...any) {
	panic(newCompileError(p.src, offset, code, format, args...))
}

func (p *parser) peek() token { return p.tokens[p.pos] }

func (p *parser) peekAt(n int) token {
	return p.tokens[min(p.pos+n, len(p.tokens)-1)]
}

func (p *parser) take() token {
	t := p.tokens[p.pos]
	if p.pos < len(p.tokens)-1 {
		p.pos++
	}
	return t
}

// is reports whether the next token is the operator or keyword text.
func (p *parser) is(text string) bool { return p.peek().is(text) }

func (t token) is(text string) bool {
	return (t.kind == operatorToken || t.kind == keywordToken) && t.text == text
}

// word reports whether the next token is the contextual keyword text.
func (p *parser) word(text string) bool {
	t := p.peek()
	return t.kind == identifierToken && t.text == text
}

func (p *parser) accept(text string) bool {
	if p.is(text) {
		p.take()
		return true
	}
	return false
}

// expectCodes are the C# compiler's numbers for a missing token.
var expectCodes = map[string]string{";": "CS1002", ")": "CS1026", "}": "CS1513", "{": "CS1514", ":": "CS1003", "]": "CS1003", "(": "CS1003", ",": "CS1003"}

func (p *parser) expect(text string) token {
	if !p.is(text) {
		code := expectCodes[text]
		if code == "" {
			code = "CS1003"
		}
		at := p.peek().start
		if p.pos > 0 && text == ";" {
			at = p.tokens[p.pos-1].end
		}
		p.fail(at, code, "'%s' expected", text)
	}
	return p.take()
}

func (p *parser) identifier() token {
	if p.peek().kind != identifierToken {
		p.fail(p.peek().start, "CS1001", "identifier expected")
	}
	return p.take()
}

// enter counts nesting; call the result when leaving.
func (p *parser) enter() {
	p.depth++
	if p.depth > maxNesting {
		p.fail(p.peek().start, "CS8078", "the expression is nested more than %d levels deep", maxNesting)
	}
}

func (p *parser) leave() { p.depth-- }

// parseExpressionToEnd reads the whole source as one expression.
func (p *parser) parseExpressionToEnd() node {
	if p.peek().kind == endToken {
		p.fail(0, "CS1525", "the expression is empty")
	}
	n := p.expression()
	p.expectEnd(")")
	return n
}

// expectEnd refuses tokens after the end of the expression.
func (p *parser) expectEnd(closing string) {
	if t := p.peek(); t.kind != endToken {
		code := "CS1002"
		if closing == ")" {
			code = "CS1026"
		}
		p.fail(t.start, code, "unexpected '%s' after the expression", p.src[t.start:t.end])
	}
}

// parseStatementsToEnd reads the whole source as statements.
func (p *parser) parseStatementsToEnd() *blockStatement {
	b := &blockStatement{end: len(p.src)}
	for p.peek().kind != endToken {
		if p.is("}") {
			p.fail(p.peek().start, "CS1022", "unexpected '}'")
		}
		b.statements = append(b.statements, p.statement())
	}
	return b
}

// parseType reads a type, or fails.
func (p *parser) parseType() *typeSyntax {
	t := p.tryType()
	if t == nil {
		p.fail(p.peek().start, "CS1031", "type expected")
	}
	return t
}

// predefinedTypes are the keywords that name types.
const predefinedTypes = " bool byte sbyte char short ushort int uint long ulong float double decimal string object "

func isPredefinedType(t token) bool {
	return t.kind == keywordToken && strings.Contains(predefinedTypes, " "+t.text+" ")
}

// tryType reads a type if there is one at the cursor; it returns nil, with the cursor anywhere, if not.
func (p *parser) tryType() *typeSyntax {
	p.enter()
	defer p.leave()
	t := &typeSyntax{place: place(p.peek().start)}
	switch first := p.peek(); {
	case isPredefinedType(first):
		p.take()
		t.parts = []namePart{{name: first.text}}
	case first.is("("):
		p.take()
		for {
			e := p.tryType()
			if e == nil {
				return nil
			}
			element := typeElement{typ: e}
			if p.peek().kind == identifierToken {
				element.name = p.take().text
			}
			t.elements = append(t.elements, element)
			if p.accept(",") {
				continue
			}
			if !p.accept(")") || len(t.elements) < 2 {
				return nil
			}
			break
		}
	case first.kind == identifierToken:
		for {
			if p.peek().kind != identifierToken {
				return nil
			}
			part := namePart{name: p.take().text}
			if part.name == "global" && p.accept("::") {
				continue
			}
			if p.is("<") {
				part.arguments = p.tryTypeArguments()
				if part.arguments == nil {
					return nil
				}
			}
			t.parts = append(t.parts, part)
			if p.is(".") && p.peekAt(1).kind == identifierToken {
				p.take()
				continue
			}
			break
		}
	default:
		return nil
	}
	for {
		switch {
		case p.is("?"):
			p.take()
			t.suffixes = append(t.suffixes, "?")
		case p.is("[") && p.peekAt(1).is("]"):
			p.take()
			p.take()
			t.suffixes = append(t.suffixes, "[]")
		default:
			return t
		}
	}
}

// tryTypeArguments reads <T, U>; nil if that is not what follows.
func (p *parser) tryTypeArguments() []*typeSyntax {
	p.take()
	var list []*typeSyntax
	for {
		t := p.tryType()
		if t == nil {
			return nil
		}
		list = append(list, t)
		if p.accept(",") {
			continue
		}
		if p.accept(">") {
			return list
		}
		return nil
	}
}

// typeArgumentsInExpression reads type arguments after a name within an expression, where `<` may also be the operator. As in C#, what follows decides.
func (p *parser) typeArgumentsInExpression() []*typeSyntax {
	if !p.is("<") {
		return nil
	}
	save := p.pos
	if list := p.tryTypeArguments(); list != nil {
		t := p.peek()
		if t.kind == endToken || t.kind == operatorToken && strings.Contains(" ( ) ] } : ; , . ? ?. == != | ^ && || & [ ", " "+t.text+" ") {
			return list
		}
	}
	p.pos = save
	return nil
}
