package expr

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"sort"
	"strings"
	"testing"
)

// vector is a case of testdata/policy-expressions.json, recorded from the C# compiler and .NET.
type vector struct {
	Topic, Name, Expr, Variant string
	Type                       string
	Value                      json.RawMessage
	Text                       *string
	Throws                     *struct{ Type, Message string }
	CompileError               string
}

func readVectors(t testing.TB) ([]byte, []vector) {
	t.Helper()
	data, err := os.ReadFile("testdata/policy-expressions.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []vector }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return data, file.Cases
}

// TestVectors runs every recorded case through EvaluateLines: value, text and kind of error must agree.
func TestVectors(t *testing.T) {
	t.Parallel()
	data, cases := readVectors(t)
	var in, out bytes.Buffer
	for _, c := range cases {
		line, err := json.Marshal(question{c.Expr, c.Variant})
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	if err := EvaluateLines(t.Context(), NewEnvironment(), bytes.NewReader(data), &in, &out); err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(answers) != len(cases) {
		t.Fatalf("%d answers for %d cases", len(answers), len(cases))
	}
	agreed, failed := map[string]int{}, map[string]int{}
	total, codes, diagnosed := 0, 0, 0
	for i, c := range cases {
		if c.CompileError != "" {
			diagnosed++
			if strings.Contains(answers[i], `"compileError":"`+c.CompileError+`"`) {
				codes++
			} else {
				t.Logf("diagnostic of %s/%s: want %s, got %s", c.Topic, c.Name, c.CompileError, answers[i])
			}
		}
		if why := c.disagrees(answers[i]); why != "" {
			failed[c.Topic]++
			t.Errorf("%s/%s: %s\n  %s\n  got %s", c.Topic, c.Name, why, c.Expr, answers[i])
			continue
		}
		agreed[c.Topic]++
		total++
	}
	topics := make([]string, 0, len(agreed))
	for k := range agreed {
		topics = append(topics, k)
	}
	sort.Strings(topics)
	for _, k := range topics {
		t.Logf("%-16s %3d agree, %d differ", k, agreed[k], failed[k])
	}
	t.Logf("%d of %d cases agree; %d of %d refusals with the compiler's own number", total, len(cases), codes, diagnosed)
}

// disagrees says how an answer differs from what C# gave.
func (c *vector) disagrees(answer string) string {
	var got struct {
		Type         string
		Value        json.RawMessage
		Text         *string
		Throws       *struct{ Type, Message string }
		CompileError string
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		return err.Error()
	}
	switch {
	case c.CompileError != "" || c.Type == "" && c.Throws == nil:
		if got.CompileError == "" {
			return "should not compile"
		}
		return ""
	case c.Throws != nil:
		if got.Throws == nil || got.Throws.Type != c.Throws.Type {
			return "should throw " + c.Throws.Type
		}
		return ""
	case got.Type != c.Type:
		return "type should be " + c.Type
	case c.Value == nil:
		return ""
	case !sameJSON(c.Value, got.Value):
		return "value should be " + string(c.Value)
	case c.Text != nil && (got.Text == nil || *got.Text != *c.Text):
		return "text should be " + *c.Text
	case c.Text == nil && got.Text != nil:
		return "text should be the value"
	}
	return ""
}

// sameJSON compares JSON; numbers by their digits.
func sameJSON(a, b []byte) bool {
	read := func(data []byte) any {
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			return nil
		}
		return v
	}
	return reflect.DeepEqual(read(a), read(b))
}
