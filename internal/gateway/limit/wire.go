package limit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// What nodes tell each other is a version, a type, the node, its number of the message and its clock, and then one entry after the other.
// Numbers are those of encoding/binary; times of a message are microseconds by the sender's clock, which began with it, so that clocks need
// not agree: a receiver looks only at how far they are from the message's own.
const (
	wireVersion = 1

	messageCounts = 1 // entries are counts
	messageAsk    = 2 // asks a node, or all by eight zero bytes, for all that it has counted

	entryRate  = 1
	entryQuota = 2

	// messageTarget is the size at which a message is sent and the next one begun. An entry is smaller than that.
	messageTarget = 48 << 10
	// maxMessage is the largest message that is read.
	maxMessage = 128 << 10
	// maxLength is the longest window of a rate that nodes share; policies have 300 s at most (rate-limit-policy, "Attributes").
	maxLength = time.Hour
)

var (
	errShort = errors.New("it ends too early")
	errSense = errors.New("it makes no sense")
)

// message is what a node tells.
type message struct {
	kind   byte
	node   nodeID
	number uint64 // of the node's messages, from 1
	clock  uint64
	asked  nodeID // of messageAsk
	body   []byte // entries of messageCounts
}

// begin appends the head of a message.
func (m *message) begin(b []byte) []byte {
	b = append(b, wireVersion, m.kind)
	b = append(b, m.node[:]...)
	b = binary.AppendUvarint(b, m.number)
	b = binary.AppendUvarint(b, m.clock)
	if m.kind == messageAsk {
		b = append(b, m.asked[:]...)
	}
	return b
}

