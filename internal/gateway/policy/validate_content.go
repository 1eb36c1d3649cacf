package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hubgate/hubgate/internal/gateway/schema"
	"github.com/hubgate/hubgate/internal/resource"
)

// validateContent is the validate-content policy (validate-content-policy).
type validateContent struct {
	unspecified, sizeExceeded Value[string]
	maxSize                   Value[int]
	variable                  string
	anyType, missingType      Value[string]
	mapped                    []mappedType
	contents                  []contentRule
	schemas                   *SchemaSet
	response                  bool
}

// mappedType is a 'type' of content-type-map: from a type, or from any that a condition is true for.
type mappedType struct {
	from, to Value[string]
	when     Value[bool]
}

// contentRule is a 'content': what is done with bodies of one type.
type contentRule struct {
	contentType string // in lower case; "" is every type that the API has
	action      Value[string]
	schemaID    string // "" is the API's own schema
	reference   string
	options     schema.Options
}

func newValidateContent(b *Builder) Policy {
	b.needsBody()
	v := &validateContent{
		unspecified: b.validationAction("unspecified-content-type-action"), maxSize: b.Int("max-size", 0, 1, MaxBuffered, Required),
		sizeExceeded: b.validationAction("size-exceeded-action"), variable: b.Literal("errors-variable-name", "", 0),
		schemas: b.c.environment.Schemas, response: b.response,
	}
	hasMap := false
	for _, child := range b.Children("content-type-map", "content") {
		if child.Element() == "content" {
			v.contents = append(v.contents, v.content(child))
			child.Done()
			continue
		}
		if hasMap {
			child.Errorf("There is a second 'content-type-map'")
		}
		hasMap = true
		v.anyType, v.missingType = child.String("any-content-type-value", 0), child.String("missing-content-type-value", 0)
		for _, t := range child.Children("type") {
			m := mappedType{from: t.String("from", 0), when: t.Bool("when", false, 0), to: t.String("to", Required)}
			if m.from.IsSet() == m.when.IsSet() {
				t.Errorf("Exactly one of the attributes 'from' and 'when' is required")
			}
			v.mapped = append(v.mapped, m)
			t.Done()
		}
		child.Done()
	}
	return v
}

func (v *validateContent) content(b *Builder) contentRule {
	c := contentRule{contentType: strings.ToLower(b.Literal("type", "", 0)), action: b.validationAction("action"),
		schemaID: b.Literal("schema-id", "", 0), reference: b.Literal("schema-ref", "", 0)}
	switch as := b.Literal("validate-as", "", Required); as {
	case "json", "":
	case "xml", "soap":
		b.Errorf("The attribute 'validate-as': %q is not supported, for there is no XML Schema validator; json is", as)
	default:
		b.Errorf("The attribute 'validate-as': %q is none of json, xml, soap", as)
	}
	if allowed := b.Bool("allow-additional-properties", false, LiteralOnly); allowed.IsSet() {
		is, _ := allowed.Known()
		c.options.AdditionalProperties = &is
	}
	ignoreCase := b.Bool("case-insensitive-property-names", false, LiteralOnly)
	c.options.IgnoreCase, _ = ignoreCase.Known()
	if c.reference != "" && !strings.HasPrefix(c.reference, "#") {
		b.Errorf("The attribute 'schema-ref': %q is no local reference like #/components/schemas/address", c.reference)
	}
	if c.reference != "" && c.schemaID == "" {
		b.Errorf("The attribute 'schema-ref' needs a 'schema-id'")
	}
	if c.schemaID != "" && v.schemas != nil {
		if _, err := v.schemas.named(c.schemaID, c.reference, c.options); err != nil {
			b.Errorf("The schema '%s' cannot be used: %s", c.schemaID, err)
		}
	}
	return c
}

// Run checks size, type and content of the body.
func (v *validateContent) Run(x *Exchange) (Outcome, error) {
	body, header := x.message(v.response)
	if body.Length() == 0 && header.Get("Content-Type") == "" {
		return Continue, nil // There is no message.
	}
	found := findings{response: v.response}
	data, fits, err := v.read(x, &found)
	if err != nil {
		return End, err
	}
	if fits {
		if err := v.check(x, data, &found); err != nil {
			return End, err
		}
	}
	return found.finish(x, v.variable)
}

// read is the body when it is not larger than allowed. The rest is not validated.
func (v *validateContent) read(x *Exchange, found *findings) (data []byte, fits bool, err error) {
	body, header := x.message(v.response)
	most, err := v.maxSize.Get(x)
	if err != nil {
		return nil, false, err
	}
	action, err := v.sizeExceeded.Get(x)
	if err != nil {
		return nil, false, err
	}
	size := body.Length()
	if size <= int64(most) {
		var ok bool
		data, ok, err = readDecoded(body, header)
		switch {
		case errors.Is(err, ErrBodyTooLarge):
			size, err = MaxBuffered+1, nil
		case err != nil:
			return nil, false, err
		case !ok:
			found.add(action, ValidationError{Type: v.kind(), ValidationRule: "ValidationException",
				Details: v.bodyOf() + " cannot be validated for the content type " + header.Get("Content-Type") + ".\n\nThe content coding " + header.Get("Content-Encoding") + " cannot be undone."}, internalPublic)
			return nil, false, nil
		default:
			size = int64(len(data))
		}
	}
	if size <= int64(most) {
		return data, true, nil
	}
	whose := "Request's"
	if v.response {
		whose = "Response's"
	}
	text := whose + " body is " + strconv.FormatInt(size, 10) + " bytes long and it exceeds the %slimit of " + strconv.Itoa(most) + " bytes."
	found.add(action, ValidationError{Type: v.kind(), ValidationRule: "SizeLimit", Details: fmt.Sprintf(text, "configured ")}, fmt.Sprintf(text, ""))
	return nil, false, nil
}

