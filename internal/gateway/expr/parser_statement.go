package expr

// block reads { statements }.
func (p *parser) block() *blockStatement {
	p.enter()
	defer p.leave()
	b := &blockStatement{place: place(p.expect("{").start)}
	for !p.is("}") {
		if p.peek().kind == endToken {
			p.expect("}")
		}
		b.statements = append(b.statements, p.statement())
	}
	b.end = p.take().start
	return b
}

// embedded reads the body of if and loops, where C# forbids declarations.
func (p *parser) embedded() statementNode {
	s := p.statement()
	switch s.(type) {
	case *localStatement, *localFunctionStatement, *labelStatement:
		p.fail(s.at(), "CS1023", "embedded statement cannot be a declaration or labeled statement")
	}
	return s
}

// statement reads one statement.
func (p *parser) statement() statementNode {
	p.enter()
	defer p.leave()
	t := p.peek()
	at := place(t.start)
	if t.kind == keywordToken {
		if s := p.keywordStatement(t, at); s != nil {
			return s
		}
	}
	switch {
	case t.is("{"):
		return p.block()
	case t.is(";"):
		p.take()
		return &emptyStatement{at}
	case t.kind == identifierToken && p.peekAt(1).is(":") && !p.peekAt(1).is("::"):
		p.take()
		p.take()
		if p.is("}") {
			p.fail(p.peek().start, "CS1525", "a label needs a statement after it")
		}
		return &labelStatement{at, t.text, p.statement()}
	case t.kind == identifierToken && t.text == "yield" && (p.peekAt(1).is("return") || p.peekAt(1).is("break")):
		p.fail(t.start, "CS1624", "iterators are not part of policy expressions")
	}
	if s := p.declaration(at); s != nil {
		return s
	}
	value := p.expression()
	p.expect(";")
	return &expressionStatement{at, value}
}

// declaration reads a local variable, a local function or a deconstruction if one is at the cursor, else returns nil without moving.
func (p *parser) declaration(at place) statementNode {
	save := p.pos
	if p.word("var") && p.peekAt(1).is("(") {
		p.take()
		names := p.deconstructionNames()
		if names != nil && p.is("=") {
			p.take()
			left := &tupleNode{place: at}
			for _, n := range names {
				left.names = append(left.names, "")
				left.values = append(left.values, &declarationNode{at, nil, n})
			}
			s := &expressionStatement{at, &assignNode{at, "=", left, p.expression()}}
			p.expect(";")
			return s
		}
		p.pos = save
		return nil
	}
	void := p.is("void")
	var typ *typeSyntax
	if void {
		p.take()
	} else if typ = p.tryType(); typ == nil {
		p.pos = save
		return nil
	}
	if p.peek().kind != identifierToken {
		if p.peek().kind == keywordToken && !p.is("is") && !p.is("as") && len(typ.parts) == 1 && typ.parts[0].name == "var" {
			p.fail(p.peek().start, "CS1001", "identifier expected; '%s' is a keyword", p.peek().text)
		}
		p.pos = save
		return nil
	}
	next := p.peekAt(1)
	if next.is("(") || next.is("<") {
		if s := p.localFunction(at, typ); s != nil {
			return s
		}
		p.pos = save
		return nil
	}
	if void || !next.is("=") && !next.is(";") && !next.is(",") {
		if !void && (next.kind == identifierToken || next.kind == numberToken || next.kind == stringToken || next.kind == endToken || next.is("}")) {
			p.take()
			p.expect(";")
		}
		p.pos = save
		return nil
	}
	p.pos = save
	return p.local(false)
}

// deconstructionNames reads (a, b) as names, or returns nil.
func (p *parser) deconstructionNames() []string {
	p.expect("(")
	var names []string
	for {
		if p.peek().kind != identifierToken {
			return nil
		}
		names = append(names, p.take().text)
		if p.accept(",") {
			continue
		}
		if !p.accept(")") {
			return nil
		}
		return names
	}
}

// local reads T a = 1, b; with its semicolon.
func (p *parser) local(constant bool) *localStatement {
	s := p.localWithoutEnd(constant)
	p.expect(";")
	return s
}

