package expr

import "strings"

// binaryPrecedence holds the binary operators that bind left to right; higher binds tighter. Relational operators include is and as.
var binaryPrecedence = map[string]int{
	"||": 2, "&&": 3, "|": 4, "^": 5, "&": 6, "==": 7, "!=": 7, "<": 8, ">": 8, "<=": 8, ">=": 8, "is": 8, "as": 8, "<<": 9, ">>": 9, "+": 10, "-": 10,
	"*": 11, "/": 11, "%": 11,
}

// expression reads one expression, assignments and lambdas included.
func (p *parser) expression() node {
	p.enter()
	defer p.leave()
	if p.startsLambda() {
		return p.lambda()
	}
	if p.is("throw") {
		t := p.take()
		return &throwNode{place(t.start), p.expression()}
	}
	if p.word("from") && p.startsQuery() {
		return p.query()
	}
	if p.is("ref") {
		p.fail(p.peek().start, "CS8373", "ref expressions are not part of policy expressions")
	}
	left := p.conditional()
	t := p.peek()
	if t.kind != operatorToken {
		return left
	}
	switch t.text {
	case "=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=":
		p.take()
		return &assignNode{place(t.start), t.text, left, p.expression()}
	case "??=":
		p.fail(t.start, "CS8370", "'??=' needs a newer language version than C# 7.3")
	case "..":
		p.fail(t.start, "CS8370", "ranges need a newer language version than C# 7.3")
	case ">":
		if p.peekAt(1).is(">") && p.peekAt(2).is("=") || p.peekAt(1).is(">=") {
			n := 2
			if p.peekAt(1).is(">") {
				n = 3
			}
			for range n {
				p.take()
			}
			return &assignNode{place(t.start), ">>=", left, p.expression()}
		}
	}
	return left
}

// conditional reads c ? a : b and what binds tighter.
func (p *parser) conditional() node {
	condition := p.coalesce()
	if !p.is("?") {
		return condition
	}
	t := p.take()
	yes := p.expression()
	p.expect(":")
	return &conditionalNode{place(t.start), condition, yes, p.expression()}
}

// coalesce reads a ?? b, which binds to the right.
func (p *parser) coalesce() node {
	p.enter()
	defer p.leave()
	left := p.binary(1)
	if p.is("??") {
		t := p.take()
		if p.is("throw") || p.startsLambda() {
			return &binaryNode{place(t.start), "??", left, p.expression()}
		}
		return &binaryNode{place(t.start), "??", left, p.coalesce()}
	}
	return left
}

// operator returns the binary operator at the cursor and how many tokens it has.
func (p *parser) operator() (string, int) {
	t := p.peek()
	if t.kind != operatorToken && t.kind != keywordToken {
		return "", 0
	}
	if t.text == ">" {
		next := p.peekAt(1)
		switch {
		case next.is(">") && next.start == t.end:
			if p.peekAt(2).is("=") && p.peekAt(2).start == next.end {
				return "", 0
			}
			return ">>", 2
		case next.is("=") && next.start == t.end:
			return ">=", 2
		case next.is(">=") && next.start == t.end:
			return "", 0
		case next.is("==") && next.start == t.end:
			return "", 0
		}
	}
	return t.text, 1
}

// binary reads left-associative operators of at least the given precedence.
func (p *parser) binary(least int) node {
	left := p.unary()
	for count := 0; ; count++ {
		op, size := p.operator()
		precedence := binaryPrecedence[op]
		if precedence < least || precedence == 0 {
			return left
		}
		if count > 2000 {
			p.fail(p.peek().start, "CS8078", "the expression has too many operators in a row")
		}
		t := p.peek()
		for range size {
			p.take()
		}
		switch op {
		case "is":
			left = &isNode{place(t.start), left, p.pattern()}
		case "as":
			left = &asNode{place(t.start), left, p.typeAfterIsOrAs()}
		default:
			left = &binaryNode{place(t.start), op, left, p.binary(precedence + 1)}
		}
	}
}

// typeAfterIsOrAs reads a type where a following ? begins a conditional unless it cannot.
func (p *parser) typeAfterIsOrAs() *typeSyntax {
	t := p.parseType()
	p.returnQuestion(t)
	return t
}

