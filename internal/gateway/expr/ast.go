package expr

// node is an expression of the syntax tree; at is its offset in the source.
type node interface{ at() int }

// place is the offset of a node.
type place int

func (p place) at() int { return int(p) }

// typeSyntax is a type as written.
type typeSyntax struct {
	place
	parts    []namePart    // Name.Name<…>
	elements []typeElement // (T a, U b)
	suffixes []string      // "?" and "[]", innermost first
}

// namePart is one identifier of a qualified name and its type arguments.
type namePart struct {
	name      string
	arguments []*typeSyntax
}

type typeElement struct {
	typ  *typeSyntax
	name string
}

type (
	literalNode struct {
		place
		value  Value
		isNull bool
	}
	interpolationNode struct {
		place
		parts []interpolatedPart
	}
	interpolatedPart struct {
		text      string
		value     node
		alignment node
		format    string
	}
	nameNode struct {
		place
		name      string
		arguments []*typeSyntax
	}
	predefinedTypeNode struct {
		place
		name string
	}
	memberNode struct {
		place
		target    node
		name      string
		arguments []*typeSyntax
	}
	indexNode struct {
		place
		target    node
		arguments []*argumentNode
	}
	callNode struct {
		place
		target    node
		arguments []*argumentNode
	}
	// argumentNode is one argument; declared is the variable of `out var x` and `out T x`.
	argumentNode struct {
		place
		name     string
		mode     string // "", "ref" or "out"
		value    node
		declared string
		typ      *typeSyntax // of the declared variable; nil for var
	}
	unaryNode struct {
		place
		op      string
		operand node
	}
	postfixNode struct {
		place
		op      string
		operand node
	}
	binaryNode struct {
		place
		op          string
		left, right node
	}
	assignNode struct {
		place
		op          string // "=", "+=" and so on
		left, right node
	}
	conditionalNode struct {
		place
		condition, yes, no node
	}
	lambdaNode struct {
		place
		parameters []lambdaParameter
		body       node
		block      *blockStatement
	}
	lambdaParameter struct {
		place
		name string
		typ  *typeSyntax
		mode string
	}
	newNode struct {
		place
		typ         *typeSyntax
		arguments   []*argumentNode
		initializer *initializerNode
	}
	newArrayNode struct {
		place
		element     *typeSyntax // nil for new[]
		length      node
		initializer *initializerNode
	}
	anonymousNode struct {
		place
		names  []string
		values []node
	}
	// initializerNode is { … } after new: elements, members or index assignments.
	initializerNode struct {
		place
		items []initializerItem
	}
	initializerItem struct {
		place
		member  string          // Member = value
		index   []*argumentNode // [key] = value
		values  []node          // value, or { a, b } for Add
		nested  *initializerNode
		grouped bool
	}
	castNode struct {
		place
		typ     *typeSyntax
		operand node
	}
	isNode struct {
		place
		operand node
		pattern *patternNode
	}
	// patternNode is a C# 7 pattern: a constant, a type with an optional variable, or var x.
	patternNode struct {
		place
		typ      *typeSyntax
		constant node // the same syntax read as an expression, where it can be one
		variable string
		isVar    bool
	}
	asNode struct {
		place
		operand node
		typ     *typeSyntax
	}
	typeofNode struct {
		place
		typ *typeSyntax
	}
	defaultNode struct {
		place
		typ *typeSyntax
	}
	tupleNode struct {
		place
		names  []string
		values []node
	}
	// accessNode is target?.rest: whenNotNull contains a receiverNode in the place of the target.
	accessNode struct {
		place
		target      node
		whenNotNull node
	}
	receiverNode struct{ place }
	throwNode    struct {
		place
		operand node
	}
	checkedNode struct {
		place
		operand node
		checked bool
	}
	// declarationNode is var (a, b) or T x within a deconstruction.
	declarationNode struct {
		place
		typ  *typeSyntax
		name string
	}
)

// statementNode is a statement of the syntax tree.
type statementNode interface{ at() int }

type (
	blockStatement struct {
		place
		end        int
		statements []statementNode
	}
	emptyStatement      struct{ place }
	expressionStatement struct {
		place
		value node
	}
	localStatement struct {
		place
		typ       *typeSyntax // nil for var
		constant  bool
		variables []localVariable
	}
	localVariable struct {
		place
		name  string
		value node
	}
	localFunctionStatement struct {
		place
		result     *typeSyntax // nil for void
		name       string
		parameters []lambdaParameter
		block      *blockStatement
		body       node
	}
	ifStatement struct {
		place
		condition node
		yes, no   statementNode
	}
	whileStatement struct {
		place
		condition node
		body      statementNode
	}
	doStatement struct {
		place
		body      statementNode
		condition node
	}
	forStatement struct {
		place
		initial   []statementNode
		condition node
		step      []node
		body      statementNode
	}
	foreachStatement struct {
		place
		typ    *typeSyntax // nil for var
		name   string
		names  []string // of a deconstruction
		source node
		body   statementNode
	}
	switchStatement struct {
		place
		value    node
		sections []switchSection
	}
	switchSection struct {
		labels     []switchLabel
		statements []statementNode
		end        int
	}
	switchLabel struct {
		place
		isDefault bool
		pattern   *patternNode
		when      node
	}
	jumpStatement struct {
		place
		kind  string // break, continue, goto, goto case, goto default
		label string
		value node
	}
	labelStatement struct {
		place
		name string
		body statementNode
	}
	returnStatement struct {
		place
		value node
	}
	throwStatement struct {
		place
		value node
	}
	tryStatement struct {
		place
		body    *blockStatement
		catches []catchClause
		finally *blockStatement
	}
	catchClause struct {
		place
		typ   *typeSyntax
		name  string
		when  node
		block *blockStatement
	}
	usingStatement struct {
		place
		local *localStatement
		value node
		body  statementNode
	}
	checkedStatement struct {
		place
		block   *blockStatement
		checked bool
	}
)
