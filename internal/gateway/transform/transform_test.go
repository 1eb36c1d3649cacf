package transform

import (
	"strings"
	"testing"
	"time"
)

func TestJSONToXML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in, want string
		o              JSONToXMLOptions
	}{
		// The documented example of the policy, and an answer of the service that was published.
		{"envelope", `{"soapenv:Envelope":{"xmlns:soapenv":"http://schemas.xmlsoap.org/soap/envelope/","xmlns:v1":"http://localdomain.com/core/v1","soapenv:Header":{},"soapenv:Body":{"v1:QueryList":{"#attrs":{"queryName":"test"},"v1:QueryItem":{"name":"dummy text"}}}}}`,
			`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:v1="http://localdomain.com/core/v1"><soapenv:Header /><soapenv:Body><v1:QueryList queryName="test"><v1:QueryItem><name>dummy text</name></v1:QueryItem></v1:QueryList></soapenv:Body></soapenv:Envelope>`,
			JSONToXMLOptions{NamespaceSeparator: ":", AttributeBlockName: "#attrs"}},
		{"document", `{"firstName":"John","isAlive":true,"age":25,"phoneNumbers":[{"type":"home"},{"type":"mobile"}],"children":[],"spouse":null}`,
			`<Document><firstName>John</firstName><isAlive>True</isAlive><age>25</age><phoneNumbers><type>home</type></phoneNumbers><phoneNumbers><type>mobile</type></phoneNumbers><children /><spouse xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" /></Document>`, JSONToXMLOptions{}},
		{"array", `[1,"a"]`, `<Document><Item>1</Item><Item>a</Item></Document>`, JSONToXMLOptions{}},
		{"scalar", `"a<b"`, `<Document>a&lt;b</Document>`, JSONToXMLOptions{}},
		{"nested array", `{"a":{"m":[[1,2],[3]]}}`, `<a><m><m>1</m><m>2</m></m><m><m>3</m></m></a>`, JSONToXMLOptions{}},
		{"one member that is an array", `{"a":[1,2]}`, `<Document><a>1</a><a>2</a></Document>`, JSONToXMLOptions{}},
		{"names", `{"a b":{"1x":"&","ü":"","@id":"5\""}}`, `<a_x0020_b id="5&quot;"><_x0031_x>&amp;</_x0031_x><ü></ü></a_x0020_b>`, JSONToXMLOptions{}},
		{"separator is part of a name", `{"first_name":"x","b":1}`, `<Document><first_name>x</first_name><b>1</b></Document>`, JSONToXMLOptions{}},
		{"declared prefix", `{"r":{"xmlns_p":"urn:p","p_a":1}}`, `<r xmlns:p="urn:p"><p:a>1</p:a></r>`, JSONToXMLOptions{}},
		{"text", `{"r":{"@a":"1","#text":"x"}}`, `<r a="1">x</r>`, JSONToXMLOptions{}},
		{"dates", `{"r":{"a":"2024-01-15T10:30:00.500Z","b":"2024-01-15T10:30:00+02:00","c":"2024-01-15"}}`, `<r><a>2024-01-15T10:30:00.5Z</a><b>2024-01-15T08:30:00+00:00</b><c>2024-01-15</c></r>`, JSONToXMLOptions{ParseDate: true}},
		{"dates kept", `{"r":{"a":"2024-01-15T10:30:00.500Z"}}`, `<r><a>2024-01-15T10:30:00.500Z</a></r>`, JSONToXMLOptions{}},
		{"control characters", "{\"r\":\"a\\u0001b\"}", `<r>ab</r>`, JSONToXMLOptions{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := JSONToXML([]byte(c.in), c.o)
			if err != nil || string(got) != c.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, c.want)
			}
			if _, err := XMLToJSON(got, XMLToJSONOptions{}); err != nil {
				t.Errorf("the result is not well-formed: %v", err)
			}
		})
	}
	for _, in := range []string{``, `{`, `{"a":1} 2`, strings.Repeat("[", 200) + strings.Repeat("]", 200)} {
		if _, err := JSONToXML([]byte(in), JSONToXMLOptions{}); err == nil {
			t.Errorf("%.20q: no error", in)
		}
	}
}

func TestXMLToJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in, direct, friendly string
	}{
		// The first is a published answer of the service.
		{"envelope", `<?xml version="1.0"?>
<soap:Envelope xmlns="http://fyicenter.com/"
    xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
    <soap:Body>
        <GetOrders>
            <Customer>1234567</Customer>
        </GetOrders>
    </soap:Body>
</soap:Envelope>
`, `{"version":"1.0","soap$Envelope":{"@xmlns":"http://fyicenter.com/","@xmlns$soap":"http://schemas.xmlsoap.org/soap/envelope/","soap$Body":{"GetOrders":{"Customer":"1234567"}}}}`,
			`{"soap$Envelope":{"soap$Body":{"GetOrders":{"Customer":"1234567"}}}}`},
		{"repeated", `<r><a>1</a><b/><a>2</a><a x="1">3</a></r>`, `{"r":{"a":["1","2",{"@x":"1","#text":"3"}],"b":null}}`, `{"r":{"a":["1","2",{"x":"1","$t":"3"}],"b":null}}`},
		{"empty", `<r><a></a><b/><c> </c></r>`, `{"r":{"a":"","b":null,"c":" "}}`, `{"r":{"a":"","b":null,"c":" "}}`},
		{"mixed", `<r>x<b>y</b>z</r>`, `{"r":{"b":"y","#text":"xz"}}`, `{"r":{"b":"y","$t":"xz"}}`},
		{"entities", `<r>&lt;&#65;"<![CDATA[<x>]]></r>`, `{"r":"<A\"<x>"}`, `{"r":"<A\"<x>"}`},
		{"attribute and child", `<r id="1"><id>2</id></r>`, `{"r":{"@id":"1","id":"2"}}`, `{"r":{"id":["1","2"]}}`},
		{"comments", `<!-- a --><r><!-- b --></r><?x y?>`, `{"r":""}`, `{"r":""}`},
		{"latin 1", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><r a=\"\xfc\"/>", `{"version":"1.0","encoding":"ISO-8859-1","r":{"@a":"ü"}}`, `{"r":{"a":"ü"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, friendly := range []bool{false, true} {
				got, err := XMLToJSON([]byte(c.in), XMLToJSONOptions{Friendly: friendly})
				want := c.direct
				if friendly {
					want = c.friendly
				}
				if err != nil || string(got) != want {
					t.Errorf("friendly %v: %v\n got %s\nwant %s", friendly, err, got, want)
				}
			}
		})
	}
	got, err := XMLToJSON([]byte(`<r><a>1</a> <b><c/></b></r>`), XMLToJSONOptions{AlwaysArray: true})
	if want := `{"r":{"a":["1"],"b":[{"c":[null]}]}}`; err != nil || string(got) != want {
		t.Errorf("%v\n got %s\nwant %s", err, got, want)
	}
	for _, in := range []string{``, `text`, `<a>`, `<a></b>`, `<a/><b/>`, `<a x="1" x="2"/>`, `<p:a/>`, `<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>`, `<a>&x;</a>`, `</a>`,
		`<?xml version="1.0" encoding="utf-16"?><a/>`, strings.Repeat("<a>", 200) + strings.Repeat("</a>", 200)} {
		if got, err := XMLToJSON([]byte(in), XMLToJSONOptions{}); err == nil {
			t.Errorf("%.20q: no error but %s", in, got)
		}
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	body, err := LiquidJSON([]byte(`{"name":"ann","n":3,"price":1234567.5,"big":123456789012,"when":"2024-01-15T10:30:00Z","items":[{"id":1},{"id":2}],"no":null,"yes":true}`), true)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		`Hello {{body.name}}!`:                      `Hello ann!`,
		`{{body.name | Upcase}}`:                    `ANN`,
		`{{body.name | upcase | Append: "!"}}`:      `ANN!`,
		`{{body.name | Capitalize | Prepend:'a '}}`: `a Ann`,
		`{{body.when | Date: "dd.MM.yyyy HH:mm"}}`:  `15.01.2024 10:30`,
		`{{body.when}}`:                             `2024-01-15T10:30:00Z`,
		`{{body.no | Default: "none"}}`:             `none`,
		`{{body.missing.deeper}}`:                   ``,
		`{{body.n | Times: 4}} {{body.n | DividedBy: 2}} {{body.n | Plus: 0.5}} {{body.n | Minus: 5}} {{7 | Modulo: 4}}`: `12 1 3.5 -2 3`,
		`{{body.price}} {{body.big}} {{1000000 | Times: 10}}`:                                                            `1234567.5 123456789012 10000000`,
		`{% for i in body.items %}{{i.id}}{% unless forloop.last %},{% endunless %}{% endfor %}`:                         `1,2`,
		`{% if body.yes and body.n > 2 %}a{% else %}b{% endif %}`:                                                        `a`,
		`{% assign x = body.items | Size %}{{x}}`:                                                                        `2`,
		`{{body.items | Map: "id" | Join: "-"}}`:                                                                         `1-2`,
		`{{ "a b&c" | UrlEncode }} {{ "<a>" | Escape }} {{ "a,b,,c" | Split: "," | Size }} {{ "abcdef" | Slice: 1, 3 }}`: `a+b%26c &lt;a&gt; 3 bcd`,
		`{{ "hello world" | Truncate: 8 }} {{ "a b c" | TruncateWords: 2 }} {{ 2.5 | Round }} {{ 1.256 | Round: 2 }}`:    `hello... a b... 2 1.26`,
		`{% raw %}{{ x | Nothing }}{% endraw %}`:                                                                         `{{ x | Nothing }}`,
	} {
		template, err := ParseTemplate(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		got, err := template.Render(map[string]any{"body": body}, 1<<20)
		if err != nil || string(got) != want {
			t.Errorf("%s: %v\n got %s\nwant %s", in, err, got, want)
		}
	}
	for _, in := range []string{`{{ x | Nothing }}`, `{% include "/etc/passwd" %}`, `{% if x %}`, `{% nothing %}`} {
		if _, err := ParseTemplate(in); err == nil {
			t.Errorf("%s: no error", in)
		}
	}
	endless, err := ParseTemplate(`{% for i in (1..100000000) %}0123456789{% endfor %}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := endless.Render(nil, 1<<16); err == nil {
		t.Error("a template that writes a gigabyte is not stopped")
	}
}

func TestLiquidXML(t *testing.T) {
	t.Parallel()
	in := `<s:Envelope xmlns:s="urn:s" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body><AddResponse a="1"><Result t="x">5</Result><R/><N xsi:nil="true"/></AddResponse></s:Body></s:Envelope>`
	for nilIsNull, want := range map[bool]string{false: "5||", true: "5||null"} {
		body, err := LiquidXML([]byte(in), nilIsNull)
		if err != nil {
			t.Fatal(err)
		}
		template, err := ParseTemplate(`{{body.envelope.body.AddResponse.Result}}|{{body.Envelope.Body.addResponse.R}}|{% if body.envelope.body.AddResponse.N == nil %}null{% endif %}`)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Render(map[string]any{"body": body}, 100); err != nil || string(got) != want {
			t.Errorf("%v %s, want %s", err, got, want)
		}
	}
}

func TestFormatDate(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 3, 5, 14, 7, 9, 120_000_000, time.UTC)
	for format, want := range map[string]string{
		"yyyy-MM-ddTHH:mm:ssZ": "2024-03-05T14:07:09Z", "d": "03/05/2024", "o": "2024-03-05T14:07:09.1200000Z", "R": "Tue, 05 Mar 2024 14:07:09 GMT",
		"ddd d MMM yy h:mm tt": "Tue 5 Mar 24 2:07 PM", "ss.fff FFF": "09.120 12", "'year' yyyy \\y": "year 2024 y", "%d": "5", "zzz z": "+00:00 +0",
	} {
		if got := FormatDate(at, format); got != want {
			t.Errorf("%s: got %s, want %s", format, got, want)
		}
	}
}

