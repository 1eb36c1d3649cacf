package gateway

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/match"
	"github.com/hubgate/hubgate/internal/gateway/policy"
	"github.com/hubgate/hubgate/internal/gateway/proxy"
	"github.com/hubgate/hubgate/internal/resource"
)

// handle runs a request through the snapshot up to the response that is to be written.
func (s *snapshot) handle(t *transaction) {
	x, r := &t.x, t.x.Inbound
	if match.LongSegment(r.URL.EscapedPath()) {
		x.Fail(&policy.Failure{Status: http.StatusBadRequest, Public: "Bad Request", Source: "configuration", Reason: policy.ReasonOperationNotFound, Message: "A path segment is longer than 1024 characters."})
		return
	}
	q := match.Request{Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery, Header: r.Header, TLS: r.TLS != nil, WebSocket: proxy.IsWebSocket(r)}
	s.table.Match(&q, &x.Match)
	if x.Match.Operation < 0 && policy.IsPreflight(r) {
		s.preflight(t, &q)
		return
	}
	if x.Match.API < 0 {
		if r.URL.Path == policy.CrossDomainPath && s.crossDomain(t) {
			return
		}
		s.notFound(t, s.global)
		return
	}
	a := &s.apis[x.Match.API]
	x.API = a.resource
	t.diagnosis = &a.diagnosis
	t.sampleBodies()
	if x.Match.Operation < 0 {
		s.notFound(t, a.pipeline)
		return
	}
	o := &a.operations[x.Match.Operation]
	x.Operation = o.resource
	x.Handshake = a.resource.Kind() == resource.APITypeWebSocket
	pipeline, failure := s.authorize(t, a, o)
	if failure != nil {
		t.startTrace()
		x.Pipeline = o.pipeline
		x.Fail(failure)
		return
	}
	t.prepare(a)
	t.startTrace()
	pipeline.Run(x)
}

// crossDomain answers with the policy file of the global cross-domain statement, if there is one.
func (s *snapshot) crossDomain(t *transaction) bool {
	document := s.global.CrossDomain()
	if document == nil {
		return false
	}
	t.x.Respond(http.StatusOK)
	t.x.Response.Header["Content-Type"] = []string{"text/x-cross-domain-policy"}
	t.x.Response.Body.Set(document)
	return true
}

// notFound answers a request that matches no operation. The on-error section of the scope that was found runs.
func (s *snapshot) notFound(t *transaction, p *policy.Pipeline) {
	t.x.Pipeline = p
	t.x.Fail(&policy.Failure{Status: http.StatusNotFound, Public: "Resource not found", Source: "configuration", Reason: policy.ReasonOperationNotFound,
		Message: "Unable to match incoming request to an operation."})
}

// preflight answers a preflight that no OPTIONS operation takes, by the cors policies of the operation that is asked for, else
// of its API, else of all APIs.
func (s *snapshot) preflight(t *transaction, q *match.Request) {
	x := &t.x
	asked := *q
	asked.Method = x.Inbound.Header.Get("Access-Control-Request-Method")
	s.table.Match(&asked, &x.Match)
	p := s.global
	if x.Match.API >= 0 {
		a := &s.apis[x.Match.API]
		x.API, p = a.resource, a.pipeline
		if x.Match.Operation >= 0 {
			o := &a.operations[x.Match.Operation]
			x.Operation, p = o.resource, o.pipeline
			if a.open >= 0 {
				p = o.inProducts[a.open]
			}
		}
	}
	if !p.HasCORS() {
		s.notFound(t, p)
		return
	}
	p.Preflight(x)
}

// authorize checks the subscription key and finds the product in whose context the request runs
// (api-management-subscriptions, "How API Management handles requests with or without subscription keys").
func (s *snapshot) authorize(t *transaction, a *api, o *operation) (*policy.Pipeline, *policy.Failure) {
	x, r := &t.x, t.x.Inbound
	text := ""
	if values := r.Header[a.keyHeader]; len(values) > 0 {
		text = values[0]
	} else if strings.Contains(r.URL.RawQuery, a.keyQuery) {
		text = r.URL.Query().Get(a.keyQuery)
	}
	if text != "" {
		k, ok := s.keys[sha256.Sum256([]byte(text))]
		productIndex, allowed := -1, false
		if ok && active(k.subscription, x.Start) {
			productIndex, allowed = a.opens(k.scope)
		}
		if !allowed {
			return nil, unauthorized(x, a, policy.ReasonKeyInvalid,
				"Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.",
				"Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription.")
		}
		x.Subscription, x.Key = k.subscription, text
		x.User, x.Groups = k.user, k.groups
		if productIndex >= 0 {
			x.Product = a.products[productIndex].resource
			return o.inProducts[productIndex], nil
		}
		return o.pipeline, nil
	}
	if a.open >= 0 {
		x.Product = a.products[a.open].resource
		return o.inProducts[a.open], nil
	}
	if !a.resource.SubscriptionRequired {
		return o.pipeline, nil
	}
	return nil, unauthorized(x, a, policy.ReasonKeyNotFound,
		"Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API.",
		"Access denied due to missing subscription key. Make sure to include subscription key when making requests to this API.")
}

// opens says whether a key of the scope opens the API, and through which of its products, -1 for none.
func (a *api) opens(scope resource.SubscriptionScope) (product int, ok bool) {
	switch {
	case scope.Product != "":
		for i := range a.products {
			if strings.EqualFold(a.products[i].resource.ID.Name(), scope.Product) {
				return i, true
			}
		}
		return -1, false
	case scope.API != "":
		name, _, _ := strings.Cut(scope.API, ";rev=")
		return -1, strings.EqualFold(a.resource.BaseName(), name)
	}
	return -1, true
}

func active(s *resource.Subscription, now time.Time) bool {
	if s.State != "" && s.State != resource.SubscriptionActive {
		return false
	}
	return (s.StartDate.IsZero() || !now.Before(s.StartDate)) && (s.ExpirationDate.IsZero() || now.Before(s.ExpirationDate))
}

func unauthorized(x *policy.Exchange, a *api, reason, public, message string) *policy.Failure {
	scheme := "http"
	if x.Inbound.TLS != nil {
		scheme = "https"
	}
	realm := scheme + "://" + x.Inbound.Host
	if suffix := a.resource.Suffix(); suffix != "" {
		realm += "/" + suffix
	}
	name, _ := a.resource.KeyNames()
	return &policy.Failure{
		Status: http.StatusUnauthorized, Public: public, Source: "authorization", Reason: reason, Message: message,
		Header: http.Header{"Www-Authenticate": {`AzureApiManagementKey realm="` + realm + `",name="` + name + `",type="header"`}},
	}
}
