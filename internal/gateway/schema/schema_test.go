package schema

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const petDocument = `{"openapi":"3.0.1","components":{"schemas":{
	"Pet":{"type":"object","required":["id","name"],"additionalProperties":true,"properties":{
		"id":{"type":"integer","minimum":0,"exclusiveMinimum":true},"name":{"type":"string","pattern":"^(?=[a-z])\\w+$","maxLength":8},
		"owner":{"$ref":"#/components/schemas/Owner"},"born":{"type":"string","format":"date"},"tag":{"type":"string","nullable":true,"enum":["a","b"]}}},
	"Owner":{"type":"object","additionalProperties":false,"properties":{"Email":{"type":"string","format":"email"}}}}}}`

func TestValidate(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, c := range []struct {
		name, body, want string
		o                Options
	}{
		{"right", `{"id":1,"name":"ann","owner":{"Email":"a@b.c"},"born":"2024-02-29","tag":null,"more":1}`, "", Options{}},
		{"type", `{"id":"1","name":"ann"}`, "Path 'id': got string, want integer.", Options{}},
		{"required", `{"id":1}`, "The document: missing property 'name'.", Options{}},
		{"exclusive", `{"id":0,"name":"ann"}`, "Path 'id': exclusiveMinimum: got 0, want 0.", Options{}},
		{"pattern with look-ahead", `{"id":1,"name":"Ann"}`, "Path 'name': 'Ann' does not match pattern", Options{}},
		{"reference", `{"id":1,"name":"ann","owner":{"x":1}}`, "Path 'owner': additional properties 'x' not allowed.", Options{}},
		{"format", `{"id":1,"name":"ann","born":"2023-02-29"}`, "Path 'born': '2023-02-29' is not valid date", Options{}},
		{"enum", `{"id":1,"name":"ann","tag":"c"}`, "Path 'tag': value must be one of", Options{}},
		{"no more allowed", `{"id":1,"name":"ann","more":1}`, "The document: additional properties 'more' not allowed.", Options{AdditionalProperties: &no}},
		{"more allowed", `{"id":1,"name":"ann","owner":{"x":1}}`, "", Options{AdditionalProperties: &yes}},
		{"case counts", `{"ID":1,"Name":"ann"}`, "The document: missing properties 'id', 'name'.", Options{}},
		{"case does not count", `{"ID":1,"Name":"ann","owner":{"email":"a@b.c"}}`, "", Options{IgnoreCase: true}},
		{"no JSON", `{"id":`, "the body is not JSON", Options{}},
		{"two documents", `{"id":1,"name":"ann"} 2`, "the body is not JSON", Options{}},
		{"deep", strings.Repeat("[", 1000), "the body is not JSON", Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := Compile([]byte(petDocument), "#/components/schemas/Pet", c.o)
			if err != nil {
				t.Fatal(err)
			}
			err = s.Validate([]byte(c.body))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		`{`:                             "not JSON",
		`{"$ref":"http://x/y.json"}`:    "leaves the document",
		`{"$ref":"file:///etc/passwd"}`: "leaves the document",
		`{"type":"nothing"}`:            "cannot be used",
		`{"pattern":"("}`:               "cannot be used",
		strings.Repeat(`{"not":`, 300) + `{}` + strings.Repeat(`}`, 300): "nests deeper",
	} {
		if _, err := Compile([]byte(document), "", Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want %q", document, err, want)
		}
	}
	if _, err := Compile([]byte(petDocument), "#/components/schemas/Nobody", Options{}); !errors.Is(err, ErrNoDefinition) {
		t.Error(err)
	}
}

// A pattern that backtracks without end is no match rather than a hang.
func TestSlowPattern(t *testing.T) {
	t.Parallel()
	s, err := Compile([]byte(`{"pattern":"^(a+)+$"}`), "", Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Validate([]byte(`"` + strings.Repeat("a", 60) + `!"`)) }()
	select {
	case err := <-done:
		if err == nil {
			t.Error("it matches")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
}

func FuzzCompileAndValidate(f *testing.F) {
	f.Add([]byte(petDocument), []byte(`{"id":1}`))
	f.Add([]byte(`{"type":["string","null"],"nullable":true}`), []byte(`null`))
	f.Add([]byte(`{"$id":"a","$defs":{"b":{"$ref":"#"}},"$ref":"#/$defs/b"}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, document, body []byte) {
		s, err := Compile(document, "", Options{IgnoreCase: true})
		if err != nil {
			return
		}
		_ = s.Validate(body) // Any answer will do; a panic or a hang will not.
	})
}
