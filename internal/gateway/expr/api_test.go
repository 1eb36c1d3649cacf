package expr

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func mustCompile(t *testing.T, env *Environment, src string, form Form) *Program {
	t.Helper()
	p, err := Compile(src, form, env)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return p
}

// TestLimits shows that each budget ends a runaway expression with its own name.
func TestLimits(t *testing.T) {
	t.Parallel()
	env := NewEnvironment().WithLimits(Limits{Steps: 200_000, Duration: time.Minute, Memory: 1 << 20, Depth: 50, Regex: 20 * time.Millisecond})
	for _, x := range []struct{ name, src, limit string }{
		{"endless loop", `while (true) { }`, "steps"},
		{"endless goto", `again: goto again;`, "steps"},
		{"catch does not catch it", `while (true) { try { while (true) { } } catch { } finally { } }`, "steps"},
		{"endless sequence", `return Enumerable.Range(0, 2000000000).Count();`, "steps"},
		{"sort", `return Enumerable.Range(0, 100000).OrderBy(x => -x).First();`, "memory"},
		{"string growth", `var s = "x"; while (true) { s += s; }`, "memory"},
		{"builder growth", `var s = new StringBuilder(); while (true) { s.Append("0123456789012345678901234567890123456789"); }`, "memory"},
		{"one large string", `return new string('x', 2000000000);`, "memory"},
		{"padding", `return "x".PadLeft(2000000000);`, "memory"},
		{"one large array", `return new int[2000000000];`, "memory"},
		{"list growth", `var l = new List<int>(); while (true) { l.Add(1); }`, "memory"},
		{"format width", `return string.Format("{0,1000000}{0,1000000}", 1);`, "memory"},
		{"replacement", `return new string('x', 1000).Replace("x", new string('y', 10000));`, "memory"},
		{"recursion", `int f(int n) => f(n + 1); return f(0);`, "depth"},
		{"nested objects", `object o = 1; while (true) { o = new { o }; }`, "depth"},
		{"nested JSON", `var a = new JArray(); for (var i = 0; i < 100; i++) { a = new JArray(0, new JObject(new JProperty("a", a))); } return a.ToString();`, "depth"},
		{"regular expression", `return Regex.IsMatch(new string('a', 40) + "b", "^(a+)+$");`, "regex"},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			_, err := mustCompile(t, env, x.src, Statements).Eval(t.Context(), &Context{})
			var limit *LimitError
			if !errors.As(err, &limit) || limit.Limit != x.limit {
				t.Fatalf("got %v, want the limit of %s", err, x.limit)
			}
		})
	}
}

// TestContextEnds shows that an ended context ends the evaluation.
func TestContextEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, src := range []string{`while (true) { }`, `return 1;`} {
		_, err := mustCompile(t, NewEnvironment(), src, Statements).Eval(ctx, &Context{})
		var limit *LimitError
		if !errors.As(err, &limit) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", src, err)
		}
	}
}

// TestDuration shows that wall-clock time ends an evaluation whose steps are plenty.
func TestDuration(t *testing.T) {
	t.Parallel()
	env := NewEnvironment().WithLimits(Limits{Steps: 1 << 60, Duration: time.Millisecond})
	_, err := mustCompile(t, env, `while (true) { }`, Statements).Eval(t.Context(), &Context{})
	var limit *LimitError
	if !errors.As(err, &limit) || limit.Limit != "duration" {
		t.Fatalf("got %v", err)
	}
}

