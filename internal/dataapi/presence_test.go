package dataapi_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hubgate/hubgate/internal/hubproto"
)

// TestPresence is row 92 of the feature table: it lists who is there, page by page.
func TestPresence(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var ids []string
	for i := range 6 {
		c := r.connect("chat", hubproto.JSON, user(fmt.Sprint("u", i/2)))
		ids = append(ids, c.id)
		r.rest("PUT", "/api/hubs/chat/groups/all/connections/"+c.id, "", 200)
		if i%3 == 0 {
			r.rest("PUT", "/api/hubs/chat/groups/a%2Fb/connections/"+c.id, "", 200)
		}
	}
	r.connect("other", hubproto.MessagePack, user("elsewhere"))
	slices.Sort(ids)

	type item struct {
		ConnectionID, UserID, Group, Protocol string
		Groups                                []string
		Connections                           int
	}
	list := func(path string) (all []item, pages int) {
		t.Helper()
		for next := path; next != ""; pages++ {
			var a answer
			if pages == 0 {
				a = r.rest("GET", next, "", 200)
			} else {
				a = r.do("GET", next, "", "")
			}
			var page struct {
				Value    []item
				NextLink string
			}
			if err := json.Unmarshal([]byte(a.Body), &page); err != nil || page.Value == nil {
				t.Fatalf("%s: %v", a.Body, err)
			}
			all = append(all, page.Value...)
			next = strings.TrimPrefix(page.NextLink, r.server.URL)
		}
		return all, pages
	}

	connections, pages := list("/api/hubgate/hubs/chat/connections?maxpagesize=4")
	if pages != 2 {
		t.Errorf("six connections come on %d pages of four", pages)
	}
	var got []string
	for _, c := range connections {
		got = append(got, c.ConnectionID)
		if c.Protocol != "json" || !strings.HasPrefix(c.UserID, "u") || !slices.Contains(c.Groups, "all") {
			t.Errorf("a connection is listed as %+v", c)
		}
	}
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Error(diff)
	}

	users, _ := list("/api/hubgate/hubs/chat/users?maxpagesize=2")
	if diff := cmp.Diff([]item{{UserID: "u0", Connections: 2}, {UserID: "u1", Connections: 2}, {UserID: "u2", Connections: 2}}, users); diff != "" {
		t.Error(diff)
	}
	groups, _ := list("/api/hubgate/hubs/chat/groups")
	if diff := cmp.Diff([]item{{Group: "a/b", Connections: 2}, {Group: "all", Connections: 6}}, groups); diff != "" {
		t.Error(diff)
	}
	if nobody, _ := list("/api/hubgate/hubs/empty/users"); len(nobody) != 0 {
		t.Errorf("an empty hub has %+v", nobody)
	}
	r.rest("GET", "/api/hubgate/hubs/chat/users?maxpagesize=0", "", 400)
	r.rest("GET", "/api/hubgate/hubs/chat/users?continuationToken=%21", "", 400)
	if a := r.doAs("", "GET", "/api/hubgate/hubs/chat/users?api-version=2024-12-01", "", ""); a.Status != 401 {
		t.Errorf("without a token the answer is %d", a.Status)
	}
}
