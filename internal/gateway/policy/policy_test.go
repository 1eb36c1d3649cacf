package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/resource"
)

func TestScanExpressions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"quotes in an attribute":    {`<a b="@(x["y"] == "z")"/>`, `x["y"] == "z"`},
		"single-quoted attribute":   {`<a b='@(x["y"])'/>`, `x["y"]`},
		"comparison":                {`<a b="@(1 < 2 && 3 > 2)">x</a>`, `1 < 2 && 3 > 2`},
		"statements in text":        {"<a>\n @{ if (x) { return \"}\"; } return \"<b>\"; } </a>", ` if (x) { return "}"; } return "<b>"; `},
		"bracket in a string":       {`<a b="@(f(")"))"/>`, `f(")")`},
		"escape in a string":        {`<a b="@(f("\")"))"/>`, `f("\")")`},
		"verbatim string":           {`<a b="@(@"\")"/>`, `@"\"`},
		"quotes in a verbatim":      {`<a b="@(@"a""b)")"/>`, `@"a""b)"`},
		"interpolated string":       {`<a b="@($"a{f(")")}b}}")"/>`, `$"a{f(")")}b}}"`},
		"nested interpolation":      {`<a b="@($"a{$"b{c}"}")"/>`, `$"a{$"b{c}"}"`},
		"escaped brace":             {`<a b="@($"{{{x}}}")"/>`, `$"{{{x}}}"`},
		"verbatim interpolated":     {`<a b="@($@"\{x}""")"/>`, `$@"\{x}"""`},
		"character literals":        {`<a b="@(s.Split(')', '\'', '"'))"/>`, `s.Split(')', '\'', '"')`},
		"line comment":              {"<a>@{ // it's )\n return 1; }</a>", " // it's )\n return 1; "},
		"block comment":             {`<a>@{ /* ) " */ return 1; }</a>`, ` /* ) " */ return 1; `},
		"address in a string":       {`<a b="@("http://x/")"/>`, `"http://x/"`},
		"escaped quotes":            {`<a b="@(x[&quot;)&quot;])"/>`, `x[&quot;)&quot;]`},
		"an address is no start":    {`<a b="me@(x)">you@{y}</a>`, ``},
		"in a comment":              {`<a><!-- "@( --></a>`, ``},
		"in CDATA":                  {`<a><![CDATA[@("x")]]></a>`, ``},
		"in a processing directive": {`<?x "@("?><a/>`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := scanExpressions(c.in)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(s.expressions) > 0 {
				got = s.expressions[0].source
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestScanRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`<a b="@(x"/>`:       "Error on line 1, column 10: the string is not closed",
		"<a>\n<b>@(x]</b>":   "Error on line 2, column 7: the bracket ] does not close (",
		`<a>@{ x `:           "Error on line 1, column 4: the expression is not closed: no bracket matches its {",
		`<a b="@(x) + 1"/>`:  "Error on line 1, column 11: the attribute goes on after its expression; an attribute is one expression or a literal",
		`<a>@(x) + @(y)</a>`: "Error on line 1, column 8: the text goes on after its expression; a text is one expression or a literal",
		`<a b="x`:            `Error on line 1, column 6: the attribute's value is not closed by "`,
		`<a`:                 "Error on line 1, column 1: the tag is not closed by >",
		`<a><!-- x`:          "Error on line 1, column 4: the comment is not closed by -->",
		`<a>@(/* x)</a>`:     "Error on line 1, column 6: the comment is not closed by */",
		`<a>@(')</a>`:        "Error on line 1, column 6: the character literal is not closed by '",
		"<a>\uE000</a>":      "Error on line 1, column 4: the character U+E000 of the private use area is not allowed in a policy",
		`<a>@(` + strings.Repeat("(", 600) + `</a>`: "Error on line 1, column 517: the expression nests brackets too deep",
	} {
		_, err := scanExpressions(in)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%.40s: got %q, want %q", in, got, want)
		}
	}
}

// constant is an expression that gives what it holds.
type constant struct{ value any }

func (c constant) Eval(*Exchange) (any, error) { return c.value, nil }
func (c constant) Text(*Exchange) (string, error) {
	text, _ := c.value.(string)
	return text, nil
}

func (c constant) TextOf(v any) (string, error) {
	text, _ := v.(string)
	return text, nil
}

