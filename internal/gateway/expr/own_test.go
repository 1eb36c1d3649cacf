package expr

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata/expressions.jsonl; look at the difference before you commit it")

// TestExpressions runs the project's own expressions: each line of testdata/expressions.jsonl is an expression with the answer that C# gives.
// A line is added by writing {"expr": …} and running with -update.
func TestExpressions(t *testing.T) {
	t.Parallel()
	context, err := os.ReadFile("testdata/policy-expressions.json")
	if err != nil {
		t.Fatal(err)
	}
	const name = "testdata/expressions.jsonl"
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := EvaluateLines(t.Context(), NewEnvironment(), bytes.NewReader(context), bytes.NewReader(file), &out); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewScanner(&out)
	answers.Buffer(nil, maxLine)
	var rewritten bytes.Buffer
	for line := range strings.Lines(string(file)) {
		if !answers.Scan() {
			t.Fatal("too few answers")
		}
		var v vector
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		if *update {
			rewritten.WriteString(`{"expr":` + quoteJSON(v.Expr) + "," + answers.Text()[1:] + "\n")
			continue
		}
		if why := v.disagrees(answers.Text()); why != "" {
			t.Errorf("%s: %s, got %s", v.Expr, why, answers.Text())
		}
	}
	if *update {
		if err := os.WriteFile(name, rewritten.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
