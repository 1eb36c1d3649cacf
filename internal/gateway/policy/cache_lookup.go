package policy

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/cache"
)

// cacheLookup is the cache-lookup policy (cache-lookup-policy): it answers with a response that cache-store kept.
type cacheLookup struct {
	runtime         *Runtime
	kind            string
	byDeveloper     Value[bool]
	byGroups        Value[bool]
	downstream      Value[string]
	mustRevalidate  Value[bool]
	allowPrivate    Value[bool]
	headers         []Value[string]
	queryParameters []Value[string]
}

func newCacheLookup(b *Builder) Policy {
	c := &cacheLookup{
		runtime: b.runtime(), kind: b.cachingType(),
		byDeveloper:    b.Bool("vary-by-developer", false, Required),
		byGroups:       b.Bool("vary-by-developer-groups", false, Required),
		downstream:     b.OneOf("downstream-caching-type", 0, "none", "private", "public"),
		mustRevalidate: b.Bool("must-revalidate", true, 0),
		allowPrivate:   b.Bool("allow-private-response-caching", false, 0),
	}
	for _, child := range b.Children("vary-by-header", "vary-by-query-parameter") {
		v := child.Text(Required)
		if child.Element() == "vary-by-header" {
			c.headers = append(c.headers, v)
		} else {
			c.queryParameters = append(c.queryParameters, v)
		}
		child.Done()
	}
	return c
}

// cacheAttempt is what cache-lookup looked for, for cache-store to store under.
type cacheAttempt struct {
	cache        cache.Cache
	key          string
	hit          bool
	cacheControl string // of the response, with the time left to append; "" leaves the backend's
	private      bool   // responses to requests with credentials may be kept
}

// Cached says whether the response came from the cache; looked is false when nothing was looked for.
func (x *Exchange) Cached() (hit, looked bool) {
	if x.caching == nil {
		return false, false
	}
	return x.caching.hit, true
}

// Run answers from the cache, or notes under which key the response may be stored.
func (c *cacheLookup) Run(x *Exchange) (Outcome, error) {
	if x.Request.Method != http.MethodGet || x.Inbound.Method != http.MethodGet || x.caching != nil {
		return Continue, nil
	}
	private, err := c.allowPrivate.Get(x)
	if err != nil {
		return End, err
	}
	if !private && len(x.Inbound.Header["Authorization"]) > 0 {
		return Continue, nil
	}
	store := c.runtime.cache(c.kind)
	if store == nil {
		x.trace("cache-lookup", "error", "There is no external cache; nothing is cached.")
		return Continue, nil
	}
	key, err := c.key(x)
	if err != nil {
		return End, err
	}
	attempt := &cacheAttempt{cache: store, key: key, private: private}
	if attempt.cacheControl, err = c.cacheControl(x); err != nil {
		return End, err
	}
	x.caching = attempt
	var data []byte
	var ok bool
	ctx := x.Context
	x.blocking(func() { data, ok, err = store.Get(ctx, key) })
	if err != nil {
		c.runtime.warn(x, "the cache could not be read", err)
		return Continue, nil
	}
	if !ok {
		return Continue, nil
	}
	response, err := cache.DecodeResponse(data)
	if err != nil {
		c.runtime.warn(x, "a response in the cache could not be read", err)
		return Continue, nil
	}
	attempt.hit = true
	x.Respond(response.Status)
	for name, values := range response.Header {
		x.Response.Header[name] = values
	}
	x.decorate(x.Response.Header)
	if attempt.cacheControl != "" {
		x.Response.Header["Age"] = []string{strconv.FormatInt(max(int64(time.Since(response.Stored)/time.Second), 0), 10)}
	}
	x.Response.Body.Set(response.Body)
	return Answered, nil
}

// cacheControl is the header that tells caches between the gateway and the client what they may do. Without leave for them the
// response must not be stored.
func (c *cacheLookup) cacheControl(x *Exchange) (string, error) {
	downstream, err := c.downstream.Get(x)
	if err != nil || downstream == "none" {
		return "", err
	}
	revalidate, err := c.mustRevalidate.Get(x)
	if err != nil {
		return "", err
	}
	text := downstream
	if revalidate {
		text += ", must-revalidate"
	}
	return text + ", max-age=", nil
}

// key names everything that the response depends on.
func (c *cacheLookup) key(x *Exchange) (string, error) {
	var b strings.Builder
	part := func(name, value string) {
		b.WriteString("\n" + name + "=" + url.QueryEscape(value))
	}
	b.WriteString("response:" + x.API.ID.Key())
	part("operation", x.Operation.ID.Name())
	part("path", x.Inbound.URL.EscapedPath())
	if x.Product != nil {
		part("product", x.Product.ID.Name()) // Its policies are part of how the response came to be.
	}
	if codings := x.Inbound.Header["Accept-Encoding"]; len(codings) > 0 {
		part("codings", strings.Join(codings, ",")) // A body is kept in the coding that the backend chose.
	}
	developer, err := c.byDeveloper.Get(x)
	if err != nil {
		return "", err
	}
	if developer && x.Subscription != nil {
		part("subscription", x.Subscription.ID.Name())
	}
	groups, err := c.byGroups.Get(x)
	if err != nil {
		return "", err
	}
	if groups && x.Subscription != nil {
		part("owner", x.Subscription.OwnerID) // Finer than the owner's groups, so never wrong.
	}
	for i := range c.headers {
		name, err := c.headers[i].Get(x)
		if err != nil {
			return "", err
		}
		part("header "+strings.ToLower(name), strings.Join(x.Inbound.Header[http.CanonicalHeaderKey(name)], ","))
	}
	if err := c.query(x, part); err != nil {
		return "", err
	}
	return b.String(), nil
}

// query adds the query parameters that are listed, or all but the subscription key when none is.
func (c *cacheLookup) query(x *Exchange, part func(name, value string)) error {
	query := x.Inbound.URL.Query()
	listed := map[string]bool{}
	for i := range c.queryParameters {
		text, err := c.queryParameters[i].Get(x)
		if err != nil {
			return err
		}
		for name := range strings.SplitSeq(text, ";") {
			if name = strings.TrimSpace(name); name != "" {
				listed[strings.ToLower(name)] = true
			}
		}
	}
	_, keyName := x.API.KeyNames()
	names := make([]string, 0, len(query))
	for name := range query {
		if len(listed) == 0 && name != keyName || listed[strings.ToLower(name)] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		part("query "+strings.ToLower(name), strings.Join(query[name], "\x00"))
	}
	return nil
}
