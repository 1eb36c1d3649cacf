package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hubgate/hubgate/appserver"
)

// chatHub is the chat room of the article.
type chatHub struct{}

func (chatHub) BroadcastMessage(c *appserver.Context, name, message string) error {
	return c.Clients().All().Send(c, "broadcastMessage", name, message)
}

func (chatHub) Echo(c *appserver.Context, name, message string) error {
	return c.Clients().Client(c.ConnectionID()).Send(c, "echo", name, message+" (echo from server)")
}

type person struct {
	Name   string             `json:"name"`
	Age    int                `json:"age"`
	Tags   []string           `json:"tags"`
	Scores map[string]float64 `json:"scores"`
}

type identity struct {
	ConnectionID   string   `json:"connectionId" msgpack:"ConnectionId"`
	UserIdentifier *string  `json:"userIdentifier"`
	Authenticated  bool     `json:"authenticated"`
	Name           *string  `json:"name"`
	Admin          bool     `json:"admin"`
	Claims         []string `json:"claims"`
}

type request struct {
	Path       string            `json:"path"`
	Query      map[string]string `json:"query"`
	TestHeader *string           `json:"testHeader"`
	Origin     *string           `json:"origin"`
	UserAgent  *string           `json:"userAgent"`
	RemoteIP   *string           `json:"remoteIp" msgpack:"RemoteIp"`
	Transport  *string           `json:"transport"`
}

// conformanceHub is everything that a client can ask of a hub.
type conformanceHub struct{ log *log }

func (h conformanceHub) OnConnected(c *appserver.Context) error {
	h.log.add("connected %s user=%s", c.ConnectionID(), c.UserID())
	return c.Clients().Caller().Send(c, "welcome", c.ConnectionID())
}

func (h conformanceHub) OnDisconnected(c *appserver.Context, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	h.log.add("disconnected %s error=%s", c.ConnectionID(), text)
}

// Values.

func (conformanceHub) EchoString(value string) string       { return value }
func (conformanceHub) EchoInt(value int64) int64            { return value }
func (conformanceHub) EchoDouble(value float64) float64     { return value }
func (conformanceHub) EchoBool(value bool) bool             { return value }
func (conformanceHub) EchoBytes(value []byte) []byte        { return value }
func (conformanceHub) EchoArray(value []*string) []*string  { return value }
func (conformanceHub) EchoPerson(value person) person       { return value }
func (conformanceHub) EchoTime(value time.Time) time.Time   { return value }
func (conformanceHub) EchoNull(value *string) *string       { return value }
func (conformanceHub) Add(a, b int) int                     { return a + b }
func (conformanceHub) Nothing()                             {}
func (conformanceHub) Repeat(text string, times int) string { return strings.Repeat(text, times) }
func (conformanceHub) FailHub(message string) error         { return appserver.HubErrorf("%s", message) }
func (conformanceHub) FailOther(message string) error       { return errors.New(message) }
func (conformanceHub) Abort(c *appserver.Context)           { c.Abort() }
func (h conformanceHub) AskCaller(c *appserver.Context, question string) (*string, error) {
	return h.Ask(c, c.ConnectionID(), question, 5000)
}

