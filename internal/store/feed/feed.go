// Package feed holds the present records of a store in memory and tells its watchers every change in order; it is what
// the store implementations have in common.
package feed

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
)

// Feed is the present state and its watchers. The zero value is not usable; see [New]. All methods may be called at the same time.
//
// Lock order: Feed.mu, then watcher.mu.
type Feed struct {
	mu       sync.RWMutex
	records  map[string]store.Record // by the key of the id
	keys     []string                // of records, sorted
	revision uint64                  // of the last change that was applied
	changed  chan struct{}           // closed and replaced when revision changes
	watchers map[*watcher]struct{}
	closed   bool

	done    chan struct{}  // closed by Close
	running sync.WaitGroup // the goroutines of the watchers
}

// New makes an empty feed.
func New() *Feed {
	return &Feed{
		records:  make(map[string]store.Record),
		changed:  make(chan struct{}),
		watchers: make(map[*watcher]struct{}),
		done:     make(chan struct{}),
	}
}

// Put applies a write. A revision that is not above that of the record which is there has been seen already and is ignored.
func (f *Feed) Put(r store.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.records[r.ID.Key()].Revision < r.Revision {
		f.putLocked(r)
	}
	f.advanceLocked(r.Revision)
}

// Delete applies a deletion at a revision.
func (f *Feed) Delete(id resource.ID, revision uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.records[id.Key()].Revision < revision {
		f.deleteLocked(id.Key(), revision)
	}
	f.advanceLocked(revision)
}

// Replace makes records the whole present state as of revision: what differs is told to the watchers as
// writes and deletions. It is for a source that could not be followed for a while.
func (f *Feed) Replace(records []store.Record, revision uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	present := make(map[string]struct{}, len(records))
	for _, r := range records {
		present[r.ID.Key()] = struct{}{}
	}
	for _, key := range slices.Clone(f.keys) {
		if _, ok := present[key]; !ok {
			f.deleteLocked(key, revision)
		}
	}
	for _, r := range records {
		// The source may have been put back to an older state, so another revision counts even when it is lower.
		if f.records[r.ID.Key()].Revision != r.Revision {
			f.putLocked(r)
		}
	}
	f.moveLocked(revision)
}

func (f *Feed) putLocked(r store.Record) {
	if f.closed {
		return
	}
	key := r.ID.Key()
	if _, exists := f.records[key]; !exists {
		at, _ := slices.BinarySearch(f.keys, key)
		f.keys = slices.Insert(f.keys, at, key)
	}
	f.records[key] = r
	f.tellLocked(key, store.Event{Record: r})
}

func (f *Feed) deleteLocked(key string, revision uint64) {
	old, exists := f.records[key]
	if f.closed || !exists {
		return
	}
	delete(f.records, key)
	if at, ok := slices.BinarySearch(f.keys, key); ok {
		f.keys = slices.Delete(f.keys, at, at+1)
	}
	f.tellLocked(key, store.Event{Record: store.Record{ID: old.ID, Kind: old.Kind, Revision: revision}, Deleted: true})
}

func (f *Feed) advanceLocked(revision uint64) {
	if revision > f.revision {
		f.moveLocked(revision)
	}
}

func (f *Feed) moveLocked(revision uint64) {
	if f.closed {
		return
	}
	f.revision = revision
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *Feed) tellLocked(key string, e store.Event) {
	for w := range f.watchers {
		if below(w.prefix, key) {
			w.push(e)
		}
	}
}

// below says whether key is prefix or lies below it; every key lies below "".
func below(prefix, key string) bool {
	rest, ok := strings.CutPrefix(key, prefix)
	return ok && (prefix == "" || rest == "" || rest[0] == '/')
}

// Revision is that of the last change that was applied.
func (f *Feed) Revision() uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.revision
}

