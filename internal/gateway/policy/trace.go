package policy

import (
	"strings"
)

// traceMessage is the trace policy (trace-policy).
type traceMessage struct {
	source, severity string
	message          Value[string]
	names            []string
	metadata         []Value[string]
}

func newTrace(b *Builder) Policy {
	severity := b.OneOf("severity", LiteralOnly, "verbose", "information", "error")
	t := &traceMessage{source: b.Literal("source", "", Required)}
	t.severity, _ = severity.Known()
	found := false
	if len(b.e.children) == 0 {
		// The older form of the policy has its message as text.
		t.message = b.Text(Required)
		return t
	}
	for _, child := range b.Children("message", "metadata") {
		if child.Element() == "message" {
			if found {
				child.Errorf("There is a second 'message'")
			}
			found = true
			t.message = child.Text(Required)
		} else {
			t.names = append(t.names, child.Literal("name", "", Required))
			t.metadata = append(t.metadata, child.String("value", Required))
		}
		child.Done()
	}
	if !found {
		b.Errorf("The required element 'message' is missing")
	}
	return t
}

// Run hands the message to the tracer.
func (t *traceMessage) Run(x *Exchange) (Outcome, error) {
	if x.Tracer == nil {
		return Continue, nil
	}
	message, err := t.message.Get(x)
	if err != nil {
		return End, err
	}
	var text strings.Builder
	text.WriteString(message)
	for i := range t.metadata {
		v, err := t.metadata[i].Get(x)
		if err != nil {
			return End, err
		}
		text.WriteString("; " + t.names[i] + "=" + v)
	}
	x.trace(t.source, t.severity, text.String())
	return Continue, nil
}
