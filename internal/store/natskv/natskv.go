// Package natskv is the durable store: a JetStream key-value bucket, whose sequence numbers are the revisions, and a copy of it
// in memory, which answers reads and watches.
package natskv

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hubgate/hubgate/internal/resource"
	"github.com/hubgate/hubgate/internal/store"
	"github.com/hubgate/hubgate/internal/store/feed"
)

// DefaultBucket is the name of the bucket when none is given.
const DefaultBucket = "hubgate-resources"

// markerLife is how long the bucket remembers a deletion. A node that follows the bucket without a break needs it for
// moments only, and one that lost its connection reads everything anew.
const markerLife = 24 * time.Hour

// Options says which bucket to use and how to make it.
type Options struct {
	// Bucket is the name of the bucket; "" means DefaultBucket.
	Bucket string
	// Replicas is the number of servers of a NATS cluster that keep the bucket when it is made here: 1 to 5; 0 means 1.
	Replicas int
	// Logger; nil drops messages.
	Logger *slog.Logger
}

// Store is a [store.Store] in a bucket. In a cluster, a read sees all writes through the same node and, a moment later, those through
// others; and when two nodes write one record at nearly the same time, a watch may see only the later of the two.
type Store struct {
	conn   *nats.Conn
	bucket jetstream.KeyValue
	stream jetstream.Stream // the stream under the bucket
	feed   *feed.Feed
	logger *slog.Logger

	// writing is held by a write until this node has seen its own change. The bucket keeps one value a record, so without
	// this a second write could replace the first before the watches heard of it. Records share the locks by hash.
	writing [64]chan struct{}

	stop    context.CancelFunc
	running sync.WaitGroup
}

// Open makes the bucket when it is not there, reads it, and follows it from then on. It needs NATS 2.11 or later with JetStream. A write is on disk
// when it is acknowledged if the server syncs always, as the embedded one of package natsd does; for an outside NATS set
// "sync_interval: always" in its configuration, or keep several replicas. The connection stays the caller's.
func Open(ctx context.Context, conn *nats.Conn, o Options) (*Store, error) {
	if o.Bucket == "" {
		o.Bucket = DefaultBucket
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	bucket, err := js.KeyValue(ctx, o.Bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		bucket, err = js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket:         o.Bucket,
			Description:    "Hubgate's resources",
			History:        1,
			Storage:        jetstream.FileStorage,
			Replicas:       max(o.Replicas, 1),
			LimitMarkerTTL: markerLife,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", o.Bucket, err)
	}
	stream, err := js.Stream(ctx, "KV_"+o.Bucket)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", o.Bucket, err)
	}
	s := &Store{conn: conn, bucket: bucket, stream: stream, feed: feed.New(), logger: o.Logger}
	for i := range s.writing {
		s.writing[i] = make(chan struct{}, 1)
	}
	followCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	first := make(chan error, 1)
	s.running.Go(func() { s.follow(followCtx, first) })
	select {
	case err = <-first:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("bucket %s: %w", o.Bucket, err)
	}
	return s, nil
}

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
	unlock, err := s.lock(ctx, id)
	if err != nil {
		return 0, err
	}
	defer unlock()
	old, err := s.Get(ctx, id)
	exists := err == nil
	if !exists && resource.KindOf(err) != resource.NotFound {
		return 0, err
	}
	spelled := id
	if exists {
		spelled = old.ID
	}
	if s.overtaken(old, ifRevision) {
		return 0, store.PreconditionFailed(spelled, ifRevision)
	}
	stored := encodeValue(spelled, value)
	if largest := s.conn.MaxPayload(); int64(len(stored)) > largest {
		return 0, &resource.Error{Kind: resource.Invalid, ID: id, Message: fmt.Sprintf("the resource has %d bytes, and this NATS takes %d; raise its max_payload", len(stored), largest)}
	}
	var revision uint64
	switch ifRevision {
	case store.AnyRevision:
		revision, err = s.bucket.Put(ctx, encodeKey(id), stored)
	case 0:
		revision, err = s.bucket.Create(ctx, encodeKey(id), stored)
		if wrongRevision(err) {
			return 0, store.Conflict(spelled)
		}
	default:
		revision, err = s.bucket.Update(ctx, encodeKey(id), stored, ifRevision)
		if wrongRevision(err) {
			return 0, store.PreconditionFailed(spelled, ifRevision)
		}
	}
	if err != nil {
		return 0, unavailable(id, err)
	}
	// The write is durable whatever happens now; waiting only lets the caller read it back.
	_ = s.feed.Wait(ctx, revision)
	return revision, nil
}

