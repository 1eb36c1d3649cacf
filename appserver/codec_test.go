package appserver

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/hubproto"
)

type base struct {
	ID    string
	Inner int
}

type everything struct {
	*base
	Name     string `json:"name"`
	Renamed  int    `json:"renamed" msgpack:"other"`
	Left     string `json:"-" msgpack:"-"`
	Optional string `json:"optional,omitempty" msgpack:",omitempty"`
	Bytes    []byte
	List     []float64
	Fixed    [2]uint8
	Map      map[string]*int
	Numbers  map[int]string
	When     time.Time
	Any      any
	Text     textValue
	Large    uint64
	Small    int8
	Yes      bool
	Float    float32
	Nothing  *string
}

// textValue writes itself as text.
type textValue struct{ inner string }

func (v textValue) MarshalText() ([]byte, error) { return []byte("<" + v.inner + ">"), nil }
func (v *textValue) UnmarshalText(b []byte) error {
	v.inner = strings.Trim(string(b), "<>")
	return nil
}

func TestValuesComeBack(t *testing.T) {
	t.Parallel()
	seven := 7
	value := everything{
		Name: "Ann", Renamed: 1, Bytes: []byte{0, 255}, List: []float64{1.5, -2}, Fixed: [2]uint8{1, 2}, Map: map[string]*int{"a": &seven, "b": nil},
		Numbers: map[int]string{-1: "x"}, When: time.Date(2026, 11, 23, 1, 2, 3, 678e6, time.UTC), Any: "any", Text: textValue{"t"},
		Large: math.MaxUint64, Small: -128, Yes: true, Float: 0.5,
	}
	app := &App{}
	for _, protocol := range []hubproto.Protocol{hubproto.JSON, hubproto.MessagePack} {
		raw, err := app.encode(protocol, value)
		if err != nil {
			t.Fatal(err)
		}
		var got everything
		if err := app.decode(protocol, raw, reflect.ValueOf(&got)); err != nil {
			t.Fatalf("%v: %v", protocol, err)
		}
		if diff := cmp.Diff(value, got, cmp.AllowUnexported(everything{}, textValue{}), cmp.Comparer(func(a, b *base) bool { return a == b })); diff != "" {
			t.Errorf("%v: want (-), got (+):\n%s", protocol, diff)
		}
	}
}

func TestMessagePackForms(t *testing.T) {
	t.Parallel()
	type inner struct{ A int }
	type outer struct {
		inner
		B int `msgpack:"b"`
		C int `msgpack:",omitempty"`
	}
	for _, c := range []struct {
		value any
		want  string
	}{
		{nil, "\xc0"}, {3, "\x03"}, {uint(200), "\xcc\xc8"}, {-33, "\xd0\xdf"}, {"a", "\xa1a"}, {true, "\xc3"}, {[]byte{1}, "\xc4\x01\x01"},
		{[]int{}, "\x90"}, {[]string{"x"}, "\x91\xa1x"}, {map[string]int{"b": 2, "a": 1}, "\x82\xa1a\x01\xa1b\x02"},
		{outer{inner{1}, 2, 0}, "\x82\xa1A\x01\xa1b\x02"}, {time.Unix(1, 0), "\xd6\xff\x00\x00\x00\x01"}, {[2]byte{1, 2}, "\xc4\x02\x01\x02"},
		{[]any{1, nil, "x"}, "\x93\x01\xc0\xa1x"}, {(*int)(nil), "\xc0"}, {1.5, "\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00"},
	} {
		var codec msgpackCodec
		got, err := codec.append(nil, c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%v: %x %v, want %x", c.value, got, err, c.want)
		}
	}
}

func TestMessagePackIsReadLeniently(t *testing.T) {
	t.Parallel()
	type target struct{ Name string }
	for _, c := range []struct {
		raw  string
		want any
	}{
		{"\xcf\x00\x00\x00\x00\x00\x00\x00\x05", 5}, {"\x05", 5.0}, {"\xca\x3f\x80\x00\x00", 1.0}, {"\xd3\xff\xff\xff\xff\xff\xff\xff\xff", -1},
		{"\x82\xa4name\xa1x\xa1?\x93\x01\x02\x03", target{"x"}}, {"\xc0", ""}, {"\x90", [0]int{}},
		{"\xb42026-11-23T01:02:03Z", time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)},
	} {
		var codec msgpackCodec
		got := reflect.New(reflect.TypeOf(c.want))
		if err := codec.decode([]byte(c.raw), got); err != nil {
			t.Errorf("%x: %v", c.raw, err)
		} else if diff := cmp.Diff(c.want, got.Elem().Interface()); diff != "" {
			t.Errorf("%x: %s", c.raw, diff)
		}
	}
}

func TestMessagePackRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		raw    string
		target any
	}{
		"text for a number":     {"\xa1x", new(int)},
		"too large":             {"\xcd\x01\x00", new(int8)},
		"negative for unsigned": {"\xff", new(uint)},
		"cut short":             {"\xa5x", new(string)},
		"length that is a lie":  {"\xdd\xff\xff\xff\xff", new([]int)},
		"map that is a lie":     {"\xdf\xff\xff\xff\xff", new(map[string]int)},
		"array size":            {"\x93\x01\x02\x03", new([2]int)},
		"nested without end":    {strings.Repeat("\x91", 10_000), new(any)},
		"bytes behind":          {"\x01\x02", new(int)},
		"list as a key":         {"\x81\x90\x01", new(map[any]int)},
		"nothing":               {"", new(any)},
	} {
		var codec msgpackCodec
		if err := codec.decode([]byte(c.raw), reflect.ValueOf(c.target)); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
	var codec msgpackCodec
	type cycle struct{ Next *cycle }
	loop := &cycle{}
	loop.Next = loop
	if _, err := codec.append(nil, loop); err == nil {
		t.Error("a cycle was written")
	}
}

func TestDotNetEscapes(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"plain <b>&'+":          `"plain <b>&'+"`,
		"\u001e\n\t\"\\/":       `"\u001E\n\t\"\\/"`,
		"é日\u00a0\u2028\ufeff":  `"é日\u00A0\u2028` + "\ufeff" + `"`,
		"🎈":                     `"\uD83C\uDF88"`,
		"\x7f\ue000":            `"\u007F\uE000"`,
		"\\u001e in the source": `"\\u001e in the source"`,
	} {
		got, err := encodeJSON(value)
		if err != nil || string(got) != want {
			t.Errorf("%q: %s %v, want %s", value, got, err, want)
		}
		var back string
		if err := decodeJSON(got, &back); err != nil || back != value {
			t.Errorf("%s came back as %q, %v", got, back, err)
		}
	}
}

func FuzzDecodeMessagePack(f *testing.F) {
	var codec msgpackCodec
	for _, v := range []any{nil, 1, -1, 1.5, "text", []byte{1}, []any{1, "x", nil}, map[string]any{"a": []int{1}}, everything{Name: "x"}, time.Unix(1, 5), time.Unix(1, 0), time.Unix(1<<35, 0)} {
		raw, err := codec.append(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s everything
		_ = codec.decode(raw, reflect.ValueOf(&s)) // It must not panic.
		var v any
		if codec.decode(raw, reflect.ValueOf(&v)) != nil {
			return
		}
		again, err := codec.append(nil, v)
		if err != nil {
			t.Fatalf("%v cannot be written: %v", v, err)
		}
		var w any
		if err := codec.decode(again, reflect.ValueOf(&w)); err != nil {
			t.Fatalf("%x cannot be read again: %v", again, err)
		}
	})
}
