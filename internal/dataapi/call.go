package dataapi

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/message"
)

// call is one request, with what has been found out about it.
type call struct {
	*Options
	w http.ResponseWriter
	r *http.Request

	route     *route
	arguments []string // the values of the path's parameters, unescaped
	query     url.Values
	hub       *hub.Hub
}

// operation names the request in a log: the method and the path without its values, which may be personal.
func (c *call) operation() string {
	if c.route == nil {
		return "unknown"
	}
	return c.route.path
}

// version is one of the API's versions, in order.
type version int

// The versions. The older two are paths of their own.
const (
	v1Preview version = iota
	v1
	v20220601
	v20221101
	v20230701
	v20241201
	v20260701
)

// versionNames are the values of api-version.
var versionNames = map[version]string{v20220601: "2022-06-01", v20221101: "2022-11-01", v20230701: "2023-07-01", v20241201: "2024-12-01", v20260701: "2026-07-01"}

func versionNamed(name string) (version, bool) {
	for v, n := range versionNames {
		if n == name {
			return v, true
		}
	}
	return 0, false
}

// read checks what all operations have in common: the query, the version and the names in the path.
func (c *call) read() error {
	var err error
	if c.query, err = url.ParseQuery(c.r.URL.RawQuery); err != nil {
		return invalid("query", "the query cannot be read: write it as name=value pairs with & between them, percent-encoded")
	}
	if c.route.since >= v20220601 {
		if err := c.checkVersion(); err != nil {
			return err
		}
	}
	for i, p := range c.route.parameters {
		if err := checkName(p, c.arguments[i]); err != nil {
			return err
		}
	}
	if i := slices.Index(c.route.parameters, "hub"); i >= 0 {
		name := strings.ToLower(c.arguments[i])
		application, err := c.one("application")
		if err != nil {
			return err
		}
		if application != "" && c.route.since >= v20220601 {
			if !hubName.MatchString(application) {
				return invalid("application", "the application's name begins with a letter and has up to 128 letters, digits and any of _ ` , . [ ]")
			}
			name = strings.ToLower(application) + "_" + name
		}
		c.hub = c.Registry.Hub(name)
	}
	return nil
}

// checkVersion finds out whether the operation is in the version that is asked for.
func (c *call) checkVersion() error {
	name, err := c.one("api-version")
	switch {
	case err != nil:
		return err
	case name == "":
		return invalid("api-version", "the query parameter api-version is required, for example api-version=%s", versionNames[v20241201])
	}
	asked, known := versionNamed(name)
	if !known {
		return invalid("api-version", "api-version %q is not known; use one of 2022-06-01, 2022-11-01, 2023-07-01, 2024-12-01 and 2026-07-01", name)
	}
	if asked < c.route.since {
		return invalid("api-version", "the operation is not in api-version %s; use %s or a later one", name, versionNames[c.route.since])
	}
	return nil
}

// hubName is what the API's description says of hubs and applications.
var hubName = regexp.MustCompile("^[A-Za-z][A-Za-z0-9_`,.[\\]]{0,127}$")

// maxName and maxStream bound names, in characters.
const (
	maxName   = 1024
	maxStream = 100
)

// checkName checks the value of a path's parameter.
func checkName(parameter, value string) error {
	if !utf8.ValidString(value) {
		return invalid(parameter, "%s must be UTF-8", parameter)
	}
	most := maxName
	switch parameter {
	case "userList", "groupList":
		one := strings.TrimSuffix(parameter, "List")
		for name := range strings.SplitSeq(value, ",") {
			if err := checkName(one, name); err != nil {
				return err
			}
		}
		return nil
	case "hub":
		if !hubName.MatchString(value) {
			return invalid(parameter, "the hub's name begins with a letter and has up to 128 letters, digits and any of _ ` , . [ ]")
		}
		return nil
	case "group":
		if blank(value) {
			return invalid(parameter, "the group's name must not be blank")
		}
	case "streamId":
		most = maxStream
		if blank(value) {
			return invalid(parameter, "the stream's id must not be blank")
		}
	}
	n := utf8.RuneCountInString(value)
	if n == 0 {
		return invalid(parameter, "%s must not be empty", parameter)
	}
	if n > most {
		return invalid(parameter, "%s has %d characters and may have %d", parameter, n, most)
	}
	return nil
}

func blank(s string) bool { return strings.TrimFunc(s, unicode.IsSpace) == "" }

// argument is the value of a path's parameter; the route has it.
func (c *call) argument(name string) string {
	return c.arguments[slices.Index(c.route.parameters, name)]
}

// one is the value of a query parameter that may be given once; "" when it is not.
func (c *call) one(name string) (string, error) {
	values := c.query[name]
	if len(values) > 1 {
		return "", invalid(name, "the query parameter %s must be given once", name)
	}
	if len(values) == 0 {
		return "", nil
	}
	return values[0], nil
}

// number is the value of an integer of the query; ok is false when it is not given.
func (c *call) number(name string, least, most int64) (n int64, ok bool, err error) {
	text, err := c.one(name)
	if err != nil || text == "" {
		return 0, false, err
	}
	n, err = strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, false, invalid(name, "the query parameter %s must be a whole number from %d to %d", name, least, most)
	}
	return n, true, nil
}

// excluded are the connections that are left out.
func (c *call) excluded() [][]byte { return asBytes(c.query["excluded"]) }

func asBytes(all []string) [][]byte {
	list := make([][]byte, len(all))
	for i, s := range all {
		list[i] = []byte(s)
	}
	return list
}

// deliver runs a send, writes to all that it reached, and counts them. It sends nothing when the quota is used up.
func (c *call) deliver(send func(b *message.Batch) hub.Sent) error {
	if c.MaySend != nil && !c.MaySend(0) {
		return &problem{status: http.StatusTooManyRequests, text: "the message quota of the instance is used up", header: [2]string{"Retry-After", "60"}}
	}
	b := message.Batch{Pool: c.Pool}
	sent := send(&b)
	b.Flush()
	if c.MaySend != nil {
		c.MaySend(sent.Clients)
	}
	if c.Observer != nil {
		c.Observer.Outbound(sent.Clients, sent.Bytes)
	}
	return nil
}

// done answers with the status of the route and no body.
func (c *call) done() error { return c.status(c.route.status) }

func (c *call) status(code int) error {
	if code != http.StatusNoContent {
		c.w.Header().Set("Content-Length", "0")
	}
	c.w.WriteHeader(code)
	return nil
}

// json answers 200 with a body.
func (c *call) json(body []byte) error {
	h := c.w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write(body)
	return nil
}
