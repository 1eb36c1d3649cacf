//go:build !race

package expr

// raceEnabled is described beside its other value.
const raceEnabled = false
