package openid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	// Keep is how long metadata is used before it is fetched again (validate-jwt-policy, "Usage notes").
	Keep = time.Hour
	// RefreshInterval is how long it takes at least until metadata is fetched again because a key was not in it.
	RefreshInterval = 5 * time.Minute
	// RetryInterval is how long a fetch that failed is not tried again while there is no metadata at all.
	RetryInterval = 10 * time.Second

	fetchTimeout = 15 * time.Second
	maxDocument  = 1 << 20
	maxEntries   = 1000
)

// Metadata is what an issuer says of itself.
type Metadata struct {
	Issuer string // may hold {tenantid}, for issuers with many tenants
	Keys   []jose.JSONWebKey
}

// Key is the keys with the id, or all when the id is "". Keys that are not for signatures are left out.
func (m *Metadata) Key(id string) []jose.JSONWebKey {
	var keys []jose.JSONWebKey
	for _, k := range m.Keys {
		if id == "" || k.KeyID == id {
			keys = append(keys, k)
		}
	}
	return keys
}

// Cache fetches metadata and keeps it. It may be used by any number of goroutines.
type Cache struct {
	client *http.Client
	group  singleflight.Group

	mu      sync.Mutex
	entries map[string]*entry // by URL
}

type entry struct {
	metadata *Metadata // nil until a fetch succeeded
	err      error     // of the last fetch
	fetched  time.Time // when metadata was
	tried    time.Time
}

// NewCache makes a cache that fetches with the client.
func NewCache(client *http.Client) *Cache {
	return &Cache{client: client, entries: map[string]*entry{}}
}

// Get returns the metadata at the URL. What is older than [Keep] is fetched anew; while that fails, the old one goes on.
func (c *Cache) Get(ctx context.Context, address string) (*Metadata, error) {
	return c.get(ctx, address, func(e *entry, now time.Time) bool {
		if e.metadata == nil {
			return now.Sub(e.tried) >= RetryInterval
		}
		return now.Sub(e.fetched) >= Keep && now.Sub(e.tried) >= RefreshInterval
	})
}

// Refresh returns the metadata for somebody who misses a key in it: fetched anew unless that was done a short time ago.
func (c *Cache) Refresh(ctx context.Context, address string) (*Metadata, error) {
	return c.get(ctx, address, func(e *entry, now time.Time) bool {
		return now.Sub(e.tried) >= RefreshInterval || e.metadata == nil && now.Sub(e.tried) >= RetryInterval
	})
}

func (c *Cache) get(ctx context.Context, address string, due func(*entry, time.Time) bool) (*Metadata, error) {
	c.mu.Lock()
	e := c.entries[address]
	fresh := e != nil && !due(e, time.Now())
	var metadata *Metadata
	var err error
	if e != nil {
		metadata, err = e.metadata, e.err
	}
	c.mu.Unlock()
	if fresh {
		if metadata != nil {
			return metadata, nil
		}
		return nil, err
	}
	result := c.group.DoChan(address, func() (any, error) {
		// Others wait for it too: it does not end with the request that came first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
		defer cancel()
		fetched, err := c.fetch(ctx, address)
		return c.note(address, fetched, err)
	})
	select {
	case r := <-result:
		m, _ := r.Val.(*Metadata)
		return m, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// note keeps the outcome of a fetch and returns what counts from now on.
func (c *Cache) note(address string, m *Metadata, err error) (*Metadata, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[address]
	if e == nil {
		if len(c.entries) >= maxEntries { // Addresses may come from expressions.
			clear(c.entries)
		}
		e = &entry{}
		c.entries[address] = e
	}
	e.tried, e.err = time.Now(), err
	if err == nil {
		e.metadata, e.fetched = m, e.tried
	}
	if e.metadata != nil {
		return e.metadata, nil
	}
	return nil, err
}

func (c *Cache) fetch(ctx context.Context, address string) (*Metadata, error) {
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := c.read(ctx, address, &document); err != nil {
		return nil, fmt.Errorf("OpenID configuration: %w", err)
	}
	if document.JWKSURI == "" {
		return nil, errors.New("OpenID configuration: it names no jwks_uri")
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := c.read(ctx, document.JWKSURI, &set); err != nil {
		return nil, fmt.Errorf("OpenID keys: %w", err)
	}
	m := &Metadata{Issuer: document.Issuer}
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if err := k.UnmarshalJSON(raw); err != nil {
			continue // A key of a kind that is not known is none of ours.
		}
		// A secret that everybody can read signs nothing.
		if _, symmetric := k.Key.([]byte); !symmetric && k.Valid() && k.Use != "enc" {
			m.Keys = append(m.Keys, k.Public())
		}
	}
	return m, nil
}

func (c *Cache) read(ctx context.Context, address string, into any) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return errors.New("the address is no absolute http or https URL")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Accept", "application/json")
	response, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered with status %d", u.Host, response.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err != nil {
		return err
	}
	if len(data) > maxDocument {
		return fmt.Errorf("the answer of %s is larger than %d bytes", u.Host, maxDocument)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s answered with no valid JSON", u.Host)
	}
	return nil
}
