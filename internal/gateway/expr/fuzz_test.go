package expr

import (
	"context"
	"errors"
	"testing"
	"time"
)

// tight are limits that keep one fuzz run short.
func tight() Limits {
	return Limits{Steps: 50_000, Duration: 300 * time.Millisecond, Memory: 4 << 20, Depth: 60, Regex: 50 * time.Millisecond}
}

// FuzzCompileAndEval feeds any text to the compiler and, if it compiles, runs it: neither may panic, and the run ends within its limits.
func FuzzCompileAndEval(f *testing.F) {
	data, cases := readVectors(f)
	for _, c := range cases {
		if src, form, ok := Split(c.Expr); ok {
			f.Add(src, form == Statements)
		}
	}
	env := NewEnvironment().WithLimits(tight())
	s := sampleOf(f, data)
	f.Fuzz(func(t *testing.T, src string, statements bool) {
		form := Expression
		if statements {
			form = Statements
		}
		p, err := Compile(src, form, env)
		if err != nil {
			var refused *CompileError
			if !errors.As(err, &refused) || refused.Line < 1 || refused.Column < 1 {
				t.Fatalf("bad error %#v", err)
			}
			return
		}
		c, err := s.build(env, "")
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Eval(context.Background(), c)
		var thrown *Exception
		var limit *LimitError
		if err != nil && !errors.As(err, &thrown) && !errors.As(err, &limit) {
			t.Fatalf("unknown kind of error: %v", err)
		}
		if err == nil {
			_, _ = describeResult(env, v)
		}
	})
}

// FuzzParsers feeds any text to the parsers of outside text that expressions reach: JSON, XML, JSON paths, dates, numbers, formats, URIs and tokens.
func FuzzParsers(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"\u00e9",null],'b':undefined}`, "<a b='1' xmlns:x='u'><x:c/>t<!--c--><![CDATA[d]]></a>", "$..a[?(@.b == 'c' && @.d > 1)]['e'][1:2:-1]", "Wed, 04 Mar 2026 05:06:07 GMT",
		"2026-03-04T05:06:07.1234567+02:00", "1.02:03:04.5", "-1,234.5e-3", "#,##0.00;(0);zero", "yyyy-MM-dd'T'HH:mm:ss.fffK", "{0,-5:N2}{{}}", "https://u@h.example:8443/a/../b?c#d", "a.b.c", "0x1F.1"} {
		f.Add(s)
	}
	env := NewEnvironment().WithLimits(tight())
	date := DateTime{ticks: unixTicks}
	f.Fuzz(func(t *testing.T, s string) {
		for name, run := range map[string]func(m *machine){
			"json":    func(m *machine) { jsonText(m, parseJSON(m, s, 1), true) },
			"xml":     func(m *machine) { xmlString(m, parseXML(m, s, false), true) },
			"path":    func(m *machine) { selectPath(m, parseJSON(m, `{"a":{"b":[1,{"c":"d"}]}}`, 0), parsePath(s), false) },
			"date":    func(*machine) { mustParseDate(s, 0) },
			"exact":   func(*machine) { parseExact(s, "yyyy-MM-dd HH:mm:ss zzz", 0) },
			"span":    func(*machine) { parseSpan(s) },
			"number":  func(*machine) { parseNumber(s, styleNumber|styleExponent|styleCurrency, primDecimal) },
			"double":  func(*machine) { parseNumber(s, styleFloat, primDouble) },
			"format":  func(m *machine) { m.format(1234.5, s) },
			"decimal": func(m *machine) { m.format(decimalFromInt(-12), s) },
			"dates":   func(m *machine) { m.format(date, s) },
			"spans":   func(m *machine) { m.format(TimeSpan(ticksPerDay), s) },
			"items":   func(m *machine) { m.formatComposite(s, []Value{int32(1), "x"}) },
			"uri":     func(*machine) { mustParseURI(s, 0).text(nil) },
			"resolve": func(*machine) { mustParseURI("https://a.example/b/c", 1).resolve(s) },
			"token":   func(m *machine) { parseJWT(m, s) },
			"form":    func(*machine) { parseForm(s) },
			"collate": func(*machine) { indexCulture(s, "é", true, true); compareCulture(s, "abc", false) },
			"regex":   func(m *machine) { m.regex(s, 0).replace(m, "abc def", -1, nil) },
		} {
			func() {
				defer func() {
					switch r := recover().(type) {
					case nil, *Exception, *LimitError:
					default:
						if name == "regex" {
							return // The evaluator is nil on purpose; only compiling and matching count.
						}
						t.Fatalf("%s: %v", name, r)
					}
				}()
				run(&machine{env: env, ctx: context.Background(), steps: 50_000, memory: 4 << 20, depth: 60})
			}()
		}
	})
}
