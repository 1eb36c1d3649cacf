package policy

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func compressed(t *testing.T, coding string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if coding == "deflate" {
		w = zlib.NewWriter(&b)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadDecoded(t *testing.T) {
	t.Parallel()
	for _, coding := range []string{"gzip", "deflate", "x-gzip", "GZIP"} {
		x := &Exchange{}
		x.Response.Header = http.Header{"Content-Encoding": {coding}, "Etag": {"1"}}
		x.Response.Body.SetStream(io.NopCloser(bytes.NewReader(compressed(t, coding, []byte("hello")))), -1)
		f := &findAndReplace{from: Literal("l"), to: Literal("L"), response: true}
		if _, err := f.Run(x); err != nil {
			t.Fatal(coding, err)
		}
		data, err := x.Response.Body.Bytes()
		if err != nil || string(data) != "heLLo" || x.Response.Header.Get("Content-Encoding") != "" || x.Response.Header.Get("Etag") != "" {
			t.Errorf("%s: %q %v %v", coding, data, err, x.Response.Header)
		}
	}
}

// A small body that becomes a large one must not fill the memory.
func TestReadDecodedIsBounded(t *testing.T) {
	t.Parallel()
	var b Body
	b.Set(compressed(t, "gzip", make([]byte, MaxBuffered+1)))
	_, _, err := readDecoded(&b, http.Header{"Content-Encoding": {"gzip"}})
	if !errors.Is(err, ErrBodyTooLarge) {
		t.Error(err)
	}
	b.Set([]byte("not gzip"))
	if _, _, err := readDecoded(&b, http.Header{"Content-Encoding": {"gzip"}}); err == nil {
		t.Error("no error")
	}
}

func TestAccepts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"application/json": true, "text/html, application/problem+json;q=0.5": true, "*/*": false, "": false, "application/json;q=0": false, "application/json; q=0": false, "APPLICATION/JSON": true,
	} {
		x := &Exchange{Inbound: &http.Request{Header: http.Header{"Accept": {text}}}}
		if got := x.accepts(isJSON); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestValidCallback(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"cb": true, "$.a._b1": true, "größe": true, "": false, "a.": false, ".a": false, "1a": false, "a b": false, "a(b)": false, "a;b": false, "new.x": false, "a\u2028": false, strings.Repeat("a", 300): false,
	} {
		if got := validCallback(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func FuzzJSONP(f *testing.F) {
	f.Add("cb")
	f.Add("a.b$c")
	f.Add("alert(1)")
	f.Fuzz(func(t *testing.T, text string) {
		if validCallback(text) && strings.ContainsAny(text, "()[]{}<>;,'\"`\\/ \t\r\n=+-*&|!?:#%^~@") {
			t.Errorf("%q is taken", text)
		}
	})
}
