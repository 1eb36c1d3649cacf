package expr

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxLine bounds one line of input.
const maxLine = 1 << 20

// question is a line of input.
type question struct {
	Expr    string `json:"expr"`
	Variant string `json:"variant"`
}

// EvaluateLines reads expressions from in, one JSON object {"expr": …, "variant": …} a line, and answers each with a line on out:
// {"type","value","text"}, {"throws":{"type","message"}} or {"compileError","message"}. contextFile holds the context that expressions see, alone or as
// the member "context" of an object; its member "variants" maps the name of a variant to what it changes (dotted path to value). Each line gets a fresh context.
func EvaluateLines(ctx context.Context, env *Environment, contextFile, in io.Reader, out io.Writer) error {
	sample, err := readSample(contextFile)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	w := bufio.NewWriter(out)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var q question
		if err := json.Unmarshal(line, &q); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		c, err := sample.build(env, q.Variant)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if _, err := w.Write(append(answer(ctx, env, q.Expr, c), '\n')); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return lines.Err()
}

// Split takes an expression as a policy writes it, @(…) or @{…}, apart into its source and form.
func Split(text string) (src string, form Form, ok bool) {
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "@(") && strings.HasSuffix(text, ")"):
		return text[2 : len(text)-1], Expression, true
	case strings.HasPrefix(text, "@{") && strings.HasSuffix(text, "}"):
		return text[2 : len(text)-1], Statements, true
	}
	return "", 0, false
}

// answer compiles and runs one expression and describes what came out.
func answer(ctx context.Context, env *Environment, text string, c *Context) []byte {
	refuse := func(code, message string) []byte {
		if code == "" {
			code = message
		}
		return []byte(`{"compileError":` + quoteJSON(wellFormed(code)) + `,"message":` + quoteJSON(wellFormed(message)) + "}")
	}
	src, form, ok := Split(text)
	if !ok {
		return refuse("", "an expression is written @(…) or @{…}")
	}
	p, err := Compile(src, form, env)
	if err != nil {
		var refused *CompileError
		if errors.As(err, &refused) {
			return refuse(refused.Code, refused.Error())
		}
		return refuse("", err.Error())
	}
	throws := func(err error) []byte {
		kind, message := "Hubgate.LimitExceeded", err.Error()
		var e *Exception
		if errors.As(err, &e) {
			kind, message = e.Type, e.Message
		}
		return []byte(`{"throws":{"type":` + quoteJSON(kind) + `,"message":` + quoteJSON(wellFormed(message)) + "}}")
	}
	v, err := p.Eval(ctx, c)
	if err != nil {
		return throws(err)
	}
	line, err := describeResult(env, v)
	if err != nil {
		return throws(err)
	}
	return line
}

// describeResult writes type, value and text. The text is left out where it equals the value, for null and for collections.
func describeResult(env *Environment, v Value) (line []byte, err error) {
	m := newRenderer(env)
	defer func() {
		if r := recover(); r != nil {
			line, err = nil, recovered(r)
		}
	}()
	line = append(line, `{"type":`+quoteJSON(TypeName(env, v))...)
	value, ok := m.appendJSON(nil, v)
	if ok {
		line = append(append(line, `,"value":`...), value...)
	}
	if v != nil && (!ok || value[0] != '[' && value[0] != '{') && !isBytes(v) {
		text := quoteJSON(wellFormed(m.text(v)))
		if !ok || text != string(value) && strings.Trim(text, `"`) != string(value) {
			line = append(append(line, `,"text":`...), text...)
		}
	}
	return append(line, '}'), nil
}

// isBytes tells a byte array, a collection although its value is a string.
func isBytes(v Value) bool { _, ok := v.(*Bytes); return ok }

// sample is a context file.
type sample struct {
	root     map[string]any
	variants map[string]map[string]any
}

func readSample(r io.Reader) (*sample, error) {
	d := json.NewDecoder(r)
	d.UseNumber()
	var root map[string]any
	if err := d.Decode(&root); err != nil {
		return nil, fmt.Errorf("context file: %w", err)
	}
	if inner, ok := root["context"].(map[string]any); ok {
		root = inner
	}
	s := &sample{root: root, variants: map[string]map[string]any{}}
	if all, ok := root["variants"].(map[string]any); ok {
		for name, changes := range all {
			s.variants[name], _ = changes.(map[string]any)
		}
	}
	return s, nil
}

