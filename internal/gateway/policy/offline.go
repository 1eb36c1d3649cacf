package policy

import "strings"

// unknownNamedValue stands for a named value that an offline check does not know. It is a character that no document may hold.
const unknownNamedValue = "\uE002"

// unknownValue is the value of a text with a named value that is not known. It is no literal that could be checked.
func unknownValue[T any](text string, flags Flag) Value[T] {
	v := Value[T]{set: true}
	if flags&LiteralOnly == 0 {
		v.expression = unknownExpression{}
		return v
	}
	if literal, ok := any(&v.literal).(*string); ok {
		*literal = strings.ReplaceAll(text, unknownNamedValue, "unknown")
	}
	return v
}

// compileKnown compiles an expression. For each named value that is not known it tries what may stand there: a number, a text, and
// a piece of a text.
func compileKnown(compiler ExpressionCompiler, source string, statements bool) (Expression, error) {
	if !strings.Contains(source, unknownNamedValue) {
		return compiler(source, statements)
	}
	var first error
	for _, candidate := range []string{"1", `"unknown"`, "true"} {
		compiled, err := compiler(strings.ReplaceAll(source, unknownNamedValue, candidate), statements)
		if err == nil {
			return compiled, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// unknownExpression takes the place of what an offline check cannot know.
type unknownExpression struct{}

// Eval gives null.
func (unknownExpression) Eval(*Exchange) (any, error) { return nil, nil }

// Text gives nothing.
func (unknownExpression) Text(*Exchange) (string, error) { return "", nil }

// TextOf gives nothing.
func (unknownExpression) TextOf(any) (string, error) { return "", nil }

// ExpandNamedValues puts named values in. missing is the name of one that is not there, "" when all are.
func ExpandNamedValues(text string, values map[string]string) (expanded, missing string) {
	expanded = namedValue.ReplaceAllStringFunc(text, func(reference string) string {
		name := reference[2 : len(reference)-2]
		value, ok := values[name]
		if !ok {
			missing = name
		}
		return value
	})
	return expanded, missing
}

// RootName is the name of the root element of a document, "" when it cannot be found. It does not parse more than it must.
func RootName(text string) string {
	rest := strings.TrimPrefix(text, "\ufeff")
	for {
		rest = strings.TrimLeft(rest, " \t\r\n")
		end := ""
		switch {
		case strings.HasPrefix(rest, "<!--"):
			end = "-->"
		case strings.HasPrefix(rest, "<?"):
			end = "?>"
		}
		if end == "" {
			break
		}
		_, after, found := strings.Cut(rest, end)
		if !found {
			return ""
		}
		rest = after
	}
	name, found := strings.CutPrefix(rest, "<")
	if !found {
		return ""
	}
	if i := strings.IndexAny(name, " \t\r\n/>"); i >= 0 {
		name = name[:i]
	}
	return name
}

// CompileFragment compiles a fragment as if it were included in a section of a document of a scope. The error is [Errors].
func CompileFragment(s Source, section Section, environment *Environment) error {
	root, fault := parseDocument(s.Text, s.Format)
	if fault != nil {
		return Errors{fault}
	}
	c := &compilation{environment: environment, policies: environment.Policies, scope: s.Scope, handshake: s.Handshake}
	if c.policies == nil {
		c.policies = Policies()
	}
	b := &Builder{c: c, e: root, section: section}
	if root.name != "fragment" {
		b.Errorf("The root element of a policy fragment must be 'fragment'")
		return c.errors
	}
	b.children = true
	b.steps(root.children, 0)
	b.Done()
	if len(c.errors) > 0 {
		return c.errors
	}
	return nil
}