func (conformanceHub) Slow(ctx context.Context, milliseconds int) (int, error) {
	select {
	case <-time.After(time.Duration(milliseconds) * time.Millisecond):
		return milliseconds, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Who and from where.

func (conformanceHub) WhoAmI(c *appserver.Context) identity {
	me := identity{ConnectionID: c.ConnectionID(), UserIdentifier: optional(c.UserID()), Claims: []string{}}
	if u := c.User(); u != nil {
		me.Authenticated, me.Name, me.Admin = true, optional(u.Name()), u.HasRole("admin")
		for _, claim := range u.Claims {
			me.Claims = append(me.Claims, claim.Type+"="+claim.Value)
		}
		slices.Sort(me.Claims)
	}
	return me
}

func (conformanceHub) HTTPRequest(c *appserver.Context) request {
	r := request{
		Path: c.Path(), Query: map[string]string{}, TestHeader: optional(c.Header().Get("X-Test")), Origin: optional(c.Header().Get("Origin")),
		UserAgent: optional(c.Header().Get("User-Agent")), RemoteIP: optional(c.RemoteAddress()),
	}
	for name, values := range c.Query() {
		r.Query[name] = strings.Join(values, ",")
	}
	return r
}

// Sends.

func (conformanceHub) SendAll(c *appserver.Context, text string) error {
	return c.Clients().All().Send(c, "message", text)
}

func (conformanceHub) SendOthers(c *appserver.Context, text string) error {
	return c.Clients().Others().Send(c, "message", text)
}

func (conformanceHub) SendCaller(c *appserver.Context, text string) error {
	return c.Clients().Caller().Send(c, "message", text)
}

func (conformanceHub) SendAllExcept(c *appserver.Context, ids []string, text string) error {
	return c.Clients().AllExcept(ids...).Send(c, "message", text)
}

func (conformanceHub) SendClient(c *appserver.Context, id, text string) error {
	return c.Clients().Client(id).Send(c, "message", text)
}

func (conformanceHub) SendClients(c *appserver.Context, ids []string, text string) error {
	return c.Clients().Clients(ids...).Send(c, "message", text)
}

func (conformanceHub) SendUser(c *appserver.Context, user, text string) error {
	return c.Clients().User(user).Send(c, "message", text)
}

func (conformanceHub) SendUsers(c *appserver.Context, users []string, text string) error {
	return c.Clients().Users(users...).Send(c, "message", text)
}

func (conformanceHub) SendGroup(c *appserver.Context, group, text string) error {
	return c.Clients().Group(group).Send(c, "message", text)
}

func (conformanceHub) SendGroupExcept(c *appserver.Context, group string, ids []string, text string) error {
	return c.Clients().GroupExcept(group, ids...).Send(c, "message", text)
}

func (conformanceHub) SendOthersInGroup(c *appserver.Context, group, text string) error {
	return c.Clients().OthersInGroup(group).Send(c, "message", text)
}

func (conformanceHub) SendGroups(c *appserver.Context, groups []string, text string) error {
	return c.Clients().Groups(groups...).Send(c, "message", text)
}

func (conformanceHub) SendMany(c *appserver.Context, count int) error {
	for i := range count {
		if err := c.Clients().Caller().Send(c, "number", i); err != nil {
			return err
		}
	}
	return nil
}

func (conformanceHub) SendValues(c *appserver.Context) error {
	six := person{"Six", 7, []string{"eight"}, map[string]float64{"nine": 10.5}}
	return c.Clients().Caller().Send(c, "values", 1, 2.5, "three", true, []byte{4, 5}, six)
}

func (conformanceHub) SendNoArguments(c *appserver.Context) error {
	return c.Clients().Caller().Send(c, "nothing")
}

// Groups.

func (h conformanceHub) JoinGroup(c *appserver.Context, group string) error {
	return h.AddToGroup(c, c.ConnectionID(), group)
}

func (conformanceHub) LeaveGroup(c *appserver.Context, group string) error {
	return c.Groups().Remove(c, c.ConnectionID(), group)
}

func (conformanceHub) AddToGroup(c *appserver.Context, id, group string) error {
	if err := c.Groups().Add(c, id, group); !errors.Is(err, appserver.ErrNotFound) {
		return err
	}
	return nil
}

// Streams.

func (h conformanceHub) Count(c *appserver.Context, count, delay int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		defer func() {
			if c.Err() != nil {
				h.log.add("stream cancelled %s", c.ConnectionID())
			}
		}()
		for i := range count {
			if delay > 0 {
				select {
				case <-time.After(time.Duration(delay) * time.Millisecond):
				case <-c.Done():
					yield(0, c.Err())
					return
				}
			}
			if !yield(i, nil) {
				return
			}
		}
	}
}

func (conformanceHub) Letters(ctx context.Context, count int) <-chan string {
	letters := make(chan string, 4)
	go func() {
		defer close(letters)
		for i := range count {
			select {
			case letters <- string(rune('a' + i%26)):
			case <-ctx.Done():
				return
			}
		}
	}()
	return letters
}

func (conformanceHub) FailingCount(count int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range count {
			if !yield(i, nil) {
				return
			}
		}
		yield(0, appserver.HubErrorf("the stream broke"))
	}
}

func (conformanceHub) Sum(numbers iter.Seq2[int, error]) (int64, error) {
	sum := int64(0)
	for n, err := range numbers {
		if err != nil {
			return 0, err
		}
		sum += int64(n)
	}
	return sum, nil
}

func (conformanceHub) Upload(name string, chunks <-chan []byte) string {
	bytes := 0
	for chunk := range chunks {
		bytes += len(chunk)
	}
	return fmt.Sprintf("%s: %d bytes", name, bytes)
}

func (conformanceHub) Double(numbers iter.Seq2[int, error]) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for n, err := range numbers {
			if !yield(2*n, err) {
				return
			}
		}
	}
}

func (conformanceHub) UploadFails(numbers iter.Seq2[int, error]) string {
	for _, err := range numbers {
		if err != nil {
			return err.Error()
		}
	}
	return "completed"
}

// The server asks a client.

func (conformanceHub) Ask(c *appserver.Context, id, question string, timeout int) (*string, error) {
	ctx, cancel := context.WithTimeout(c, time.Duration(timeout)*time.Millisecond)
	defer cancel()
	var said *string // a client may have nothing to say
	if err := c.Clients().Client(id).Invoke(ctx, &said, "ask", question); err != nil {
		text := describe(err)
		return &text, nil
	}
	return said, nil
}

// describe says what went wrong in the words of the .NET app server.
func describe(err error) string {
	var hubError *appserver.HubError
	switch {
	case errors.As(err, &hubError):
		return "HubException: " + hubError.Message
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return "IOException: " + err.Error()
}

// otherHub is another hub: what happens here is not seen in the first one.
type otherHub struct{}

func (otherHub) SendAll(c *appserver.Context, text string) error {
	return c.Clients().All().Send(c, "message", text)
}

func (otherHub) JoinGroup(c *appserver.Context, group string) error {
	return c.Groups().Add(c, c.ConnectionID(), group)
}

func (otherHub) SendGroup(c *appserver.Context, group, text string) error {
	return c.Clients().Group(group).Send(c, "message", text)
}

func (otherHub) SendUser(c *appserver.Context, user, text string) error {
	return c.Clients().User(user).Send(c, "message", text)
}

// secureHub is a hub for users who have signed in, with a method for some of them.
type secureHub struct{}

func (secureHub) Me(c *appserver.Context) *string { return optional(c.UserID()) }

func (secureHub) AdminOnly(c *appserver.Context) (string, error) {
	if !c.User().HasRole("admin") {
		return "", appserver.ErrUnauthorized
	}
	return "admin", nil
}

// optional is nil for an empty text.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// log holds the lines that hubs write and tests read.
type log struct {
	mu   sync.Mutex
	text []string
}

func (l *log) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, fmt.Sprintf(format, args...))
}

func (l *log) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.text...)
}