// build makes a context, with the changes of a variant if one is named.
func (s *sample) build(env *Environment, variant string) (*Context, error) {
	text, err := json.Marshal(s.root)
	if err != nil {
		return nil, err
	}
	if variant != "" {
		changes, ok := s.variants[variant]
		if !ok {
			return nil, fmt.Errorf("the context file has no variant %q", variant)
		}
		var root map[string]any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&root); err != nil {
			return nil, err
		}
		for path, v := range changes {
			if err := change(root, path, v); err != nil {
				return nil, err
			}
		}
		if text, err = json.Marshal(root); err != nil {
			return nil, err
		}
	}
	var f fileContext
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("context file: %w", err)
	}
	return f.context(env)
}

// change sets the value at a dotted path.
func change(root map[string]any, path string, v any) error {
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		next, ok := root[step].(map[string]any)
		if !ok {
			return fmt.Errorf("variant: the context has no %q of path %q", step, path)
		}
		root = next
	}
	root[steps[len(steps)-1]] = v
	return nil
}

type (
	fileContext struct {
		RequestID    string                  `json:"requestId"`
		Timestamp    time.Time               `json:"timestamp"`
		Elapsed      string                  `json:"elapsed"`
		Tracing      bool                    `json:"tracing"`
		API          *fileAPI                `json:"api"`
		Deployment   *fileDeployment         `json:"deployment"`
		Operation    *Operation              `json:"operation"`
		Product      *fileProduct            `json:"product"`
		Subscription *fileSubscription       `json:"subscription"`
		User         *User                   `json:"user"`
		LastError    *LastError              `json:"lastError"`
		Request      *fileRequest            `json:"request"`
		Response     *fileResponse           `json:"response"`
		Variables    map[string]fileVariable `json:"variables"`
	}
	fileAPI struct {
		ID                string
		Name              string
		Path              string
		Version           string
		Revision          string
		IsCurrentRevision bool
		ServiceURL        *URL
		Protocols         []string
		KeyNames          struct{ Header, Query string } `json:"subscriptionKeyParameterNames"`
	}
	fileDeployment struct {
		GatewayID, Region, ServiceID, ServiceName string
		Gateway                                   struct {
			InstanceID string
			IsManaged  bool
		}
		Certificates map[string]string
	}
	fileProduct struct {
		ID, Name, State                        string
		ApprovalRequired, SubscriptionRequired bool
		SubscriptionLimit                      *int32
		APIs                                   []*API
		Groups                                 []Group
	}
	fileSubscription struct {
		ID, Name, Key, PrimaryKey, SecondaryKey string
		CreatedDate, StartDate, EndDate         *time.Time
	}
	fileRequest struct {
		Method                    string
		IPAddress                 string
		Certificate               *string
		PrivateEndpointConnection *PrivateEndpointConnection
		URL                       *URL
		OriginalURL               *URL
		MatchedParameters         map[string]string
		Headers                   http.Header
		Body                      *string
	}
	fileResponse struct {
		StatusCode   int
		StatusReason string
		Headers      http.Header
		Body         *string
	}
	fileVariable struct {
		Type  string          `json:"type"`
		Value json.RawMessage `json:"value"`
	}
)

// context turns the file's form into a Context.
func (f *fileContext) context(env *Environment) (*Context, error) {
	id, _ := ParseGuid(f.RequestID)
	elapsed, _ := parseSpan(f.Elapsed)
	c := &Context{
		RequestID: id, Timestamp: f.Timestamp, Elapsed: func() time.Duration { return time.Duration(elapsed) * 100 }, Tracing: f.Tracing,
		Operation: f.Operation, User: f.User, LastError: f.LastError,
	}
	if a := f.API; a != nil {
		c.API = &API{a.ID, a.Name, a.Path, a.Version, a.Revision, a.IsCurrentRevision, a.ServiceURL, a.Protocols, a.KeyNames.Header, a.KeyNames.Query}
	}
	if d := f.Deployment; d != nil {
		c.Deployment = &Deployment{GatewayID: d.GatewayID, Region: d.Region, ServiceID: d.ServiceID, ServiceName: d.ServiceName, InstanceID: d.Gateway.InstanceID, IsManaged: d.Gateway.IsManaged}
		c.Deployment.Certificates = map[string]*x509.Certificate{}
		for name, text := range d.Certificates {
			cert, err := fileCertificate(text)
			if err != nil {
				return nil, fmt.Errorf("context file: certificate %q: %w", name, err)
			}
			c.Deployment.Certificates[name] = cert
		}
	}
	if p := f.Product; p != nil {
		c.Product = &Product{p.ID, p.Name, p.ApprovalRequired, p.SubscriptionRequired, p.SubscriptionLimit, p.State == "Published", p.APIs, p.Groups}
	}
	if s := f.Subscription; s != nil {
		date := func(t *time.Time) time.Time {
			if t == nil {
				return time.Time{}
			}
			return *t
		}
		c.Subscription = &Subscription{s.ID, s.Name, s.Key, s.PrimaryKey, s.SecondaryKey, date(s.CreatedDate), date(s.StartDate), date(s.EndDate)}
	}
	if f.Request != nil {
		r := &fileMessage{request: f.Request}
		if f.Request.Certificate != nil {
			cert, err := fileCertificate(*f.Request.Certificate)
			if err != nil {
				return nil, fmt.Errorf("context file: request certificate: %w", err)
			}
			r.certificate = cert
		}
		c.Request = r
	}
	if f.Response != nil {
		c.Response = &fileAnswer{f.Response}
	}
	variables := VariableMap{}
	for name, v := range f.Variables {
		x, err := v.value(env)
		if err != nil {
			return nil, fmt.Errorf("context file: variable %q: %w", name, err)
		}
		variables[name] = x
	}
	c.Variables = variables
	return c, nil
}