func TestReplaceLinks(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a":"http://b/api/x","b":"http://b/apiary","c":"http:\/\/b\/api\/y","d":"http://b/api"}`: `{"a":"https://g/s/x","b":"http://b/apiary","c":"https:\/\/g\/s\/y","d":"https://g/s"}`,
		`http://b/api`: `https://g/s`,
		`http://b/ap`:  `http://b/ap`,
		``:             ``,
		`x http://b/api?q <a href="http://b/api#f">`: `x https://g/s?q <a href="https://g/s#f">`,
	} {
		if got := string(ReplaceLinks([]byte(in), "http://b/api/", "https://g/s")); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func FuzzJSONToXML(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"xmlns:a":"b","a:c":[]}`, `[[],null,true]`, `{"@a":"b","#text":"c","#attrs":{"d":1}}`, "{\"\\u0000:_ü\":\"\\u0001\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := JSONToXML(data, JSONToXMLOptions{ParseDate: true, AttributeBlockName: "#attrs"})
		if err != nil {
			return
		}
		if len(out) > 20*len(data)+200 {
			t.Errorf("%d bytes became %d", len(data), len(out))
		}
	})
}

func FuzzXMLToJSON(f *testing.F) {
	for _, s := range []string{`<a/>`, `<?xml version="1.0" encoding="iso-8859-1"?><p:a xmlns:p="q" b="c">d<e/>f</p:a>`, `<a>&amp;<![CDATA[x]]></a>`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, friendly := range []bool{false, true} {
			out, err := XMLToJSON(data, XMLToJSONOptions{Friendly: friendly, AlwaysArray: friendly})
			if err != nil {
				continue
			}
			if _, err := parseJSON(out); err != nil {
				t.Errorf("the result is no JSON: %v in %s", err, out)
			}
		}
	})
}

func FuzzTemplate(f *testing.F) {
	for _, s := range []string{`{{body.a | Upcase}}`, `{% for i in body %}{{i}}{% endfor %}`, `{{ "x" | Slice: -9, 3 }}`, `{{ 1 | Round: 99 }}`, `{% if a %}b{% endif %}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		template, err := ParseTemplate(source)
		if err != nil {
			return
		}
		// Any error will do; what must not happen is a panic or an endless run.
		_, _ = template.Render(map[string]any{"body": map[string]any{"a": "b"}}, 1<<16)
	})
}
