package openapi

import (
	"fmt"
	"strings"
)

// Problem is something about one place of a document.
type Problem struct {
	// Pointer is the JSON pointer of the place (RFC 6901); "" is the whole document.
	Pointer string
	// Line and Column count from 1; 0 when they are not known.
	Line, Column int
	// Message says what is wrong and what to do about it.
	Message string
}

// String is the message with its place in front.
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ", column %d", p.Column)
		}
		b.WriteString(": ")
	}
	if p.Pointer != "" {
		b.WriteString(p.Pointer)
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// In is the message with its place in a file, as compilers write it: "shop.yaml:7:3: /paths: …".
func (p Problem) In(file string) string {
	place := file
	if p.Line > 0 {
		place += fmt.Sprintf(":%d", p.Line)
		if p.Column > 0 {
			place += fmt.Sprintf(":%d", p.Column)
		}
	}
	p.Line = 0
	return place + ": " + p.String()
}

// Warning is something that was left out or changed, and how often. Its place is the first one.
type Warning struct {
	Problem
	// Count is the number of places with the same message.
	Count int
}

// String is the problem, and the number of further places.
func (w Warning) String() string { return w.Problem.String() + w.more() }

// In is [Problem.In], and the number of further places.
func (w Warning) In(file string) string { return w.Problem.In(file) + w.more() }

func (w Warning) more() string {
	switch {
	case w.Count == 2:
		return " (and at 1 more place)"
	case w.Count > 2:
		return fmt.Sprintf(" (and at %d more places)", w.Count-1)
	}
	return ""
}

// Error is what is wrong with a document: at least one problem, at most [MaxProblems].
type Error struct {
	Problems []Problem
}

// MaxProblems is the most problems that an [Error] holds; with more, the document is not read on.
const MaxProblems = 50

// Error is the first problem and the number of others.
func (e *Error) Error() string {
	text := "the OpenAPI document cannot be imported: " + e.Problems[0].String()
	switch n := len(e.Problems) - 1; {
	case n == 1:
		text += " (and 1 more problem)"
	case n > 1:
		text += fmt.Sprintf(" (and %d more problems)", n)
	}
	return text
}

// report collects problems and warnings.
type report struct {
	problems []Problem
	warnings []Warning
	// seen finds the warning with a message.
	seen map[string]int
	// stopped says that reading on makes no sense: too many problems, or the document is too large.
	stopped bool
}

func placed(n *node, format string, args []any) Problem {
	p := Problem{Message: fmt.Sprintf(format, args...)}
	if n != nil {
		p.Pointer, p.Line, p.Column = n.pointer(), n.line, n.column
	}
	return p
}

// errorf notes a problem at a node.
func (r *report) errorf(n *node, format string, args ...any) {
	if len(r.problems) >= MaxProblems {
		r.stopped = true
		return
	}
	r.problems = append(r.problems, placed(n, format, args))
}

// maxWarnings bounds the warnings with different messages; the last one says that there are more.
const maxWarnings = 500

// warnf notes a warning at a node. Warnings with the same message count as one.
func (r *report) warnf(n *node, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if i, ok := r.seen[message]; ok {
		r.warnings[i].Count++
		return
	}
	if len(r.warnings) >= maxWarnings {
		message = "there are further warnings that are not listed"
		if i, ok := r.seen[message]; ok {
			r.warnings[i].Count++
			return
		}
	}
	if r.seen == nil {
		r.seen = map[string]int{}
	}
	r.seen[message] = len(r.warnings)
	r.warnings = append(r.warnings, Warning{Problem: placed(n, "%s", []any{message}), Count: 1})
}

// err is the error of the problems, or nil.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return &Error{Problems: r.problems}
}

var _ error = (*Error)(nil)
