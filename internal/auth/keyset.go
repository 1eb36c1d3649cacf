package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/hubgate/hubgate/internal/resource"
)

const (
	// keysFresh is how long fetched keys are used before they are fetched again.
	keysFresh = time.Hour
	// keysRetry is how long nothing is fetched after a fetch that failed, while there are older keys; firstRetry, while there are none.
	keysRetry  = 5 * time.Minute
	firstRetry = 10 * time.Second
	// unknownKeyRetry is how often keys may be fetched because a token names one that is not known: anybody can make such tokens.
	unknownKeyRetry = 5 * time.Minute
	// fetchTimeout bounds a fetch, metadata and keys together.
	fetchTimeout = 10 * time.Second
	// maxDocumentBytes bounds a metadata document and a key set, in bytes; maxKeys how many keys of a set are used.
	maxDocumentBytes = 256 << 10
	maxKeys          = 32
	// maxRedirects is how many redirects are followed to a document.
	maxRedirects = 3
	// minRSABits and maxRSABits are how long an RSA key may be: shorter ones are not safe (RFC 7518, section 3.3), longer ones are slow.
	minRSABits, maxRSABits = 2048, 8192
)

// fetcher fetches documents in the background, so that one who waits for them and gives up takes them from nobody else.
type fetcher struct {
	client *http.Client
	log    *slog.Logger

	mu      sync.Mutex
	context context.Context // over when closed
	stop    context.CancelFunc
	running sync.WaitGroup
}

func newFetcher(transport http.RoundTripper, log *slog.Logger) *fetcher {
	f := &fetcher{log: log}
	f.context, f.stop = context.WithCancel(context.Background())
	f.client = &http.Client{
		Transport: transport,
		Timeout:   fetchTimeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errors.New("too many redirects")
			}
			return checkRedirect(via[0].URL, r.URL)
		},
	}
	return f
}

// checkRedirect refuses a redirect to where the first URL would not have been allowed to lead: what is fetched in safety must stay so.
func checkRedirect(first, next *url.URL) error {
	plain := first.Scheme == "http" && resource.KeyURLProblem(first.String(), false) != "" // which the issuer's settings allow
	if first.Scheme == "https" && next.Scheme != "https" {
		return errors.New("a redirect leads from https to " + next.Scheme)
	}
	if problem := resource.KeyURLProblem(next.String(), plain); problem != "" {
		return errors.New("a redirect leads to a URL that " + problem)
	}
	return nil
}

// start runs f unless the fetcher is closed.
func (f *fetcher) start(run func(ctx context.Context)) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.context.Err() != nil {
		return false
	}
	f.running.Go(func() {
		ctx, cancel := context.WithTimeout(f.context, fetchTimeout)
		defer cancel()
		run(ctx)
	})
	return true
}

func (f *fetcher) close() {
	f.mu.Lock()
	f.stop()
	f.mu.Unlock()
	f.running.Wait()
	f.client.CloseIdleConnections()
}

// get fetches a small document.
func (f *fetcher) get(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	w, err := f.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Body.Close() }()
	if w.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers with status %d", address, w.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(w.Body, maxDocumentBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	if len(body) > maxDocumentBytes {
		return nil, fmt.Errorf("%s answers with more than %d bytes", address, maxDocumentBytes)
	}
	return body, nil
}

// keySet holds the public keys of one issuer. They are fetched when they are first asked for. When they cannot be fetched again, the old ones stay.
type keySet struct {
	issuer  resource.TokenIssuer
	fetcher *fetcher

	mu       sync.Mutex
	keys     []jose.JSONWebKey
	fetched  time.Time     // when keys came; zero: never
	failed   time.Time     // when the last fetch failed; zero: it did not
	problem  error         // why it failed
	unknown  time.Time     // when keys were last fetched because of an unknown one
	fetching chan struct{} // closed at the end of the fetch under way; nil: there is none
}

var errUnknownKey = errors.New("the issuer has no such key")

// find returns the keys that may have made a signature: those with the id, all when there is none, and of them those that fit the algorithm. It
// may wait for keys to be fetched, once.
func (s *keySet) find(ctx context.Context, id, algorithm string) ([]jose.JSONWebKey, error) {
	wait := s.look(id, algorithm)
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fitting := fitting(s.keys, id, algorithm)
	switch {
	case len(fitting) > 0:
		return fitting, nil
	case s.keys == nil && s.problem != nil:
		return nil, s.problem
	}
	return nil, errUnknownKey
}

