package serverlink

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/hub"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// Refresher changes and tells the claims of clients, which app servers name by connection token. A client of another hub than h is none.
type Refresher interface {
	RefreshAuth(h *hub.Hub, m *svcproto.RefreshAuth) *svcproto.Ack
	ConnectionClaims(h *hub.Hub, m *svcproto.GetConnectionClaims) *svcproto.Ack
}

// SetAccess replaces who may connect. Links that are open stay. Those of app servers with a temporary access key get the new one at once when the
// keys are other ones now.
func (s *Server) SetAccess(a *auth.Access) {
	old := s.access.Swap(a)
	if a.Temporary == nil || a.Temporary.Same(old.Temporary) {
		return
	}
	s.mu.Lock()
	all := make([]*Link, 0, len(s.links))
	for l := range s.links {
		all = append(all, l)
	}
	s.mu.Unlock()
	now := time.Now()
	for _, l := range all {
		l.keys.renew(l, a.Temporary.Current(now), now)
	}
}

// keyTimeout bounds how long the check of an access token may wait for the keys of its issuer.
const keyTimeout = 30 * time.Second

// keyRequests are the requests of one app server for temporary access keys. A token may have to wait for its issuer's keys, so it is not checked
// where the link reads.
type keyRequests struct {
	mu      sync.Mutex
	busy    bool
	stop    context.CancelFunc // of what is busy
	over    bool
	expires time.Time // of the access token that the last key was given for; zero: none was given
	done    sync.WaitGroup
}

// request answers a request for a key (service-protocol §3.5).
func (k *keyRequests) request(l *Link, m *svcproto.AccessKeyRequest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.over {
		return
	}
	if k.busy {
		refuseKey(l, "TooManyRequests", "another request of this connection for an access key is not answered yet")
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), keyTimeout)
	k.busy, k.stop = true, stop
	k.done.Go(func() {
		defer stop()
		key, expires, err := l.server.access.Load().TemporaryKey(ctx, m.Token, time.Now())
		k.mu.Lock()
		k.busy = false
		k.expires = expires
		k.mu.Unlock()
		if err != nil {
			l.server.Logger.Warn("no temporary access key was given", "hub", l.hub.Name, "server", l.serverID, "connection", l.id, "reason", err)
			refuseKeyFor(l, err)
			return
		}
		giveKey(l, key)
	})
}

// renew gives the app server a key that it did not ask for, if it has one of the former keys.
func (k *keyRequests) renew(l *Link, key auth.TemporaryKey, now time.Time) {
	k.mu.Lock()
	entitled := !k.over && now.Before(k.expires)
	k.mu.Unlock()
	if entitled {
		giveKey(l, key)
	}
}

// end waits until nothing is being checked any more.
func (k *keyRequests) end() {
	k.mu.Lock()
	k.over = true
	if k.busy {
		k.stop()
	}
	k.mu.Unlock()
	k.done.Wait()
}

func giveKey(l *Link, key auth.TemporaryKey) {
	_ = l.Send(&svcproto.AccessKeyResponse{KeyID: svcproto.Some(key.ID), AccessKey: svcproto.Some(key.Key)})
}

func refuseKey(l *Link, kind, text string) {
	_ = l.Send(&svcproto.AccessKeyResponse{ErrorType: svcproto.Some(kind), ErrorMessage: svcproto.Some(text)})
}

// refuseKeyFor tells an app server why it gets no key. It logs both texts.
func refuseKeyFor(l *Link, err error) {
	if e, ok := errors.AsType[*auth.RoleError](err); ok {
		refuseKey(l, "Forbidden", e.Error())
		return
	}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		text := e.Description
		if text == "" {
			text = "the access token is not valid"
		}
		refuseKey(l, "Unauthorized", text)
		return
	}
	refuseKey(l, "NotSupported", "this instance hands out no temporary access keys: use a connection string with an AccessKey")
}

// refresh answers the messages that are about the claims of clients.
func (l *Link) refresh(m svcproto.Message) {
	r := l.server.Refresher
	var ack *svcproto.Ack
	switch m := m.(type) {
	case *svcproto.RefreshAuth:
		if ack = notRefreshed(m.AckID); r != nil {
			ack = r.RefreshAuth(l.hub, m)
		}
	case *svcproto.GetConnectionClaims:
		if ack = notRefreshed(m.AckID); r != nil {
			ack = r.ConnectionClaims(l.hub, m)
		}
	}
	_ = l.Send(ack)
}

func notRefreshed(ackID int64) *svcproto.Ack {
	return &svcproto.Ack{AckID: ackID, Status: svcproto.AckNotFound, Message: "this service refreshes no authentication", HasPayload: true}
}

// RefreshesAuthentication says whether the app server may ask for the claims of clients, so that they must be kept for it: since 2026 the .NET SDK
// does, in its build for .NET 11, and of an app server that does not say what it is nobody knows.
func (l *Link) RefreshesAuthentication() bool { return l.refreshes }

// refreshesAuthentication reads the product, its version and the runtime from the header Asrs-User-Agent, which is like
// "Microsoft.Azure.SignalR/1.34.0-rtm+9c44 (.NET 11.0.1; Linux; X64)".
func refreshesAuthentication(userAgent string) bool {
	version, isSDK := strings.CutPrefix(userAgent, "Microsoft.Azure.SignalR/")
	if !isSDK {
		return userAgent == ""
	}
	_, runtime, _ := strings.Cut(version, "(.NET ")
	return atLeast(version, 1, 33, 1) && atLeast(runtime, 11)
}

// How long an app server built on the .NET SDK takes from sending a question to waiting for its answer (ServiceLifetimeManager writes the
// message before it adds the invocation): some microseconds, but more on a busy machine, and much more when that code runs for the first time
// and has yet to be compiled, which is once for each type of result and so is guessed at.
const (
	settleTime      = 20 * time.Millisecond
	firstSettleTime = 150 * time.Millisecond
	firstQuestions  = 3 // of a server connection
)

// settleTime is how long the answer to the question that the app server asks now has to wait.
func (l *Link) settleTime() time.Duration {
	switch l.asked++; {
	case !l.settles:
		return 0
	case l.asked <= firstQuestions:
		return firstSettleTime
	}
	return settleTime
}

// atLeast compares the numbers that a text begins with, which dots separate.
func atLeast(text string, want ...int) bool {
	for _, w := range want {
		digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
		n, err := strconv.Atoi(text[:digits])
		if err != nil || n < w {
			return false
		}
		if n > w {
			return true
		}
		text = strings.TrimPrefix(text[digits:], ".")
	}
	return true
}
