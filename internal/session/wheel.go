package session

import (
	"sync"
	"time"
)

// wheelSlots is more than the longest time, in seconds, that anything may be in a wheel.
const wheelSlots = 128

// wheel looks after serverless clients in time, to the second: a timer for each of them would cost more than all that they do. A client is in one
// slot, in a list that it can leave at once.
type wheel struct {
	mu    sync.Mutex
	slots [wheelSlots]*serverlessLink
	now   int64 // the second up to which all is done
}

// spoke is a client's place in a wheel, guarded by that wheel.
type spoke struct {
	slot       int // plus one; 0 means that it is in none
	next, prev *serverlessLink
}

// add has l looked at in the second of at, or in the next one when that is over.
func (w *wheel) add(l *serverlessLink, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addLocked(l, at.Unix())
}

func (w *wheel) addLocked(l *serverlessLink, at int64) {
	w.removeLocked(l)
	at = min(max(at, w.now+1), w.now+wheelSlots-1)
	slot := int(at % wheelSlots)
	first := w.slots[slot]
	l.spoke = spoke{slot: slot + 1, next: first}
	if first != nil {
		first.spoke.prev = l
	}
	w.slots[slot] = l
}

// remove forgets l.
func (w *wheel) remove(l *serverlessLink) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.removeLocked(l)
}

func (w *wheel) removeLocked(l *serverlessLink) {
	s := l.spoke
	if s.slot == 0 {
		return
	}
	if s.prev != nil {
		s.prev.spoke.next = s.next
	} else {
		w.slots[s.slot-1] = s.next
	}
	if s.next != nil {
		s.next.spoke.prev = s.prev
	}
	l.spoke = spoke{}
}

// turn takes out all whose second has come up to now.
func (w *wheel) turn(now time.Time) []*serverlessLink {
	w.mu.Lock()
	defer w.mu.Unlock()
	second := now.Unix()
	if second-w.now > wheelSlots {
		w.now = second - wheelSlots // every slot is due, once
	}
	var due []*serverlessLink
	for w.now < second {
		w.now++
		for l := w.slots[w.now%wheelSlots]; l != nil; l = w.slots[w.now%wheelSlots] {
			due = append(due, l)
			w.removeLocked(l)
		}
	}
	return due
}