// Get is [store.Store.Get].
func (f *Feed) Get(ctx context.Context, id resource.ID) (store.Record, error) {
	if err := store.CheckID(id); err != nil {
		return store.Record{}, err
	}
	if err := ctx.Err(); err != nil {
		return store.Record{}, store.Unavailable(id, err)
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return store.Record{}, store.Unavailable(id, errClosed)
	}
	r, ok := f.records[id.Key()]
	if !ok {
		return store.Record{}, store.NotFound(id)
	}
	return r, nil
}

// List is [store.Store.List].
func (f *Feed) List(ctx context.Context, prefix resource.ID) ([]store.Record, error) {
	if err := store.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, store.Unavailable(prefix, err)
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return nil, store.Unavailable(prefix, errClosed)
	}
	return f.listLocked(prefix.Key()), nil
}

func (f *Feed) listLocked(prefix string) []store.Record {
	var records []store.Record
	from := 0
	if prefix != "" {
		// Other keys may stand between a key and those below it, as "/a-b" does between "/a" and "/a/b".
		if r, ok := f.records[prefix]; ok {
			records = append(records, r)
		}
		from, _ = slices.BinarySearch(f.keys, prefix+"/")
	}
	for _, key := range f.keys[from:] {
		if !below(prefix, key) {
			break
		}
		records = append(records, f.records[key])
	}
	return records
}

// Wait returns once a change at revision or above was applied, or with the error of ctx or of the closed feed.
func (f *Feed) Wait(ctx context.Context, revision uint64) error {
	return f.wait(ctx, func() bool { return f.revision >= revision })
}

// WaitPast returns once the record under id is no longer the one at revision, or with the error of ctx or of the closed feed.
func (f *Feed) WaitPast(ctx context.Context, id resource.ID, revision uint64) error {
	key := id.Key()
	return f.wait(ctx, func() bool { return f.records[key].Revision != revision })
}

// wait returns once reached, which is called under the lock, is true.
func (f *Feed) wait(ctx context.Context, reached func() bool) error {
	for {
		f.mu.RLock()
		ok, closed, changed := reached(), f.closed, f.changed
		f.mu.RUnlock()
		switch {
		case ok:
			return nil
		case closed:
			return errClosed
		}
		select {
		case <-changed:
		case <-f.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Watch is [store.Store.Watch].
func (f *Feed) Watch(ctx context.Context, prefix resource.ID) (<-chan store.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, store.Unavailable(prefix, errClosed)
	}
	w := &watcher{prefix: prefix.Key(), ready: make(chan struct{}, 1), events: make(chan store.Event)}
	for _, r := range f.listLocked(w.prefix) {
		w.push(store.Event{Record: r})
	}
	w.push(store.Event{Synced: true})
	f.watchers[w] = struct{}{}
	f.running.Go(func() {
		defer close(w.events)
		w.run(ctx, f.done)
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, w)
	})
	return w.events, nil
}

// Close ends all watches and waits for their goroutines. Closing again does nothing.
func (f *Feed) Close() {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		close(f.done)
	}
	f.mu.Unlock()
	f.running.Wait()
}

// errClosed is the cause of every error of a closed feed.
var errClosed = closedError{}

type closedError struct{}

func (closedError) Error() string { return "the store is closed" }

// watcher is one reader. Its queue has no bound: a configuration store's changes are few and small, and a reader that lost
// one would serve a wrong configuration for ever.
type watcher struct {
	prefix string // key
	events chan store.Event
	ready  chan struct{} // holds a token when the queue has become non-empty

	mu    sync.Mutex
	queue []store.Event
}

func (w *watcher) push(e store.Event) {
	w.mu.Lock()
	w.queue = append(w.queue, e)
	w.mu.Unlock()
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// run hands the queue to the reader until ctx or done ends.
func (w *watcher) run(ctx context.Context, done <-chan struct{}) {
	for {
		select {
		case <-w.ready:
		case <-ctx.Done():
			return
		case <-done:
			return
		}
		w.mu.Lock()
		batch := w.queue
		w.queue = nil
		w.mu.Unlock()
		for _, e := range batch {
			select {
			case w.events <- e:
			case <-ctx.Done():
				return
			case <-done:
				return
			}
		}
	}
}
