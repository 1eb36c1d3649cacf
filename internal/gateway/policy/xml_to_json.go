package policy

import "github.com/hubgate/hubgate/internal/gateway/transform"

// xmlToJSON is the xml-to-json policy (xml-to-json-policy).
type xmlToJSON struct {
	conversion
	kind        Value[string]
	alwaysArray Value[bool]
	whitespace  Value[bool]
}

func newXMLToJSON(b *Builder) Policy {
	if !b.Has("kind") {
		b.Errorf("The required attribute 'kind' is missing")
	}
	return &xmlToJSON{
		conversion:  b.conversion("content-type-xml", isXML, isJSON, "application/json"),
		kind:        b.OneOf("kind", 0, "javascript-friendly", "direct"),
		alwaysArray: b.Bool("always-array-child-elements", false, 0),
		whitespace:  b.Bool("preserve-whitespace-nodes", false, 0),
	}
}

// Run converts the body.
func (c *xmlToJSON) Run(x *Exchange) (Outcome, error) {
	kind, err := c.kind.Get(x)
	if err != nil {
		return End, err
	}
	o := transform.XMLToJSONOptions{Friendly: kind == "javascript-friendly"}
	if o.AlwaysArray, err = c.alwaysArray.Get(x); err != nil {
		return End, err
	}
	if o.PreserveWhitespace, err = c.whitespace.Get(x); err != nil {
		return End, err
	}
	return c.run(x, func(data []byte) ([]byte, error) { return transform.XMLToJSON(data, o) })
}