// returnQuestion gives back a ? that the type took, when an operand of a conditional follows it.
func (p *parser) returnQuestion(t *typeSyntax) {
	n := len(t.suffixes)
	if n == 0 || t.suffixes[n-1] != "?" {
		return
	}
	next := p.peek()
	if next.kind == endToken || next.kind == operatorToken && strings.Contains(" ) ] } ; , && || == != ?? ? : & | ^ ", " "+next.text+" ") {
		return
	}
	t.suffixes = t.suffixes[:n-1]
	p.pos--
}

// pattern reads what follows is or case.
func (p *parser) pattern() *patternNode {
	start := p.peek()
	if start.kind == identifierToken && (start.text == "not" || start.text == "and" || start.text == "or") && p.peekAt(1).kind != operatorToken {
		p.fail(start.start, "CS8370", "pattern combinators need a newer language version than C# 7.3")
	}
	if start.is("<") || start.is(">") || start.is("<=") || start.is("{") {
		p.fail(start.start, "CS8370", "relational and property patterns need a newer language version than C# 7.3")
	}
	n := &patternNode{place: place(start.start)}
	if start.kind == identifierToken && start.text == "var" && p.peekAt(1).kind == identifierToken {
		p.take()
		n.isVar, n.variable = true, p.take().text
		return n
	}
	save := p.pos
	if t := p.tryType(); t != nil {
		if next := p.peek(); next.kind == identifierToken && !(next.text == "when" && p.peekAt(1).kind != operatorToken) && !p.queryWord(next) {
			n.typ, n.variable = t, p.take().text
			return n
		}
		p.returnQuestion(t)
		after := p.peek()
		if len(t.suffixes) > 0 || len(t.elements) > 0 || isPredefinedType(start) && !after.is(".") {
			n.typ = t
			return n
		}
		if !after.is(".") && !after.is("(") && !after.is("[") && !(after.kind == operatorToken && binaryPrecedence[after.text] > 8) {
			n.typ = t
			p.pos, save = save, p.pos
			n.constant = p.binary(9)
			p.pos = save
			return n
		}
	}
	p.pos = save
	n.constant = p.binary(9)
	return n
}

// queryWord reports whether t is a clause keyword of a query, which ends a pattern there.
func (p *parser) queryWord(t token) bool {
	switch t.text {
	case "where", "select", "orderby", "group", "join", "let", "from", "into", "ascending", "descending", "on", "equals", "by":
		return true
	}
	return false
}

// unary reads prefix operators and casts.
func (p *parser) unary() node {
	p.enter()
	defer p.leave()
	t := p.peek()
	if t.kind == operatorToken {
		switch t.text {
		case "-", "+", "!", "~", "++", "--":
			p.take()
			return &unaryNode{place(t.start), t.text, p.unary()}
		case "^":
			p.fail(t.start, "CS8370", "index from end needs a newer language version than C# 7.3")
		case "&", "*":
			p.fail(t.start, "CS0214", "pointers are not part of policy expressions")
		case "..":
			p.fail(t.start, "CS8370", "ranges need a newer language version than C# 7.3")
		case "(":
			if n := p.tryCast(); n != nil {
				return n
			}
		}
	}
	if t.kind == identifierToken && t.text == "await" && p.peekAt(1).kind == identifierToken {
		p.fail(t.start, "CS4033", "await is not part of policy expressions")
	}
	return p.postfix(p.primary())
}

// tryCast reads (T)operand, or returns nil without moving.
func (p *parser) tryCast() node {
	save := p.pos
	start := p.take()
	t := p.tryType()
	if t == nil || !p.is(")") {
		p.pos = save
		return nil
	}
	p.take()
	next := p.peek()
	sure := len(t.suffixes) > 0 || len(t.parts) == 1 && strings.Contains(predefinedTypes, " "+t.parts[0].name+" ")
	follows := false
	switch next.kind {
	case identifierToken, numberToken, stringToken, charToken, interpolationToken:
		follows = true
	case keywordToken:
		follows = next.text != "is" && next.text != "as" && next.text != "in"
	case operatorToken:
		follows = next.text == "(" || next.text == "!" || next.text == "~" || sure && (next.text == "-" || next.text == "+" || next.text == "++" || next.text == "--")
	}
	if !follows {
		p.pos = save
		return nil
	}
	if next.kind == identifierToken && !sure && (next.text == "when" || p.queryWord(next)) {
		p.pos = save
		return nil
	}
	return &castNode{place(start.start), t, p.unary()}
}

