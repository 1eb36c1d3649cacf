package policy

import (
	"net/http"

	"github.com/hubgate/hubgate/internal/gateway/transform"
)

// conversion is what json-to-xml and xml-to-json have in common.
type conversion struct {
	apply          Value[string] // always, or content-type-… for only when the Content-Type says so
	considerAccept Value[bool]
	response       bool
	from, to       func(mediaType string) bool
	contentType    string // of the result
}

func (b *Builder) conversion(contentType string, from, to func(string) bool, result string) conversion {
	b.needsBody()
	if !b.Has("apply") {
		b.Errorf("The required attribute 'apply' is missing")
	}
	return conversion{apply: b.OneOf("apply", 0, "always", contentType), considerAccept: b.Bool("consider-accept-header", true, 0),
		response: b.response, from: from, to: to, contentType: result}
}

// run converts the body when the settings and the headers want it.
func (c *conversion) run(x *Exchange, convert func([]byte) ([]byte, error)) (Outcome, error) {
	apply, err := c.apply.Get(x)
	if err != nil {
		return End, err
	}
	considerAccept, err := c.considerAccept.Get(x)
	if err != nil {
		return End, err
	}
	body, header := x.message(c.response)
	if apply != "always" && !c.from(mediaType(header)) || considerAccept && !x.accepts(c.to) {
		return Continue, nil
	}
	data, ok, err := readDecoded(body, header)
	if err != nil {
		return End, err
	}
	if !ok {
		return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonBodyFailure, Message: "The message body has a content coding that cannot be undone."}
	}
	if len(data) == 0 {
		return Continue, nil
	}
	converted, err := convert(data)
	if err != nil {
		return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonBodyFailure, Message: "The message body could not be converted: " + err.Error(), Err: err}
	}
	x.replace(c.response, converted)
	header["Content-Type"] = []string{c.contentType}
	return Continue, nil
}

// jsonToXML is the json-to-xml policy (json-to-xml-policy).
type jsonToXML struct {
	conversion
	parseDate                                                bool
	separator, namespacePrefix, attributeBlock, attributePfx Value[string]
}

func newJSONToXML(b *Builder) Policy {
	parseDate := b.Bool("parse-date", true, LiteralOnly)
	j := &jsonToXML{
		conversion: b.conversion("content-type-json", isJSON, isXML, "application/xml"),
		separator:  b.String("namespace-separator", 0), namespacePrefix: b.String("namespace-prefix", 0),
		attributeBlock: b.String("attribute-block-name", 0), attributePfx: b.String("attribute-prefix", 0),
	}
	j.parseDate, _ = parseDate.Known()
	return j
}

// Run converts the body.
func (j *jsonToXML) Run(x *Exchange) (Outcome, error) {
	o := transform.JSONToXMLOptions{ParseDate: j.parseDate}
	for target, v := range map[*string]*Value[string]{&o.NamespaceSeparator: &j.separator, &o.NamespacePrefix: &j.namespacePrefix, &o.AttributeBlockName: &j.attributeBlock, &o.AttributePrefix: &j.attributePfx} {
		text, err := v.Get(x)
		if err != nil {
			return End, err
		}
		*target = text
	}
	return j.run(x, func(data []byte) ([]byte, error) { return transform.JSONToXML(data, o) })
}
