package natskv

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hubgate/hubgate/internal/store"
)

// follow keeps the feed equal to the bucket until ctx ends. The first result of reading the whole bucket goes to first; after that, errors are
// logged and reading begins anew: after a lost connection, what was deleted long enough ago leaves no trace to follow.
func (s *Store) follow(ctx context.Context, first chan<- error) {
	connected := s.conn.StatusChanged(nats.CONNECTED)
	defer s.conn.RemoveStatusListener(connected)
	const shortest, longest = 100 * time.Millisecond, 5 * time.Second
	pause := shortest
	for {
		err := s.followOnce(ctx, connected, func() {
			pause = shortest
			if first != nil {
				first <- nil
				first = nil
			}
		})
		if ctx.Err() != nil {
			return
		}
		if first != nil {
			first <- err
			return
		}
		if errors.Is(err, errConnectedAgain) {
			s.logger.Info("reading the resources again after NATS was away")
			continue
		}
		s.logger.Warn("resources cannot be followed and may be out of date; trying again", "error", err, "pause", pause)
		select {
		case <-ctx.Done():
			return
		case <-connected:
		case <-time.After(pause):
			pause = min(2*pause, longest)
		}
	}
}

var (
	errConnectedAgain = errors.New("the connection was made again")
	errWatchEnded     = errors.New("the watch of the bucket ended")
)

// followOnce reads the whole bucket into the feed, calls synced, and applies changes until something goes wrong or NATS was away.
func (s *Store) followOnce(ctx context.Context, connected <-chan nats.Status, synced func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The last revision is read before the watch begins, so that no record of the watch's first part is older than its state.
	info, err := s.stream.Info(ctx)
	if err != nil {
		return err
	}
	revision := info.State.LastSeq
	watcher, err := s.bucket.WatchAll(ctx)
	if err != nil {
		return err
	}
	defer func() {
		cancel()
		// The watcher's goroutine may wait for a reader; it closes the channel at its end.
		for range watcher.Updates() {
		}
	}()
	var present []store.Record
	started := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-connected:
			return errConnectedAgain
		case entry, ok := <-watcher.Updates():
			switch {
			case !ok:
				return errWatchEnded
			case entry == nil:
				s.feed.Replace(present, revision)
				present, started = nil, true
				synced()
			case started:
				s.apply(entry)
			default:
				revision = max(revision, entry.Revision())
				if r, ok := s.record(entry); ok {
					present = append(present, r)
				}
			}
		}
	}
}

// apply applies one change to the feed.
func (s *Store) apply(entry jetstream.KeyValueEntry) {
	if r, ok := s.record(entry); ok {
		s.feed.Put(r)
		return
	}
	// What is not a readable record is a deletion, or something foreign that has taken the record's place. A key that no id has
	// decodes to "", under which there is no record either.
	id, _ := decodeKey(entry.Key())
	s.feed.Delete(id, entry.Revision())
}

// record makes the record of an entry; ok is false for deletions and for what is not a record.
func (s *Store) record(entry jetstream.KeyValueEntry) (r store.Record, ok bool) {
	if entry.Operation() != jetstream.KeyValuePut {
		return store.Record{}, false
	}
	id, value, ok := decodeValue(entry.Value())
	if !ok || store.CheckID(id) != nil || encodeKey(id) != entry.Key() {
		s.logger.Error("the bucket has an entry that is not a resource; it is left out", "key", entry.Key(), "revision", entry.Revision())
		return store.Record{}, false
	}
	return store.Record{ID: id, Kind: id.Type(), Value: value, Revision: entry.Revision()}, true
}