// lock waits for the right to write the record.
func (s *Store) lock(ctx context.Context, id resource.ID) (unlock func(), err error) {
	hash := fnv.New32a()
	hash.Write([]byte(id.Key()))
	l := s.writing[hash.Sum32()%uint32(len(s.writing))]
	select {
	case l <- struct{}{}:
		return func() { <-l }, nil
	case <-ctx.Done():
		return nil, store.Unavailable(id, ctx.Err())
	}
}

// overtaken says whether a write that expects ifRevision is too late for certain, for this node has seen the change. The bucket
// itself would accept the revision of a deletion.
func (s *Store) overtaken(old store.Record, ifRevision uint64) bool {
	return ifRevision != 0 && ifRevision != store.AnyRevision && ifRevision != old.Revision && ifRevision <= s.feed.Revision()
}

// Delete is [store.Store.Delete].
func (s *Store) Delete(ctx context.Context, id resource.ID, ifRevision uint64) error {
	if err := store.CheckID(id); err != nil {
		return err
	}
	unlock, err := s.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	for {
		seen := s.feed.Revision()
		old, err := s.Get(ctx, id)
		if err != nil {
			return err
		}
		expected := ifRevision
		if ifRevision == store.AnyRevision {
			expected = old.Revision
		} else if ifRevision == 0 || s.overtaken(old, ifRevision) {
			return store.PreconditionFailed(old.ID, ifRevision)
		}
		err = s.bucket.Purge(ctx, encodeKey(id), jetstream.LastRevision(expected), jetstream.PurgeTTL(markerLife))
		switch {
		case err == nil:
			// The record is durably gone; as in Put.
			_ = s.feed.WaitPast(ctx, id, expected)
			return nil
		case !wrongRevision(err):
			return unavailable(id, err)
		case ifRevision != store.AnyRevision:
			return store.PreconditionFailed(old.ID, ifRevision)
		}
		// Another node was faster with a change that this one has not seen yet; try again on what it left.
		if err := s.feed.Wait(ctx, seen+1); err != nil {
			return store.Unavailable(id, err)
		}
	}
}

// Watch is [store.Store.Watch].
func (s *Store) Watch(ctx context.Context, prefix resource.ID) (<-chan store.Event, error) {
	if err := store.CheckPrefix(prefix); err != nil {
		return nil, err
	}
	return s.feed.Watch(ctx, prefix)
}

// Close is [store.Store.Close]. The connection stays open.
func (s *Store) Close() error {
	s.stop()
	s.feed.Close()
	s.running.Wait()
	return nil
}

func wrongRevision(err error) bool {
	return errors.Is(err, jetstream.ErrKeyExists) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) || hasCode(err, jetstream.JSErrCodeStreamWrongLastSequence) ||
		hasCode(err, jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

func hasCode(err error, code jetstream.ErrorCode) bool {
	e, ok := errors.AsType[*jetstream.APIError](err)
	return ok && e.ErrorCode == code
}

func unavailable(id resource.ID, err error) error {
	e := store.Unavailable(id, err)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrConnectionClosed) {
		e.Message = "the resource store did not answer in time, and the change may have been made or not; read the resource to see"
	}
	return e
}

var _ store.Store = (*Store)(nil)