func (p *parser) localWithoutEnd(constant bool) *localStatement {
	s := &localStatement{place: place(p.peek().start), constant: constant}
	s.typ = p.parseType()
	if len(s.typ.parts) == 1 && s.typ.parts[0].name == "var" && len(s.typ.suffixes) == 0 {
		s.typ = nil
	}
	for {
		name := p.identifier()
		v := localVariable{place: place(name.start), name: name.text}
		if p.accept("=") {
			if p.is("{") {
				if s.typ == nil || len(s.typ.suffixes) == 0 {
					p.fail(p.peek().start, "CS0622", "can only use array initializer expressions to assign to array types")
				}
				element := *s.typ
				element.suffixes = element.suffixes[:len(element.suffixes)-1]
				v.value = &newArrayNode{place: v.place, element: &element, initializer: p.initializer()}
			} else {
				v.value = p.expression()
			}
		}
		s.variables = append(s.variables, v)
		if !p.accept(",") {
			return s
		}
	}
}

// localFunction reads T name(parameters) body; nil, if it is not one after all.
func (p *parser) localFunction(at place, result *typeSyntax) statementNode {
	f := &localFunctionStatement{place: at, result: result, name: p.take().text}
	if p.is("<") {
		p.fail(p.peek().start, "", "generic local functions are not supported")
	}
	if !p.closesBeforeBody() {
		return nil
	}
	f.parameters = p.parameters()
	if p.is("{") {
		f.block = p.block()
		return f
	}
	p.expect("=>")
	f.body = p.expression()
	p.expect(";")
	return f
}

// closesBeforeBody reports whether a function body follows the closing bracket.
func (p *parser) closesBeforeBody() bool {
	depth := 0
	for i := p.pos; i < len(p.tokens); i++ {
		switch t := p.tokens[i]; {
		case t.is("("):
			depth++
		case t.is(")"):
			depth--
			if depth == 0 {
				next := p.tokens[min(i+1, len(p.tokens)-1)]
				return next.is("{") || next.is("=>")
			}
		}
	}
	return false
}

// keywordStatement reads a statement that begins with a keyword; nil if t begins an expression or declaration.
func (p *parser) keywordStatement(t token, at place) statementNode {
	switch t.text {
	case "if":
		p.take()
		s := &ifStatement{place: at, condition: p.inBrackets()}
		s.yes = p.embedded()
		if p.accept("else") {
			s.no = p.embedded()
		}
		return s
	case "while":
		p.take()
		return &whileStatement{at, p.inBrackets(), p.embedded()}
	case "do":
		p.take()
		s := &doStatement{place: at, body: p.embedded()}
		p.expect("while")
		s.condition = p.inBrackets()
		p.expect(";")
		return s
	case "for":
		p.take()
		return p.forLoop(at)
	case "foreach":
		p.take()
		return p.foreachLoop(at)
	case "switch":
		p.take()
		return p.switchBlock(at)
	case "break", "continue":
		p.take()
		p.expect(";")
		return &jumpStatement{place: at, kind: t.text}
	case "goto":
		p.take()
		return p.gotoJump(at)
	case "return":
		p.take()
		s := &returnStatement{place: at}
		if !p.is(";") {
			s.value = p.expression()
		}
		p.expect(";")
		return s
	case "throw":
		p.take()
		s := &throwStatement{place: at}
		if !p.is(";") {
			s.value = p.expression()
		}
		p.expect(";")
		return s
	case "try":
		p.take()
		return p.tryBlock(at)
	case "using":
		p.take()
		if !p.is("(") {
			p.fail(t.start, "CS8370", "using declarations need a newer language version than C# 7.3")
		}
		return p.usingBlock(at)
	case "const":
		p.take()
		return p.local(true)
	case "checked", "unchecked":
		if p.peekAt(1).is("{") {
			p.take()
			return &checkedStatement{at, p.block(), t.text == "checked"}
		}
	case "lock":
		p.take()
		p.inBrackets()
		return p.embedded()
	case "else", "case", "catch", "finally":
		p.fail(t.start, "CS1513", "unexpected '%s'", t.text)
	case "static":
		p.fail(t.start, "CS8370", "static local functions need a newer language version than C# 7.3")
	case "class", "struct", "enum", "interface", "namespace", "public", "private", "internal", "protected", "unsafe", "fixed", "extern", "ref":
		p.fail(t.start, "CS1513", "'%s' is not part of policy expressions", t.text)
	}
	return nil
}

// inBrackets reads a bracketed condition.
func (p *parser) inBrackets() node {
	p.expect("(")
	n := p.expression()
	p.expect(")")
	return n
}

