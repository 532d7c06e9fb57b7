package ledger_test

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// world is everything around the machine, small enough for ten thousand
// histories a minute: two streams, a bucket with wait keys, both vendors, a
// person, and a clock that is a queue of what happens next.
type world struct {
	rng    *rand.Rand
	now    time.Time
	queue  agenda
	calm   time.Time // no mishap is injected from here on
	s      ledger.Settings
	w      weather
	mutant mutant

	orders  []order
	specs   map[string]*spec // by root of the event id
	streams map[events.Stage]*stream
	bucket  map[int][]byte
	listed  map[int]bool
	outbox  map[string]*posted // outcome events by message id
	letters map[string]*letter
	kingdee kingdee
	owner   *driver
	epoch   int
	books   books

	happened int
	verbose  bool
	log      []string
	bad      string // first violation
}

// weather is how bad a world is: probabilities per occasion.
type weather struct {
	kill, stop, lost, forget, vague           float64
	call, photos, read, fetch, misread, evict float64
	broke                                     float64                           // a fault of ours lets an order go
	down                                      map[ledger.API][][2]time.Duration // outages, from the world's begin
	control                                   bool
	afterLook                                 bool // Kingdee may commit after the last look
	staleCall                                 bool // a stopped owner's call may go out late
}

// order is one Weiban order and the bill it points at.
type order struct {
	key  int
	bill ledger.Bill
}

// spec is what one event of Weiban is about.
type spec struct {
	group    string // events of one group are one effect
	order    int
	ids      []string
	body     json.RawMessage
	like     string
	noRule   bool
	letter   bool // otherwise: letter
	late     ledger.Late
	unmapped time.Time // until then the mapping lacks a word
	vendor   time.Time
	seq      uint64 // of the callback, once published
}

type stream struct {
	msgs   []msg // seq = index + 1
	sent   uint64
	once   map[uint64]bool // delivered before, by any consumer
	acked  map[uint64]bool
	gaps   map[uint64]bool // sent and lost on the way
	recent map[string]time.Time
}

type msg struct {
	order int
	ledger.Message
}

type posted struct {
	n  int
	at time.Time
}

type letter struct {
	posted
	open, held bool
	p          ledger.Publish
	order      int
}

const (
	window  = 2 * time.Minute // of the streams' duplicate detection
	ackWait = time.Minute
)

var both = []events.Stage{events.Enrich, events.Handle}

var begin = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func newWorld(seed uint64) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 7)), now: begin, s: ledger.Defaults("acme"),
		specs: map[string]*spec{}, bucket: map[int][]byte{}, listed: map[int]bool{},
		outbox: map[string]*posted{}, letters: map[string]*letter{}, mutant: sound,
		streams: map[events.Stage]*stream{events.Enrich: newStream(), events.Handle: newStream()},
	}
	w.books = newBooks()
	return w
}

func newStream() *stream {
	return &stream{once: map[uint64]bool{}, acked: map[uint64]bool{}, gaps: map[uint64]bool{}, recent: map[string]time.Time{}}
}

// chance is true with probability p, but never once it is calm.
func (w *world) chance(p float64) bool { return p > 0 && w.now.Before(w.calm) && w.rng.Float64() < p }

func (w *world) between(a, b time.Duration) time.Duration {
	return a + time.Duration(w.rng.Int64N(int64(b-a)+1))
}

// after lets something happen later.
func (w *world) after(d time.Duration, f func()) {
	w.happened++
	heap.Push(&w.queue, entry{w.now.Add(max(d, 0)), w.happened, f})
}

// run lets everything happen until nothing more does.
func (w *world) run(limit int) {
	for i := 0; w.queue.Len() > 0 && w.bad == ""; i++ {
		e := heap.Pop(&w.queue).(entry)
		w.now = e.at
		e.f()
		if i > limit {
			w.fail("it never comes to rest")
		}
	}
}

func (w *world) fail(format string, args ...any) {
	if w.bad == "" {
		w.bad = fmt.Sprintf(format, args...)
		w.logf("VIOLATION %s", w.bad)
	}
}

func (w *world) logf(format string, args ...any) {
	if w.verbose {
		w.log = append(w.log, w.now.Sub(begin).Truncate(time.Millisecond).String()+" "+fmt.Sprintf(format, args...))
	}
}

