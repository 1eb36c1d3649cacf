package dataapi

import (
	"strings"
	"testing"

	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/message"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// nobody is a client that takes nothing.
type nobody struct{}

func (nobody) Deliver(*message.Message, *message.Batch)      {}
func (nobody) Data(*svcproto.ConnectionData, *message.Batch) {}
func (nobody) Close(string, *message.Batch)                  {}
func (nobody) Kick(string, *message.Batch)                   {}
func (nobody) Migrate(*message.Batch)                        {}
func (nobody) Paused()                                       {}
func (nobody) LinkLost(*message.Batch)                       {}

// filtered are the clients of the tests: one with a user, in two groups, and one without.
func filtered(t testing.TB) (ann, anonymous *hub.Client) {
	h := hub.NewRegistry("node").Hub("chat")
	ann = &hub.Client{ID: "c1", UserID: "Ann's äöü😀", HasUser: true, Receiver: nobody{}}
	anonymous = &hub.Client{ID: "c2", Receiver: nobody{}}
	for _, c := range []*hub.Client{ann, anonymous} {
		if err := h.AttachTo(c, &asker{}); err != nil {
			t.Fatal(err)
		}
	}
	h.Join(ann, "g1")
	h.Join(ann, "g 2")
	return ann, anonymous
}

func TestFilter(t *testing.T) {
	t.Parallel()
	ann, anonymous := filtered(t)
	for _, c := range []struct {
		filter         string
		ann, anonymous bool
	}{
		{"", true, true},
		{" \t", true, true},
		{"true", true, true},
		{"not true", false, false},
		{"userId eq 'Ann''s äöü😀'", true, false},
		{"userId eq null", false, true},
		{"USERID ne null", true, false},
		{"userId ne 'x'", true, true},
		{"userId gt 'A'", true, false},
		{"userId ge 'Z'", false, false},
		{"connectionId eq 'c1'", true, false},
		{"connectionId lt 'c2'", true, false},
		{"connectionId le 'c2'", true, true},
		{"'c1' eq connectionid", true, false},
		{"connectionId in ('c1', 'c3')", true, false},
		{"connectionId in('c2')", false, true},
		{"'g1' in groups", true, false},
		{"'g 2' in groups and not ('g3' in groups)", true, false},
		{"startswith(userId, 'Ann')", true, false},
		{"not startswith(userId, 'Ann')", false, true},
		{"endswith(connectionId, '2')", false, true},
		{"contains(userId, 'ö')", true, false},
		{"length(userId) eq 11", true, false}, // the emoji is two units
		{"indexof(userId, 'ö') eq 7", true, false},
		{"indexof(connectionId, 'x') eq -1", true, true},
		{"substring(connectionId, 1) eq '2'", false, true},
		{"substring(connectionId, 0, 1) eq 'c'", true, true},
		{"substring(connectionId, 9) eq ''", true, true},
		{"substring(connectionId, -5, 99) eq 'c1'", true, false},
		{"tolower('ABC') eq 'abc' and toupper('abc') eq 'ABC' and trim(' a ') eq 'a'", true, true},
		{"concat(connectionId, concat('-', connectionId)) eq 'c1-c1'", true, false},
		{"1 lt 2 and 2 ge 2 and -9223372036854775808 lt 9223372036854775807", true, true},
		{"true eq true and true ne false", true, true},
		{"false or true and false", false, false},
		{"(false or true) and true", true, true},
		{"true or userId eq 'x' and false", true, true},
		{"not not true", true, true},
		{"null eq null", true, true},
		{"null gt 1", false, false},
	} {
		f, err := parseFilter(c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		if a, b := f.matches(ann), f.matches(anonymous); a != c.ann || b != c.anonymous {
			t.Errorf("%s: %v %v, want %v %v", c.filter, a, b, c.ann, c.anonymous)
		}
	}
}

func TestBadFilters(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]string{
		"userId":                          "the filter comes to a text and must come to a truth value",
		"userId eq":                       "the filter ends where a name, a function or a literal should be",
		"userId eq 'x":                    "the filter cannot be read at byte 10",
		"userId = 'x'":                    "the filter cannot be read at byte 7",
		"userId eq 1":                     "at byte 7 of the filter: a text and a number cannot be compared",
		"true gt false":                   "at byte 5 of the filter: truth values have no order",
		"name eq 'x'":                     "at byte 0 of the filter: there is no name \"name\"; use userId, connectionId or groups",
		"groups eq 'x'":                   "at byte 7 of the filter: a collection and a text cannot be compared",
		"1 in groups":                     "at byte 2 of the filter: in needs a text and a collection, or a list in parentheses",
		"userId in 'x'":                   "at byte 7 of the filter: in needs a text and a collection, or a list in parentheses",
		"userId in ('x', 1)":              "at byte 7 of the filter: a text and a number cannot be compared",
		"userId in ('x' 'y')":             "at byte 15 of the filter there is \"y\" where a comma or a closing parenthesis should be",
		"(true":                           "the filter ends where a closing parenthesis should be",
		"true)":                           "at byte 4 of the filter there is \")\" where the end of the filter should be",
		"not userId eq 'x'":               "at byte 0 of the filter: not needs a truth value; put a comparison in parentheses",
		"userId and true":                 "at byte 7 of the filter: and needs truth values on both sides",
		"matches(userId, 'x')":            "at byte 0 of the filter: there is no function \"matches\"",
		"startswith(userId)":              "at byte 0 of the filter: startswith does not take 1 arguments",
		"startswith(userId, 1)":           "at byte 0 of the filter: argument 2 of startswith must be a text",
		"1.5 eq 1":                        "the filter cannot be read at byte 1",
		"9223372036854775808 eq 1":        "at byte 0 of the filter: \"9223372036854775808\" is not a whole number",
		strings.Repeat("(", 100) + "true": "the filter has more than 1000 parts, or they are nested deeper than 64 levels",
		strings.Repeat("true and ", 1000) + "true": "the filter has 9004 bytes and may have 8192",
		"\xff": "the filter must be UTF-8",
	} {
		if _, err := parseFilter(filter); err == nil || err.Error() != want {
			t.Errorf("%.60s: %v, want %s", filter, err, want)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"startswith(userId, 'a')", "'g' in groups and not (userId eq null or connectionId in ('a', 'b'))", "substring('ä', -1, 9) eq ''", "((((true))))", "length(concat(userId, 'x')) le 9"} {
		f.Add(s)
	}
	ann, anonymous := filtered(f)
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parseFilter(text); err == nil {
			p.matches(ann)
			p.matches(anonymous)
		}
	})
}
