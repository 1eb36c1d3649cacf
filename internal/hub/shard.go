package hub

import "sync"

// shardCount spreads locks; a power of two.
const shardCount = 64

// hash is FNV-1a, over strings and over bytes that were not turned into a string.
func hash[T ~string | ~[]byte](key T) uint32 {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	return h
}

// shards is a map cut into parts with a lock each.
type shards[V any] [shardCount]shard[V]

type shard[V any] struct {
	mu sync.Mutex
	m  map[string]V
}

func (s *shards[V]) of(key string) *shard[V]      { return &s[hash(key)%shardCount] }
func (s *shards[V]) ofBytes(key []byte) *shard[V] { return &s[hash(key)%shardCount] }

func (s *shard[V]) setLocked(key string, v V) {
	if s.m == nil {
		s.m = make(map[string]V)
	}
	s.m[key] = v
}