// publish stores a message unless its event id came within the window.
func (w *world) publish(st events.Stage, m msg) {
	s := w.streams[st]
	id := fmt.Sprintf("%s/r%d", m.EventID, m.Replay)
	if at, ok := s.recent[id]; ok && w.now.Sub(at) < window {
		return
	}
	s.recent[id] = w.now
	m.Seq = uint64(len(s.msgs) + 1)
	if sp := w.specs[root(m.EventID)]; st == events.Enrich && m.Replay == 0 && sp.seq == 0 {
		sp.seq = m.Seq
	}
	if st == events.Enrich {
		sp := w.specs[root(m.EventID)]
		m.Position = events.Position(sp.vendor, sp.seq)
	}
	s.msgs = append(s.msgs, m)
	w.logf("%s stream has %d: %s r%d of order %d", st, m.Seq, m.EventID, m.Replay, m.order)
	w.pump(st, w.between(0, 20*time.Millisecond))
}

// has reports whether an enriched event is in the stream.
func (s *stream) has(eventID string) bool {
	for _, m := range s.msgs {
		if m.EventID == eventID && m.Replay == 0 {
			return true
		}
	}
	return false
}

// next is the order's lowest message above after.
func (s *stream) next(order int, after uint64) (msg, bool) {
	for i := int(after); i < len(s.msgs); i++ {
		if s.msgs[i].order == order {
			return s.msgs[i], true
		}
	}
	return msg{}, false
}

// pump lets the consumer bring its next message after d.
func (w *world) pump(st events.Stage, d time.Duration) {
	own := w.owner
	w.after(d, func() {
		s := w.streams[st]
		if own != w.owner || own == nil || !own.up || s.sent >= uint64(len(s.msgs)) {
			return
		}
		s.sent++
		w.deliver(st, s.sent, own, s.once[s.sent])
		if s.sent < uint64(len(s.msgs)) {
			w.pump(st, w.between(0, 5*time.Millisecond))
		}
	})
}

// deliver brings one message, or loses it on the way; it comes again until it
// is acknowledged.
func (w *world) deliver(st events.Stage, seq uint64, own *driver, again bool) {
	s := w.streams[st]
	s.once[seq] = true
	w.after(ackWait, func() {
		if own == w.owner && own.up && !s.acked[seq] {
			delete(s.gaps, seq)
			w.deliver(st, seq, own, true)
		}
	})
	if w.chance(w.w.lost) {
		s.gaps[seq] = true
		w.logf("%s %d is lost on the way", st, seq)
		return
	}
	m := s.msgs[seq-1]
	own.feed(own.load(m.order, false), ledger.Delivered{
		Stage: st, Message: m.Message, Again: again,
		InOrder: !again && len(s.gaps) == 0 && !w.chance(w.w.vague),
	})
}

// forgetAcks is a server restart that loses acknowledgements.
func (w *world) forgetAcks() {
	for _, st := range both {
		s := w.streams[st]
		for i := range s.msgs {
			seq := uint64(i + 1)
			if s.acked[seq] && w.rng.IntN(2) == 0 {
				delete(s.acked, seq)
				own := w.owner
				w.after(w.between(0, ackWait), func() {
					if own == w.owner && own != nil && own.up && !s.acked[seq] {
						w.deliver(st, seq, own, true)
					}
				})
			}
		}
	}
}

// post publishes under a message id; the server drops what it saw lately.
func (p *posted) post(now time.Time) {
	if p.n > 0 && now.Sub(p.at) < window {
		return
	}
	p.n++
	p.at = now
}

// root is the Weiban event that an event descends from.
func root(eventID string) string {
	r, _, _ := strings.Cut(eventID, "~")
	return r
}

// brief tells an input or action in a line.
func brief(x any) string {
	data, err := json.Marshal(x)
	if err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", x), "ledger.") + " " + string(data)
}

// agenda is a queue by time, first come first served.
type agenda []entry

type entry struct {
	at time.Time
	n  int
	f  func()
}

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if a[i].at.Equal(a[j].at) {
		return a[i].n < a[j].n
	}
	return a[i].at.Before(a[j].at)
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(entry)) }
func (a *agenda) Pop() any {
	old := *a
	e := old[len(old)-1]
	*a = old[:len(old)-1]
	return e
}
