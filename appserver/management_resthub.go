package appserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tinylib/msgp/msgp"

	"github.com/hubgate/hubgate/internal/hubproto"
	"github.com/hubgate/hubgate/internal/svcproto"
)

// Error codes by which the service says that something is not there, and that a client failed.
const (
	codeNoConnection      = "Warning.Connection.NotExisted"
	codeNoConnectionToAdd = "Error.Connection.NotExisted"
	codeNoUser            = "Warning.User.NotExisted"
	codeNoGroup           = "Warning.Group.NotExisted"
	codeNotInGroup        = "Info.User.NotInGroup"
	codeFailedConnection  = "Error.Connection.Unknown"
)

// maxParallelCalls bounds the requests that one call of the application becomes at a time, as sends to a list of users do.
const maxParallelCalls = 16

// restHub sends to a hub over the data-plane REST API.
type restHub struct {
	client *restClient
	base   string // path of the hub
}

var _ sender = (*restHub)(nil)

func (c *restClient) hub(name string) *restHub {
	return &restHub{client: c, base: "api/hubs/" + escape(strings.ToLower(name))}
}

func (h *restHub) payloads(m *hubproto.Message, args []any) ([]svcproto.Payload, error) {
	return h.client.app.payloads(m, args)
}

// call begins a call: its path is that of the hub, then the segments, of which those at odd places are names.
func (h *restHub) call(method string, segments ...string) (restCall, error) {
	var path strings.Builder
	path.WriteString(h.base)
	for i, segment := range segments {
		path.WriteByte('/')
		if i%2 == 0 {
			path.WriteString(segment)
			continue
		}
		// Whatever is on the way may take these for directories and leave them out; then a send to a group would go to all.
		if segment == "" || segment == "." || segment == ".." {
			return restCall{}, &ServiceError{
				Kind: InvalidArgument, Operation: method + " /" + path.String(),
				Message: fmt.Sprintf("the name %q cannot be part of a URL; use the transport Persistent for it", segment),
			}
		}
		path.WriteString(escape(segment))
	}
	return restCall{method: method, path: path.String(), version: apiVersion}, nil
}

// send makes the requests that m stands for, side by side where there are several, and reports all errors.
func (h *restHub) send(ctx context.Context, _ string, m svcproto.Message) error {
	calls, err := h.calls(m)
	if err != nil {
		return err
	}
	if len(calls) == 1 {
		_, err := h.client.do(ctx, calls[0])
		return err
	}
	results := make([]error, len(calls))
	var group sync.WaitGroup
	free := make(chan struct{}, maxParallelCalls)
	for i, call := range calls {
		free <- struct{}{}
		group.Go(func() {
			_, results[i] = h.client.do(ctx, call)
			<-free
		})
	}
	group.Wait()
	return errors.Join(results...)
}

// calls are the requests that a message which is not confirmed stands for.
func (h *restHub) calls(m svcproto.Message) ([]restCall, error) {
	switch m := m.(type) {
	case *svcproto.BroadcastData:
		return h.sends(m.Payloads, m.ExcludedConnectionIDs, "", nil)
	case *svcproto.GroupBroadcastData:
		return h.sends(m.Payloads, m.ExcludedConnectionIDs, "groups", [][]byte{m.Group})
	case *svcproto.MultiGroupBroadcastData:
		return h.sends(m.Payloads, nil, "groups", m.Groups)
	case *svcproto.MultiConnectionData:
		return h.sends(m.Payloads, nil, "connections", m.ConnectionIDs)
	case *svcproto.UserData:
		return h.sends(m.Payloads, nil, "users", [][]byte{m.UserID})
	case *svcproto.MultiUserData:
		return h.sends(m.Payloads, nil, "users", m.UserIDs)
	case *svcproto.CloseConnection:
		call, err := h.call(http.MethodDelete, "connections", m.ConnectionID)
		call.no = codeNoConnection
		if m.Error != "" {
			call.more = url.Values{"reason": {m.Error}}
		}
		return []restCall{call}, err
	}
	return nil, fmt.Errorf("there is no REST call for a %v message", m.Type())
}

