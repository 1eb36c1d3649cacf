package session

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/upstream"
)

// event begins an event of the client.
func (l *serverlessLink) event(category, name string, body []byte) serverlessEvent {
	c := &l.session.client
	e := serverlessEvent{Event: upstream.Event{
		Hub: l.session.hub.Name, ConnectionID: c.ID, UserID: c.UserID, HasUser: c.HasUser,
		Category: category, Name: name, ContentType: upstream.ContentTypeJSON, Body: body,
	}}
	if l.open != nil {
		e.Query = l.open.Query
		e.Claims = userClaims(l.currentClaims())
	}
	return e
}

// identity is the client as events about it name it.
func (l *serverlessLink) identity() upstream.Client {
	c := &l.session.client
	return upstream.Client{Hub: l.session.hub.Name, ConnectionID: c.ID, UserID: c.UserID, HasUser: c.HasUser}
}

// notOfUser are the claims that are about the token (service-protocol §3.3).
var notOfUser = map[string]bool{
	"aud": true, "exp": true, "iat": true, "nbf": true, "iss": true, "actort": true, "acr": true, "azp": true, "c_hash": true, "jti": true,
	"nonce": true,
}

// userClaims are the claims of the user, as an app server's SDK would make them out of those of the token.
func userClaims(claims []svcproto.Claim) []upstream.Claim {
	var all []upstream.Claim
	for _, c := range claims {
		if notOfUser[c.Type] || strings.HasPrefix(c.Type, "asrs.s.") {
			continue
		}
		all = append(all, upstream.Claim{Type: strings.TrimPrefix(c.Type, "asrs.u."), Value: c.Value})
	}
	return all
}

// queue hands an event to the client's worker; wait is for the reader, which is held up while too much waits.
func (l *serverlessLink) queue(e serverlessEvent, wait bool) error {
	if l.service.Upstream == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for wait && !l.over && (len(l.events) >= maxEvents || l.bytes > 0 && l.bytes+len(e.Body) > maxEventBytes) {
		l.blocked = true
		l.room.Wait()
	}
	l.blocked = false
	if l.over {
		return errOver
	}
	l.queueLocked(e)
	return nil
}

func (l *serverlessLink) queueLocked(e serverlessEvent) {
	if l.service.Upstream == nil {
		return
	}
	l.events = append(l.events, e)
	l.bytes += len(e.Body)
	if !l.working {
		if l.working = l.service.serverless.spawn(l.work); !l.working {
			l.events, l.bytes = nil, 0
		}
	}
}

// work sends the client's events, one after another, and ends when none waits.
func (l *serverlessLink) work() {
	for {
		l.mu.Lock()
		if len(l.events) == 0 {
			l.working = false
			l.events = nil
			l.mu.Unlock()
			return
		}
		e := l.events[0]
		l.events[0] = serverlessEvent{}
		l.events = l.events[1:]
		l.bytes -= len(e.Body)
		l.room.Broadcast()
		l.mu.Unlock()
		response, err := l.service.Upstream.Dispatch(l.service.serverless.ctx, &e.Event)
		switch {
		case e.Category == upstream.CategoryConnections:
			if e.Name == upstream.EventConnected && err == nil && refusal(response.Status) {
				l.close(InvokeUpstreamFailed, hubproto.ClosedWithError, false)
			}
		case e.invocationID != "":
			l.reply(l.completion(e.invocationID, response, err))
		}
	}
}

// refusal tells the statuses with which an endpoint turns a client away from those that say that something went wrong: most endpoints have
// no handler for clients that connect, and say so.
func refusal(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// completion is the answer to an invocation: what the endpoint answered, or an error.
func (l *serverlessLink) completion(id string, r *upstream.Response, err error) []byte {
	failed := func(text string) []byte { return l.protocol.AppendCompletionError(nil, id, text) }
	switch {
	case errors.Is(err, upstream.ErrNoTemplate):
		return failed(textNoUpstream)
	case errors.Is(err, upstream.ErrTooLarge):
		return failed(textTooLarge)
	case err != nil:
		return failed("Invocation failed, status code 500")
	case !r.OK():
		return failed("Invocation failed, status code " + strconv.Itoa(r.Status))
	case len(r.Body) == 0:
		empty, _ := l.protocol.Append(nil, &hubproto.Message{Type: hubproto.Completion, InvocationID: id, HasInvocationID: true})
		return empty
	}
	body := r.Body
	if !l.completes(body, id) {
		// An endpoint may have left the framing out.
		if body = frame(l.protocol, r.Body); !l.completes(body, id) {
			l.service.Logger.LogAttrs(l.service.serverless.ctx, slog.LevelDebug, "an upstream endpoint's response is not a completion",
				slog.String("hub", l.session.hub.Name), slog.String("connection", l.session.client.ID))
			return failed(textBadUpstream)
		}
	}
	return body
}

// completes reports whether body is whole hub messages, the completion of the invocation among them: anything else could break the client.
func (l *serverlessLink) completes(body []byte, id string) bool {
	found := false
	for len(body) > 0 {
		m, size, err := l.protocol.Next(body, len(body))
		if err != nil || size == 0 {
			return false
		}
		parsed, err := l.protocol.Parse(m)
		if err != nil {
			return false
		}
		found = found || parsed.Type == hubproto.Completion && parsed.InvocationID == id
		body = body[size:]
	}
	return found
}