// reader takes a message apart. After the first failure it gives zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) bytes(n int) []byte {
	if r.err != nil || len(r.b) < n {
		r.fail(errShort)
		return make([]byte, n)
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count is a number of calls or bytes.
func (r *reader) count() int64 {
	v := r.uvarint()
	if v > maxCount {
		r.fail(errSense)
		return 0
	}
	return int64(v)
}

// parseMessage reads the head of a message.
func parseMessage(b []byte) (m message, err error) {
	if len(b) > maxMessage {
		return m, fmt.Errorf("it has %d bytes, and %d are read", len(b), maxMessage)
	}
	r := reader{b: b}
	version := r.bytes(1)[0]
	if r.err == nil && version != wireVersion {
		return m, fmt.Errorf("its version is %d, and this node knows %d", version, wireVersion)
	}
	m.kind = r.bytes(1)[0]
	copy(m.node[:], r.bytes(len(m.node)))
	m.number, m.clock = r.uvarint(), r.uvarint()
	switch m.kind {
	case messageCounts:
		m.body = r.b
	case messageAsk:
		copy(m.asked[:], r.bytes(len(m.asked)))
		if len(r.b) > 0 {
			r.fail(errSense)
		}
	default:
		r.fail(errSense)
	}
	if m.node == (nodeID{}) || m.number == 0 || m.clock > math.MaxInt64/2000 {
		r.fail(errSense)
	}
	return m, r.err
}

// taker is told what a message holds.
type taker interface {
	// rate begins the runs of a counter.
	rate(i id)
	run(first uint64, leaves time.Duration, n int64) // leaves is how long from the message on
	quota(i id, end, n int64, saves uint64)
}

// entries hands over what the message holds, up to what is wrong with it.
func (m *message) entries(t taker) error {
	r := reader{b: m.body}
	for len(r.b) > 0 {
		kind := r.bytes(1)[0]
		var i id
		copy(i[:], r.bytes(len(i)))
		switch kind {
		case entryRate:
			runs := r.uvarint()
			if runs > 2*(slots+1) {
				r.fail(errSense)
			}
			if r.err != nil {
				return r.err
			}
			t.rate(i)
			for range runs {
				first, ahead, n := r.uvarint(), r.varint(), r.count()
				leaves := time.Duration(ahead) * time.Microsecond
				if ahead > int64(maxLength/time.Microsecond) || ahead < -int64(maxLength/time.Microsecond) {
					r.fail(errSense)
				}
				if r.err != nil {
					return r.err
				}
				t.run(first, leaves, n)
			}
		case entryQuota:
			end, n, saves := r.varint(), r.count(), r.uvarint()
			if r.err != nil {
				return r.err
			}
			t.quota(i, end, n, saves)
		default:
			r.fail(errSense)
		}
	}
	return r.err
}

// appendRuns appends what others do not know yet of a rate's window at the time since.
func (c *counter) appendRuns(b []byte, since time.Duration) []byte {
	begin := len(c.runs)
	for begin > c.head && c.runs[begin-1].first >= c.told {
		begin--
	}
	if begin == len(c.runs) {
		return b
	}
	b = append(b, entryRate)
	b = append(b, c.elsewhere.id[:]...)
	b = binary.AppendUvarint(b, uint64(len(c.runs)-begin))
	for _, r := range c.runs[begin:] {
		b = binary.AppendUvarint(b, uint64(r.first.Microseconds()))
		b = binary.AppendVarint(b, (r.last + c.length - since).Microseconds())
		b = binary.AppendUvarint(b, uint64(min(r.n, maxCount)))
	}
	c.told = c.runs[len(c.runs)-1].first
	return b
}

// appendCount appends what this node has counted of a quota and not saved.
func (c *counter) appendCount(b []byte) []byte {
	b = append(b, entryQuota)
	b = append(b, c.elsewhere.id[:]...)
	b = binary.AppendVarint(b, endOf(c))
	b = binary.AppendUvarint(b, uint64(min(c.total, maxCount)))
	return binary.AppendUvarint(b, c.saves)
}

const (
	recordVersion = 1
	// maxWriters is how many nodes a record remembers as its writers.
	maxWriters = 64
	// maxKept is how many counts a record holds, so that it fits into a message of any NATS.
	maxKept = 20 << 10
	// lateness is how long counts of a period that is over stay, for nodes whose clocks are behind.
	lateness = time.Hour
)

// record is the quotas of a part as they are kept, for all nodes.
type record struct {
	// writers are who wrote last, with the number of its save: by it a node whose write was not answered sees whether it was done.
	writers []writer
	kept    []kept
}

type writer struct {
	node  nodeID
	saves uint64
}

// kept is the count of a period that all nodes have saved.
type kept struct {
	id    id
	end   int64
	n     int64
	node  nodeID // who wrote it last
	saves uint64
}

// errNewer is the error of a record of a later version, which must not be overwritten.
var errNewer = errors.New("it was written by a later version of the program")

func parseRecord(b []byte) (*record, error) {
	r := reader{b: b}
	if len(b) == 0 {
		return &record{}, nil
	}
	if version := r.bytes(1)[0]; version > recordVersion {
		return nil, errNewer
	} else if version != recordVersion {
		return nil, errSense
	}
	number := r.uvarint()
	if number > maxWriters {
		return nil, errSense
	}
	rec := &record{}
	for range number {
		var w writer
		copy(w.node[:], r.bytes(len(w.node)))
		w.saves = r.uvarint()
		rec.writers = append(rec.writers, w)
	}
	for len(r.b) > 0 {
		var k kept
		copy(k.id[:], r.bytes(len(k.id)))
		k.end, k.n = r.varint(), r.count()
		if who := r.uvarint(); who > number {
			r.fail(errSense)
		} else if who > 0 && r.err == nil {
			k.node, k.saves = rec.writers[who-1].node, r.uvarint()
		}
		if len(rec.kept) == maxKept {
			r.fail(errSense)
		}
		rec.kept = append(rec.kept, k)
	}
	if r.err != nil {
		return nil, r.err
	}
	return rec, nil
}

func (r *record) encode() []byte {
	b := binary.AppendUvarint([]byte{recordVersion}, uint64(len(r.writers)))
	index := make(map[nodeID]int, len(r.writers))
	for i, w := range r.writers {
		index[w.node] = i + 1
		b = append(b, w.node[:]...)
		b = binary.AppendUvarint(b, w.saves)
	}
	for _, k := range r.kept {
		b = append(b, k.id[:]...)
		b = binary.AppendVarint(b, k.end)
		b = binary.AppendUvarint(b, uint64(k.n))
		who := index[k.node]
		b = binary.AppendUvarint(b, uint64(who))
		if who > 0 {
			b = binary.AppendUvarint(b, k.saves)
		}
	}
	return b
}
