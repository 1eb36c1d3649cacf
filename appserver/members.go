package appserver

import (
	"context"
	"iter"

	"github.com/hubgate/hubgate/internal/svcproto"
)

// GroupMember is a client in a group.
type GroupMember struct {
	// ConnectionID is the client's.
	ConnectionID string
	// UserID is that of the client's user, empty when it has none.
	UserID string
}

// maxPageSize is how many members the service lists at once.
const maxPageSize = 200

// Members lists the clients in a group, whichever app servers they are connected to, page after page as they are asked for.
// pageSize is how many a page has, at most 200; 0 leaves it to the service. An error is the last thing that is yielded. Clients
// that join or leave meanwhile may be listed or not.
func (g Groups) Members(ctx context.Context, group string, pageSize int) iter.Seq2[GroupMember, error] {
	return func(yield func(GroupMember, error) bool) {
		if group == "" {
			yield(GroupMember{}, errEmptyName)
			return
		}
		query := svcproto.GroupMemberQuery{Group: group}
		if pageSize > 0 {
			query.MaxPageSize = svcproto.SomeInt(min(pageSize, maxPageSize))
		}
		for {
			page, err := g.sender.members(ctx, query)
			if err != nil {
				yield(GroupMember{}, err)
				return
			}
			for _, m := range page.Members {
				if !yield(GroupMember{m.ConnectionID, m.UserID.Value}, nil) {
					return
				}
			}
			if page.ContinuationToken.Value == "" {
				return
			}
			query.ContinuationToken = page.ContinuationToken
		}
	}
}