func (v *validateContent) kind() string {
	if v.response {
		return "ResponseBody"
	}
	return "RequestBody"
}

func (v *validateContent) bodyOf() string {
	if v.response {
		return "Body of the response"
	}
	return "Body of the request"
}

// contentType is the type that the body is validated as.
func (v *validateContent) contentType(x *Exchange) (string, error) {
	_, header := x.message(v.response)
	actual := mediaType(header)
	for i := range v.mapped {
		m := &v.mapped[i]
		hit := false
		if m.when.IsSet() {
			var err error
			if hit, err = m.when.Get(x); err != nil {
				return "", err
			}
		} else {
			from, err := m.from.Get(x)
			if err != nil {
				return "", err
			}
			hit = actual != "" && strings.EqualFold(from, actual)
		}
		if hit {
			to, err := m.to.Get(x)
			return strings.ToLower(to), err
		}
	}
	other := &v.anyType
	if actual == "" && v.missingType.IsSet() {
		other = &v.missingType
	}
	if other.IsSet() {
		text, err := other.Get(x)
		return strings.ToLower(text), err
	}
	return actual, nil
}

// representation is what the operation says about bodies of the type, or nil.
func (v *validateContent) representation(x *Exchange, contentType string) *resource.Representation {
	if x.Operation == nil {
		return nil
	}
	var list []resource.Representation
	if v.response {
		for i := range x.Operation.Responses {
			if x.Operation.Responses[i].StatusCode == x.Response.Status {
				list = x.Operation.Responses[i].Representations
			}
		}
	} else if x.Operation.Request != nil {
		list = x.Operation.Request.Representations
	}
	for i := range list {
		t, _, _ := strings.Cut(list[i].ContentType, ";")
		if strings.EqualFold(strings.TrimSpace(t), contentType) {
			return &list[i]
		}
	}
	return nil
}

func (v *validateContent) check(x *Exchange, data []byte, found *findings) error {
	contentType, err := v.contentType(x)
	if err != nil {
		return err
	}
	representation := v.representation(x, contentType)
	specified := representation != nil
	var rules []*contentRule
	for i := range v.contents {
		c := &v.contents[i]
		if c.contentType == contentType || c.contentType == "" && representation != nil {
			rules = append(rules, c)
			specified = specified || c.schemaID != ""
		}
	}
	if !specified {
		action, err := v.unspecified.Get(x)
		if err != nil {
			return err
		}
		found.add(action, ValidationError{Name: contentType, Type: v.kind(), ValidationRule: "Unspecified", Details: "Unspecified content type " + contentType + " is not allowed."}, "")
		return nil
	}
	for _, c := range rules {
		if err := v.validate(x, c, representation, contentType, data, found); err != nil {
			return err
		}
	}
	return nil
}

func (v *validateContent) validate(x *Exchange, c *contentRule, r *resource.Representation, contentType string, data []byte, found *findings) error {
	action, err := c.action.Get(x)
	if err != nil || action == validationIgnore {
		return err
	}
	definition := c.schemaID + c.reference
	var s *schema.Schema
	switch {
	case c.schemaID != "":
		s, err = v.schemas.named(c.schemaID, c.reference, c.options)
	case r != nil:
		definition = r.TypeName
		s, err = v.schemas.ofAPI(x.API, r.SchemaID, r.TypeName, c.options)
	default:
		err = errNoSchema
	}
	switch {
	case errors.Is(err, schema.ErrNoDefinition):
		found.add(action, ValidationError{Name: contentType, Type: v.kind(), ValidationRule: "MissingDefinition",
			Details: "API's schema does not contain definition " + definition + ", which is associated with the content type " + contentType + "."}, internalPublic)
		return nil
	case errors.Is(err, errNoSchema):
		found.add(action, ValidationError{Type: "ApiSchema", Details: noSchemaDetails}, internalPublic)
		return nil
	case err != nil:
		found.add(action, ValidationError{Type: v.kind(), ValidationRule: "ValidationException",
			Details: v.bodyOf() + " cannot be validated for the content type " + contentType + ".\n\n" + err.Error()}, internalPublic)
		return nil
	}
	for _, text := range faults(s.Validate(data)) {
		found.add(action, ValidationError{Name: contentType, Type: v.kind(), ValidationRule: "IncorrectMessage",
			Details: v.bodyOf() + " does not conform to the definition " + definition + ", which is associated with the content type " + contentType + ".\n\n" + text}, "")
	}
	return nil
}

// faults are the texts of a validator's error.
func faults(err error) []string {
	var invalid *schema.Invalid
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid):
		return invalid.Messages
	}
	return []string{err.Error()}
}