// look says what to wait for before keys are taken; nil means that those which are there will do, or that no others are to be had now.
func (s *keySet) look(id, algorithm string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	stale := s.fetched.IsZero() || now.Sub(s.fetched) >= keysFresh
	retry := keysRetry
	if s.keys == nil {
		retry = firstRetry
	}
	if !s.failed.IsZero() && now.Sub(s.failed) < retry {
		stale = false // it was tried a moment ago
	}
	known := len(fitting(s.keys, id, algorithm)) > 0
	switch {
	case s.fetching != nil && (stale || !known):
		return s.fetching
	case stale:
	case !known && s.keys != nil && (s.unknown.IsZero() || now.Sub(s.unknown) >= unknownKeyRetry):
		s.unknown = now
	default:
		return nil
	}
	return s.fetchLocked()
}

func (s *keySet) fetchLocked() <-chan struct{} {
	done := make(chan struct{})
	started := s.fetcher.start(func(ctx context.Context) {
		keys, err := s.fetch(ctx)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.problem = err
		if err != nil {
			s.failed = time.Now()
			s.fetcher.log.Warn("the keys of an issuer cannot be fetched", "issuer", s.issuer.Issuer, "old keys", len(s.keys), "reason", err)
		} else {
			s.keys, s.fetched, s.failed = keys, time.Now(), time.Time{}
		}
		s.fetching = nil
		close(done)
	})
	if !started {
		return nil
	}
	s.fetching = done
	return done
}

func (s *keySet) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	metadata, keySet := s.issuer.URLs()
	if metadata != "" {
		document, err := s.fetcher.get(ctx, metadata)
		if err != nil {
			return nil, err
		}
		if keySet, err = keySetURL(document, &s.issuer); err != nil {
			return nil, fmt.Errorf("the metadata of %s: %w", metadata, err)
		}
	}
	document, err := s.fetcher.get(ctx, keySet)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeySet(document)
	if err != nil {
		return nil, fmt.Errorf("the key set of %s: %w", keySet, err)
	}
	return keys, nil
}

// keySetURL reads the metadata of an issuer (OpenID Connect Discovery 1.0, section 4).
func keySetURL(document []byte, issuer *resource.TokenIssuer) (string, error) {
	var m struct {
		Issuer string `json:"issuer"`
		KeySet string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(document, &m, jsontext.AllowDuplicateNames(false)); err != nil {
		return "", errors.New("it is not a JSON object with the texts issuer and jwks_uri")
	}
	if m.Issuer != issuer.Issuer {
		return "", fmt.Errorf("it is that of another issuer, %.200q", m.Issuer) // section 4.3: they must be the same
	}
	if problem := resource.KeyURLProblem(m.KeySet, issuer.AllowHTTP); problem != "" {
		return "", fmt.Errorf("jwks_uri %s", problem)
	}
	return m.KeySet, nil
}

// parseKeySet reads a key set (RFC 7517, section 5). Keys that sign no tokens here are left out, whatever is wrong with them: an issuer may have
// others for others.
func parseKeySet(document []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, errors.New("it is not a JSON object with an array of keys")
	}
	var usable []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil || key.Use != "" && key.Use != "sig" || !strong(key.Key) {
			continue
		}
		if usable = append(usable, key); len(usable) == maxKeys {
			break
		}
	}
	if len(usable) == 0 {
		return nil, fmt.Errorf("none of its %d keys is a public one for RS256, PS256 or ES256", len(set.Keys))
	}
	return usable, nil
}

// strong accepts public keys alone. Above all it accepts no secret, which a forger would know if it were published.
func strong(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSABits && k.N.BitLen() <= maxRSABits
	case *ecdsa.PublicKey:
		return k.Curve == elliptic.P256()
	}
	return false
}

// fitting are the keys for an algorithm, and with an id when it is not "".
func fitting(keys []jose.JSONWebKey, id, algorithm string) []jose.JSONWebKey {
	var found []jose.JSONWebKey
	for _, k := range keys {
		_, elliptic := k.Key.(*ecdsa.PublicKey)
		if elliptic != (algorithm == ES256) || k.Algorithm != "" && k.Algorithm != algorithm || id != "" && k.KeyID != id {
			continue
		}
		found = append(found, k)
	}
	return found
}
