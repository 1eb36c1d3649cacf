package policy

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/cache"
)

// MaxCachedResponse is the most bytes of a response's body that are cached: 2 MiB (service limits).
const MaxCachedResponse = 2 << 20

// cacheStore is the cache-store policy (cache-store-policy): it keeps the response for the cache-lookup of the inbound section.
type cacheStore struct {
	runtime       *Runtime
	duration      Value[int] // seconds
	cacheResponse Value[bool]
}

func newCacheStore(b *Builder) Policy {
	b.cachingType() // The look-up says which cache it is.
	b.c.readsResponse = true
	return &cacheStore{runtime: b.runtime(), duration: b.Int("duration", 0, 0, math.MaxInt32, Required), cacheResponse: b.Bool("cache-response", false, 0)}
}

// Run keeps the response as it is at this place of the section. Its body is kept while it goes to the client.
func (c *cacheStore) Run(x *Exchange) (Outcome, error) {
	attempt := x.caching
	if attempt == nil || attempt.hit {
		return Continue, nil
	}
	keeps := x.Response.Status == http.StatusOK
	if c.cacheResponse.IsSet() {
		var err error
		if keeps, err = c.cacheResponse.Get(x); err != nil {
			return End, err
		}
	}
	seconds, err := c.duration.Get(x)
	if err != nil {
		return End, err
	}
	if attempt.cacheControl != "" && keeps {
		x.Response.Header["Cache-Control"] = []string{attempt.cacheControl + strconv.Itoa(seconds)}
	}
	body := &x.Response.Body
	if !keeps || seconds == 0 || body.Length() > MaxCachedResponse {
		return Continue, nil
	}
	s := &storing{store: c, x: x, attempt: attempt, trailer: x.Response.Trailer, keep: time.Duration(seconds) * time.Second}
	s.response = cache.Response{Status: x.Response.Status, Stored: time.Now(), Header: storedHeader(x, attempt.private)}
	if body.InMemory() {
		data, err := body.Bytes()
		if err == nil && len(data) <= MaxCachedResponse {
			s.response.Body = data
			s.finish()
		}
		return Continue, nil
	}
	body.tee(s)
	return Continue, nil
}

// storedHeader is the header that is kept: without what was granted or promised to this client alone, and without cookies unless the
// document takes private responses.
func storedHeader(x *Exchange, private bool) http.Header {
	h := x.Response.Header.Clone()
	if x.cors != nil {
		for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
			delete(h, name)
		}
	}
	for _, line := range x.promised {
		delete(h, line.name)
	}
	if !private {
		delete(h, "Set-Cookie")
	}
	delete(h, "Content-Length")
	return h
}

// storing collects a body on its way to the client.
type storing struct {
	store    *cacheStore
	x        *Exchange
	attempt  *cacheAttempt
	response cache.Response
	trailer  *http.Header // a response that has one is not kept; known once the body is whole
	keep     time.Duration
	given    bool // up, because the body is too large
}

func (s *storing) write(p []byte) {
	if s.given {
		return
	}
	if len(s.response.Body)+len(p) > MaxCachedResponse {
		s.given, s.response.Body = true, nil
		return
	}
	s.response.Body = append(s.response.Body, p...)
}

// finish stores the response: the body is whole.
func (s *storing) finish() {
	if s.given || s.trailer != nil && len(*s.trailer) > 0 {
		return
	}
	s.given = true
	if err := s.attempt.cache.Set(detached(s.x), s.attempt.key, s.response.AppendTo(nil), s.keep); err != nil {
		s.store.runtime.warn(s.x, "the cache could not be written", err)
	}
}

// tee shows the bytes of a stream to s while somebody reads it, and its end.
func (b *Body) tee(s *storing) { b.stream = &teeBody{ReadCloser: b.stream, s: s, left: b.length} }

type teeBody struct {
	io.ReadCloser
	s    *storing
	left int64 // of a body of known length; negative for others
}

// Read reads from the body.
func (t *teeBody) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	t.s.write(p[:n])
	if t.left >= 0 {
		t.left -= int64(n)
	}
	if errors.Is(err, io.EOF) || t.left == 0 {
		t.s.finish()
	}
	return n, err
}
