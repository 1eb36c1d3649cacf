package session

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
	"github.com/hubgate/hubgate/internal/svcproto"
	"github.com/hubgate/hubgate/internal/telemetry"
	"github.com/hubgate/hubgate/internal/transport"
	"github.com/hubgate/hubgate/internal/transport/longpoll"
	"github.com/hubgate/hubgate/internal/transport/sse"
	"github.com/hubgate/hubgate/internal/transport/websocket"
)

// request is one HTTP request of a client, with what has been found out about it.
type request struct {
	*Service
	settings *Settings
	w        http.ResponseWriter
	r        *http.Request
	query    url.Values

	hub   string
	token *auth.Token
}

// text answers in plain text, as ASP.NET Core does: without a character set.
func (q *request) text(status int, body string) {
	q.w.Header().Set("Content-Type", "text/plain")
	q.w.WriteHeader(status)
	_, _ = io.WriteString(q.w, body)
}

// authenticate finds the hub and checks the token; false means that the request is answered.
func (q *request) authenticate() bool {
	switch hubs := q.query["hub"]; {
	case len(hubs) == 0 || hubs[0] == "":
		q.text(http.StatusBadRequest, "'hub' query parameter is required.")
		return false
	case len(hubs) > 1:
		q.text(http.StatusBadRequest, "'hub' query parameter must be given once.")
		return false
	default:
		q.hub = strings.ToLower(hubs[0])
	}
	if !validHub(q.hub) {
		q.text(http.StatusBadRequest, "'hub' query parameter is not a valid hub name: it begins with a letter and has up to 128 letters, digits and any of _ ` , . [ ]")
		return false
	}
	bearer, ok := auth.TokenFrom(q.r)
	if !ok {
		q.unauthorized(auth.MissingToken())
		return false
	}
	now := time.Now()
	if c := q.find(q.query.Get("id")); c != nil && c.resumable() {
		now = time.Time{} // it brings the token of its first connect, however old that is
	}
	token, err := q.settings.Verifier.Verify(bearer, now)
	if err == nil {
		err = token.CheckClientAudience(q.hub)
	}
	if err != nil {
		q.unauthorized(err)
		return false
	}
	q.token = token
	return true
}

func (q *request) unauthorized(err error) {
	if q.Trace.Enabled(telemetry.Connectivity) {
		q.Trace.Emit(telemetry.TraceEvent{
			Kind: telemetry.Connectivity, Level: telemetry.Warning, Collection: "Authorization", OperationName: "AuthorizationFailed",
			Message: err.Error(), CallerIP: q.clientAddress(), HubName: q.hub, ConnectionType: "Client",
		})
	}
	if e, ok := errors.AsType[*auth.Error](err); ok {
		q.w.Header().Set("WWW-Authenticate", e.Header())
	}
	q.text(http.StatusUnauthorized, "")
}

// validHub is the emulator's pattern for hub names.
func validHub(name string) bool {
	for i, c := range name {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if i == 0 && !letter {
			return false
		}
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("_`,.[]", c) {
			return false
		}
	}
	return name != "" && len(name) <= 128
}

// connect answers everything but negotiate: a transport opening, a poll, a POST, the end of a long-polling connection.
func (q *request) connect() {
	switch q.r.Method {
	case http.MethodGet, http.MethodPost, http.MethodDelete:
	default:
		q.text(http.StatusMethodNotAllowed, "")
		return
	}
	if !q.authenticate() {
		return
	}
	upgrade := q.r.Method == http.MethodGet && websocket.IsUpgrade(q.r)
	id := q.query.Get("id")
	var c *Session
	switch {
	case id != "":
		if c = q.find(id); c == nil || c.hub.Name != q.hub {
			q.text(http.StatusNotFound, "No Connection with that ID")
			return
		}
		if user, _ := q.token.UserID(); user != c.client.UserID {
			q.text(http.StatusForbidden, "The connection was negotiated for another user.")
			return
		}
	case upgrade: // a client that skipped negotiation
		if q.full() {
			return
		}
		c = q.newSession(q.hub, q.token)
		q.add(c)
	default:
		q.text(http.StatusBadRequest, "Connection ID required")
		return
	}
	switch {
	case q.r.Method == http.MethodPost:
		q.post(c)
	case q.r.Method == http.MethodDelete:
		q.terminate(c)
	case upgrade:
		q.webSocket(c)
	case strings.Contains(strings.Join(q.r.Header.Values("Accept"), ","), "text/event-stream"):
		q.eventStream(c)
	default:
		q.poll(c)
	}
}

