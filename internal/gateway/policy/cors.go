package policy

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// cors is the cors policy (cors-policy). Preflights are answered by [Pipeline.Preflight] before any other policy runs.
type cors struct {
	credentials Value[bool]
	terminate   Value[bool]
	anyOrigin   bool
	origins     []Value[string]
	methods     []Value[string] // none means GET and POST
	maxAge      Value[int]      // seconds; not set: no header
	headers     []Value[string]
	expose      []Value[string]
}

func newCORS(b *Builder) Policy {
	c := &cors{
		credentials: b.Bool("allow-credentials", false, 0),
		terminate:   b.Bool("terminate-unmatched-request", true, 0),
	}
	hasOrigins := false
	for _, child := range b.Children("allowed-origins", "allowed-methods", "allowed-headers", "expose-headers") {
		switch child.Element() {
		case "allowed-origins":
			hasOrigins = true
			c.origins = child.Values("origin", Required)
			if len(c.origins) == 0 {
				child.Errorf("At least one 'origin' element is required")
			}
			c.checkOrigins(child)
		case "allowed-methods":
			c.maxAge = child.Int("preflight-result-max-age", 0, 0, 1<<31-1, 0)
			c.methods = child.Values("method", Required)
		case "allowed-headers":
			c.headers = child.Values("header", Required)
		case "expose-headers":
			c.expose = child.Values("header", Required)
		}
		child.Done()
	}
	if !hasOrigins {
		b.Errorf("The required element 'allowed-origins' is missing")
	}
	return c
}

// checkOrigins refuses literal origins that no browser sends, and brings the others into the form in which they are compared.
func (c *cors) checkOrigins(b *Builder) {
	for i := range c.origins {
		text, known := c.origins[i].Known()
		if !known {
			continue
		}
		if text == "*" {
			c.anyOrigin = true
			if len(c.origins) > 1 {
				b.Errorf("The origin * must be the only one")
			}
			continue
		}
		origin, ok := normalOrigin(text)
		if !ok && text != "" {
			b.Errorf("The origin '%s' is neither * nor a scheme, a host and a port like https://app.example", text)
		}
		c.origins[i] = Literal(origin)
	}
}

