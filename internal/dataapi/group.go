package dataapi

import (
	"encoding/base64"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/hubgate/hubgate/internal/hub"
)

// joinGroup puts a connection into a group.
func (c *call) joinGroup() error {
	id := c.argument("connectionId")
	client := c.hub.Client(id)
	if client == nil || !c.hub.Join(client, c.argument("group")) {
		return missing(codeNoConnectionToAdd, "there is no connection with this id in the hub")
	}
	return c.done()
}

// leaveGroup takes a connection out of a group. A connection that is gone is in none, which is what was wanted: the Management SDK fails on
// any 404 here. Version 1 tells.
func (c *call) leaveGroup() error {
	client := c.hub.Client(c.argument("connectionId"))
	if client == nil || !c.hub.Leave(client, c.argument("group")) {
		if c.route.since == v1 {
			return missing(codeNoConnectionToAdd, "there is no connection with this id in the hub")
		}
	}
	return c.done()
}

func (c *call) leaveAllGroups() error {
	if client := c.hub.Client(c.argument("connectionId")); client != nil {
		c.hub.LeaveAll(client)
	}
	return c.done()
}

// userJoin puts a user's connections into a group, those that are there and those that will come within ttl seconds.
func (c *call) userJoin() error {
	ttl, given, err := c.number("ttl", 0, math.MaxInt32)
	if err != nil {
		return err
	}
	lifetime := hub.Forever
	if given {
		lifetime = time.Duration(ttl) * time.Second
	}
	c.hub.UserJoin(c.argument("user"), c.argument("group"), lifetime)
	return c.done()
}

func (c *call) userLeave() error {
	c.hub.UserLeave(c.argument("user"), c.argument("group"))
	return c.done()
}

func (c *call) userLeaveAll() error {
	c.hub.UserLeaveAll(c.argument("user"))
	return c.done()
}

func (c *call) checkConnection() error {
	if c.hub.Client(c.argument("connectionId")) == nil {
		return missing(codeNoConnection, "there is no connection with this id in the hub")
	}
	return c.done()
}

func (c *call) checkUser() error {
	if !c.hub.UserExists(c.argument("user")) {
		return missing(codeNoUser, "the user has no connection to the hub")
	}
	return c.done()
}

func (c *call) checkGroup() error {
	if !c.hub.GroupExists(c.argument("group")) {
		return missing(codeNoGroup, "no connection is in the group")
	}
	return c.done()
}

func (c *call) checkUserInGroup() error {
	if !c.hub.UserInGroup(c.argument("user"), c.argument("group")) {
		return missing(codeNotInGroup, "the user is not in the group")
	}
	return c.done()
}

// maxPage is how many members a page of a group holds at most.
const maxPage = 200

// listGroup lists a group's connections, page by page, in the order of their ids; the last id of a page is what the next one goes on from.
func (c *call) listGroup() error {
	size, _, err := c.number("maxpagesize", 1, maxPage)
	if err != nil {
		return err
	}
	if size == 0 {
		size = maxPage
	}
	top, limited, err := c.number("top", 1, math.MaxInt32)
	if err != nil {
		return err
	}
	after, err := c.continuation()
	if err != nil {
		return err
	}
	take := size
	if limited {
		take = min(take, top)
	}
	page, more := c.hub.MembersAfter(c.argument("group"), after, int(take))
	b := append([]byte(nil), `{"value":[`...)
	for i, m := range page {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(b, `{"connectionId":`...), m.ID)
		if m.HasUser {
			b = appendText(append(b, `,"userId":`...), m.UserID)
		}
		b = append(b, '}')
	}
	b = append(b, ']')
	if more && (!limited || top > take) {
		next := c.nextLink(page[len(page)-1].ID, top-take, limited)
		b = appendText(append(b, `,"nextLink":`...), next)
	}
	return c.json(append(b, '}'))
}

// continuation is the id that the page before ended with.
func (c *call) continuation() (string, error) {
	token, err := c.one("continuationToken")
	if err != nil || token == "" {
		return "", err
	}
	id, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(id) == 0 || !utf8.Valid(id) {
		return "", invalid("continuationToken", "the continuationToken is not one that this service gave out")
	}
	return string(id), nil
}

// nextLink is the absolute URL of the next page: that of this request, going on behind an id, with what top leaves.
func (c *call) nextLink(last string, top int64, limited bool) string {
	query := url.Values{"continuationToken": {base64.RawURLEncoding.EncodeToString([]byte(last))}}
	for _, name := range []string{"api-version", "application", "maxpagesize"} {
		if v := c.query.Get(name); v != "" {
			query.Set(name, v)
		}
	}
	if limited {
		query.Set("top", strconv.FormatInt(top, 10))
	}
	return origin(c.r) + c.r.URL.EscapedPath() + "?" + query.Encode()
}

// origin is where the caller has reached the instance.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
