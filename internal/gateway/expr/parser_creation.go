package expr

// creation reads what follows new.
func (p *parser) creation(t token) node {
	switch {
	case p.is("{"):
		return p.anonymousObject(t)
	case p.is("[") && p.peekAt(1).is("]"):
		p.take()
		p.take()
		return &newArrayNode{place: place(t.start), initializer: p.initializer()}
	case p.is("["):
		p.fail(p.peek().start, "CS0178", "multi-dimensional arrays are not part of policy expressions")
	case p.is("("):
		p.fail(t.start, "CS8370", "target-typed new needs a newer language version than C# 7.3")
	}
	typ := p.parseType()
	if n := len(typ.suffixes); n > 0 && typ.suffixes[n-1] == "[]" {
		typ.suffixes = typ.suffixes[:n-1]
		if !p.is("{") {
			p.fail(p.peek().start, "CS1586", "array creation must have array size or array initializer")
		}
		return &newArrayNode{place: place(t.start), element: typ, initializer: p.initializer()}
	}
	if p.is("[") {
		p.take()
		n := &newArrayNode{place: place(t.start), element: typ, length: p.expression()}
		if p.is(",") {
			p.fail(p.peek().start, "CS0178", "multi-dimensional arrays are not part of policy expressions")
		}
		p.expect("]")
		for p.is("[") && p.peekAt(1).is("]") {
			p.take()
			p.take()
			typ.suffixes = append(typ.suffixes, "[]")
		}
		if p.is("{") {
			n.initializer = p.initializer()
		}
		return n
	}
	n := &newNode{place: place(t.start), typ: typ}
	switch {
	case p.is("("):
		n.arguments = p.arguments("(", ")")
	case !p.is("{"):
		p.fail(p.peek().start, "CS1526", "a new expression requires an argument list or (), [], or {} after type")
	}
	if p.is("{") {
		n.initializer = p.initializer()
	}
	return n
}

// anonymousObject reads { a = 1, x.B, c }.
func (p *parser) anonymousObject(t token) node {
	n := &anonymousNode{place: place(t.start)}
	p.expect("{")
	for !p.is("}") {
		name := ""
		if p.peek().kind == identifierToken && p.peekAt(1).is("=") {
			name = p.take().text
			p.take()
		}
		value := p.expression()
		if name == "" {
			switch v := value.(type) {
			case *nameNode:
				name = v.name
			case *memberNode:
				name = v.name
			case *accessNode:
				if m, ok := v.whenNotNull.(*memberNode); ok {
					name = m.name
				}
			}
			if name == "" {
				p.fail(value.at(), "CS0746", "invalid anonymous type member declarator; write name = value")
			}
		}
		n.names = append(n.names, name)
		n.values = append(n.values, value)
		if !p.accept(",") {
			break
		}
	}
	p.expect("}")
	return n
}

// initializer reads { … } of an array, collection or object.
func (p *parser) initializer() *initializerNode {
	p.enter()
	defer p.leave()
	n := &initializerNode{place: place(p.peek().start)}
	p.expect("{")
	for !p.is("}") {
		t := p.peek()
		item := initializerItem{place: place(t.start)}
		switch {
		case t.is("{"):
			p.take()
			item.grouped = true
			for !p.is("}") {
				item.values = append(item.values, p.expression())
				if !p.accept(",") {
					break
				}
			}
			p.expect("}")
		case t.is("["):
			item.index = p.arguments("[", "]")
			p.expect("=")
			p.initializerValue(&item)
		case t.kind == identifierToken && p.peekAt(1).is("="):
			item.member = t.text
			p.take()
			p.take()
			p.initializerValue(&item)
		default:
			item.values = []node{p.expression()}
		}
		n.items = append(n.items, item)
		if !p.accept(",") {
			break
		}
	}
	p.expect("}")
	return n
}

func (p *parser) initializerValue(item *initializerItem) {
	if p.is("{") {
		item.nested = p.initializer()
		return
	}
	item.values = []node{p.expression()}
}

// startsLambda looks ahead for x => or (…) =>.
func (p *parser) startsLambda() bool {
	t := p.peek()
	if t.kind == identifierToken {
		if t.text == "async" && (p.peekAt(1).kind == identifierToken && p.peekAt(2).is("=>") || p.peekAt(1).is("(") && p.closesBeforeArrow(p.pos+1)) {
			p.fail(t.start, "CS1983", "async lambdas are not part of policy expressions")
		}
		return p.peekAt(1).is("=>")
	}
	return t.is("(") && p.closesBeforeArrow(p.pos)
}

// closesBeforeArrow reports whether => follows the bracket that closes the one at token i.
func (p *parser) closesBeforeArrow(i int) bool {
	depth := 0
	for ; i < len(p.tokens); i++ {
		switch t := p.tokens[i]; {
		case t.is("(") || t.is("[") || t.is("{"):
			depth++
		case t.is(")") || t.is("]") || t.is("}"):
			depth--
			if depth == 0 {
				return i+1 < len(p.tokens) && p.tokens[i+1].is("=>")
			}
		case t.is(";"), t.kind == stringToken, t.kind == numberToken:
			return false
		}
	}
	return false
}

// lambda reads parameters => body.
func (p *parser) lambda() node {
	n := &lambdaNode{place: place(p.peek().start)}
	if p.peek().kind == identifierToken {
		t := p.take()
		n.parameters = []lambdaParameter{{place: place(t.start), name: t.text}}
	} else {
		n.parameters = p.parameters()
	}
	arrow := p.expect("=>")
	n.place = place(arrow.start)
	if p.is("{") {
		n.block = p.block()
	} else {
		n.body = p.expression()
	}
	return n
}

// parameters reads (a, b) or (int a, ref string b).
func (p *parser) parameters() []lambdaParameter {
	p.expect("(")
	var list []lambdaParameter
	for !p.is(")") {
		t := p.peek()
		x := lambdaParameter{place: place(t.start)}
		if p.is("ref") || p.is("out") || p.is("in") {
			x.mode = p.take().text
		}
		if x.mode == "" && p.peek().kind == identifierToken && (p.peekAt(1).is(",") || p.peekAt(1).is(")")) {
			x.name = p.take().text
		} else {
			x.typ = p.parseType()
			x.name = p.identifier().text
			if p.is("=") {
				p.fail(p.peek().start, "CS1065", "default values are not allowed here")
			}
		}
		list = append(list, x)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	return list
}
