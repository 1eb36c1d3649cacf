//go:build race

package expr

// raceEnabled says that the race detector runs, under which sync.Pool drops entries and allocation counts mean nothing.
const raceEnabled = true
