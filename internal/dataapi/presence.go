package dataapi

import (
	"encoding/json"

	"github.com/hubgate/hubgate/internal/hub"
)

// This file lists who is there: the connections, users and groups of a hub. Azure has no such operations (but for the connections of a group),
// so they stand under a path of their own, /api/hubgate, which no version of Azure's API uses.

// presencePage is one page of a list. NextLink is the URL of the next one, or absent.
type presencePage struct {
	Value    []presenceItem `json:"value"`
	NextLink string         `json:"nextLink,omitempty"`
}

// presenceItem is a connection, a user or a group; what does not fit it is absent.
type presenceItem struct {
	ConnectionID string   `json:"connectionId,omitempty"`
	UserID       *string  `json:"userId,omitempty"`
	Protocol     string   `json:"protocol,omitempty"`
	Groups       []string `json:"groups,omitempty"`
	Group        *string  `json:"group,omitempty"`
	Connections  int      `json:"connections,omitempty"` // of a user or a group

	name string // that the list is ordered by
}

// maxPresencePage is how many items a page holds at most, and unless maxpagesize says otherwise.
const maxPresencePage = 1000

func (c *call) listConnections() error {
	return c.presence(func(after string, limit int) (items []presenceItem) {
		for _, client := range c.hub.PresentClients(after, limit) {
			item := presenceItem{ConnectionID: client.ID, Protocol: client.Protocol, Groups: client.Groups(), name: client.ID}
			if client.HasUser {
				item.UserID = &client.UserID
			}
			items = append(items, item)
		}
		return items
	})
}

func (c *call) listUsers() error {
	return c.presence(func(after string, limit int) []presenceItem {
		return presenceOf(c.hub.PresentUsers(after, limit), func(i *presenceItem) { i.UserID = &i.name })
	})
}

func (c *call) listGroups() error {
	return c.presence(func(after string, limit int) []presenceItem {
		return presenceOf(c.hub.PresentGroups(after, limit), func(i *presenceItem) { i.Group = &i.name })
	})
}

func presenceOf(present []hub.Present, set func(*presenceItem)) []presenceItem {
	items := make([]presenceItem, len(present))
	for i, p := range present {
		items[i] = presenceItem{Connections: p.Clients, name: p.Name}
		set(&items[i])
	}
	return items
}

// presence answers with one page of a list, which list reads from behind a name on.
func (c *call) presence(list func(after string, limit int) []presenceItem) error {
	size, given, err := c.number("maxpagesize", 1, maxPresencePage)
	if err != nil {
		return err
	}
	if !given {
		size = maxPresencePage
	}
	after, err := c.continuation()
	if err != nil {
		return err
	}
	items := list(after, int(size)+1) // one more tells whether there is a next page
	page := presencePage{Value: items[:min(len(items), int(size))]}
	if page.Value == nil {
		page.Value = []presenceItem{}
	}
	if len(items) > int(size) {
		page.NextLink = c.nextLink(page.Value[size-1].name, 0, false)
	}
	body, err := json.Marshal(page)
	if err != nil {
		return err
	}
	return c.json(body)
}