// full answers 429 when the instance has as many clients as it may have.
func (q *request) full() bool {
	limit := q.settings.Limits.Connections
	if quota := q.quotas.connections(); quota > 0 && (limit == 0 || quota < limit) {
		limit = quota
	}
	switch {
	case limit > 0 && q.Connections() >= limit:
		q.tooMany("Connection count reaches limit.")
	case !q.quotas.mayNegotiate():
		q.tooMany("Too many clients are connecting.")
	default:
		return false
	}
	return true
}

// tooMany refuses a client that may come later.
func (q *request) tooMany(text string) {
	q.w.Header().Set("Retry-After", "5")
	q.text(http.StatusTooManyRequests, text)
}

// claim makes the session use one transport; false means that the request is answered.
func (q *request) claim(c *Session, k transport.Kind) bool {
	if !q.token.Settings().Transports.Has(auth.Transports(k)) {
		q.text(http.StatusNotFound, k.String()+" transport not supported by this end point type")
		return false
	}
	switch c.claim(k) {
	case resumable:
		return true
	case claimed:
		bearer, _ := auth.TokenFrom(q.r)
		counted, refusal := q.quotas.enter(q.token, bearer, q.clientAddress())
		if refusal != "" {
			c.drop(Throttled)
			q.tooMany(refusal)
			return false
		}
		c.counted = counted
		c.address = q.clientAddress()
		return true
	case otherTransport:
		q.text(http.StatusBadRequest, "Cannot change transports mid-connection")
	case taken:
		q.text(http.StatusConflict, "")
	case gone:
		q.text(http.StatusNotFound, "No Connection with that ID")
	}
	return false
}

func (q *request) webSocket(c *Session) {
	if !q.claim(c, transport.WebSockets) {
		return
	}
	if c.resumable() {
		q.resume(c)
		return
	}
	open := q.openConnection(c)
	conn, rest, err := websocket.Upgrade(q.w, q.r)
	if err != nil {
		c.drop(BadRequest)
		return
	}
	ws := websocket.New(conn, q.settings.Limits.Limits)
	c.countsLate = countsLate(q.r.UserAgent())
	c.start(ws, q.token, open)
	if c.stateful {
		go ws.Serve(rest, &leg{session: c})
		return
	}
	go ws.Serve(rest, c)
}

// resume gives a client that was cut off its new socket.
func (q *request) resume(c *Session) {
	conn, rest, err := websocket.Upgrade(q.w, q.r)
	if err != nil {
		return // answered; the client may try again
	}
	ws := websocket.New(conn, q.settings.Limits.Limits)
	h := c.resumeOn(ws)
	if h == nil {
		_ = conn.Close()
		return
	}
	go ws.Serve(rest, h)
}

func (q *request) eventStream(c *Session) {
	if !q.claim(c, transport.ServerSentEvents) {
		return
	}
	open := q.openConnection(c)
	sse.Serve(q.w, q.r, q.settings.Limits.Limits, c, func(conn *sse.Conn) { c.start(conn, q.token, open) })
}

func (q *request) poll(c *Session) {
	if !q.token.Settings().Transports.Has(auth.LongPolling) {
		q.claim(c, transport.LongPolling)
		return
	}
	conn := c.polling()
	if conn == nil {
		if !q.claim(c, transport.LongPolling) {
			return
		}
		conn = longpoll.New(longpoll.Config{Limits: q.settings.Limits.Limits, Timeout: q.settings.Limits.PollTimeout}, c)
		c.start(conn, q.token, q.openConnection(c))
	}
	conn.ServePoll(q.w, q.r)
}

