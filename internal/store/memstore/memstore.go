// Package memstore is a store in memory: for tests, and for a node that is to keep nothing.
package memstore

import (
	"context"
	"slices"
	"sync"

	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
	"github.com/hubgate/hubgate/internal/store/feed"
)

// Store is a [store.Store] in memory. A write is durable for as long as the store lives.
type Store struct {
	feed *feed.Feed

	mu       sync.Mutex // held over a write, from its check to its application
	revision uint64
}

// New makes an empty store.
func New() *Store { return &Store{feed: feed.New()} }

// Get is [store.Store.Get].
func (s *Store) Get(ctx context.Context, id resource.ID) (store.Record, error) {
	return s.feed.Get(ctx, id)
}

// List is [store.Store.List].
func (s *Store) List(ctx context.Context, prefix resource.ID) ([]store.Record, error) {
	return s.feed.List(ctx, prefix)
}

// Put is [store.Store.Put].
func (s *Store) Put(ctx context.Context, id resource.ID, value []byte, ifRevision uint64) (uint64, error) {
	if err := store.CheckPut(id, value); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.Get(ctx, id)
	exists := err == nil
	switch {
	case !exists && resource.KindOf(err) != resource.NotFound:
		return 0, err
	case ifRevision == store.AnyRevision:
	case ifRevision == 0:
		if exists {
			return 0, store.Conflict(id)
		}
	case !exists || old.Revision != ifRevision:
		return 0, store.PreconditionFailed(id, ifRevision)
	}
	if exists {
		id = old.ID
	}
	s.revision++
	s.feed.Put(store.Record{ID: id, Kind: id.Type(), Value: slices.Clone(value), Revision: s.revision})
	return s.revision, nil
}

// Delete is [store.Store.Delete].
func (s *Store) Delete(ctx context.Context, id resource.ID, ifRevision uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if ifRevision != store.AnyRevision && old.Revision != ifRevision {
		return store.PreconditionFailed(id, ifRevision)
	}
	s.revision++
	s.feed.Delete(id, s.revision)
	return nil
}

// Watch is [store.Store.Watch].
func (s *Store) Watch(ctx context.Context, prefix resource.ID) (<-chan store.Event, error) {
	if err := store.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	return s.feed.Watch(ctx, prefix)
}

// Close is [store.Store.Close].
func (s *Store) Close() error {
	s.feed.Close()
	return nil
}

var _ store.Store = (*Store)(nil)
