package policy

import (
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Meter receives the metrics of emit-metric.
type Meter interface {
	// Emit adds one value to a custom metric. It does not keep dimensions.
	Emit(namespace, name string, value float64, dimensions []Dimension)
}

// Dimension is a dimension of a custom metric.
type Dimension struct{ Name, Value string }

// maxDimensions is how many dimensions a metric may have (emit-metric-policy).
const maxDimensions = 10

// emitMetric is the emit-metric policy (emit-metric-policy).
type emitMetric struct {
	name, namespace string
	value           Value[float64]
	names           []string
	values          []Value[string] // one that is not set has the value that its name stands for
}

func newEmitMetric(b *Builder) Policy {
	e := &emitMetric{name: b.Literal("name", "", Required), namespace: b.Literal("namespace", "API Management", 0), value: b.float("value", 1)}
	for _, child := range b.Children("dimension") {
		name, value := child.Literal("name", "", Required), child.String("value", 0)
		if !value.IsSet() && name != "" {
			if _, known := defaultDimensions[name]; !known {
				child.Errorf("The required attribute 'value' is missing; only API ID, Operation ID, Product ID, User ID, Subscription ID, Location and Gateway ID have one by themselves")
			}
		}
		e.names, e.values = append(e.names, name), append(e.values, value)
		child.Done()
	}
	switch {
	case len(e.names) == 0:
		b.Errorf("At least one 'dimension' is required")
	case len(e.names) > maxDimensions:
		b.Errorf("At most %d dimensions are allowed", maxDimensions)
	}
	return e
}

// float is a number attribute; fallback is its value when it is absent.
func (b *Builder) float(name string, fallback float64) Value[float64] {
	c, ok := b.attribute(name, 0)
	if !ok {
		return Value[float64]{literal: fallback}
	}
	parse := func(text string) (float64, error) {
		f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return 0, &notNumberError{text}
		}
		return f, nil
	}
	return makeValue(b, "The attribute '"+name+"'", c, 0, parse, func(x *Exchange, e Expression) (float64, error) {
		text, err := e.Text(x)
		if err != nil {
			return 0, err
		}
		return parse(text)
	})
}

type notNumberError struct{ text string }

func (e *notNumberError) Error() string { return strconv.Quote(e.text) + " is not a number" }

// defaultDimensions are the values of the dimensions that may go without one.
var defaultDimensions = map[string]func(x *Exchange) string{
	"API ID": func(x *Exchange) string {
		if x.API == nil {
			return ""
		}
		return x.API.BaseName()
	},
	"Operation ID": func(x *Exchange) string {
		if x.Operation == nil {
			return ""
		}
		return x.Operation.ID.Name()
	},
	"Product ID": func(x *Exchange) string {
		if x.Product == nil {
			return ""
		}
		return x.Product.ID.Name()
	},
	"Subscription ID": func(x *Exchange) string {
		if x.Subscription == nil {
			return ""
		}
		return x.Subscription.ID.Name()
	},
	"User ID": func(x *Exchange) string {
		if x.Subscription == nil {
			return ""
		}
		return x.Subscription.OwnerID[strings.LastIndexByte(x.Subscription.OwnerID, '/')+1:]
	},
	"Location":   func(*Exchange) string { return "" },
	"Gateway ID": func(*Exchange) string { return "managed" },
}

// Run adds the value to the metric.
func (e *emitMetric) Run(x *Exchange) (Outcome, error) {
	value, err := e.value.Get(x)
	if err != nil {
		return End, err
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "The value of the metric " + e.name + " is not a number."}
	}
	dimensions := make([]Dimension, len(e.names))
	for i, name := range e.names {
		dimensions[i].Name = name
		if !e.values[i].IsSet() {
			dimensions[i].Value = defaultDimensions[name](x)
			continue
		}
		if dimensions[i].Value, err = e.values[i].Get(x); err != nil {
			return End, err
		}
	}
	if x.Meter != nil {
		x.Meter.Emit(e.namespace, e.name, value, dimensions)
	}
	return Continue, nil
}
