package session

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestWheel(t *testing.T) {
	t.Parallel()
	var w wheel
	start := time.Unix(1_800_000_000, 0)
	if due := w.turn(start); len(due) != 0 {
		t.Fatalf("%d are due in an empty wheel", len(due))
	}
	// Each of many is due in its second, whatever happens to the others.
	random := rand.New(rand.NewPCG(1, 2))
	links := make(map[*serverlessLink]int)
	for range 1000 {
		l := &serverlessLink{}
		seconds := random.IntN(120) + 1
		w.add(l, start.Add(90*time.Second)) // it moves
		w.add(l, start.Add(time.Duration(seconds)*time.Second))
		links[l] = seconds
		if random.IntN(4) == 0 {
			w.remove(l)
			w.remove(l)
			delete(links, l)
		}
	}
	for second := 1; second <= 120; second++ {
		for _, l := range w.turn(start.Add(time.Duration(second) * time.Second)) {
			if links[l] != second {
				t.Fatalf("one that is due after %d s came after %d s", links[l], second)
			}
			delete(links, l)
		}
	}
	if len(links) > 0 {
		t.Errorf("%d never came", len(links))
	}
	// What is over already is due in the next second, and a clock that jumps loses nothing.
	a, b := &serverlessLink{}, &serverlessLink{}
	w.add(a, start)
	w.add(b, start.Add(time.Hour))
	if due := w.turn(start.Add(121 * time.Second)); len(due) != 1 || due[0] != a {
		t.Errorf("%d are due", len(due))
	}
	if due := w.turn(start.Add(10000 * time.Second)); len(due) != 1 || due[0] != b {
		t.Errorf("%d are due after a jump", len(due))
	}
}
