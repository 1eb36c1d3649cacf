package policy

import (
	"net/http"
	"strings"
)

// checkHeader is the check-header policy (check-header-policy).
type checkHeader struct {
	name       Value[string]
	status     Value[int]
	message    Value[string]
	ignoreCase Value[bool]
	values     []Value[string]
}

func newCheckHeader(b *Builder) Policy {
	return &checkHeader{
		name:       b.String("name", Required),
		status:     b.Int("failed-check-httpcode", 0, 100, 599, Required),
		message:    b.String("failed-check-error-message", Required),
		ignoreCase: b.Bool("ignore-case", false, Required),
		values:     b.Values("value", 0),
	}
}

// Run refuses a request without the header or with a value that is not on the list.
func (c *checkHeader) Run(x *Exchange) (Outcome, error) {
	name, err := c.name.Get(x)
	if err != nil {
		return End, err
	}
	values := x.Request.Header[http.CanonicalHeaderKey(name)]
	if len(values) == 0 {
		return End, c.failure(x, "HeaderNotFound", "Header "+name+" was not found in the request. Access denied.")
	}
	if len(c.values) == 0 {
		return Continue, nil
	}
	if len(values) == 1 {
		ignoreCase, err := c.ignoreCase.Get(x)
		if err != nil {
			return End, err
		}
		for i := range c.values {
			v, err := c.values[i].Get(x)
			if err != nil {
				return End, err
			}
			if v == values[0] || ignoreCase && strings.EqualFold(v, values[0]) {
				return Continue, nil
			}
		}
	}
	return End, c.failure(x, "HeaderValueNotAllowed", "Header "+name+" value of "+strings.Join(values, ",")+" is not allowed. Access denied.")
}

func (c *checkHeader) failure(x *Exchange, reason, message string) error {
	status, err := c.status.Get(x)
	if err != nil {
		return err
	}
	public, err := c.message.Get(x)
	if err != nil {
		return err
	}
	return &Failure{Status: status, Public: public, Reason: reason, Message: message}
}
