package limit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// TellInterval is how long a node waits at least before it tells the others again what it counted. The first count after a quiet time is
	// told at once.
	TellInterval = 100 * time.Millisecond
	// heartbeat is how often a node without news says that it is there.
	heartbeat = 2 * time.Second
	// silence is after what time without a message a node is taken for gone.
	silence = 5 * heartbeat
	// maxPeers is from how many nodes messages are taken.
	maxPeers = 256
	// bite is how many counters are written down under one hold of a lock.
	bite = 128
)

// Peers carries messages to the counters of the same service on the other nodes. Messages of a node arrive in order or not at all, and those
// that the node sent itself may come back.
type Peers interface {
	Publish(body []byte) error
	Subscribe(receive func(body []byte)) (cancel func(), err error)
}

// Options say with whom counters are shared and where quotas are kept.
type Options struct {
	Peers   Peers   // nil: there are no other nodes
	Records Records // nil keeps quotas in memory
	Logger  *slog.Logger
}

// cluster lets nodes count together.
//
// Each node counts its own calls and tells the others, in messages of many counters, what it has in each window; a request looks only at numbers
// of this process. What a node has counted of a rate are runs, whose counts only grow, so a message that is lost or comes twice does no harm; what
// is missing is asked for when the numbers of the messages show a gap. Times travel as distances, so clocks need not agree. Of a quota a node
// tells what it has counted and not saved yet; what is saved is in records that all nodes add to. The periods of a quota are those of each node's
// own clock: a count belongs to the period by whose end it is named, and nodes whose clocks differ disagree for as long as that at its beginning.
type cluster struct {
	local   *Local
	peers   Peers
	records Records
	log     *slog.Logger
	self    nodeID
	parts   [parts]known
	saves   [parts]saves
	most    int // entries of a part
	wake    chan struct{}
	heard   atomic.Bool // there are other nodes
	retell  atomic.Bool // somebody asks for everything
	stop    context.CancelFunc
	running sync.WaitGroup

	// Guarded by mu.
	mu         sync.Mutex
	others     map[nodeID]*peer
	complained time.Time // about a message that cannot be read

	// Owned by tell, and by Close after it.
	number uint64
	buffer []byte
}

// peer is another node.
type peer struct {
	number uint64 // of its last message
	heard  time.Time
	ask    bool // something is missing
	asked  time.Time
}

// listed says in which of its shard's lists a counter is.
type listed uint8

const (
	isUntold listed = 1 << iota
	isUnsaved
)

// Open makes counters that are shared with others, and takes over what is kept. The caller closes them.
func Open(ctx context.Context, o Options) (*Local, error) {
	l := NewLocal()
	if o.Peers == nil && o.Records == nil {
		return l, nil
	}
	c := &cluster{local: l, peers: o.Peers, records: o.Records, log: o.Logger, most: 2 * MaxCounters / parts, wake: make(chan struct{}, 1), others: map[nodeID]*peer{}}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if _, err := rand.Read(c.self[:]); err != nil {
		return nil, err
	}
	for i := range c.parts {
		c.parts[i].byID = map[id]*elsewhere{}
	}
	l.cluster = c
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	if c.records != nil {
		for part := range parts {
			value, revision, err := c.records.Read(ctx, part)
			if err != nil {
				stop()
				return nil, fmt.Errorf("the kept counts of quotas: %w", err)
			}
			c.merge(part, value, revision)
		}
		c.running.Go(func() { c.save(background) })
		c.running.Go(func() {
			if err := c.records.Watch(background, c.merge); err != nil && background.Err() == nil {
				c.log.Error("the kept counts of quotas are not followed any more", "reason", err)
			}
		})
	}
	if c.peers != nil {
		cancel, err := c.peers.Subscribe(c.receive)
		if err != nil {
			stop()
			c.running.Wait()
			return nil, fmt.Errorf("the counts of other nodes: %w", err)
		}
		c.running.Go(func() {
			defer cancel()
			c.tell(background)
		})
	}
	return l, nil
}

// Close saves what is not saved and stops the sharing; the counters go on by themselves. It waits as long as ctx allows.
func (l *Local) Close(ctx context.Context) error {
	c := l.cluster
	if c == nil {
		return nil
	}
	c.stop()
	c.running.Wait()
	var err error
	if c.records != nil {
		err = c.saveAll(ctx)
	}
	if c.peers != nil {
		// What is saved now is told, so that nobody counts it twice. Without NATS nobody could.
		if told := c.tellAll(false); told != nil {
			c.log.Debug("other nodes do not hear the last counts", "reason", told)
		}
	}
	return err
}