// sends are the requests that send payloads to each of the names of a kind, or to all clients when the kind is "".
func (h *restHub) sends(payloads []svcproto.Payload, excluded [][]byte, kind string, names [][]byte) ([]restCall, error) {
	body := msgp.AppendMapHeader(nil, uint32(len(payloads)))
	for _, p := range payloads {
		body = msgp.AppendBytes(msgp.AppendStringFromBytes(body, p.Protocol), p.Data)
	}
	more := url.Values{}
	for _, id := range excluded {
		more.Add("excluded", string(id))
	}
	paths := [][]string{{":send"}}
	if kind != "" {
		paths = paths[:0]
		for _, name := range names {
			paths = append(paths, []string{kind, string(name), ":send"})
		}
	}
	calls := make([]restCall, 0, len(paths))
	for _, path := range paths {
		call, err := h.call(http.MethodPost, path...)
		if err != nil {
			return nil, err
		}
		call.more, call.body, call.kind, call.repeat = more, body, "application/octet-stream", repeatSend
		calls = append(calls, call)
	}
	return calls, nil
}

func (h *restHub) request(ctx context.Context, _ string, message func(ackID int64) svcproto.Message) (bool, error) {
	call, err := h.confirmed(message(0))
	if err != nil {
		return false, err
	}
	answer, err := h.client.do(ctx, call)
	return answer.yes, err
}

// confirmed is the request that a message which is confirmed stands for.
func (h *restHub) confirmed(m svcproto.Message) (restCall, error) {
	switch m := m.(type) {
	case *svcproto.JoinGroupWithAck:
		call, err := h.call(http.MethodPut, "groups", m.Group, "connections", m.ConnectionID)
		call.no = codeNoConnectionToAdd
		return call, err
	case *svcproto.LeaveGroupWithAck:
		if !m.Group.Valid {
			return h.call(http.MethodDelete, "connections", m.ConnectionID, "groups")
		}
		call, err := h.call(http.MethodDelete, "groups", m.Group.Value, "connections", m.ConnectionID)
		call.no = codeNoConnectionToAdd
		return call, err
	case *svcproto.UserJoinGroupWithAck:
		call, err := h.call(http.MethodPut, "users", m.UserID, "groups", m.Group)
		if m.TTL.Valid {
			call.more = url.Values{"ttl": {strconv.Itoa(m.TTL.Value)}}
		}
		return call, err
	case *svcproto.UserLeaveGroupWithAck:
		if !m.Group.Valid {
			return h.call(http.MethodDelete, "users", m.UserID, "groups")
		}
		return h.call(http.MethodDelete, "users", m.UserID, "groups", m.Group.Value)
	case *svcproto.CheckConnectionExistenceWithAck:
		return h.check(codeNoConnection, "connections", m.ConnectionID)
	case *svcproto.CheckUserExistenceWithAck:
		return h.check(codeNoUser, "users", m.UserID)
	case *svcproto.CheckGroupExistenceWithAck:
		return h.check(codeNoGroup, "groups", m.Group)
	case *svcproto.CheckUserInGroupWithAck:
		return h.check(codeNotInGroup, "users", m.UserID, "groups", m.Group)
	case *svcproto.CloseConnectionsWithAck:
		return h.closing(m.Reason, m.ExcludedConnectionIDs, ":closeConnections")
	case *svcproto.CloseGroupConnectionsWithAck:
		return h.closing(m.Reason, m.ExcludedConnectionIDs, "groups", m.Group, ":closeConnections")
	case *svcproto.CloseUserConnectionsWithAck:
		return h.closing(m.Reason, m.ExcludedConnectionIDs, "users", m.UserID, ":closeConnections")
	}
	return restCall{}, fmt.Errorf("there is no REST call for a %v message", m.Type())
}

// check asks whether something exists; no is how the service says that it does not.
func (h *restHub) check(no string, segments ...string) (restCall, error) {
	method := http.MethodHead
	if len(segments) > 2 {
		method = http.MethodGet // for a user in a group, as the .NET SDK does
	}
	call, err := h.call(method, segments...)
	call.no, call.check = no, true
	return call, err
}

func (h *restHub) closing(reason svcproto.OptionalString, excluded []string, segments ...string) (restCall, error) {
	call, err := h.call(http.MethodPost, segments...)
	call.more = url.Values{}
	if len(excluded) > 0 {
		call.more["excluded"] = excluded
	}
	if reason.Valid {
		call.more.Set("reason", reason.Value)
	}
	return call, err
}