func fileCertificate(text string) (*x509.Certificate, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(data)
}

// value reads a variable by its declared type.
func (v fileVariable) value(env *Environment) (Value, error) {
	var text string
	_ = json.Unmarshal(v.Value, &text)
	number := func(p primitive) (Value, error) {
		s := text
		if s == "" {
			s = string(v.Value)
		}
		x, result := parseNumber(s, standardStyle(p), p)
		if result != parsed {
			return nil, fmt.Errorf("%s is no %s", v.Value, v.Type)
		}
		return x, nil
	}
	switch v.Type {
	case "null":
		return nil, nil
	case "string":
		return text, nil
	case "bool":
		return string(v.Value) == "true", nil
	case "int", "long", "double", "decimal":
		return number(primitiveNamed(v.Type))
	case "DateTime":
		t, err := time.Parse(time.RFC3339Nano, text)
		return NewDateTime(t.UTC()), err
	case "Guid":
		g, ok := ParseGuid(text)
		if !ok {
			return nil, fmt.Errorf("%q is no GUID", text)
		}
		return g, nil
	case "byte[]":
		data, err := base64.StdEncoding.DecodeString(text)
		return &Bytes{data}, err
	case "string[]":
		var list []string
		err := json.Unmarshal(v.Value, &list)
		return newRenderer(env).stringArray(list), err
	case "JObject", "JArray", "JToken":
		return NewJSON(env, text)
	case "Jwt":
		j, ok := ParseJWT(env, text)
		if !ok {
			return nil, errors.New("not a token")
		}
		return j, nil
	case "IResponse":
		var r fileResponse
		err := json.Unmarshal(v.Value, &r)
		return &fileAnswer{&r}, err
	}
	return nil, fmt.Errorf("unknown type %q", v.Type)
}

// fileMessage is a Request of a context file, fileAnswer a Response.
type (
	fileMessage struct {
		request     *fileRequest
		certificate *x509.Certificate
	}
	fileAnswer struct{ response *fileResponse }
)

// Method implements Request.
func (m *fileMessage) Method() string { return m.request.Method }

// IPAddress implements Request.
func (m *fileMessage) IPAddress() string { return m.request.IPAddress }

// URL implements Request.
func (m *fileMessage) URL() *URL { return m.request.URL }

// OriginalURL implements Request.
func (m *fileMessage) OriginalURL() *URL { return m.request.OriginalURL }

// MatchedParameters implements Request.
func (m *fileMessage) MatchedParameters() map[string]string { return m.request.MatchedParameters }

// Headers implements Request.
func (m *fileMessage) Headers() Headers { return HeaderMap(m.request.Headers) }

// Body implements Request.
func (m *fileMessage) Body() Body { return fileBody(m.request.Body) }

// Certificate implements Request.
func (m *fileMessage) Certificate() *x509.Certificate { return m.certificate }

// PrivateEndpointConnection implements Request.
func (m *fileMessage) PrivateEndpointConnection() *PrivateEndpointConnection {
	return m.request.PrivateEndpointConnection
}

// StatusCode implements Response.
func (a *fileAnswer) StatusCode() int { return a.response.StatusCode }

// StatusReason implements Response.
func (a *fileAnswer) StatusReason() string { return a.response.StatusReason }

// Headers implements Response.
func (a *fileAnswer) Headers() Headers { return HeaderMap(a.response.Headers) }

// Body implements Response.
func (a *fileAnswer) Body() Body { return fileBody(a.response.Body) }

func fileBody(text *string) Body {
	if text == nil {
		return nil
	}
	return BodyBytes(*text)
}

var (
	_ Request  = (*fileMessage)(nil)
	_ Response = (*fileAnswer)(nil)
)
