package policy

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/hubgate/hubgate/internal/gateway/cache"
)

// cachingTypes are the values of the attribute caching-type; the first is the default.
var cachingTypes = []string{"prefer-external", "external", "internal"}

func (b *Builder) cachingType() string {
	v := b.OneOf("caching-type", LiteralOnly, cachingTypes...)
	text, _ := v.Known()
	return text
}

// cache is the cache of a caching-type, or nil when there is no external one.
func (r *Runtime) cache(cachingType string) cache.Cache {
	switch {
	case cachingType == "internal", cachingType == "prefer-external" && r.External == nil:
		return r.Internal
	}
	return r.External
}

// valueCache reads and writes the values of one statement. What goes wrong with a cache is logged and never the request's failure.
type valueCache struct {
	runtime *Runtime
	kind    string
	key     Value[string]
}

func (b *Builder) valueCache() valueCache {
	return valueCache{runtime: b.runtime(), kind: b.cachingType(), key: b.String("key", Required)}
}

// valueKey keeps values apart from responses.
func valueKey(key string) string { return "value:" + key }

// open is the cache to use; a statement that wants an external one where there is none works as with an empty one.
func (v *valueCache) open(x *Exchange) cache.Cache {
	c := v.runtime.cache(v.kind)
	if c == nil {
		x.trace("cache", "error", "There is no external cache; the policy works as if it were empty.")
	}
	return c
}

func (v *valueCache) get(x *Exchange, key string) ([]byte, bool) {
	c := v.open(x)
	if c == nil {
		return nil, false
	}
	var data []byte
	var ok bool
	var err error
	ctx := x.Context
	x.blocking(func() { data, ok, err = c.Get(ctx, valueKey(key)) })
	if err != nil {
		v.runtime.warn(x, "the cache could not be read", err)
		return nil, false
	}
	return data, ok
}

func (v *valueCache) set(x *Exchange, key string, data []byte, keep time.Duration) {
	c := v.open(x)
	if c == nil || keep <= 0 {
		return
	}
	var err error
	ctx := x.Context
	x.blocking(func() { err = c.Set(ctx, valueKey(key), data, keep) })
	if err != nil {
		v.runtime.warn(x, "the cache could not be written", err)
	}
}

// cacheLookupValue is the cache-lookup-value policy (cache-lookup-value-policy).
type cacheLookupValue struct {
	valueCache
	variable string
	fallback Value[any]
}

func newCacheLookupValue(b *Builder) Policy {
	return &cacheLookupValue{valueCache: b.valueCache(), variable: b.Literal("variable-name", "", Required), fallback: b.optionalAny("default-value")}
}

// Run puts the value into the variable. Without one and without a default the variable is not there afterwards.
func (c *cacheLookupValue) Run(x *Exchange) (Outcome, error) {
	key, err := c.key.Get(x)
	if err != nil {
		return End, err
	}
	if data, ok := c.get(x, key); ok {
		value, err := c.runtime.Values.Decode(data)
		if err == nil {
			x.SetVariable(c.variable, value)
			return Continue, nil
		}
		c.runtime.warn(x, "a value in the cache could not be read", err)
	}
	if !c.fallback.IsSet() {
		delete(x.Variables, c.variable)
		return Continue, nil
	}
	value, err := c.fallback.Get(x)
	if err != nil {
		return End, err
	}
	x.SetVariable(c.variable, value)
	return Continue, nil
}

// cacheStoreValue is the cache-store-value policy (cache-store-value-policy).
type cacheStoreValue struct {
	valueCache
	value    Value[any]
	duration Value[int] // seconds
}

func newCacheStoreValue(b *Builder) Policy {
	return &cacheStoreValue{valueCache: b.valueCache(), value: b.anyAttribute("value"), duration: b.Int("duration", 0, 0, math.MaxInt32, Required)}
}

// Run stores the value.
func (c *cacheStoreValue) Run(x *Exchange) (Outcome, error) {
	key, err := c.key.Get(x)
	if err != nil {
		return End, err
	}
	value, err := c.value.Get(x)
	if err != nil {
		return End, err
	}
	seconds, err := c.duration.Get(x)
	if err != nil {
		return End, err
	}
	data, err := c.runtime.Values.Encode(value)
	if err != nil {
		return End, expressionFailure("The value cannot be cached: " + err.Error())
	}
	c.set(x, key, data, time.Duration(seconds)*time.Second)
	return Continue, nil
}

// cacheRemoveValue is the cache-remove-value policy (cache-remove-value-policy).
type cacheRemoveValue struct{ valueCache }

