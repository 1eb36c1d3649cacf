package openapi

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxOperationName is where a normalized operationId is cut; four more characters are left for a suffix.
const maxOperationName = 76

// NormalizeOperationID is the resource name that API Management makes of an operationId: lower case, each run of other characters
// than ASCII letters and digits a hyphen, none at the ends, at most 76 characters. It may be empty.
func NormalizeOperationID(id string) string {
	var b strings.Builder
	pending := false
	for _, r := range strings.ToLower(id) {
		if r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9') {
			if pending && b.Len() > 0 {
				b.WriteByte('-')
			}
			pending = false
			b.WriteRune(r)
			continue
		}
		pending = true
	}
	name := b.String()
	if len(name) > maxOperationName {
		name = strings.TrimSuffix(name[:maxOperationName], "-")
	}
	return name
}

// operationName is a name that no other operation has: the normalized operationId, else the method and the path, with a suffix from -1
// to -999 when it is taken.
func (im *importer) operationName(operation *node, id, method, path string) string {
	name := NormalizeOperationID(id)
	if name == "" {
		if id != "" {
			im.warnf(operation.get("operationId"), "the operationId has no letter or digit of ASCII; the operation is named by its method and path")
		}
		name = NormalizeOperationID(method + "-" + path)
	}
	if !im.names[name] {
		im.names[name] = true
		return name
	}
	for i := 1; i <= 999; i++ {
		candidate := name + "-" + strconv.Itoa(i)
		if !im.names[candidate] {
			im.names[candidate] = true
			im.warnf(operation, "another operation has the name %s already; this one becomes %s", name, candidate)
			return candidate
		}
	}
	im.errorf(operation, "more than 999 operations are named %s; give them different operationIds", name)
	return name
}

// pascal joins the words of texts, each with a capital: "/pets/{id}" and "GET" become PetsIdGet. It names definitions.
func pascal(texts ...string) string {
	var b strings.Builder
	for i, t := range texts {
		if i == 1 {
			t = strings.ToLower(t) // The method.
		}
		capital := true
		for _, r := range t {
			if r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				capital = true
				continue
			}
			if capital {
				r = unicode.ToUpper(r)
				capital = false
			}
			b.WriteRune(r)
		}
	}
	return b.String()
}
