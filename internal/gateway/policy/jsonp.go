package policy

import (
	"net/http"
	"strings"
	"unicode"
)

// jsonp is the jsonp policy (jsonp-policy).
type jsonp struct{ parameter Value[string] }

func newJSONP(b *Builder) Policy {
	b.needsBody()
	return &jsonp{parameter: b.String("callback-parameter-name", Required)}
}

// Run wraps the response into a call of the function that the client's query names. Without that parameter the response stays.
func (j *jsonp) Run(x *Exchange) (Outcome, error) {
	name, err := j.parameter.Get(x)
	if err != nil {
		return End, err
	}
	query := x.Inbound.URL.Query()
	if !query.Has(name) {
		return Continue, nil
	}
	callback := query.Get(name)
	if !validCallback(callback) {
		return End, &Failure{Status: http.StatusBadRequest, Public: "Value of callback parameter " + name + " is not a valid JavaScript identifier.", Reason: "CallbackParameterInvalid",
			Message: "Value of callback parameter " + name + " is not a valid JavaScript identifier."}
	}
	body, header := x.message(true)
	data, ok, err := readDecoded(body, header)
	if err != nil {
		return End, err
	}
	if !ok {
		return End, &Failure{Status: http.StatusInternalServerError, Reason: ReasonBodyFailure, Message: "The response has a content coding that cannot be undone."}
	}
	wrapped := make([]byte, 0, len(callback)+len(data)+3)
	wrapped = append(append(append(append(wrapped, callback...), '('), data...), ");"...)
	x.replace(true, wrapped)
	header["Content-Type"] = []string{"application/javascript"}
	header["X-Content-Type-Options"] = []string{"nosniff"}
	return Continue, nil
}

// validCallback says whether a text is a JavaScript identifier, or several with dots between them. Nothing else may get into a script.
func validCallback(text string) bool {
	if len(text) > 256 {
		return false
	}
	for part := range strings.SplitSeq(text, ".") {
		for i, r := range part {
			if r != '_' && r != '$' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
				return false
			}
		}
		if part == "" || reservedWords[part] {
			return false
		}
	}
	return true
}

// reservedWords are those of ECMAScript that would change what the call means.
var reservedWords = map[string]bool{
	"break": true, "case": true, "catch": true, "class": true, "const": true, "continue": true, "debugger": true, "default": true, "delete": true, "do": true,
	"else": true, "enum": true, "export": true, "extends": true, "false": true, "finally": true, "for": true, "function": true, "if": true, "import": true,
	"in": true, "instanceof": true, "new": true, "null": true, "return": true, "super": true, "switch": true, "this": true, "throw": true, "true": true,
	"try": true, "typeof": true, "var": true, "void": true, "while": true, "with": true,
}
