package dataapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hubgate/hubgate/internal/hubproto"
)

// description is what Azure's description of one version of the API says, without its prose.
type description struct {
	Version     string
	Operations  []operation
	Definitions map[string]*schema
}

type operation struct {
	Method, Path string
	Consumes     []string
	Parameters   []parameter
	Body         *schema
	Responses    map[string]struct {
		Schema  *schema
		Headers []string
	}
}

type parameter struct {
	Name, In string
	Required bool
	schema
}

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 string
	Pattern              string
	MinLength, MaxLength *int
	Minimum, Maximum     *int
	Enum                 []any
	Required             json.RawMessage
	AdditionalProperties any // false, or what others may be
	Items                *schema
	Properties           map[string]*schema
}

func descriptions(t *testing.T) []description {
	files, err := filepath.Glob("testdata/descriptions/*.json")
	if err != nil || len(files) != 5 {
		t.Fatalf("%d descriptions, %v", len(files), err)
	}
	var all []description
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d description
		if err := json.Unmarshal(content, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, d)
	}
	return all
}

// check reports where v is not what the schema says.
func (d *description) check(s *schema, v any, at string) []string {
	if s == nil {
		return nil
	}
	if s.Ref != "" {
		return d.check(d.Definitions[s.Ref], v, at)
	}
	var wrong []string
	complain := func(format string, a ...any) { wrong = append(wrong, at+": "+fmt.Sprintf(format, a...)) }
	switch x := v.(type) {
	case map[string]any:
		if s.Type != "object" && s.Type != "" {
			complain("an object, want %s", s.Type)
		}
		var required []string
		if len(s.Required) > 0 {
			if err := json.Unmarshal(s.Required, &required); err != nil {
				complain("%v", err)
			}
		}
		for _, name := range required {
			if _, there := x[name]; !there {
				complain("%s is missing", name)
			}
		}
		for name, value := range x {
			property := s.Properties[name]
			if property == nil && s.AdditionalProperties == false {
				complain("%s is not in the description", name)
			}
			wrong = append(wrong, d.check(property, value, at+"."+name)...)
		}
	case []any:
		if s.Type != "array" && s.Type != "" {
			complain("an array, want %s", s.Type)
		}
		for i, value := range x {
			wrong = append(wrong, d.check(s.Items, value, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case string:
		if s.Type != "string" && s.Type != "" {
			complain("a text, want %s", s.Type)
		}
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, any(x)) {
			complain("%q is none of %v", x, s.Enum)
		}
	}
	return wrong
}

// scene is an operation with a client that is there: user u in group g, which answers what it is asked.
type scene struct {
	*rig
	client *client
}

func newScene(t *testing.T) *scene {
	r := newRig(t)
	s := &scene{rig: r, client: r.connect("chat", hubproto.JSON, user("u"))}
	r.rest("PUT", "/api/hubs/chat/users/u/groups/g", "", 200)
	return s
}

func (s *scene) answerInvocation() {
	go func() {
		m := s.client.next()
		s.client.send(&hubproto.Message{Type: hubproto.Completion, InvocationID: m.InvocationID, HasInvocationID: true, Result: []byte("1"), HasResult: true})
	}()
}

// values are good values of parameters; those of the path are of what is there.
func (s *scene) value(name string, absent bool) string {
	if absent && (name == "connectionId" || name == "user" || name == "id" || name == "group") {
		return "absent"
	}
	switch name {
	case "hub":
		return "chat"
	case "connectionId":
		return s.client.id
	case "user", "userList", "id", "userId":
		return "u"
	case "group", "groupList":
		return "g"
	case "streamId":
		return "s"
	case "excluded":
		return "nobody"
	case "reason":
		return "a reason"
	case "ttl", "top", "maxpagesize", "minutesToExpire":
		return "5"
	case "completed":
		return "true"
	case "filter":
		return "userId eq 'u'"
	}
	return ""
}

// call makes the request of an operation, with every parameter that has a value, but those that change replaces.
func (s *scene) call(version string, o operation, absent bool, change map[string]string) answer {
	path, query := o.Path, url.Values{}
	for _, p := range o.Parameters {
		v, changed := change[p.Name]
		if !changed {
			v = s.value(p.Name, absent)
			if p.Name == "api-version" {
				v = version
			}
		}
		if p.In == "path" {
			path = strings.ReplaceAll(path, "{"+p.Name+"}", strings.ReplaceAll(url.QueryEscape(v), "+", "%20"))
		} else if v != "" {
			query.Set(p.Name, v)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	kind, body := "", ""
	if o.Body != nil {
		kind, body = "application/json", `{"target":"m","arguments":[1]}`
		if o.Body.Type == "array" {
			body = `[{"type":"JoinGroup","group":"h"},{"type":"SendMessage","message":{"target":"m"}},{"type":"LeaveGroup","group":"h"},{"type":"CloseConnection","reason":"r"}]`
		}
	}
	if b, ok := change["body"]; ok {
		body = b
	}
	if k, ok := change["content type"]; ok {
		kind = k
	}
	return s.do(o.Method, path, kind, body)
}

// Operations that cannot give what the description promises here, and why.
var notGiven = map[string]string{"/api/auth/accessKey": "there are no temporary access keys"}

func TestDescriptionsSuccess(t *testing.T) {
	t.Parallel()
	for _, d := range descriptions(t) {
		for _, o := range d.Operations {
			t.Run(d.Version+" "+o.Method+" "+o.Path, func(t *testing.T) {
				t.Parallel()
				s := newScene(t)
				if strings.HasSuffix(o.Path, ":invoke") {
					s.answerInvocation()
				}
				a := s.call(d.Version, o, false, nil)
				response, there := o.Responses[fmt.Sprint(a.Status)]
				switch {
				case notGiven[o.Path] != "":
					if a.Status != 403 {
						t.Errorf("status %d, want 403", a.Status)
					}
					return
				case !there || a.Status >= 300:
					t.Fatalf("status %d is not a success of the description; %s", a.Status, a.Body)
				case a.Body == "":
					if strings.HasSuffix(o.Path, ":invoke") || strings.HasSuffix(o.Path, "Token") || o.Method == "GET" && strings.HasSuffix(o.Path, "connections") {
						t.Error("there is no body")
					}
					return
				}
				var v any
				if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
					t.Fatal(err)
				}
				for _, wrong := range d.check(response.Schema, v, "body") {
					t.Error(wrong)
				}
			})
		}
	}
}

// expectError checks a refusal against the description: its status must be declared, or fall under the default response.
func expectError(t *testing.T, d *description, o operation, a answer, want int, what string) {
	t.Helper()
	if a.Status != want {
		t.Errorf("%s: status %d, want %d; %s", what, a.Status, want, a.Body)
		return
	}
	if o.Method == "HEAD" {
		return
	}
	response, declared := o.Responses[fmt.Sprint(a.Status)]
	if !declared {
		response = o.Responses["default"]
	}
	if strings.HasPrefix(d.Version, "v1") {
		if kind := a.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain") {
			t.Errorf("%s: content type %q", what, kind)
		}
		return
	}
	var v any
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
		t.Errorf("%s: %v in %q", what, err, a.Body)
		return
	}
	for _, wrong := range d.check(response.Schema, v, what) {
		t.Error(wrong)
	}
	for _, wrong := range d.check(&schema{Ref: "ErrorDetail"}, v, what) {
		t.Error(wrong)
	}
	if want != 401 && a.Header.Get("X-Ms-Error-Code") == "" {
		t.Errorf("%s: there is no x-ms-error-code", what)
	}
}

func TestDescriptionsRefusals(t *testing.T) {
	t.Parallel()
	for _, d := range descriptions(t) {
		s := newScene(t)
		for _, o := range d.Operations {
			if strings.HasSuffix(o.Path, "/health") || notGiven[o.Path] != "" {
				continue
			}
			name := d.Version + " " + o.Method + " " + o.Path + " "
			a := s.doAs("", o.Method, strings.NewReplacer("{", "", "}", "").Replace(o.Path), "", "")
			expectError(t, &d, o, a, 401, name+"without a token")
			if a.Header.Get("Www-Authenticate") != "Bearer" {
				t.Errorf("%s: WWW-Authenticate %q", name, a.Header.Get("Www-Authenticate"))
			}
			for _, p := range o.Parameters {
				for what, v := range violations(p) {
					expectError(t, &d, o, s.call(d.Version, o, false, map[string]string{p.Name: v}), 400, name+p.Name+" "+what)
				}
			}
			if o.Body == nil {
				continue
			}
			for what, body := range map[string]string{
				"empty": "", "not JSON": "{", "not an object": "[1]", "without a target": `{"arguments":[]}`, "with an empty target": `{"target":""}`,
				"with arguments that are no array": `{"target":"m","arguments":{}}`, "with two targets": `{"target":"m","target":"n"}`,
				"with more behind": `{"target":"m"}{}`, "with a command that is none": `[{"type":"Dance"}]`,
			} {
				expectError(t, &d, o, s.call(d.Version, o, false, map[string]string{"body": body}), 400, name+"body "+what)
			}
			expectError(t, &d, o, s.call(d.Version, o, false, map[string]string{"content type": "text/plain"}), 415, name+"content type")
			large := `{"target":"m","arguments":["` + strings.Repeat("x", 1<<20) + `"]}`
			expectError(t, &d, o, s.call(d.Version, o, false, map[string]string{"body": large}), 413, name+"large body")
		}
	}
}

// violations are values that break what the description says of a parameter.
func violations(p parameter) map[string]string {
	bad := make(map[string]string)
	if p.Pattern != "" && !strings.HasPrefix(p.Pattern, "^(?!") {
		bad["breaks its pattern"] = "1-2"
	}
	if strings.HasPrefix(p.Pattern, "^(?!") {
		bad["is blank"] = " "
	}
	if p.MaxLength != nil {
		bad["is too long"] = strings.Repeat("ä", *p.MaxLength+1)
	}
	if p.Type == "integer" {
		bad["is no number"] = "x"
		if p.Minimum != nil {
			bad["is too small"] = fmt.Sprint(*p.Minimum - 1)
		}
		if p.Maximum != nil {
			bad["is too large"] = fmt.Sprint(*p.Maximum + 1)
		}
	}
	if p.Type == "boolean" {
		bad["is no truth value"] = "maybe"
	}
	if p.Name == "api-version" {
		bad["is missing"] = ""
		bad["is unknown"] = "2020-01-01"
	}
	return bad
}

// What operations answer when the connection, the user or the group is not there; every other one succeeds as usual.
func TestDescriptionsAbsent(t *testing.T) {
	t.Parallel()
	type outcome struct {
		status int
		code   string
	}
	dated := map[string]outcome{
		"HEAD /api/hubs/{hub}/connections/{connectionId}":                     {404, "Warning.Connection.NotExisted"},
		"DELETE /api/hubs/{hub}/connections/{connectionId}":                   {404, "Warning.Connection.NotExisted"},
		"POST /api/hubs/{hub}/connections/{connectionId}/:invoke":             {404, "Error.Connection.NotExisted"},
		"HEAD /api/hubs/{hub}/groups/{group}":                                 {404, "Warning.Group.NotExisted"},
		"PUT /api/hubs/{hub}/groups/{group}/connections/{connectionId}":       {404, "Error.Connection.NotExisted"},
		"HEAD /api/hubs/{hub}/users/{user}":                                   {404, "Warning.User.NotExisted"},
		"HEAD /api/hubs/{hub}/users/{user}/groups/{group}":                    {404, "Info.User.NotInGroup"},
		"GET /api/v1/hubs/{hub}/connections/{connectionId}":                   {404, "Warning.Connection.NotExisted"},
		"HEAD /api/v1/hubs/{hub}/connections/{connectionId}":                  {404, "Warning.Connection.NotExisted"},
		"GET /api/v1/hubs/{hub}/groups/{group}":                               {404, "Warning.Group.NotExisted"},
		"HEAD /api/v1/hubs/{hub}/groups/{group}":                              {404, "Warning.Group.NotExisted"},
		"GET /api/v1/hubs/{hub}/users/{user}":                                 {404, "Warning.User.NotExisted"},
		"HEAD /api/v1/hubs/{hub}/users/{user}":                                {404, "Warning.User.NotExisted"},
		"GET /api/v1/hubs/{hub}/groups/{group}/users/{user}":                  {404, "Info.User.NotInGroup"},
		"HEAD /api/v1/hubs/{hub}/groups/{group}/users/{user}":                 {404, "Info.User.NotInGroup"},
		"PUT /api/v1/hubs/{hub}/groups/{group}/connections/{connectionId}":    {404, "Error.Connection.NotExisted"},
		"DELETE /api/v1/hubs/{hub}/groups/{group}/connections/{connectionId}": {404, "Error.Connection.NotExisted"},
	}
	for _, d := range descriptions(t) {
		s := newScene(t)
		for _, o := range d.Operations {
			if notGiven[o.Path] != "" || strings.HasSuffix(o.Path, "/hubs/{hub}/:closeConnections") || strings.HasSuffix(o.Path, ":execute") {
				continue
			}
			name := o.Method + " " + o.Path
			a := s.call(d.Version, o, true, nil)
			want, special := dated[name]
			if !special {
				if _, declared := o.Responses[fmt.Sprint(a.Status)]; !declared || a.Status >= 300 {
					t.Errorf("%s %s: status %d; %s", d.Version, name, a.Status, a.Body)
				}
				continue
			}
			if got := (outcome{a.Status, a.Header.Get("X-Ms-Error-Code")}); got != want {
				t.Errorf("%s %s: %v, want %v", d.Version, name, got, want)
			}
			_, declared := o.Responses["404"]
			if _, other := o.Responses["default"]; !declared && !other {
				t.Errorf("%s %s: 404 is not in the description", d.Version, name)
			}
		}
	}
}
