package openapi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hubgate/hubgate/internal/resource"
)

// methods are the operations of a path item. API Management reads no trace operations.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch"}

// paths reads paths and x-ms-paths, whose paths may differ by their query alone.
func (im *importer) paths() {
	paths, more := im.object(im.root.get("paths"), "paths"), im.object(im.root.get("x-ms-paths"), "x-ms-paths")
	if paths == nil && more == nil && im.version != openAPI31 && len(im.problems) == 0 {
		im.errorf(im.root, "the document has no paths")
	}
	for _, list := range []*node{paths, more} {
		if list == nil {
			continue
		}
		for i, path := range list.names {
			if im.stopped {
				return
			}
			switch {
			case strings.HasPrefix(path, "/"):
				im.pathItem(path, list.items[i])
			case strings.HasPrefix(path, "x-"):
				im.warnf(list.items[i], "the extension %s is ignored", path)
			default:
				im.errorf(list.items[i], "the path %q must begin with a slash", path)
			}
		}
	}
}

func (im *importer) pathItem(path string, n *node) {
	item := im.follow(n, "a path item")
	if item == nil {
		return
	}
	known := fields{"$ref": "", "parameters": "", "summary": notKept, "description": notKept, "trace": "is ignored: API Management does not import trace operations",
		"servers": "is ignored: an API has one backend; use the policy set-backend-service"}
	for _, method := range methods {
		known[method] = ""
	}
	im.check(item, "a path item", known)
	for i, name := range item.names {
		if slices.Contains(methods, name) && !im.stopped {
			im.operation(path, name, item, item.items[i])
		}
	}
}

var operationFields = fields{"operationId": "", "summary": "", "description": "", "parameters": "", "requestBody": "", "responses": "", "consumes": "", "produces": "",
	"tags": notKept, "externalDocs": notKept, "deprecated": notKept, "callbacks": notKept,
	"schemes":  "is ignored: an API's protocols are the same for all its operations",
	"security": "is ignored; use policies and subscriptions",
	"servers":  "is ignored: an API has one backend; use the policy set-backend-service"}

// operation reads one operation of a path item.
func (im *importer) operation(path, method string, item, n *node) {
	if im.object(n, "an operation") == nil {
		return
	}
	im.check(n, "an operation", operationFields)
	id, summary := im.text(n, "operationId"), strings.TrimSpace(im.text(n, "summary"))
	o := &resource.Operation{Method: strings.ToUpper(method), Description: im.text(n, "description")}
	name := im.operationName(n, id, method, path)
	o.ID = im.api.ID.Child("operations", name)
	switch {
	case summary != "":
		o.DisplayName = im.truncate(n.get("summary"), summary)
	case id != "":
		o.DisplayName = im.truncate(n.get("operationId"), id)
	default:
		o.DisplayName = name
	}

	w := &operationReader{importer: im, operation: o, node: n, path: path, name: pascal(path, method)}
	if !w.template() {
		return
	}
	w.parameters(item)
	w.requestBody()
	w.responses()
	if w.request.Description != "" || len(w.request.QueryParameters)+len(w.request.Headers)+len(w.request.Representations) > 0 {
		o.Request = &w.request
	}
	if !w.unique() || len(im.problems) > 0 {
		return
	}
	if err := o.Validate(); err != nil {
		im.invalid(n, err)
		return
	}
	im.operations = append(im.operations, o)
}

// operationReader reads the parts of one operation.
type operationReader struct {
	*importer
	operation *resource.Operation
	request   resource.OperationRequest
	node      *node
	path      string
	name      string // what the names of the operation's definitions begin with

	urlPath string
	query   []queryPart
	// declared are the names of the URL template's parameters; true once a parameter describes it.
	declared map[string]bool
	lower    map[string]bool // the same in lower case, for names are unique without regard to case
	order    []string        // their order in the template
	length   int             // bytes of the template so far
	body     *node           // the body parameter of OpenAPI 2
}

// queryPart is a pair in the query of a URL template.
type queryPart struct {
	name, value string // decoded; the value of a parameter is "{name}"
	raw         string
}

