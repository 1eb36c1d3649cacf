package expr

// Queries are rewritten to method calls while they are read, as the C# specification does (section "Query expressions").

// startsQuery tells from x in … from a name `from`.
func (p *parser) startsQuery() bool {
	if p.peekAt(1).kind == identifierToken && p.peekAt(2).is("in") {
		return true
	}
	save := p.pos
	defer func() { p.pos = save }()
	p.take()
	return p.tryType() != nil && p.peek().kind == identifierToken && p.peekAt(1).is("in")
}

// querySource is a sequence and the range variables that its elements carry. With more than one, elements are anonymous objects of them.
type querySource struct {
	sequence  node
	variables []string
}

// transparent names the lambda parameter that stands for several range variables.
const transparent = "<range>"

// lambdaOver makes a lambda over the source's element in which its range variables are in scope.
func (s *querySource) lambdaOver(at place, body node) *lambdaNode {
	if len(s.variables) == 1 {
		return &lambdaNode{place: at, parameters: []lambdaParameter{{place: at, name: s.variables[0]}}, body: body}
	}
	return &lambdaNode{place: at, parameters: []lambdaParameter{{place: at, name: transparent}}, body: &rangeNode{at, s.variables, body}}
}

// rangeNode brings range variables into scope as members of the transparent parameter.
type rangeNode struct {
	place
	variables []string
	body      node
}

func queryCall(at place, target node, method string, arguments ...node) node {
	c := &callNode{place: at, target: &memberNode{place: at, target: target, name: method}}
	for _, a := range arguments {
		c.arguments = append(c.arguments, &argumentNode{place: at, value: a})
	}
	return c
}

// pack makes the anonymous object of range variables.
func pack(at place, variables []string) node {
	n := &anonymousNode{place: at, names: variables}
	for _, v := range variables {
		n.values = append(n.values, &nameNode{place: at, name: v})
	}
	return n
}

// rangeVariable reads [T] x in source.
func (p *parser) rangeVariable() (string, node) {
	var typ *typeSyntax
	if !(p.peek().kind == identifierToken && p.peekAt(1).is("in")) {
		typ = p.parseType()
	}
	name := p.identifier()
	if !p.accept("in") {
		p.fail(p.peek().start, "CS1003", "'in' expected")
	}
	source := p.expression()
	if typ != nil {
		source = &callNode{place: place(name.start), target: &memberNode{place(name.start), source, "Cast", []*typeSyntax{typ}}}
	}
	return name.text, source
}

// query reads a query expression.
func (p *parser) query() node {
	at := place(p.take().start)
	name, source := p.rangeVariable()
	s := &querySource{sequence: source, variables: []string{name}}
	return p.queryBody(at, s)
}

func (p *parser) queryBody(at place, s *querySource) node {
	for {
		p.enter()
		defer p.leave()
		t := p.peek()
		at := place(t.start)
		switch {
		case p.word("from"):
			p.take()
			name, inner := p.rangeVariable()
			result := &lambdaNode{place: at, parameters: []lambdaParameter{{place: at, name: s.parameter()}, {place: at, name: name}}}
			all := append(append([]string(nil), s.variables...), name)
			result.body = s.inScope(at, pack(at, all))
			s = &querySource{queryCall(at, s.sequence, "SelectMany", s.lambdaOver(at, inner), result), all}
		case p.word("where"):
			p.take()
			s.sequence = queryCall(at, s.sequence, "Where", s.lambdaOver(at, p.expression()))
		case p.word("let"):
			p.take()
			name := p.identifier().text
			p.expect("=")
			value := p.expression()
			all := append(append([]string(nil), s.variables...), name)
			object := pack(at, all).(*anonymousNode)
			object.values[len(all)-1] = value
			s = &querySource{queryCall(at, s.sequence, "Select", s.lambdaOver(at, object)), all}
		case p.word("orderby"):
			p.take()
			p.orderings(at, s)
		case p.word("join"):
			p.take()
			s = p.join(at, s)
		case p.word("select"):
			p.take()
			return p.queryEnd(at, queryCall(at, s.sequence, "Select", s.lambdaOver(at, p.expression())))
		case p.word("group"):
			p.take()
			element := p.expression()
			p.expectWord("by")
			return p.queryEnd(at, queryCall(at, s.sequence, "GroupBy", s.lambdaOver(at, p.expression()), s.lambdaOver(at, element)))
		default:
			p.fail(t.start, "CS0742", "a query body must end with a select clause or a group clause")
		}
	}
}

func (s *querySource) parameter() string {
	if len(s.variables) == 1 {
		return s.variables[0]
	}
	return transparent
}

func (s *querySource) inScope(at place, body node) node {
	if len(s.variables) == 1 {
		return body
	}
	return &rangeNode{at, s.variables, body}
}

func (p *parser) expectWord(text string) {
	if !p.word(text) {
		p.fail(p.peek().start, "CS1003", "'%s' expected", text)
	}
	p.take()
}

// orderings reads a, b descending.
func (p *parser) orderings(at place, s *querySource) {
	method := "OrderBy"
	for {
		key := p.expression()
		name := method
		if p.word("descending") {
			p.take()
			name += "Descending"
		} else if p.word("ascending") {
			p.take()
		}
		s.sequence = queryCall(at, s.sequence, name, s.lambdaOver(at, key))
		method = "ThenBy"
		if !p.accept(",") {
			return
		}
	}
}

// join reads join x in xs on a equals b [into g].
func (p *parser) join(at place, s *querySource) *querySource {
	name, inner := p.rangeVariable()
	p.expectWord("on")
	left := p.expression()
	p.expectWord("equals")
	right := p.expression()
	method := "Join"
	second := name
	if p.word("into") {
		p.take()
		method, second = "GroupJoin", p.identifier().text
	}
	all := append(append([]string(nil), s.variables...), second)
	result := &lambdaNode{place: at, parameters: []lambdaParameter{{place: at, name: s.parameter()}, {place: at, name: second}}, body: s.inScope(at, pack(at, all))}
	rightKey := &lambdaNode{place: at, parameters: []lambdaParameter{{place: at, name: name}}, body: right}
	return &querySource{queryCall(at, s.sequence, method, inner, s.lambdaOver(at, left), rightKey, result), all}
}

// queryEnd reads into x …, which goes on with the result as source.
func (p *parser) queryEnd(at place, result node) node {
	if !p.word("into") {
		return result
	}
	p.take()
	return p.queryBody(at, &querySource{result, []string{p.identifier().text}})
}