// TestCompileErrorPlace shows where errors point.
func TestCompileErrorPlace(t *testing.T) {
	t.Parallel()
	env := NewEnvironment()
	for _, x := range []struct {
		src          string
		form         Form
		line, column int
		code         string
	}{
		{"1 + foo", Expression, 1, 5, "CS0103"},
		{"\n  return \"é\".Nope;", Statements, 2, 14, "CS1061"},
		{"var x = 1\nreturn x;", Statements, 1, 10, "CS1002"},
		{`$"a{b}"`, Expression, 1, 5, "CS0103"},
		{"\n\n(", Expression, 3, 2, "CS1525"},
		{`"abc`, Expression, 1, 1, "CS1010"},
		{"/* never closed", Expression, 1, 1, "CS1035"},
		{"1 # 2", Expression, 1, 3, "CS1056"},
	} {
		_, err := Compile(x.src, x.form, env)
		var refused *CompileError
		if !errors.As(err, &refused) {
			t.Errorf("%q: got %v", x.src, err)
			continue
		}
		if refused.Line != x.line || refused.Column != x.column || refused.Code != x.code {
			t.Errorf("%q: got %v, want %d:%d %s", x.src, refused, x.line, x.column, x.code)
		}
	}
}

// TestNestingIsRefused shows that input which nests without end is an error of the compiler.
func TestNestingIsRefused(t *testing.T) {
	t.Parallel()
	env := NewEnvironment()
	for _, src := range []string{
		strings.Repeat("(", 100_000), strings.Repeat("!", 100_000) + "true", strings.Repeat("new[]{", 50_000), strings.Repeat("a?.b", 50_000), strings.Repeat("1+", 100_000) + "1",
		strings.Repeat("x=>", 50_000) + "1", strings.Repeat("(int)", 50_000) + "1", strings.Repeat("a<", 50_000), strings.Repeat("true?1:", 50_000) + "1", strings.Repeat(`$"{`, 20_000),
		"1" + strings.Repeat(".ToString()", 20_000), strings.Repeat("f(x => f(y => ", 5_000), strings.Repeat(" ", maxSource+1),
	} {
		var refused *CompileError
		if _, err := Compile(src, Expression, env); !errors.As(err, &refused) {
			t.Errorf("%.20q…: got %v", src, err)
		}
	}
	for _, src := range []string{strings.Repeat("{", 100_000), strings.Repeat("if (true) ", 50_000), strings.Repeat("a: ", 50_000), strings.Repeat("try {", 50_000)} {
		var refused *CompileError
		if _, err := Compile(src, Statements, env); !errors.As(err, &refused) {
			t.Errorf("%.20q…: got %v", src, err)
		}
	}
}

// onceBody can be read again only if it was preserved.
type onceBody struct {
	text string
	used bool
}

// Bytes implements Body.
func (b *onceBody) Bytes(preserve bool) ([]byte, error) {
	if b.used {
		return nil, errors.New("the body was read already; read it with preserveContent: true")
	}
	b.used = !preserve
	return []byte(b.text), nil
}

type bodyAnswer struct{ body *onceBody }

// StatusCode implements Response.
func (bodyAnswer) StatusCode() int { return 200 }

// StatusReason implements Response.
func (bodyAnswer) StatusReason() string { return "OK" }

// Headers implements Response.
func (bodyAnswer) Headers() Headers { return HeaderMap(nil) }

// Body implements Response.
func (a bodyAnswer) Body() Body { return a.body }

// TestBodyIsReadThroughTheContext shows what preserveContent reaches the body as, and what its error becomes.
func TestBodyIsReadThroughTheContext(t *testing.T) {
	t.Parallel()
	env := NewEnvironment()
	for _, x := range []struct{ src, want, throws string }{
		{`context.Response.Body.As<string>(preserveContent: true) + context.Response.Body.As<string>()`, "abab", ""},
		{`context.Response.Body.As<string>() + context.Response.Body.As<string>()`, "", "System.InvalidOperationException"},
	} {
		v, err := mustCompile(t, env, x.src, Expression).Eval(t.Context(), &Context{Response: bodyAnswer{&onceBody{text: "ab"}}})
		var thrown *Exception
		if errors.As(err, &thrown); x.throws != "" {
			if thrown == nil || thrown.Type != x.throws {
				t.Errorf("%s: got %v", x.src, err)
			}
			continue
		}
		if err != nil || v != x.want {
			t.Errorf("%s: got %v, %v", x.src, v, err)
		}
	}
}

