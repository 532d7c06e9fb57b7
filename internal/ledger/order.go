package ledger

import (
	"time"

	"gongdan-bridge/internal/events"
)

// Order is a record together with what its actor knows beyond it. What is not
// in the record may be forgotten at any moment.
type Order struct {
	Record Record

	stages [2]stageState // of enrich and of handle
	quiet  time.Time     // no call before
	listed bool          // the wait key is there
	lock   *Bill         // the bill that this order has locked
	sweep  string        // marker of the sweep under way
	wake   Wake          // the last one asked for

	recovery *Recovery // what the streams told when the record did not fit them; nil: it does
	doubtful Doubtful
}

// stageState is what one stage remembers of the order beside the record.
type stageState struct {
	task    *task
	asked   bool          // a Next is under way
	more    bool          // a message came that Next may not have seen
	unacked []uint64      // delivered and not acknowledged
	retry   time.Time     // when to ask again for what was given back
	missed  bool          // Next did not find what had been delivered
	broke   *Broke        // the message that failed for a fault of ours, until it is worked on again
	upAt    time.Duration // odometer of the head's API when its Up was last counted
}

// task is the message that a stage works on.
type task struct {
	Message
	fresh   bool // surely not begun before
	pending phase
	plan    *Planned
	bill    Bill
	revived bool // a dead effect that may have run: look before anything else
}

// phase is what a task waits for.
type phase string

const (
	fetching phase = "fetch"
	planning phase = "plan"
	billing  phase = "bill"
	entering phase = "enter"
	checking phase = "status"
	calling  phase = "call"
	looking  phase = "look"
)

// Load begins with a record as it was read; its first input is a [Takeover].
func Load(r Record) Order { return Order{Record: r} }

// Idle reports whether the order may be forgotten: nothing is worked on, asked
// for or held, and nothing waits whose up-time would no longer be counted.
func (o Order) Idle() bool {
	for _, d := range o.stages {
		if d.task != nil || d.asked || len(d.unacked) > 0 || !d.retry.IsZero() {
			return false
		}
	}
	return o.sweep == "" && !o.Record.Open()
}

func (o Order) clone() Order {
	o.Record = o.Record.clone()
	for i := range o.stages {
		d := &o.stages[i]
		d.unacked = append([]uint64(nil), d.unacked...)
		if d.task != nil {
			t := *d.task
			d.task = &t
		}
	}
	return o
}

// Step is the machine: what an input makes of an order, and what is to be done.
// It changes neither o nor anything that o points to. An answer that nothing
// waits for changes nothing.
func Step(o Order, m Moment, in Input, s Settings) (Order, []Action) {
	t := &step{o: o.clone(), m: m, s: s}
	if _, ok := in.(Takeover); !ok {
		t.count()
	}
	t.take(in)
	t.unlist()
	t.arm()
	return t.o, t.out
}

// step is one Step at work.
type step struct {
	o   Order
	m   Moment
	s   Settings
	out []Action

	dirty bool // an effect has changed: a wait that only goes on must be written too
}

func (t *step) take(in Input) {
	switch in := in.(type) {
	case Takeover:
		t.takeover(in)
	case Delivered:
		t.delivered(in)
	case Found:
		t.found(in)
	case Empty:
		t.empty(in.Stage)
	case Fetched:
		t.fetched(in)
	case Planned:
		t.planned(in)
	case BillRead:
		t.billRead(in)
	case Entered:
		t.entered(in)
	case StatusRead:
		t.statusRead(in)
	case Called:
		t.called(in)
	case Looked:
		t.looked(in)
	case Timer:
		t.timer()
	case Resumed:
		t.resumed(in.On)
	case Freed:
		t.freed()
	case Operator:
		t.operator(in)
	case Expiring:
		t.expiring(in)
	case Broke:
		t.broke(in)
	}
}

func (t *step) do(a ...Action) { t.out = append(t.out, a...) }

// Stages are both stages; everything that is kept for each stage stands in this order.
var Stages = [2]events.Stage{events.Enrich, events.Handle}

// Index is the place of a stage in [Stages].
func Index(st events.Stage) int {
	if st == events.Enrich {
		return 0
	}
	return 1
}

func (t *step) at(st events.Stage) (*Progress, *stageState) {
	if st == events.Enrich {
		return &t.o.Record.Enrich, &t.o.stages[0]
	}
	return &t.o.Record.Handle, &t.o.stages[1]
}

// waitingFor is the task of a stage if it waits for that answer, else nil.
func (t *step) waitingFor(st events.Stage, p phase) *task {
	if _, k := t.at(st); k.task != nil && k.task.pending == p {
		return k.task
	}
	return nil
}

// write puts the record down; what follows relies on it.
func (t *step) write() {
	t.o.Record.prune()
	list := !t.o.listed && t.o.Record.Open()
	t.o.listed = t.o.listed || list
	t.dirty = false
	t.do(Write{Record: t.o.Record.clone(), List: list})
}

// unlist comes last in a turn, behind the publications.
func (t *step) unlist() {
	if t.o.listed && !t.o.Record.Open() {
		t.o.listed = false
		t.do(Unlist{})
	}
}

// spread makes a wait a little longer, so that heads do not come back together.
func (t *step) spread(d time.Duration) time.Time {
	return t.m.At.Add(d + time.Duration(float64(d)*t.s.Jitter*t.m.Jitter))
}

// paused reports whether an act must not be begun now.
func (t *step) paused(a Act) bool {
	return t.m.Gate(a.API()).Paused || a == ActCall && t.s.DryRun
}