// normalOrigin brings an origin into one form: lower case, no default port, nothing after the host.
func normalOrigin(text string) (string, bool) {
	text = strings.TrimSuffix(text, "/")
	if text == "null" {
		return text, true
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case scheme == "http":
		host = strings.TrimSuffix(host, ":80")
	case scheme == "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return scheme + "://" + host, true
}

// corsGrant is what a cors policy adds to a response.
type corsGrant struct {
	origin      string // value of Access-Control-Allow-Origin
	credentials bool
	expose      string
	vary        bool
}

// apply sets the headers, over those of a backend that answers cross-origin requests by itself.
func (g *corsGrant) apply(h http.Header) {
	if g == nil {
		return
	}
	h["Access-Control-Allow-Origin"] = []string{g.origin}
	if g.credentials {
		h["Access-Control-Allow-Credentials"] = []string{"true"}
	} else {
		delete(h, "Access-Control-Allow-Credentials")
	}
	if g.expose != "" {
		h["Access-Control-Expose-Headers"] = []string{g.expose}
	}
	if g.vary {
		addVary(h, "Origin")
	}
}

func addVary(h http.Header, name string) {
	for _, line := range h["Vary"] {
		for field := range strings.SplitSeq(line, ",") {
			if field = strings.TrimSpace(field); field == "*" || strings.EqualFold(field, name) {
				return
			}
		}
	}
	h["Vary"] = append(h["Vary"], name)
}

// grant says whether the origin is allowed and what it is granted.
func (c *cors) grant(x *Exchange, origin string) (*corsGrant, error) {
	credentials, err := c.credentials.Get(x)
	if err != nil {
		return nil, err
	}
	g := &corsGrant{credentials: credentials, origin: origin, vary: true}
	if c.anyOrigin {
		if !credentials {
			// Browsers take * only without credentials; with them the origin is echoed.
			g.origin, g.vary = "*", false
		}
		return g, nil
	}
	normal, ok := normalOrigin(origin)
	if !ok {
		return nil, nil
	}
	for i := range c.origins {
		allowed, err := c.origins[i].Get(x)
		if err != nil {
			return nil, err
		}
		if _, known := c.origins[i].Known(); !known {
			if allowed == "*" {
				return g, nil
			}
			allowed, _ = normalOrigin(allowed)
		}
		if allowed == normal {
			return g, nil
		}
	}
	return nil, nil
}

// Run is the policy on an actual request.
func (c *cors) Run(x *Exchange) (Outcome, error) {
	if x.corsRan {
		return Continue, nil // Only the first cors of the effective policy counts.
	}
	x.corsRan = true
	origin := x.Inbound.Header.Get("Origin")
	if origin == "" {
		return Continue, nil
	}
	g, err := c.grant(x, origin)
	if err != nil {
		return End, err
	}
	if g == nil {
		terminate, err := c.terminate.Get(x)
		if err != nil {
			return End, err
		}
		if !terminate {
			return Continue, nil
		}
		x.trace("cors", "error", "The origin is not allowed, so the request ends with an empty response and does not reach the backend.")
		x.Respond(http.StatusOK)
		return End, nil
	}
	if g.expose, err = join(x, c.expose); err != nil {
		return End, err
	}
	x.cors = g
	return Continue, nil
}

// HasCORS says whether the pipeline answers preflights.
func (p *Pipeline) HasCORS() bool { return len(p.cors) > 0 }

// IsPreflight says whether the request asks whether a cross-origin request may be sent (Fetch, "CORS-preflight request").
func IsPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// Preflight answers a preflight: with what the first cors policy that allows it grants, else with an empty 200, which
// grants nothing. No other policy runs.
func (p *Pipeline) Preflight(x *Exchange) {
	x.Pipeline = p
	x.completed = true
	for _, c := range p.cors {
		header, err := c.preflight(x)
		if err != nil {
			x.Fail(err)
			return
		}
		if header != nil {
			x.Respond(http.StatusOK)
			x.Response.Header = header
			return
		}
		terminate, err := c.terminate.Get(x)
		if err != nil {
			x.Fail(err)
			return
		}
		if terminate {
			break
		}
	}
	x.trace("cors", "error", "No cors policy allows the preflight, so it gets an empty response.")
	x.Respond(http.StatusOK)
}

// preflight is the header of the answer, or nil when the policy does not allow the request that is asked for.
func (c *cors) preflight(x *Exchange) (http.Header, error) {
	in := x.Inbound.Header
	g, err := c.grant(x, in.Get("Origin"))
	if g == nil || err != nil {
		return nil, err
	}
	method := in.Get("Access-Control-Request-Method")
	methods, ok, err := allow(x, c.methods, []string{method}, func(a, b string) bool { return a == b })
	if err != nil {
		return nil, err
	}
	if len(c.methods) == 0 {
		methods, ok = "GET,POST", method == http.MethodGet || method == http.MethodPost
	}
	if !ok {
		return nil, nil
	}
	var wanted []string
	for _, line := range in["Access-Control-Request-Headers"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.TrimSpace(name); name != "" {
				wanted = append(wanted, name)
			}
		}
	}
	headers, ok, err := allow(x, c.headers, wanted, strings.EqualFold)
	if err != nil || !ok {
		return nil, err
	}
	h := http.Header{}
	g.apply(h)
	h["Access-Control-Allow-Methods"] = []string{methods}
	if headers != "" {
		h["Access-Control-Allow-Headers"] = []string{headers}
	}
	if c.maxAge.IsSet() {
		age, err := c.maxAge.Get(x)
		if err != nil {
			return nil, err
		}
		h["Access-Control-Max-Age"] = []string{strconv.Itoa(age)}
	}
	return h, nil
}

// allow says whether all that is wanted is in the list, and returns what to answer: the list, or for * what was wanted,
// because browsers take * as a name when there are credentials.
func allow(x *Exchange, list []Value[string], wanted []string, equal func(a, b string) bool) (answer string, ok bool, err error) {
	allowed := make([]string, 0, len(list))
	for i := range list {
		v, err := list[i].Get(x)
		if err != nil {
			return "", false, err
		}
		if v == "*" {
			return strings.Join(wanted, ","), true, nil
		}
		allowed = append(allowed, v)
	}
	for _, w := range wanted {
		found := false
		for _, a := range allowed {
			found = found || equal(a, w)
		}
		if !found {
			return "", false, nil
		}
	}
	return strings.Join(allowed, ","), true, nil
}

func join(x *Exchange, list []Value[string]) (string, error) {
	var texts []string
	for i := range list {
		v, err := list[i].Get(x)
		if err != nil {
			return "", err
		}
		texts = append(texts, v)
	}
	return strings.Join(texts, ","), nil
}
