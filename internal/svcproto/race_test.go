//go:build race

package svcproto

// raceEnabled tells that the race detector is on, under which growing a slice allocates once more.
const raceEnabled = true
