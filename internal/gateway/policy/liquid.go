package policy

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/hubgate/hubgate/internal/gateway/transform"
)

// liquidBody is the set-body policy with template="liquid" (set-body-policy, "Using Liquid templates with set body").
type liquidBody struct {
	template  *transform.Template
	nilIsNull bool // xsi-nil="null"
	parseDate bool
	response  bool // the new body is the response's
	reads     bool // the template mentions the body
}

func newLiquidBody(b *Builder) Policy {
	nilValue := b.OneOf("xsi-nil", LiteralOnly, "blank", "null")
	parseDate := b.Bool("parse-date", true, LiteralOnly)
	l := &liquidBody{response: b.response}
	xsiNil, _ := nilValue.Known()
	l.nilIsNull = xsiNil == "null"
	l.parseDate, _ = parseDate.Known()
	b.text, b.children = true, true
	if b.e.content.expression != nil {
		b.Errorf("A Liquid template is a text; an expression is set without the attribute 'template'")
		return l
	}
	source := b.expandKnown(b.e.content.literal)
	template, err := transform.ParseTemplate(source)
	if err != nil {
		b.Errorf("The Liquid template is wrong: %s", err)
		return l
	}
	l.template = template
	l.reads = strings.Contains(source, "body")
	if l.reads {
		b.needsBody()
	}
	return l
}

// expandKnown puts in the named values that there are. Everything else between double braces is Liquid's.
func (b *Builder) expandKnown(text string) string {
	return namedValue.ReplaceAllStringFunc(text, func(reference string) string {
		if value, ok := b.c.environment.NamedValues[reference[2:len(reference)-2]]; ok {
			return value
		}
		return reference
	})
}

// Run fills in the template and makes it the body.
func (l *liquidBody) Run(x *Exchange) (Outcome, error) {
	out, err := l.render(x)
	if err != nil {
		return End, err
	}
	x.replace(l.response, out)
	return Continue, nil
}

// render fills in the template.
func (l *liquidBody) render(x *Exchange) ([]byte, error) {
	bindings := map[string]any{"context": x.liquidContext()}
	if l.reads {
		body, err := l.body(x)
		if err != nil {
			return nil, err
		}
		bindings["body"] = body
	}
	out, err := l.template.Render(bindings, MaxBuffered)
	if err != nil {
		return nil, &Failure{Status: http.StatusInternalServerError, Reason: "LiquidTemplateFailure", Message: "The Liquid template failed: " + err.Error(), Err: err}
	}
	return out, nil
}

// body is the message's body as the template sees it: parsed when its type is JSON or XML, else its text.
func (l *liquidBody) body(x *Exchange) (any, error) {
	body, header := x.message(l.response)
	data, ok, err := readDecoded(body, header)
	if err != nil || !ok || len(data) == 0 {
		return nil, err
	}
	var parsed any
	// Documents often set the type of what they will send before the template reads what came, so the first character decides.
	switch t := mediaType(header); {
	case !isJSON(t) && !isXML(t):
		parsed = string(data)
	case bytes.HasPrefix(bytes.TrimLeft(data, "\ufeff \t\r\n"), []byte("<")):
		parsed, err = transform.LiquidXML(data, l.nilIsNull)
	default:
		parsed, err = transform.LiquidJSON(data, l.parseDate)
	}
	if err != nil {
		return nil, &Failure{Status: http.StatusInternalServerError, Reason: ReasonBodyFailure, Message: "The message body could not be parsed for the template: " + err.Error(), Err: err}
	}
	return parsed, nil
}

// liquidContext is what templates see of the exchange.
func (x *Exchange) liquidContext() map[string]any {
	original := *x.Inbound.URL
	original.Host, original.Scheme = x.Inbound.Host, "http"
	if x.Inbound.TLS != nil {
		original.Scheme = "https"
	}
	target := ""
	if u := x.Request.URL(); u != nil {
		target = u.String()
	}
	parameters := map[string]any{}
	for i := range x.Match.Len() {
		name, v := x.Match.Parameter(i)
		parameters[name] = v
	}
	address := ""
	if caller, ok := x.CallerAddress(); ok {
		address = caller.String()
	}
	request := map[string]any{
		"Method": x.Request.Method, "OriginalMethod": x.Inbound.Method, "Url": target, "OriginalUrl": original.String(), "IpAddress": address,
		"MatchedParameters": parameters, "HasBody": x.Request.Body.Length() != 0, "Headers": liquidHeader(x.Request.Header), "ClientCertificates": nil,
	}
	c := map[string]any{"Request": request, "Variables": x.liquidVariables()}
	if x.HasResponse() {
		c["Response"] = map[string]any{"StatusCode": x.Response.Status, "Method": x.Request.Method, "Headers": liquidHeader(x.Response.Header)}
	}
	return c
}

func liquidHeader(h http.Header) map[string]any {
	m := make(map[string]any, len(h))
	for name, values := range h {
		m[name] = strings.Join(values, ",")
	}
	return m
}

// liquidVariables are the variables that a template can show: plain values as they are, others as their text where they have one.
func (x *Exchange) liquidVariables() map[string]any {
	m := make(map[string]any, len(x.Variables))
	for name, v := range x.Variables {
		switch v := v.(type) {
		case nil, bool, string, int, int32, int64, float64:
			m[name] = v
		case *Response:
			continue
		case interface{ Plain() any }:
			m[name] = v.Plain()
		case interface{ String() string }:
			m[name] = v.String()
		}
	}
	return m
}