// shares says whether counters of the kind have something elsewhere.
func (c *cluster) shares(kind Kind) bool { return c.peers != nil || kind != Rate }

// attach binds a counter to what is known of it elsewhere. The lock of its shard is held.
func (c *cluster) attach(counter *counter, key Key) {
	i := key.id()
	part := &c.parts[i.part()]
	part.mu.Lock()
	defer part.mu.Unlock()
	// There are never more counters than MaxCounters, so those of this node always have room.
	e := part.get(i, len(part.byID)+1)
	if e.rate != (key.Kind == Rate) {
		e.runs, e.counts = nil, nil
		e.sum.Store(0)
		e.until.Store(0)
	}
	e.attached, e.rate = true, key.Kind == Rate
	counter.elsewhere, counter.kind, counter.length = e, key.Kind, key.Period
	counter.saves = c.saves[i.part()].settled.Load()
}

// note lists a counter that has counted. The lock of its shard is held.
func (c *cluster) note(s *shard, counter *counter) {
	if c.peers != nil && counter.listed&isUntold == 0 {
		counter.listed |= isUntold
		s.untold = append(s.untold, counter)
		if len(s.untold) == 1 {
			c.awake()
		}
	}
	if c.records != nil && counter.kind != Rate && counter.listed&isUnsaved == 0 {
		counter.listed |= isUnsaved
		s.unsaved = append(s.unsaved, counter)
	}
}

// tell tells others what is counted here, until ctx ends.
func (c *cluster) tell(ctx context.Context) {
	failing := c.publish(&message{kind: messageAsk}) != nil // whoever is there tells what this node has missed
	timer := time.NewTimer(heartbeat)
	defer timer.Stop()
	swept := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-timer.C:
			failing = c.publish(&message{kind: messageCounts}) != nil
			timer.Reset(heartbeat)
		}
		if err := c.tellAll(failing); err != nil {
			c.log.Warn("other nodes do not hear what this one counts against rate limits and quotas; it goes on by its own counts", "reason", err)
			failing = true
		}
		c.lookAround()
		if now := time.Now(); now.Sub(swept) >= sweepInterval {
			swept = now
			for i := range c.parts {
				c.parts[i].sweep(now.Sub(c.local.base), now)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(TellInterval):
		}
	}
}

// tellAll tells everything that is listed. When nobody hears it, it is only taken off the lists: whoever comes asks for all, and so does who sees
// by the numbers of the messages that some did not go out.
func (c *cluster) tellAll(unheard bool) (err error) {
	unheard = unheard || !c.heard.Load()
	all := !unheard && c.retell.Swap(false)
	t := teller{cluster: c, now: time.Now(), b: c.buffer[:0]}
	for i := range c.local.shards {
		s := &c.local.shards[i]
		s.mu.Lock()
		if all {
			for _, counter := range s.counters {
				if counter.elsewhere != nil && counter.total > 0 {
					counter.told = 0
					if counter.listed&isUntold == 0 {
						counter.listed |= isUntold
						s.untold = append(s.untold, counter)
					}
				}
			}
		}
		list := s.untold
		s.untold = nil
		for k := 0; k < len(list); {
			for end := min(k+bite, len(list)); k < end && len(t.b) < messageTarget; k++ {
				list[k].listed &^= isUntold
				if !unheard {
					t.append(list[k])
				}
			}
			s.mu.Unlock() // others may count in between
			if len(t.b) >= messageTarget {
				err = errors.Join(err, t.send())
			}
			s.mu.Lock()
		}
		if s.untold == nil {
			clear(list)
			s.untold = list[:0]
		}
		s.mu.Unlock()
	}
	if len(t.b) > 0 || all && !t.sent {
		err = errors.Join(err, t.send()) // who asked learns that this node is there, even when it has nothing to tell
	}
	c.buffer = t.b
	return err
}

// teller writes messages.
type teller struct {
	cluster *cluster
	now     time.Time // of the message
	b       []byte
	sent    bool
}

func (t *teller) append(c *counter) {
	switch {
	case c.elsewhere == nil: // it was dropped
	case c.kind == Rate:
		t.b = c.appendRuns(t.b, t.now.Sub(t.cluster.local.base))
	case c.end.IsZero() || c.end.After(t.now):
		t.b = c.appendCount(t.b)
	}
}

