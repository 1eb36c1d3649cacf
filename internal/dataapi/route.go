package dataapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hubgate/hubgate/internal/auth"
)

// route is one operation under one path.
type route struct {
	methods string // with spaces between them
	path    string
	since   version
	status  int // on success
	open    bool
	do      func(*call) error

	// Made from path.
	segments   []string // "" stands for a parameter
	parameters []string
}

// routes are all operations (signalr-service §3.4, §3.9 and §3.10). Where two orders of a path are in use both are here, and every check of
// existence answers GET and HEAD, for clients differ.
var routes = prepare([]route{
	// Dated versions.
	{methods: "GET HEAD", path: "/api/health", since: v20220601, status: 200, open: true, do: (*call).health},
	{methods: "GET", path: "/api/auth/accessKey", since: v20230701, do: (*call).accessKey},
	{methods: "POST", path: "/api/hubs/{hub}/:send", since: v20220601, status: 202, do: (*call).sendToAll},
	{methods: "POST", path: "/api/hubs/{hub}/:closeConnections", since: v20220601, status: 204, do: (*call).closeAll},
	{methods: "POST", path: "/api/hubs/{hub}/:generateToken", since: v20221101, status: 200, do: (*call).generateToken},
	{methods: "POST", path: "/api/hubs/{hub}/:execute", since: v20230701, status: 202, do: (*call).execute},
	{methods: "GET HEAD", path: "/api/hubs/{hub}/connections/{connectionId}", since: v20220601, status: 200, do: (*call).checkConnection},
	{methods: "DELETE", path: "/api/hubs/{hub}/connections/{connectionId}", since: v20220601, status: 200, do: (*call).closeConnection},
	{methods: "POST", path: "/api/hubs/{hub}/connections/{connectionId}/:send", since: v20220601, status: 202, do: (*call).sendToConnection},
	{methods: "POST", path: "/api/hubs/{hub}/connections/{connectionId}/:invoke", since: v20241201, status: 200, do: (*call).invoke},
	{methods: "DELETE", path: "/api/hubs/{hub}/connections/{connectionId}/groups", since: v20220601, status: 200, do: (*call).leaveAllGroups},
	{methods: "PUT", path: "/api/hubs/{hub}/connections/{connectionId}/groups/{group}", since: v20220601, status: 200, do: (*call).joinGroup},
	{methods: "DELETE", path: "/api/hubs/{hub}/connections/{connectionId}/groups/{group}", since: v20220601, status: 200, do: (*call).leaveGroup},
	{methods: "POST", path: "/api/hubs/{hub}/connections/{connectionId}/streams/{streamId}/:send", since: v20241201, status: 202, do: (*call).sendToStream},
	{methods: "POST", path: "/api/hubs/{hub}/connections/{connectionId}/streams/{streamId}/:complete", since: v20241201, status: 202, do: (*call).completeStream},
	{methods: "GET HEAD", path: "/api/hubs/{hub}/groups/{group}", since: v20220601, status: 200, do: (*call).checkGroup},
	{methods: "POST", path: "/api/hubs/{hub}/groups/{group}/:send", since: v20220601, status: 202, do: (*call).sendToGroup},
	{methods: "POST", path: "/api/hubs/{hub}/groups/{group}/:closeConnections", since: v20220601, status: 204, do: (*call).closeGroup},
	{methods: "GET", path: "/api/hubs/{hub}/groups/{group}/connections", since: v20241201, status: 200, do: (*call).listGroup},
	{methods: "PUT", path: "/api/hubs/{hub}/groups/{group}/connections/{connectionId}", since: v20220601, status: 200, do: (*call).joinGroup},
	{methods: "DELETE", path: "/api/hubs/{hub}/groups/{group}/connections/{connectionId}", since: v20220601, status: 200, do: (*call).leaveGroup},
	{methods: "GET HEAD", path: "/api/hubs/{hub}/groups/{group}/users/{user}", since: v20220601, status: 200, do: (*call).checkUserInGroup},
	{methods: "PUT", path: "/api/hubs/{hub}/groups/{group}/users/{user}", since: v20220601, status: 200, do: (*call).userJoin},
	{methods: "DELETE", path: "/api/hubs/{hub}/groups/{group}/users/{user}", since: v20220601, status: 204, do: (*call).userLeave},
	{methods: "GET HEAD", path: "/api/hubs/{hub}/users/{user}", since: v20220601, status: 200, do: (*call).checkUser},
	{methods: "POST", path: "/api/hubs/{hub}/users/{user}/:send", since: v20220601, status: 202, do: (*call).sendToUser},
	{methods: "POST", path: "/api/hubs/{hub}/users/{user}/:closeConnections", since: v20220601, status: 204, do: (*call).closeUser},
	{methods: "DELETE", path: "/api/hubs/{hub}/users/{user}/groups", since: v20220601, status: 204, do: (*call).userLeaveAll},
	{methods: "GET HEAD", path: "/api/hubs/{hub}/users/{user}/groups/{group}", since: v20220601, status: 200, do: (*call).checkUserInGroup},
	{methods: "PUT", path: "/api/hubs/{hub}/users/{user}/groups/{group}", since: v20220601, status: 200, do: (*call).userJoin},
	{methods: "DELETE", path: "/api/hubs/{hub}/users/{user}/groups/{group}", since: v20220601, status: 204, do: (*call).userLeave},
	{methods: "POST", path: "/api/hubs/{hub}/connections/:refreshAuth", since: v20260701, status: 200, do: (*call).refreshAuth},
	{methods: "POST", path: "/api/hubs/{hub}/connections/claims", since: v20260701, status: 200, do: (*call).connectionClaims},

	// Beyond Azure.
	{methods: "GET", path: "/api/hubgate/hubs/{hub}/connections", since: v20220601, status: 200, do: (*call).listConnections},
	{methods: "GET", path: "/api/hubgate/hubs/{hub}/users", since: v20220601, status: 200, do: (*call).listUsers},
	{methods: "GET", path: "/api/hubgate/hubs/{hub}/groups", since: v20220601, status: 200, do: (*call).listGroups},

	// Version 1.
	{methods: "GET HEAD", path: "/api/v1/health", since: v1, status: 200, open: true, do: (*call).health},
	{methods: "GET", path: "/api/v1/auth/accessKey", since: v1, do: (*call).accessKey},
	{methods: "POST", path: "/api/v1/hubs/{hub}", since: v1, status: 202, do: (*call).sendToAll},
	{methods: "GET HEAD", path: "/api/v1/hubs/{hub}/connections/{connectionId}", since: v1, status: 200, do: (*call).checkConnection},
	{methods: "POST", path: "/api/v1/hubs/{hub}/connections/{connectionId}", since: v1, status: 202, do: (*call).sendToConnection},
	{methods: "DELETE", path: "/api/v1/hubs/{hub}/connections/{connectionId}", since: v1, status: 202, do: (*call).closeConnection},
	{methods: "PUT", path: "/api/v1/hubs/{hub}/connections/{connectionId}/groups/{group}", since: v1, status: 200, do: (*call).joinGroup},
	{methods: "DELETE", path: "/api/v1/hubs/{hub}/connections/{connectionId}/groups/{group}", since: v1, status: 200, do: (*call).leaveGroup},
	{methods: "GET HEAD", path: "/api/v1/hubs/{hub}/groups/{group}", since: v1, status: 200, do: (*call).checkGroup},
	{methods: "POST", path: "/api/v1/hubs/{hub}/groups/{group}", since: v1, status: 202, do: (*call).sendToGroup},
	{methods: "PUT", path: "/api/v1/hubs/{hub}/groups/{group}/connections/{connectionId}", since: v1, status: 200, do: (*call).joinGroup},
	{methods: "DELETE", path: "/api/v1/hubs/{hub}/groups/{group}/connections/{connectionId}", since: v1, status: 200, do: (*call).leaveGroup},
	{methods: "GET HEAD", path: "/api/v1/hubs/{hub}/groups/{group}/users/{user}", since: v1, status: 200, do: (*call).checkUserInGroup},
	{methods: "PUT", path: "/api/v1/hubs/{hub}/groups/{group}/users/{user}", since: v1, status: 202, do: (*call).userJoin},
	{methods: "DELETE", path: "/api/v1/hubs/{hub}/groups/{group}/users/{user}", since: v1, status: 202, do: (*call).userLeave},
	{methods: "GET HEAD", path: "/api/v1/hubs/{hub}/users/{user}", since: v1, status: 200, do: (*call).checkUser},
	{methods: "POST", path: "/api/v1/hubs/{hub}/users/{user}", since: v1, status: 202, do: (*call).sendToUser},
	{methods: "DELETE", path: "/api/v1/hubs/{hub}/users/{user}/groups", since: v1, status: 202, do: (*call).userLeaveAll},
	{methods: "GET HEAD", path: "/api/v1/hubs/{hub}/users/{user}/groups/{group}", since: v1, status: 200, do: (*call).checkUserInGroup},
	{methods: "PUT", path: "/api/v1/hubs/{hub}/users/{user}/groups/{group}", since: v1, status: 202, do: (*call).userJoin},
	{methods: "DELETE", path: "/api/v1/hubs/{hub}/users/{user}/groups/{group}", since: v1, status: 202, do: (*call).userLeave},

	// The preview of version 1.
	{methods: "POST", path: "/api/v1-preview/hub/{hub}", since: v1Preview, status: 202, do: (*call).sendToAll},
	{methods: "POST", path: "/api/v1-preview/hub/{hub}/user/{user}", since: v1Preview, status: 202, do: (*call).sendToUser},
	{methods: "POST", path: "/api/v1-preview/hub/{hub}/users/{userList}", since: v1Preview, status: 202, do: (*call).sendToUsers},
	{methods: "POST", path: "/api/v1-preview/hub/{hub}/group/{group}", since: v1Preview, status: 202, do: (*call).sendToGroup},
	{methods: "POST", path: "/api/v1-preview/hub/{hub}/groups/{groupList}", since: v1Preview, status: 202, do: (*call).sendToGroups},
})