// post takes bytes of a client whose transport only goes one way. They are accepted before the first GET, too.
func (q *request) post(c *Session) {
	if !c.postable() {
		q.text(http.StatusMethodNotAllowed, "POST requests are not allowed for WebSocket connections.")
		return
	}
	body := http.MaxBytesReader(q.w, q.r.Body, q.settings.Limits.PostBytes)
	switch err := c.receiveAll(body); {
	case err == nil:
		q.text(http.StatusOK, "")
	case errors.Is(err, errOver):
		q.text(http.StatusNotFound, "No Connection with that ID")
	case errors.Is(err, errTooMuch):
		q.text(http.StatusRequestEntityTooLarge, "Too much was sent before the transport was opened.")
	default:
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			q.text(http.StatusRequestEntityTooLarge, fmt.Sprintf("A message must not be larger than %d bytes.", q.settings.Limits.PostBytes))
			return
		}
		q.text(http.StatusBadRequest, "The request's body could not be read.")
	}
}

// terminate ends a long-polling connection.
func (q *request) terminate(c *Session) {
	conn := c.polling()
	if conn == nil {
		q.text(http.StatusBadRequest, "Cannot terminate this connection using the DELETE endpoint.")
		return
	}
	c.leave()
	q.text(http.StatusAccepted, "")
}

// openConnection is what the app server is told about the client, but for its hub protocol, which is not known yet.
func (q *request) openConnection(c *Session) *svcproto.OpenConnection {
	m := &svcproto.OpenConnection{
		ConnectionID: c.client.ID,
		Query:        forwardedQuery(q.r.URL.RawQuery),
		Headers:      q.forwardedHeaders(),
	}
	for _, claim := range q.token.ServiceClaims() {
		m.Claims = append(m.Claims, svcproto.Claim{Type: claim.Type, Value: claim.Value})
	}
	return m
}

// forwardedQuery is the query of the request without what is between the client and the service; the rest stays as it was written.
func forwardedQuery(raw string) string {
	var kept []string
	for part := range strings.SplitSeq(raw, "&") {
		name, _, _ := strings.Cut(part, "=")
		if part == "" || name == "access_token" || name == "id" {
			continue
		}
		kept = append(kept, part)
	}
	if len(kept) == 0 {
		return ""
	}
	return "?" + strings.Join(kept, "&")
}

// notForwarded are the headers that are about the connection and not about the request, and the client's secret.
var notForwarded = map[string]bool{
	"Authorization": true, "Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "X-Forwarded-For": true, "Content-Length": true,
}

// forwardedHeaders are the request's headers for the app server, and those that the service adds (service-protocol §7.2).
func (q *request) forwardedHeaders() []svcproto.Header {
	named := make(map[string]bool)
	for _, v := range q.r.Header.Values("Connection") {
		for name := range strings.SplitSeq(v, ",") {
			named[http.CanonicalHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	var all []svcproto.Header
	for name, values := range q.r.Header {
		if notForwarded[name] || named[name] || strings.HasPrefix(name, "Sec-Websocket-") || strings.HasPrefix(name, "Asrs-") {
			continue
		}
		all = append(all, svcproto.Header{Name: name, Values: values})
	}
	slices.SortFunc(all, func(a, b svcproto.Header) int { return strings.Compare(a.Name, b.Name) })
	diagnostic := "false"
	if q.token.Settings().Diagnostic {
		diagnostic = "true"
	}
	add := func(name, value string) { all = append(all, svcproto.Header{Name: name, Values: []string{value}}) }
	if q.r.Host != "" {
		add("Host", q.r.Host)
	}
	add("X-Forwarded-For", q.clientAddress())
	add("Asrs-Instance-Id", q.Registry.InstanceID)
	add("Asrs-Is-Diagnostic-Client", diagnostic)
	return all
}

// clientAddress is the client's IP address: that of the peer, or the one that a gateway in this process gives a request as its RemoteAddr. An
// X-Forwarded-For is no matter of the service: what a client says there goes through gateways too, and apps take its first entry.
func (q *request) clientAddress() string {
	peer, _, err := net.SplitHostPort(q.r.RemoteAddr)
	if err != nil {
		peer = q.r.RemoteAddr
	}
	return peer
}