func (p *parser) forLoop(at place) statementNode {
	s := &forStatement{place: at}
	p.expect("(")
	if !p.is(";") {
		save := p.pos
		if t := p.tryType(); t != nil && p.peek().kind == identifierToken {
			p.pos = save
			s.initial = []statementNode{p.localWithoutEnd(false)}
		} else {
			p.pos = save
			for _, n := range p.expressionList(";") {
				s.initial = append(s.initial, &expressionStatement{place(n.at()), n})
			}
		}
	}
	p.expect(";")
	if !p.is(";") {
		s.condition = p.expression()
	}
	p.expect(";")
	if !p.is(")") {
		s.step = p.expressionList(")")
	}
	p.expect(")")
	s.body = p.embedded()
	return s
}

func (p *parser) expressionList(end string) []node {
	var list []node
	for {
		list = append(list, p.expression())
		if !p.accept(",") || p.is(end) {
			return list
		}
	}
}

func (p *parser) foreachLoop(at place) statementNode {
	s := &foreachStatement{place: at}
	p.expect("(")
	if p.word("var") && p.peekAt(1).is("(") {
		p.take()
		s.names = p.deconstructionNames()
		if s.names == nil {
			p.fail(p.peek().start, "CS1001", "identifier expected")
		}
	} else {
		s.typ = p.parseType()
		if len(s.typ.parts) == 1 && s.typ.parts[0].name == "var" && len(s.typ.suffixes) == 0 {
			s.typ = nil
		}
		s.name = p.identifier().text
	}
	if !p.is("in") {
		p.fail(p.peek().start, "CS1515", "'in' expected")
	}
	p.take()
	s.source = p.expression()
	p.expect(")")
	s.body = p.embedded()
	return s
}

func (p *parser) switchBlock(at place) statementNode {
	s := &switchStatement{place: at, value: p.inBrackets()}
	p.expect("{")
	for !p.is("}") {
		var section switchSection
		for {
			t := p.peek()
			label := switchLabel{place: place(t.start)}
			switch {
			case p.accept("case"):
				label.pattern = p.pattern()
				if p.word("when") {
					p.take()
					label.when = p.expression()
				}
			case p.accept("default"):
				label.isDefault = true
			default:
				p.fail(t.start, "CS1513", "case, default or } expected")
			}
			p.expect(":")
			section.labels = append(section.labels, label)
			if !p.is("case") && !p.is("default") {
				break
			}
		}
		for !p.is("case") && !p.is("default") && !p.is("}") {
			if p.peek().kind == endToken {
				p.expect("}")
			}
			section.statements = append(section.statements, p.statement())
		}
		section.end = p.peek().start
		if len(section.statements) == 0 {
			p.fail(section.labels[0].at(), "CS8070", "control cannot fall out of switch from final case label")
		}
		s.sections = append(s.sections, section)
	}
	p.take()
	return s
}

func (p *parser) gotoJump(at place) statementNode {
	s := &jumpStatement{place: at, kind: "goto"}
	switch {
	case p.accept("case"):
		s.kind, s.value = "goto case", p.expression()
	case p.accept("default"):
		s.kind = "goto default"
	default:
		s.label = p.identifier().text
	}
	p.expect(";")
	return s
}

func (p *parser) tryBlock(at place) statementNode {
	s := &tryStatement{place: at, body: p.block()}
	for p.is("catch") {
		c := catchClause{place: place(p.take().start)}
		if p.accept("(") {
			c.typ = p.parseType()
			if p.peek().kind == identifierToken {
				c.name = p.take().text
			}
			p.expect(")")
		}
		if p.word("when") {
			p.take()
			c.when = p.inBrackets()
		}
		c.block = p.block()
		s.catches = append(s.catches, c)
	}
	if p.accept("finally") {
		s.finally = p.block()
	}
	if s.catches == nil && s.finally == nil {
		p.fail(p.peek().start, "CS1524", "expected catch or finally")
	}
	return s
}

func (p *parser) usingBlock(at place) statementNode {
	s := &usingStatement{place: at}
	p.expect("(")
	save := p.pos
	if t := p.tryType(); t != nil && p.peek().kind == identifierToken {
		p.pos = save
		s.local = p.localWithoutEnd(false)
	} else {
		p.pos = save
		s.value = p.expression()
	}
	p.expect(")")
	s.body = p.embedded()
	return s
}
