package session

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/transport"
)

// maxNegotiateVersion is the newest form of the answer that is known here.
const maxNegotiateVersion = 1

// negotiate makes a connection that a transport then opens (client-protocol §2; the service's own answer never redirects).
func (q *request) negotiate() {
	if q.r.Method != http.MethodPost {
		q.text(http.StatusMethodNotAllowed, "")
		return
	}
	if !q.authenticate() {
		return
	}
	version := 0
	if asked := queryFold(q.query, "negotiateVersion"); asked != "" {
		n, err := strconv.ParseInt(strings.TrimSpace(asked), 10, 32)
		if err != nil {
			q.refuse("The client requested a non-integer protocol version.")
			return
		}
		if n < 0 {
			q.refuse(fmt.Sprintf("The client requested version '%d', but the server does not support this version.", n))
			return
		}
		version = int(min(n, maxNegotiateVersion))
	}
	if q.full() {
		return
	}
	c := q.newSession(q.hub, q.token)
	c.stateful = slices.ContainsFunc(q.query["useStatefulReconnect"], func(v string) bool { return strings.EqualFold(v, "true") }) && c.hub.Stateful()
	if version == 0 {
		c.token = c.client.ID // the older form has one id for both
	}
	q.add(c)
	b := make([]byte, 0, 400)
	b = append(b, '{')
	if c.stateful {
		b = append(b, `"useStatefulReconnect":true,`...)
	}
	b = append(b, `"negotiateVersion":`...)
	b = strconv.AppendInt(b, int64(version), 10)
	b = append(b, `,"connectionId":"`...)
	b = append(b, c.client.ID...)
	if version > 0 {
		b = append(b, `","connectionToken":"`...)
		b = append(b, c.token...)
	}
	b = append(b, `","availableTransports":[`...)
	mask := q.token.Settings().Transports
	separator := ""
	for _, t := range []struct {
		kind    transport.Kind
		formats string
	}{
		{transport.WebSockets, `"Text","Binary"`},
		{transport.ServerSentEvents, `"Text"`},
		{transport.LongPolling, `"Text","Binary"`},
	} {
		if !mask.Has(auth.Transports(t.kind)) {
			continue
		}
		b = append(b, separator...)
		b = append(b, `{"transport":"`...)
		b = append(b, t.kind.String()...)
		b = append(b, `","transferFormats":[`...)
		b = append(b, t.formats...)
		b = append(b, "]}"...)
		separator = ","
	}
	q.json(append(b, "]}"...))
}

// refuse answers with an error that the client shows; the status is 200 all the same.
func (q *request) refuse(text string) {
	q.json([]byte(`{"error":"` + text + `"}`)) // our own texts need no escapes
}

func (q *request) json(b []byte) {
	h := q.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	q.w.WriteHeader(http.StatusOK)
	_, _ = q.w.Write(b)
}

// queryFold finds a query parameter whatever its case, as ASP.NET Core does.
func queryFold(query map[string][]string, name string) string {
	if v := query[name]; len(v) > 0 {
		return v[0]
	}
	for k, v := range query {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}
