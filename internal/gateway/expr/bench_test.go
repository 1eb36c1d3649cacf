package expr

import (
	"bytes"
	"context"
	"testing"
)

// sampleOf reads the recorded context.
func sampleOf(t testing.TB, data []byte) *sample {
	t.Helper()
	s, err := readSample(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// typical are expressions as policies have them most.
var typical = []struct {
	name, src string
	allocs    float64
}{
	{"constant condition", `true`, 0},
	{"status code", `context.Response.StatusCode >= 500`, 0},
	{"header", `context.Request.Headers.GetValueOrDefault("X-Feature", "none")`, 2},
	{"variable", `(string)context.Variables["text"]`, 0},
	{"variable or default", `context.Variables.GetValueOrDefault<string>("absent", "d")`, 0},
	{"subscription key", `context.Subscription?.Id ?? "anonymous"`, 1},
	{"url", `context.Request.OriginalUrl.Path`, 1},
}

func compileFor(t testing.TB, src string, form Form) (*Program, *Context) {
	t.Helper()
	data, _ := readVectors(t)
	env := NewEnvironment()
	p, err := Compile(src, form, env)
	if err != nil {
		t.Fatal(err)
	}
	c, err := sampleOf(t, data).build(env, "")
	if err != nil {
		t.Fatal(err)
	}
	return p, c
}

// TestAllocations holds what evaluating typical expressions may allocate. It is not parallel because testing.AllocsPerRun forbids it.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector changes what sync.Pool keeps")
	}
	ctx := context.Background()
	for _, x := range typical {
		p, c := compileFor(t, x.src, Expression)
		got := testing.AllocsPerRun(200, func() {
			if _, err := p.Eval(ctx, c); err != nil {
				t.Fatal(err)
			}
		})
		if got > x.allocs {
			t.Errorf("%s: %v allocations, at most %v expected", x.name, got, x.allocs)
		}
	}
}

func BenchmarkEval(b *testing.B) {
	cases := []struct {
		name, src string
		form      Form
	}{
		{"Header", typical[2].src, Expression},
		{"Variable", typical[3].src, Expression},
		{"JObject", `(string)context.Request.Body.As<JObject>(true)["customer"]["name"]`, Expression},
		{"Interpolation", `$"{context.Request.Method} {context.Request.OriginalUrl.Path} {context.Response.StatusCode}"`, Expression},
		{"LINQ", `context.User.Groups.Any(g => g.Name == "Team A")`, Expression},
		{"Loop", `var s = 0; for (var i = 0; i < 100; i++) { s += i; } return s;`, Statements},
	}
	for _, x := range cases {
		b.Run(x.name, func(b *testing.B) {
			p, c := compileFor(b, x.src, x.form)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval(ctx, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	env := NewEnvironment()
	src := `context.Request.Headers.GetValueOrDefault("Authorization", "").Split(' ').Last().AsJwt()?.Subject ?? "anonymous"`
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile(src, Expression, env); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewEnvironment(b *testing.B) {
	for b.Loop() {
		NewEnvironment()
	}
}
