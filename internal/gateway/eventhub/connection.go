package eventhub

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Connection is what a connection string says.
type Connection struct {
	endpoint *url.URL // https, or http for a receiver of one's own
	keyName  string
	key      string // secret
	hub      string
}

// ParseConnection reads a connection string like Endpoint=sb://NAME.servicebus.windows.net/;SharedAccessKeyName=…;SharedAccessKey=….
// An endpoint with http or https is a receiver of one's own that speaks the same protocol. hub is the event hub's name; the
// string's EntityPath takes its place when it is there. Errors never show the key.
func ParseConnection(text, hub string) (*Connection, error) {
	c := &Connection{hub: hub}
	for part := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(part, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "":
		case "endpoint":
			u, err := url.Parse(strings.TrimSpace(value))
			if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
				return nil, errors.New("the Endpoint of the connection string is not a URL like sb://NAME.servicebus.windows.net/")
			}
			switch u.Scheme {
			case "sb", "amqps":
				u.Scheme = "https"
			case "http", "https":
			default:
				return nil, errors.New("the Endpoint of the connection string must have the scheme sb, https or http")
			}
			c.endpoint = u
		case "sharedaccesskeyname":
			c.keyName = value
		case "sharedaccesskey":
			c.key = value
		case "entitypath":
			c.hub = value
		default:
			return nil, errors.New("the connection string has a part that is not known; there are Endpoint, SharedAccessKeyName, SharedAccessKey and EntityPath")
		}
	}
	switch {
	case c.endpoint == nil:
		return nil, errors.New("the connection string has no Endpoint")
	case c.keyName == "" || c.key == "":
		return nil, errors.New("the connection string has no SharedAccessKeyName and SharedAccessKey")
	case c.hub == "":
		return nil, errors.New("there is no name of an event hub")
	}
	return c, nil
}

// address is where events go: to the hub, or to one of its partitions (Event Hubs REST API, "Send batch events").
func (c *Connection) address(partition string) string {
	u := strings.TrimRight(c.endpoint.String(), "/") + "/" + url.PathEscape(c.hub)
	if partition != "" {
		u += "/partitions/" + url.PathEscape(partition)
	}
	return u + "/messages?api-version=2014-01&timeout=60"
}

// tokenLife is how long a token is valid: an hour.
const tokenLife = time.Hour

// token is a shared access signature for the hub (Event Hubs, "Generate SAS token").
func (c *Connection) token(now time.Time) string {
	resource := url.QueryEscape(strings.ToLower(strings.TrimRight(c.endpoint.String(), "/") + "/" + c.hub))
	expiry := strconv.FormatInt(now.Add(tokenLife).Unix(), 10)
	mac := hmac.New(sha256.New, []byte(c.key))
	mac.Write([]byte(resource + "\n" + expiry)) // It never fails.
	signature := url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return "SharedAccessSignature sr=" + resource + "&sig=" + signature + "&se=" + expiry + "&skn=" + url.QueryEscape(c.keyName)
}

// Key is the connection as a value that can be compared, so that two that say the same can share a logger.
func (c *Connection) Key() Connection {
	k := *c
	k.endpoint = nil
	k.hub = c.endpoint.String() + "\n" + c.hub
	return k
}