// template reads the path and, in x-ms-paths, the query.
func (r *operationReader) template() bool {
	if r.length = len(r.path); r.length > resource.MaxURLTemplate {
		r.errorf(r.node, "the path has %d characters; at most %d are allowed", r.length, resource.MaxURLTemplate)
		return false
	}
	for i := range len(r.path) {
		if r.path[i] < ' ' || r.path[i] == 0x7f || r.path[i] == '#' {
			r.errorf(r.node, "the path %q has a control character or a #, which no request can have", r.path)
			return false
		}
	}
	var query string
	r.urlPath, query, _ = resource.CutURLTemplate(r.path)
	r.declared, r.lower = map[string]bool{}, map[string]bool{}
	names, problem := templateNames(r.urlPath)
	if problem != "" {
		r.errorf(r.node, "the path %q is no URL template: %s", r.path, problem)
		return false
	}
	r.query = parseTemplateQuery(query)
	more, problem := queryNames(r.query)
	if problem != "" {
		r.errorf(r.node, "the path %q is no URL template: %s", r.path, problem)
		return false
	}
	names = append(names, more...)
	for _, name := range names {
		if r.lower[strings.ToLower(name)] {
			r.errorf(r.node, "the path %q has the parameter {%s} twice; names are unique over path and query, without regard to case", r.path, name)
			return false
		}
		r.declared[name], r.lower[strings.ToLower(name)] = false, true
		r.order = append(r.order, name)
	}
	return true
}

// unique notes an operation that no request could tell from an earlier one.
func (r *operationReader) unique() bool {
	key := r.operation.Method + " " + MatchKey(r.operation.URLTemplate)
	if first := r.templates[key]; first != nil {
		r.errorf(r.node, "the operation has the same method and URL template as the one at %s (line %d): %s %s", first.pointer(), first.line, r.operation.Method, r.operation.URLTemplate)
		return false
	}
	r.templates[key] = r.node
	return true
}

var (
	responseFields = fields{"$ref": "", "description": "", "content": "", "headers": "", "schema": "", "examples": "", "links": notKept, "summary": notKept}
	headerFields   = fields{"$ref": "", "description": "", "required": "", "schema": "", "style": "", "explode": "", "deprecated": notKept, "example": notKept,
		"examples": notKept, "allowEmptyValue": notKept, "allowReserved": notKept, "content": "is ignored: a header has a schema"}
)

func (r *operationReader) responses() {
	responses := r.object(r.node.get("responses"), "responses")
	if responses == nil {
		return
	}
	r.spend(responses, len(responses.names))
	seen := map[int]bool{}
	for i, code := range responses.names {
		n := responses.items[i]
		if r.stopped {
			return
		}
		if strings.HasPrefix(code, "x-") {
			r.warnf(n, "the extension %s is ignored", code)
			continue
		}
		status, err := strconv.Atoi(code)
		if err != nil || status < 100 || status > 599 {
			switch upper := strings.ToUpper(code); {
			case code == "default":
				r.warnf(n, "the response default is ignored: the responses of an operation have status codes")
			case len(upper) == 3 && upper[0] >= '1' && upper[0] <= '5' && upper[1:] == "XX":
				r.warnf(n, "the response %s is ignored: the responses of an operation have single status codes", upper)
			default:
				r.errorf(n, "%q is no status code; responses are named by one, like 200", code)
			}
			continue
		}
		if seen[status] {
			r.errorf(n, "there are two responses with the status code %d", status)
			continue
		}
		seen[status] = true
		response := r.follow(n, "a response")
		if response == nil {
			continue
		}
		r.check(response, "a response", responseFields)
		out := resource.OperationResponse{StatusCode: status, Description: r.text(response, "description")}
		out.Headers = r.responseHeaders(response, r.name+strconv.Itoa(status))
		suggest := func(contentType string) string {
			return r.name + strconv.Itoa(status) + pascal("", "", contentType) + "Response"
		}
		if r.version == openAPI2 {
			out.Representations = r.swaggerResponse(response, suggest)
		} else {
			out.Representations = r.content(response, suggest)
		}
		r.operation.Responses = append(r.operation.Responses, out)
	}
}

func (r *operationReader) responseHeaders(response *node, prefix string) []resource.TemplateParameter {
	headers := r.object(response.get("headers"), "headers")
	if headers == nil {
		return nil
	}
	var list []resource.TemplateParameter
	for i, name := range headers.names {
		header := r.follow(headers.items[i], "a header")
		if header == nil || r.stopped {
			continue
		}
		if strings.EqualFold(name, "Content-Type") {
			r.warnf(headers.items[i], "the response header Content-Type is ignored: the representations say it")
			continue
		}
		if r.version != openAPI2 {
			r.check(header, "a header", headerFields)
		}
		list = append(list, r.parameter(header, name, prefix+pascal(name)+"Header"))
	}
	return list
}