// record compiles expressions to nothing and keeps their sources.
func record(sources *[]string) ExpressionCompiler {
	return func(source string, _ bool) (Expression, error) {
		*sources = append(*sources, source)
		return constant{source}, nil
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	const escaped = `<policies><inbound><set-variable name="v" value="@(a &lt; b &amp;&amp; c == &quot;&gt;&quot;)" /></inbound></policies>`
	const raw = `<policies><inbound><set-variable name="v" value="@(a < b && c == ">")" /></inbound></policies>`
	for _, c := range []struct {
		text   string
		format resource.PolicyFormat
		want   []string
		err    string
	}{
		{escaped, resource.PolicyXML, []string{`a < b && c == ">"`}, ""},
		{raw, resource.PolicyRawXML, []string{`a < b && c == ">"`}, ""},
		{raw, "", nil, "Error on line 1, column 55: the document is not well-formed: unescaped < inside quoted string; in the format xml the special characters of expressions must be escaped, in rawxml they need not be"},
		{"\ufeff<?xml version=\"1.0\" encoding=\"utf-16\"?>" + raw, resource.PolicyRawXML, []string{`a < b && c == ">"`}, ""},
	} {
		var sources []string
		_, err := Compile(Source{Text: c.text, Format: c.format, Scope: APIScope}, &Environment{Expressions: record(&sources)})
		message := ""
		if err != nil {
			message = err.Error()
		}
		if diff := cmp.Diff(c.err, message); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(c.want, sources); diff != "" {
			t.Error(diff)
		}
	}
}

// TestEscapedInRaw shows that an editor's document with escaped expressions is taken, too.
func TestEscapedInRaw(t *testing.T) {
	t.Parallel()
	compiler := func(source string, _ bool) (Expression, error) {
		if strings.Contains(source, "&quot;") {
			return nil, errors.New("an unexpected &")
		}
		return constant{source}, nil
	}
	const text = `<policies><inbound><set-variable name="v" value="@(x[&quot;a)&quot;])" /></inbound></policies>`
	if _, err := Compile(Source{Text: text, Format: resource.PolicyRawXML, Scope: APIScope}, &Environment{Expressions: compiler}); err != nil {
		t.Error(err)
	}
}

func TestExpressionsNeedACompiler(t *testing.T) {
	t.Parallel()
	_, err := Compile(Source{Text: "<policies><inbound>\n <set-variable name=\"v\" value=\"@(1)\"/></inbound></policies>", Format: resource.PolicyRawXML, Scope: Global}, &Environment{})
	if want := "Error in element 'set-variable' on line 2, column 32: Policy expressions are not supported here; write a literal"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestComments shows that hyphens in a comment do no harm and that places after it are right.
func TestComments(t *testing.T) {
	t.Parallel()
	const text = "<policies>\n<!-- a -- b\n--->\n  <inbound> <teleport/></inbound></policies>"
	_, err := Compile(Source{Text: text, Format: resource.PolicyRawXML, Scope: Global}, &Environment{})
	if want := "Error in element 'teleport' on line 4, column 14: There is no policy 'teleport', or it is not supported yet"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestDepthIsBounded(t *testing.T) {
	t.Parallel()
	_, err := Compile(Source{Text: strings.Repeat("<a>", 10000), Scope: Global}, &Environment{})
	if err == nil || !strings.Contains(err.Error(), "elements nest deeper than 64") {
		t.Errorf("got %v", err)
	}
}

func TestErrorBody(t *testing.T) {
	t.Parallel()
	for want, body := range map[int][]byte{
		152: ErrorBody(401, "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API.", ""),
		143: ErrorBody(401, "Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.", ""),
		84:  ErrorBody(429, "Rate limit is exceeded. Try again in 57 seconds.", ""),
	} {
		// The lengths are those of live responses.
		if len(body) != want {
			t.Errorf("%s has %d bytes, not %d", body, len(body), want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`<policies><inbound><base/><set-header name="X" exists-action="append"><value>@(x["y"])</value></set-header></inbound><backend><forward-request timeout="10"/></backend></policies>`,
		`<policies><inbound><cors allow-credentials="true"><allowed-origins><origin>*</origin></allowed-origins></cors></inbound><on-error><base/></on-error></policies>`,
		`<policies><inbound><choose><when condition="@($"{a}" == @"b""")"><return-response><set-body>@{ return 1; /* } */ }</set-body></return-response></when></choose></inbound></policies>`,
		`<policies><outbound><set-body><a b="{{c}}">&amp;<![CDATA[x]]></a></set-body></outbound></policies>`,
		`<policies><inbound><ip-filter action="allow"><address>::1</address><address-range from="1.1.1.1" to="1.1.1.2"/></ip-filter><rewrite-uri template="/{a}?b={c}"/></inbound></policies>`,
		`<policies><inbound><include-fragment fragment-id="f"/><x:y xmlns:x="z"/></inbound></policies>`,
		"<a>\uE0000\uE001</a>", "@(", "<a b='@{'/>",
	} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	environment := &Environment{
		NamedValues: map[string]string{"c": `@("x")`}, Fragments: map[string]*resource.PolicyFragment{"f": {Value: "<fragment><set-status code='200'/></fragment>"}},
		Expressions: func(source string, _ bool) (Expression, error) { return constant{source}, nil },
	}
	f.Fuzz(func(t *testing.T, text string, raw bool) {
		format := resource.PolicyXML
		if raw {
			format = resource.PolicyRawXML
		}
		d, err := Compile(Source{Text: text, Format: format, Scope: APIScope}, environment)
		var faults Errors
		switch {
		case err == nil:
			Flatten(nil, d)
		case !errors.As(err, &faults) || len(faults) == 0:
			t.Fatalf("%v is no list of faults", err)
		default:
			for _, fault := range faults {
				if fault.Line < 1 || fault.Column < 1 || fault.Line > strings.Count(text, "\n")+1 {
					t.Errorf("%v has no place in the document", fault)
				}
			}
		}
	})
}
