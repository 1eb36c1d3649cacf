package policy

import (
	"net/http"
	"strings"
)

// setHeader is the set-header policy (set-header-policy).
type setHeader struct {
	name     Value[string]
	action   Value[string]
	values   []Value[string]
	response bool // the response's header, not the request's
}

func newSetHeader(b *Builder) Policy {
	s := &setHeader{name: b.String("name", Required), action: b.OneOf("exists-action", 0, "override", "skip", "append", "delete"), response: b.response}
	s.values = b.Values("value", 0)
	if name, known := s.name.Known(); known && s.name.IsSet() {
		name = http.CanonicalHeaderKey(strings.TrimSpace(name))
		s.name = Literal(name)
		switch {
		case !validHeaderName(name):
			b.Errorf("The attribute 'name': %q is not a header name", name)
		case immutableHeader(name):
			b.Errorf("The header '%s' belongs to the connection and cannot be changed", name)
		case name == "Host" && b.c.handshake && b.c.scope&(APIScope|OperationScope) != 0:
			b.Errorf("The Host header of a WebSocket handshake cannot be changed")
		}
	}
	checkExistsAction(b, s.action, s.values)
	return s
}

// checkExistsAction checks that there are values unless the header or parameter is deleted.
func checkExistsAction(b *Builder, action Value[string], values []Value[string]) {
	word, known := action.Known()
	switch {
	case !known:
	case word == "delete" && len(values) > 0:
		b.Errorf("With exists-action=\"delete\" there must be no 'value'")
	case word != "delete" && len(values) == 0:
		b.Errorf("At least one 'value' is required unless exists-action is delete")
	}
}

func immutableHeader(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Keep-Alive", "Transfer-Encoding":
		return true
	}
	return false
}

// separateHeader says that several values of the header stay lines of their own.
func separateHeader(name string) bool {
	switch name {
	case "User-Agent", "Www-Authenticate", "Proxy-Authenticate", "Cookie", "Set-Cookie", "Warning", "Date", "Expires", "Last-Modified", "If-Modified-Since", "If-Unmodified-Since", "Retry-After":
		return true
	}
	return false
}

func validHeaderName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return name != ""
}

// Run sets the header.
func (s *setHeader) Run(x *Exchange) (Outcome, error) {
	if s.response {
		return Continue, s.apply(x, x.Response.Header, nil)
	}
	return Continue, s.apply(x, x.Request.Header, &x.Request.Host)
}

// apply sets the header in a message's, or the host of a request; a response has a nil host.
func (s *setHeader) apply(x *Exchange, header http.Header, host *string) error {
	name, err := s.name.Get(x)
	if err != nil {
		return err
	}
	if _, known := s.name.Known(); !known {
		name = http.CanonicalHeaderKey(strings.TrimSpace(name))
		if !validHeaderName(name) || immutableHeader(name) {
			return &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "The name that an expression gave is not that of a header that can be set."}
		}
	}
	action, err := s.action.Get(x)
	if err != nil {
		return err
	}
	if name == "Host" && host != nil {
		return s.setHost(x, action, host)
	}
	old := header[name]
	if action == "delete" {
		delete(header, name)
		return nil
	}
	if action == "skip" && len(old) > 0 {
		return nil
	}
	values := make([]string, 0, len(s.values)+1)
	if action == "append" {
		values = append(values, old...)
	}
	for i := range s.values {
		v, err := s.values[i].Get(x)
		if err != nil {
			return err
		}
		if strings.ContainsAny(v, "\r\n\x00") {
			return &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "The value of the header " + name + " has a line break."}
		}
		values = append(values, v)
	}
	if len(values) > 1 && !separateHeader(name) {
		values = []string{strings.Join(values, ",")}
	}
	header[name] = values
	return nil
}

func (s *setHeader) setHost(x *Exchange, action string, host *string) error {
	if x.Handshake && host == &x.Request.Host || action == "skip" {
		return nil // The handshake's Host is the backend's; an inherited statement does not change that.
	}
	*host = ""
	if action == "delete" {
		return nil
	}
	for i := range s.values {
		v, err := s.values[i].Get(x)
		if err != nil {
			return err
		}
		if strings.ContainsAny(v, "/\\?#@ \t\r\n\x00") {
			return &Failure{Status: http.StatusInternalServerError, Reason: ReasonExpressionFailure, Message: "The value of the Host header is not a host."}
		}
		*host = v
	}
	return nil
}