// TestConcurrentUse runs one program from many goroutines.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	data, _ := readVectors(t)
	env := NewEnvironment()
	s := sampleOf(t, data)
	p := mustCompile(t, env, `var n = 0; foreach (var x in context.Variables.Keys.OrderBy(k => k)) { if (Regex.IsMatch(x, "^[a-m]+$")) { n += x.Length; } } return n + context.Request.Body.As<JObject>(true)["items"].Sum(i => (int)i["qty"]);`, Statements)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			c, err := s.build(env, "")
			if err != nil {
				t.Error(err)
				return
			}
			first, err := p.Eval(t.Context(), c)
			for range 50 {
				v, again := p.Eval(t.Context(), c)
				if err != nil || again != nil || v != first {
					t.Errorf("got %v, %v, %v and %v", first, err, v, again)
					return
				}
			}
		})
	}
	group.Wait()
}

// TestResultHelpers covers what policies make of a value.
func TestResultHelpers(t *testing.T) {
	t.Parallel()
	env := NewEnvironment()
	for _, x := range []struct {
		src, text string
		isBool    bool
		isInt     bool
	}{
		{`"true"`, "true", true, false}, {`1 == 1`, "True", true, false}, {`"42"`, "42", false, true}, {`42L`, "42", false, true}, {`4.0`, "4", false, true}, {`4.5`, "4.5", false, false},
		{`null`, "", false, false}, {`JToken.Parse("7")`, "7", false, true}, {`"\ud800x"`, "\uFFFDx", false, false}, {`new[] { 1 }`, "System.Int32[]", false, false}, {`7.00m`, "7.00", false, true},
	} {
		v, err := mustCompile(t, env, x.src, Expression).Eval(t.Context(), &Context{})
		if err != nil {
			t.Fatal(err)
		}
		if text, err := Text(env, v); err != nil || text != x.text {
			t.Errorf("%s: text %q, %v", x.src, text, err)
		}
		if _, err := Bool(v); (err == nil) != x.isBool {
			t.Errorf("%s: bool %v", x.src, err)
		}
		if _, err := Int(v); (err == nil) != x.isInt {
			t.Errorf("%s: int %v", x.src, err)
		}
	}
}

// TestEvaluateLinesErrors covers bad input of the JSON-lines form.
func TestEvaluateLinesErrors(t *testing.T) {
	t.Parallel()
	env := NewEnvironment()
	for _, x := range []struct{ context, in, want string }{
		{`{`, ``, "context file"},
		{`{}`, `{"expr":`, "line 1"},
		{`{}`, "\n{\"expr\":\"@(1)\",\"variant\":\"none\"}", `variant "none"`},
		{`{"variables":{"a":{"type":"colour","value":1}}}`, `{"expr":"@(1)"}`, `variable "a"`},
		{`{"variants":{"v":{"a.b":1}}}`, `{"expr":"@(1)","variant":"v"}`, `path "a.b"`},
	} {
		err := EvaluateLines(t.Context(), env, strings.NewReader(x.context), strings.NewReader(x.in), &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s %s: got %v", x.context, x.in, err)
		}
	}
	var out bytes.Buffer
	in := `{"expr":"1"}` + "\n" + `{"expr":"@(context.Request.Method)"}` + "\n" + `{"expr":"@(context.Variables[\"x\"])"}`
	if err := EvaluateLines(t.Context(), env, strings.NewReader(`{}`), strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`"compileError"`, `"System.NullReferenceException"`, `KeyNotFoundException`} {
		if line := strings.Split(out.String(), "\n")[i]; !strings.Contains(line, want) {
			t.Errorf("line %d: %s", i, line)
		}
	}
}