// permission is what a caller without an access key must have. Every check of existence, and nothing else behind a token, answers both methods.
func (r *route) permission() auth.Permission {
	switch {
	case strings.HasSuffix(r.path, "/auth/accessKey"):
		return auth.GetTemporaryKey
	case r.methods == "GET HEAD":
		return auth.CheckExistence
	}
	return auth.UseREST
}

// prepare cuts the paths, once, and files the routes by how many segments they have.
func prepare(all []route) map[int][]*route {
	table := make(map[int][]*route)
	for i := range all {
		r := &all[i]
		for segment := range strings.SplitSeq(r.path[1:], "/") {
			if strings.HasPrefix(segment, "{") {
				r.parameters = append(r.parameters, strings.Trim(segment, "{}"))
				segment = ""
			}
			r.segments = append(r.segments, segment)
		}
		table[len(r.segments)] = append(table[len(r.segments)], r)
	}
	return table
}

// find is the route of a request and the values of its parameters. path is escaped; one slash at its end does not matter.
func find(method, path string) (*route, []string, *problem) {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if n := len(segments); n > 1 && segments[n-1] == "" {
		segments = segments[:n-1]
	}
	for i, s := range segments {
		text, err := url.PathUnescape(s)
		if err != nil {
			return nil, nil, invalid("path", "the path is not percent-encoded as it should be")
		}
		segments[i] = text
	}
	var allowed []string
	for _, r := range routes[len(segments)] {
		arguments, ok := r.match(segments)
		if !ok {
			continue
		}
		methods := strings.Fields(r.methods)
		if slices.Contains(methods, method) {
			return r, arguments, nil
		}
		allowed = append(allowed, methods...)
	}
	if allowed != nil {
		slices.Sort(allowed)
		return nil, nil, &problem{
			status: http.StatusMethodNotAllowed, text: "there is no " + method + " under this path; use " + strings.Join(allowed, ", "),
			header: [2]string{"Allow", strings.Join(allowed, ", ")},
		}
	}
	return nil, nil, &problem{status: http.StatusNotFound, text: "there is no operation under this path"}
}

// match compares the segments and picks the values of the parameters, which are never empty.
func (r *route) match(segments []string) (arguments []string, ok bool) {
	for i, want := range r.segments {
		if want == "" {
			if segments[i] == "" {
				return nil, false
			}
			continue
		}
		if want != segments[i] {
			return nil, false
		}
	}
	for i, want := range r.segments {
		if want == "" {
			arguments = append(arguments, segments[i])
		}
	}
	return arguments, true
}
