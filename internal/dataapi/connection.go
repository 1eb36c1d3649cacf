package dataapi

import (
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/message"
)

func (c *call) health() error {
	if c.Healthy != nil {
		if err := c.Healthy(); err != nil {
			c.Logger.Warn("the instance is not healthy", "reason", err)
			return &problem{status: http.StatusServiceUnavailable, text: "the service is not healthy"}
		}
	}
	return c.done()
}

// accessKey hands out a temporary key to an app server that signs in otherwise than by a key.
func (c *call) accessKey() error {
	keys := c.access().Temporary
	if keys == nil {
		return &problem{
			status: http.StatusForbidden,
			text:   "this instance hands out no temporary access keys; use a connection string with an AccessKey",
		}
	}
	key := keys.Current(time.Now())
	c.w.Header().Set("Cache-Control", "no-store")
	b := appendText([]byte(`{"AccessKey":`), key.Key)
	b = appendText(append(b, `,"KeyId":`...), key.ID)
	return c.json(append(b, '}'))
}

// closeConnection ends one connection. Version 1 does not tell whether there was one.
func (c *call) closeConnection() error {
	reason, err := c.one("reason")
	if err != nil {
		return err
	}
	client := c.hub.Client(c.argument("connectionId"))
	if client == nil {
		if c.route.since == v1 {
			return c.done()
		}
		return missing(codeNoConnection, "there is no connection with this id in the hub")
	}
	c.kick([]*hub.Client{client}, nil, reason)
	return c.done()
}

func (c *call) closeAll() error { return c.closeMany(c.hub.All) }

func (c *call) closeUser() error {
	return c.closeMany(func() []*hub.Client { return c.hub.ClientsOfUser(c.argument("user")) })
}

func (c *call) closeGroup() error {
	return c.closeMany(func() []*hub.Client { return c.hub.Members(c.argument("group")) })
}

func (c *call) closeMany(which func() []*hub.Client) error {
	reason, err := c.one("reason")
	if err != nil {
		return err
	}
	c.kick(which(), c.query["excluded"], reason)
	return c.done()
}

func (c *call) kick(clients []*hub.Client, except []string, reason string) {
	b := message.Batch{Pool: c.Pool}
	for _, client := range clients {
		if !slices.Contains(except, client.ID) {
			client.Receiver.Kick(reason, &b)
		}
	}
	b.Flush()
}

// defaultTokenMinutes is how long a token is good for unless the caller says otherwise.
const defaultTokenMinutes = 60

// generateToken makes a token with which a client may connect to the hub.
func (c *call) generateToken() error {
	user, err := c.one("userId")
	if err != nil {
		return err
	}
	minutes, given, err := c.number("minutesToExpire", 1, math.MaxInt32)
	if err != nil {
		return err
	}
	if !given {
		minutes = defaultTokenMinutes
	}
	sign := c.signer()
	if sign == nil {
		return &problem{status: http.StatusForbidden, text: "the instance accepts no tokens that are signed with an access key, so none is made"}
	}
	claims := auth.Lifetime(time.Now(), time.Duration(minutes)*time.Minute)
	claims = append(claims, auth.Claim{Type: auth.ClaimAudience, Value: origin(c.r) + "/client/?hub=" + c.hub.Name})
	if _, given := c.query["userId"]; given {
		claims = append(claims, auth.Claim{Type: auth.ClaimNameID, Value: user})
	}
	token, err := sign(auth.HS256, claims...)
	if err != nil {
		return invalid("userId", "the user's id must be UTF-8")
	}
	return c.json(append(appendText([]byte(`{"token":`), token), '}'))
}

// signer signs tokens for clients; nil when no token of the service would be accepted.
func (c *call) signer() func(algorithm string, claims ...auth.Claim) (string, error) {
	if c.Key != nil {
		if key := c.Key(); key != "" {
			return func(algorithm string, claims ...auth.Claim) (string, error) {
				return auth.Sign(key, algorithm, claims...)
			}
		}
	}
	if keys := c.access().Temporary; keys != nil {
		return keys.Own().Sign
	}
	return nil
}