// postfix reads member access, calls, indexers, ?. and ++ after a primary expression.
func (p *parser) postfix(n node) node {
	for count := 0; ; count++ {
		if count > 1000 {
			p.fail(p.peek().start, "CS8078", "the chain of calls is too long")
		}
		t := p.peek()
		if t.kind != operatorToken {
			return n
		}
		switch t.text {
		case ".":
			p.take()
			name := p.identifier()
			n = &memberNode{place(name.start), n, name.text, p.typeArgumentsInExpression()}
		case "(":
			n = &callNode{place(t.start), n, p.arguments("(", ")")}
		case "[":
			n = &indexNode{place(t.start), n, p.arguments("[", "]")}
		case "++", "--":
			p.take()
			n = &postfixNode{place(t.start), t.text, n}
		case "?.":
			p.take()
			name := p.identifier()
			rest := p.postfix(&memberNode{place(name.start), &receiverNode{place(t.start)}, name.text, p.typeArgumentsInExpression()})
			return &accessNode{place(t.start), n, rest}
		case "?":
			if !p.peekAt(1).is("[") || !p.conditionalIndex() {
				return n
			}
			p.take()
			rest := p.postfix(&indexNode{place(t.start), &receiverNode{place(t.start)}, p.arguments("[", "]")})
			return &accessNode{place(t.start), n, rest}
		case "!":
			p.fail(t.start, "CS8370", "the null-forgiving operator needs a newer language version than C# 7.3")
		case "->", "::":
			p.fail(t.start, "CS0214", "'%s' is not part of policy expressions", t.text)
		default:
			return n
		}
	}
}

// conditionalIndex tells a?[i] from c ? [… : C# 7 has no expression that begins with a bracket, so it always is an indexer.
func (p *parser) conditionalIndex() bool { return p.peekAt(1).start == p.peek().end }

// arguments reads an argument list with its brackets.
func (p *parser) arguments(open, closing string) []*argumentNode {
	p.expect(open)
	var list []*argumentNode
	if p.accept(closing) {
		return list
	}
	for {
		list = append(list, p.argument())
		if p.accept(",") {
			continue
		}
		p.expect(closing)
		return list
	}
}

func (p *parser) argument() *argumentNode {
	t := p.peek()
	a := &argumentNode{place: place(t.start)}
	if t.kind == identifierToken && p.peekAt(1).is(":") {
		a.name = t.text
		p.take()
		p.take()
	}
	if p.is("out") || p.is("ref") || p.is("in") {
		a.mode = p.take().text
	}
	if a.mode == "out" {
		if p.word("_") && !p.peekAt(1).is(".") && !p.peekAt(1).is("[") {
			p.take()
			a.declared = "_"
			return a
		}
		save := p.pos
		if typ := p.tryType(); typ != nil && p.peek().kind == identifierToken {
			a.declared = p.take().text
			if len(typ.parts) != 1 || typ.parts[0].name != "var" || len(typ.suffixes) > 0 {
				a.typ = typ
			}
			return a
		}
		p.pos = save
	}
	a.value = p.expression()
	return a
}

// primary reads the atoms of expressions.
func (p *parser) primary() node {
	t := p.peek()
	switch t.kind {
	case numberToken, stringToken, charToken:
		p.take()
		return &literalNode{place: place(t.start), value: t.value}
	case interpolationToken:
		p.take()
		return p.interpolation(t)
	case identifierToken:
		p.take()
		if t.text == "nameof" && p.is("(") {
			return p.nameof(t)
		}
		if t.text == "global" && p.is("::") {
			p.take()
			t = p.identifier()
		}
		return &nameNode{place(t.start), t.text, p.typeArgumentsInExpression()}
	case keywordToken:
		return p.keywordPrimary(t)
	case operatorToken:
		if t.text == "(" {
			return p.parenthesized()
		}
	case endToken:
		p.fail(t.start, "CS1525", "an expression is expected")
	}
	p.fail(t.start, "CS1525", "invalid expression term '%s'", p.src[t.start:t.end])
	return nil
}