func newCacheRemoveValue(b *Builder) Policy { return &cacheRemoveValue{b.valueCache()} }

// Run forgets the value.
func (c *cacheRemoveValue) Run(x *Exchange) (Outcome, error) {
	key, err := c.key.Get(x)
	if err != nil {
		return End, err
	}
	if opened := c.open(x); opened != nil {
		ctx := x.Context
		x.blocking(func() { err = opened.Delete(ctx, valueKey(key)) })
		if err != nil {
			c.runtime.warn(x, "a value could not be removed from the cache", err)
		}
	}
	return Continue, nil
}

// DefaultExpiresAfter is how many seconds cache-value keeps a value unless told otherwise.
const DefaultExpiresAfter = 28_800

// cacheValue is the cache-value policy: a look-up whose statements make the value when there is none, and make it anew in time.
type cacheValue struct {
	valueCache
	variable              string
	expires, refreshAfter Value[int] // seconds
	fallback              Value[any]
	steps                 []Step
}

func newCacheValue(b *Builder) Policy {
	c := &cacheValue{
		valueCache:   b.valueCache(),
		variable:     b.Literal("variable-name", "", Required),
		expires:      b.Int("expires-after", DefaultExpiresAfter, 1, math.MaxInt32, 0),
		refreshAfter: b.Int("refresh-after", 0, 1, math.MaxInt32, 0),
		fallback:     b.optionalAny("default-value"),
	}
	c.steps = b.Steps()
	if len(c.steps) == 0 {
		b.Errorf("The policies that make the value are missing; one of them sets the variable '%s'", c.variable)
	}
	return c
}

// Run puts the value into the variable. While one request makes a value anew, others go on with the old one.
func (c *cacheValue) Run(x *Exchange) (Outcome, error) {
	x.Tail = false
	key, err := c.key.Get(x)
	if err != nil {
		return End, err
	}
	key = "refreshed:" + key // Its values have a time before them, so they are not those of cache-store-value.
	refreshAfter, err := c.refreshAfter.Get(x)
	if err != nil {
		return End, err
	}
	data, found := c.get(x, key)
	var old any
	if found {
		var made time.Time
		if old, made, err = c.decode(data); err != nil {
			c.runtime.warn(x, "a value in the cache could not be read", err)
			found = false
		}
		stale := refreshAfter > 0 && time.Since(made) >= time.Duration(refreshAfter)*time.Second
		if found && (!stale || !c.runtime.beginRefresh(key)) {
			x.SetVariable(c.variable, old)
			return Continue, nil
		}
		if found {
			defer c.runtime.endRefresh(key)
		}
	}
	delete(x.Variables, c.variable)
	outcome, failure := Run(x, c.steps)
	value, made := x.Variables[c.variable]
	switch {
	case failure == nil && outcome != Continue:
		return outcome, nil
	case failure == nil && made:
		return Continue, c.store(x, key, value)
	case found:
		x.LastError = nil
		x.SetVariable(c.variable, old)
		return Continue, nil
	case c.fallback.IsSet():
		x.LastError = nil
		if value, err = c.fallback.Get(x); err != nil {
			return End, err
		}
		x.SetVariable(c.variable, value)
		return Continue, nil
	}
	return outcome, failure
}

func (c *cacheValue) store(x *Exchange, key string, value any) error {
	seconds, err := c.expires.Get(x)
	if err != nil {
		return err
	}
	data, err := c.runtime.Values.Encode(value)
	if err != nil {
		return expressionFailure("The value cannot be cached: " + err.Error())
	}
	stamped := binary.BigEndian.AppendUint64(make([]byte, 0, len(data)+8), uint64(time.Now().UnixNano()))
	c.set(x, key, append(stamped, data...), time.Duration(seconds)*time.Second)
	return nil
}

// decode reads a value with the time when it was made.
func (c *cacheValue) decode(data []byte) (any, time.Time, error) {
	if len(data) < 8 {
		return nil, time.Time{}, fmt.Errorf("%d bytes hold no value", len(data))
	}
	value, err := c.runtime.Values.Decode(data[8:])
	return value, time.Unix(0, int64(binary.BigEndian.Uint64(data))), err
}

func (r *Runtime) beginRefresh(key string) bool {
	_, busy := r.refreshing.LoadOrStore(key, struct{}{})
	return !busy
}

func (r *Runtime) endRefresh(key string) { r.refreshing.Delete(key) }

// detached keeps what is stored after the response from ending with the client.
func detached(x *Exchange) context.Context { return context.WithoutCancel(x.Context) }