// memberPage is a page of the list of a group's members.
type memberPage struct {
	Value []struct {
		ConnectionID string `json:"connectionId"`
		UserID       string `json:"userId"`
	} `json:"value"`
	NextLink string `json:"nextLink"`
}

func (h *restHub) members(ctx context.Context, q svcproto.GroupMemberQuery) (page svcproto.GroupMembers, err error) {
	call, err := h.call(http.MethodGet, "groups", q.Group, "connections")
	if err != nil {
		return page, err
	}
	call.version, call.content, call.more = apiVersionNewest, true, url.Values{}
	if q.MaxPageSize.Valid {
		call.more.Set("maxpagesize", strconv.Itoa(q.MaxPageSize.Value))
	}
	if q.ContinuationToken.Valid {
		call.more.Set("continuationToken", q.ContinuationToken.Value)
	}
	answer, err := h.client.do(ctx, call)
	if err != nil {
		return page, err
	}
	var list memberPage
	if err := json.Unmarshal(answer.body, &list); err != nil {
		return page, fmt.Errorf("the service's list of the members of a group: %w", err)
	}
	for _, m := range list.Value {
		page.Members = append(page.Members, svcproto.GroupMember{ConnectionID: m.ConnectionID, UserID: optionalText(m.UserID)})
	}
	// Of the link only the token is taken, for its host need not be one that this end can reach, or trust with its own token.
	if next, err := url.Parse(list.NextLink); err != nil {
		return page, fmt.Errorf("the service's link to the next members of a group: %w", err)
	} else if token := next.Query().Get("continuationToken"); token != "" {
		if token == q.ContinuationToken.Value {
			return page, errors.New("the service's link to the next members of a group leads to the same ones")
		}
		page.ContinuationToken = svcproto.Some(token)
	}
	return page, nil
}

// question is the body of a request that asks a client for a result.
type question struct {
	Target    string           `json:"target"`
	Arguments []jsontext.Value `json:"arguments"`
}

// clientAnswer is what a client gave as a result.
type clientAnswer struct {
	Result   jsontext.Value `json:"result"`
	Protocol string         `json:"protocol"` // of Result, when the service cannot turn it into JSON
}

func (h *restHub) invokeClient(ctx context.Context, connectionID string, result any, target string, args []any) error {
	if err := checkResult(result); err != nil {
		return err
	}
	call, err := h.call(http.MethodPost, "connections", connectionID, ":invoke")
	if err != nil {
		return err
	}
	q := question{Target: target, Arguments: make([]jsontext.Value, len(args))}
	for i, arg := range args {
		if q.Arguments[i], err = encodeJSON(arg); err != nil {
			return fmt.Errorf("argument %d of %s: %w", i, target, err)
		}
	}
	if call.body, err = json.Marshal(q, jsontext.AllowInvalidUTF8(true)); err != nil {
		return err
	}
	call.version, call.kind, call.repeat, call.content = apiVersionNewest, "application/json; charset=utf-8", repeatNever, true
	answer, err := h.client.do(ctx, call)
	if err != nil {
		return invocationError(err)
	}
	var a clientAnswer
	if err := json.Unmarshal(answer.body, &a); err != nil {
		return fmt.Errorf("the service's answer for the client: %w", err)
	}
	switch {
	case result == nil || len(a.Result) == 0:
		return nil
	case a.Protocol != "":
		return fmt.Errorf("the client answered in the hub protocol %q, of which the service makes no JSON", a.Protocol)
	}
	if err := h.client.app.decode(hubproto.JSON, hubproto.RawValue(a.Result), reflect.ValueOf(result)); err != nil {
		return fmt.Errorf("result of the client: %w", err)
	}
	return nil
}

// invocationError tells a client's error, and a client that is gone, from what is wrong with the request.
func invocationError(err error) error {
	var e *ServiceError
	switch {
	case !errors.As(err, &e):
	case e.StatusCode == http.StatusNotFound && strings.EqualFold(e.Code, codeNoConnectionToAdd), strings.EqualFold(e.Code, codeNoConnection):
		return ErrClientDisconnected
	case e.StatusCode == http.StatusBadRequest && strings.EqualFold(e.Code, codeFailedConnection):
		var problem struct {
			Message string `json:"message"`
		}
		if json.Unmarshal([]byte(e.Message), &problem) == nil && problem.Message != "" {
			return &HubError{problem.Message}
		}
	}
	return err
}