func (p *parser) keywordPrimary(t token) node {
	if isPredefinedType(t) {
		p.take()
		return &predefinedTypeNode{place(t.start), t.text}
	}
	switch t.text {
	case "true", "false":
		p.take()
		return &literalNode{place: place(t.start), value: t.text == "true"}
	case "null":
		p.take()
		return &literalNode{place: place(t.start), isNull: true}
	case "new":
		p.take()
		return p.creation(t)
	case "typeof":
		p.take()
		p.expect("(")
		n := &typeofNode{place(t.start), p.parseType()}
		p.expect(")")
		return n
	case "default":
		p.take()
		if !p.is("(") {
			return &defaultNode{place(t.start), nil}
		}
		p.take()
		n := &defaultNode{place(t.start), p.parseType()}
		p.expect(")")
		return n
	case "checked", "unchecked":
		p.take()
		p.expect("(")
		n := &checkedNode{place(t.start), p.expression(), t.text == "checked"}
		p.expect(")")
		return n
	case "this", "base":
		p.fail(t.start, "CS0027", "'%s' is not available in policy expressions", t.text)
	case "delegate", "stackalloc", "sizeof":
		p.fail(t.start, "CS1525", "'%s' is not part of policy expressions", t.text)
	}
	p.fail(t.start, "CS1525", "invalid expression term '%s'", t.text)
	return nil
}

// nameof reads nameof(a.b), whose value is the last name.
func (p *parser) nameof(t token) node {
	p.expect("(")
	operand := p.expression()
	p.expect(")")
	name := ""
	switch n := operand.(type) {
	case *nameNode:
		name = n.name
	case *memberNode:
		name = n.name
	default:
		p.fail(t.start, "CS8081", "expression does not have a name")
	}
	// The operand must still mean something, so it is bound like typeof's.
	return &binaryNode{place(t.start), "nameof", operand, &literalNode{place: place(t.start), value: name}}
}

// parenthesized reads (x) or a tuple.
func (p *parser) parenthesized() node {
	open := p.expect("(")
	tuple := &tupleNode{place: place(open.start)}
	for {
		name := ""
		if p.peek().kind == identifierToken && p.peekAt(1).is(":") {
			name = p.take().text
			p.take()
		}
		tuple.names = append(tuple.names, name)
		tuple.values = append(tuple.values, p.tupleElement())
		if p.accept(",") {
			continue
		}
		p.expect(")")
		break
	}
	if len(tuple.values) == 1 {
		if tuple.names[0] != "" {
			p.fail(open.start, "CS8124", "tuple must contain at least two elements")
		}
		return tuple.values[0]
	}
	return tuple
}

// tupleElement reads an element, which on the left of a deconstruction may declare a variable.
func (p *parser) tupleElement() node {
	save := p.pos
	if t := p.tryType(); t != nil && p.peek().kind == identifierToken && (p.peekAt(1).is(",") || p.peekAt(1).is(")")) && !p.queryWord(p.peek()) {
		name := p.take()
		if len(t.parts) == 1 && t.parts[0].name == "var" && len(t.suffixes) == 0 {
			t = nil
		}
		return &declarationNode{place(name.start), t, name.text}
	}
	p.pos = save
	return p.expression()
}

// interpolation parses the holes of an interpolated string.
func (p *parser) interpolation(t token) node {
	p.enter()
	defer p.leave()
	n := &interpolationNode{place: place(t.start)}
	for _, part := range t.parts {
		if !part.hole {
			n.parts = append(n.parts, interpolatedPart{text: part.text})
			continue
		}
		x := interpolatedPart{value: p.inner(part.start, part.end), format: part.format}
		if part.alignStart > 0 {
			x.alignment = p.inner(part.alignStart, part.alignEnd)
		}
		n.parts = append(n.parts, x)
	}
	return n
}

// inner parses a range of the source as an expression of its own.
func (p *parser) inner(from, to int) node {
	q := &parser{src: p.src, depth: p.depth}
	q.tokens = q.scan(from, to)
	n := q.expression()
	q.expectEnd(")")
	return n
}
