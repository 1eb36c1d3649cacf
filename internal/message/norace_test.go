//go:build !race

package message

// raceEnabled tells that the race detector is on, under which a sync.Pool forgets at random, so that allocations cannot be counted.
const raceEnabled = false
