package dataapi

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hubgate/hubgate/internal/auth"
)

// problem is a request that is answered with an error.
type problem struct {
	status int
	code   string // value of x-ms-error-code; "" leaves the header out
	text   string // for the caller: what is wrong, where, and what to do
	target string // what of the request the error is about
	header [2]string
}

func (p *problem) Error() string { return p.text }

// The values of x-ms-error-code, {level}.{scope}.{kind}. With a status of 404 the Management SDK tells by them that something is not there from
// a service that is not there.
const (
	codeInvalid           = "Error.Request.Invalid"
	codeNoConnection      = "Warning.Connection.NotExisted"
	codeNoConnectionToAdd = "Error.Connection.NotExisted"
	codeNoUser            = "Warning.User.NotExisted"
	codeNoGroup           = "Warning.Group.NotExisted"
	codeNotInGroup        = "Info.User.NotInGroup"
	codeFailedConnection  = "Error.Connection.Unknown"
)

// invalid is a request that is wrong in itself. target is the parameter or the part of the body.
func invalid(target, format string, arguments ...any) *problem {
	return &problem{status: http.StatusBadRequest, code: codeInvalid, target: target, text: fmt.Sprintf(format, arguments...)}
}

// missing is something that was asked for and is not there.
func missing(code, format string, arguments ...any) *problem {
	return &problem{status: http.StatusNotFound, code: code, text: fmt.Sprintf(format, arguments...)}
}

// unauthorized is why a token is not enough: 403 when who asks is known and may not do this, else 401.
func unauthorized(err error) *problem {
	if e, ok := errors.AsType[*auth.RoleError](err); ok {
		return &problem{status: http.StatusForbidden, text: e.Error()}
	}
	p := &problem{status: http.StatusUnauthorized, text: "the request needs a token that is signed with an access key of the instance, for the URL of the request"}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		p.header = [2]string{"WWW-Authenticate", e.Header()}
		if e.Description != "" {
			p.text = e.Description
		}
	}
	return p
}

// fail writes an error: an error object, or for the oldest versions a text.
func (c *call) fail(p *problem) {
	h := c.w.Header()
	if p.code != "" {
		h.Set("X-Ms-Error-Code", p.code)
	}
	if p.header[0] != "" {
		h.Set(p.header[0], p.header[1])
	}
	var body []byte
	if c.route == nil || c.route.since != v1 && c.route.since != v1Preview {
		h.Set("Content-Type", "application/json; charset=utf-8")
		body = p.object()
	} else {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		body = []byte(p.text)
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(p.status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body)
	}
}

// object is the error object (ErrorDetail of the API's description).
func (p *problem) object() []byte {
	code := p.code
	if code == "" {
		code = http.StatusText(p.status)
	}
	b := append([]byte(nil), `{"code":`...)
	b = appendText(b, code)
	b = append(b, `,"message":`...)
	b = appendText(b, p.text)
	if p.target != "" {
		b = append(b, `,"target":`...)
		b = appendText(b, p.target)
	}
	return append(b, '}')
}

// appendText appends a JSON string. What is not UTF-8 in it becomes the replacement character, which is what the error says that it is.
func appendText(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text)
	return b
}