func (t *teller) send() error {
	err := t.cluster.publish(&message{kind: messageCounts}, t.b...)
	t.b, t.now, t.sent = t.b[:0], time.Now(), true
	return err
}

// publish sends a message with the next number.
func (c *cluster) publish(m *message, entries ...byte) error {
	c.number++
	m.node, m.number = c.self, c.number
	return c.peers.Publish(append(m.begin(make([]byte, 0, 64+len(entries))), entries...))
}

// receive takes what another node tells.
func (c *cluster) receive(body []byte) {
	m, err := parseMessage(body)
	now := time.Now()
	switch {
	case err != nil:
		c.garbled(now, err)
		return
	case m.node == c.self || !c.meet(&m, now):
		return
	case m.kind == messageAsk:
		if m.asked == (nodeID{}) || m.asked == c.self {
			c.retell.Store(true)
			c.awake()
		}
		return
	}
	in := intake{cluster: c, node: m.node, since: now.Sub(c.local.base), now: now.Unix()}
	err = m.entries(&in)
	in.end()
	if err != nil {
		c.garbled(now, err)
	}
}

// garbled logs a message that cannot be read, once in a while.
func (c *cluster) garbled(now time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.complained) < time.Minute {
		return
	}
	c.complained = now
	c.log.Warn("a message about rate limits and quotas cannot be read; do all nodes run the same version?", "reason", err)
}

// meet notes that a node is there, and whether messages of it are missing.
func (c *cluster) meet(m *message, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.others[m.node]
	if p == nil {
		if len(c.others) >= maxPeers {
			return false
		}
		p = &peer{}
		c.others[m.node] = p
		if !c.heard.Swap(true) {
			c.retell.Store(true) // nobody was told what was counted until now
			c.awake()
		}
	}
	if m.number != p.number+1 {
		p.ask = true
	}
	p.number, p.heard = m.number, now
	if p.ask {
		c.awake()
	}
	return true
}

// awake lets tell look at what there is to do.
func (c *cluster) awake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// lookAround forgets nodes that are silent and asks the others for what is missing.
func (c *cluster) lookAround() {
	var ask []nodeID
	now := time.Now()
	c.mu.Lock()
	for node, p := range c.others {
		switch {
		case now.Sub(p.heard) > silence:
			delete(c.others, node)
		case p.ask && now.Sub(p.asked) >= time.Second:
			p.ask, p.asked = false, now
			ask = append(ask, node)
		}
	}
	c.heard.Store(len(c.others) > 0)
	c.mu.Unlock()
	for _, node := range ask {
		_ = c.publish(&message{kind: messageAsk, asked: node}) // what does not go out now is asked for again after the next gap
	}
}

// intake takes the entries of a message over.
type intake struct {
	cluster *cluster
	node    nodeID
	since   time.Duration
	now     int64

	rated *elsewhere // whose runs come; its part is locked
}

// open locks the part of a counter; the entry is nil when there is no room or the kind is another one.
func (in *intake) open(i id, rate bool) (*known, *elsewhere) {
	part := &in.cluster.parts[i.part()]
	part.mu.Lock()
	e := part.get(i, in.cluster.most)
	if e == nil || e.rate != rate && (e.attached || len(e.runs)+len(e.counts) > 0) {
		return part, nil
	}
	e.rate = rate
	return part, e
}

func (in *intake) rate(i id) {
	in.end()
	part, e := in.open(i, true)
	if e == nil {
		part.mu.Unlock()
		return
	}
	in.rated = e
}

func (in *intake) run(first uint64, leaves time.Duration, n int64) {
	if in.rated != nil && leaves > 0 {
		in.rated.tellRun(otherRun{node: in.node, first: first, leaves: in.since + leaves, n: n})
	}
}

// end ends the runs of a counter.
func (in *intake) end() {
	if in.rated != nil {
		in.rated.sumRuns()
		in.rated.part.mu.Unlock()
		in.rated = nil
	}
}

func (in *intake) quota(i id, end, n int64, saves uint64) {
	in.end()
	if end != 0 && end <= in.now-int64(lateness/time.Second) {
		return
	}
	part, e := in.open(i, false)
	if e != nil {
		e.tellCount(otherCount{node: in.node, end: end, n: n, saves: saves})
	}
	part.mu.Unlock()
}
