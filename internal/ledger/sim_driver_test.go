package ledger_test

import (
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// driver is one owner: what package dispatch will be, without the I/O.
type driver struct {
	w      *world
	epoch  int
	up     bool
	quiet  time.Time
	actors map[int]*actor
	bays   map[string]int // bill → order
	broke  map[int]ledger.Broke
	gates  map[ledger.API]*gate
}

type actor struct {
	key   int
	o     ledger.Order
	wake  ledger.Wake
	alarm int
}

type gate struct {
	last, until time.Time
	up          time.Duration
	fails       int
}

// takeOver makes a new owner: consumers from the old ack floor on, then the
// listed records, and only then anything else.
func (w *world) takeOver() {
	w.epoch++
	d := &driver{
		w: w, epoch: w.epoch, up: true, quiet: w.now.Add(w.s.CallTimeout), actors: map[int]*actor{},
		bays: map[string]int{}, broke: map[int]ledger.Broke{}, gates: map[ledger.API]*gate{},
	}
	for _, a := range []ledger.API{ledger.Detail, ledger.Reads, ledger.Uploads, ledger.Writes} {
		d.gates[a] = &gate{last: w.now}
	}
	w.owner = d
	w.logf("owner %d", d.epoch)
	for key := range len(w.orders) {
		if w.listed[key] && d.up {
			d.load(key, true)
		}
	}
	for _, st := range both {
		s := w.streams[st]
		clear(s.gaps)
		s.sent = 0
		for s.acked[s.sent+1] {
			s.sent++
		}
		w.pump(st, time.Millisecond)
	}
}

// die ends the owner; another one comes after a while.
func (d *driver) die(why string) {
	if !d.up {
		return
	}
	d.up = false
	d.w.logf("owner %d ends: %s", d.epoch, why)
	d.w.after(d.w.between(5*time.Second, 20*time.Second), d.w.takeOver)
}

// load is the order's actor, read from the bucket if it is not in memory.
func (d *driver) load(key int, listed bool) *actor {
	if a := d.actors[key]; a != nil {
		return a
	}
	r, err := ledger.Decode(d.w.bucket[key])
	if err != nil {
		d.w.fail("record of order %d: %v", key, err)
	}
	a := &actor{key: key, o: ledger.Load(d.w.mutant.loaded(r))}
	d.actors[key] = a
	d.feed(a, ledger.Takeover{Quiet: d.quiet, Listed: listed})
	if b, ok := d.broke[key]; ok && d.actors[key] == a {
		delete(d.broke, key)
		d.feed(a, b)
	}
	return a
}

func (d *driver) moment() ledger.Moment {
	at := func(a ledger.API) ledger.Gate {
		g := d.gates[a]
		from := g.last
		if g.until.After(from) {
			from = g.until
		}
		if d.w.now.After(from) && g.fails < 3 {
			g.up += d.w.now.Sub(from)
		}
		g.last = d.w.now
		return ledger.Gate{Paused: d.w.now.Before(g.until), Up: g.up}
	}
	return ledger.Moment{
		At: d.w.now, Jitter: d.w.rng.Float64(),
		Detail: at(ledger.Detail), Reads: at(ledger.Reads), Uploads: at(ledger.Uploads), Writes: at(ledger.Writes),
	}
}

// feed is one step and what follows from it.
func (d *driver) feed(a *actor, in ledger.Input) {
	if !d.up || d.w.bad != "" || d.actors[a.key] != a {
		return // an actor that was let go takes nothing; what was for it comes again
	}
	m := d.moment()
	d.w.mutant.input(&m, &in)
	if d.w.verbose {
		d.w.logf("%d ◀ %s", a.key, brief(in))
	}
	o, acts := ledger.Step(a.o, m, in, d.w.s)
	a.o = o
	acts = d.w.mutant.actions(acts)
	if d.w.chance(d.w.w.broke) {
		d.carryOut(a, acts[:d.w.rng.IntN(len(acts)+1)])
		d.letGo(a, in)
		return
	}
	d.carryOut(a, acts)
	if d.w.chance(d.w.w.evict) {
		d.w.after(0, func() {
			if d.actors[a.key] == a && a.o.Idle() {
				delete(d.actors, a.key)
			}
		})
	}
}

// carryOut does the actions; the process may end or be stopped between any two.
func (d *driver) carryOut(a *actor, acts []ledger.Action) {
	for i, act := range acts {
		if d.w.bad != "" {
			return
		}
		if d.up && d.w.chance(d.w.w.kill) {
			d.die("killed")
			return
		}
		if d.up && d.w.chance(d.w.w.stop) {
			d.die("stopped")
			d.w.after(d.w.between(25*time.Second, 100*time.Second), func() { d.carryOut(a, acts[i:]) })
			return
		}
		if d.w.verbose {
			d.w.logf("%d ▶ %s", a.key, brief(act))
		}
		if !d.perform(a, act) {
			return
		}
	}
}

// perform does one action; false ends the list.
func (d *driver) perform(a *actor, act ledger.Action) bool {
	w := d.w
	stale := d.epoch != w.epoch || !d.up
	switch act := act.(type) {
	case ledger.Write:
		if stale {
			return false // fenced
		}
		w.store(a.key, act)
	case ledger.Publish:
		return d.publish(a, act, act.LetterID != "")
	case ledger.Unlist:
		if stale {
			return false
		}
		w.listed[a.key] = false
	case ledger.Ack:
		if !stale {
			w.books.ack(w, a.key, act.Stage, act.Seq)
		}
	case ledger.Drop:
		if !stale {
			w.books.ack(w, a.key, act.Stage, act.Seq)
		}
	case ledger.Alert:
		w.books.alerts[act.Why]++
	case ledger.Answer:
		w.books.answer = act
	default:
		// Whoever looks at the lease before it acts finds it gone.
		if call, ok := act.(ledger.Call); ok && stale && w.w.staleCall {
			w.books.mayDouble = true
			d.call(a, call)
		}
		if !stale {
			d.begin(a, act)
		}
	}
	return true
}

// later feeds an answer to an actor that is still there.
func (d *driver) later(a *actor, wait time.Duration, in func() ledger.Input) {
	d.w.after(wait, func() {
		if d.up && d.actors[a.key] == a {
			d.feed(a, in())
		}
	})
}

// begin starts what is answered later.
func (d *driver) begin(a *actor, act ledger.Action) {
	w := d.w
	soon := w.between(time.Millisecond, 300*time.Millisecond)
	switch act := act.(type) {
	case ledger.Next:
		d.later(a, soon/100, func() ledger.Input {
			if m, ok := w.streams[act.Stage].next(a.key, act.After); ok {
				return ledger.Found{Stage: act.Stage, Message: m.Message}
			}
			return ledger.Empty{Stage: act.Stage}
		})
	case ledger.Fetch:
		d.later(a, soon, func() ledger.Input { return ledger.Fetched{Failure: d.noted(ledger.Detail, w.fetch())} })
	case ledger.Plan:
		d.later(a, 0, func() ledger.Input { return w.plan(w.streams[events.Handle].msgs[act.Seq-1].Message) })
	case ledger.ReadBill:
		d.later(a, soon, func() ledger.Input {
			f := w.listFault()
			return ledger.BillRead{Bill: w.orders[a.key].bill, Failure: d.noted(ledger.Reads, f)}
		})
	case ledger.CheckStatus:
		d.later(a, soon, func() ledger.Input {
			return ledger.StatusRead{Status: "F", Failure: d.noted(ledger.Reads, w.listFault())}
		})
	case ledger.Enter:
		holder, taken := d.bays[act.Bill.ID]
		busy := taken && holder != a.key
		if !busy {
			d.bays[act.Bill.ID] = a.key
		}
		d.later(a, 0, func() ledger.Input { return ledger.Entered{Busy: busy} })
	case ledger.Leave:
		w.books.left(w, a.key)
		if d.bays[act.Bill.ID] == a.key {
			delete(d.bays, act.Bill.ID)
			d.freed(act.Bill, a.key)
		}
	case ledger.Call:
		if !act.After.After(w.now) {
			d.call(a, act)
			return
		}
		w.after(act.After.Sub(w.now), func() {
			if d.up {
				d.call(a, act)
			}
		})
	case ledger.Look:
		d.later(a, soon, func() ledger.Input {
			in := w.loadList(act)
			in.Failure = d.noted(ledger.Reads, in.Failure)
			w.books.look(w, a.key, act, in)
			return in
		})
	case ledger.Wake:
		d.arm(a, act)
	}
}

// freed tells the bill's other orders that it is unlocked; now and then it
// is forgotten, for the beat to find.
func (d *driver) freed(b ledger.Bill, by int) {
	for _, o := range d.w.orders {
		if o.bill == b && o.key != by && !d.w.chance(0.2) {
			d.w.after(0, func() {
				if a := d.actors[o.key]; d.up && a != nil {
					d.feed(a, ledger.Freed{})
				}
			})
		}
	}
}

// listFault is what happens to a plain read of Kingdee.
func (w *world) listFault() *events.Failure {
	if w.down(ledger.Reads) {
		return failure(events.Unavailable)
	}
	if w.chance(w.w.read) {
		return w.readFault()
	}
	return nil
}

func (d *driver) call(a *actor, c ledger.Call) {
	w := d.w
	g := w.books.call(w, d, a.key, c)
	if f := w.photos(); f != nil {
		d.later(a, w.between(50*time.Millisecond, 3*time.Second), func() ledger.Input {
			w.books.ended(a.key, f)
			return ledger.Called{Failure: d.noted(ledger.Uploads, f), Before: true}
		})
		return
	}
	ans := w.handleOrder(c)
	if ans.commit >= 0 {
		made := deal{bill: c.Bill.ID, marker: c.Marker, body: c.Body, group: g.group, generation: g.generation, like: g.like}
		w.after(ans.commit, func() { w.commit(made) })
	}
	d.later(a, ans.heard, func() ledger.Input {
		w.books.ended(a.key, ans.failure)
		return ledger.Called{Failure: d.noted(ledger.Writes, ans.failure)}
	})
}

// noted feeds an outcome to the API's breaker and pause.
func (d *driver) noted(a ledger.API, f *events.Failure) *events.Failure {
	g := d.gates[a]
	d.moment()
	pause := time.Duration(0)
	switch {
	case f == nil:
		g.fails = 0
	case f.Kind == events.Unavailable || f.Kind == events.Uncertain:
		if g.fails++; g.fails >= 3 {
			pause = 30 * time.Second
		}
	case f.Kind == events.Throttled || f.Kind == events.Denied:
		pause = time.Minute
	}
	if pause > 0 {
		g.until = d.w.now.Add(pause)
		d.w.after(pause, func() { d.resumed(a) })
	}
	return f
}

// resumed wakes who waits for the API.
func (d *driver) resumed(api ledger.API) {
	if !d.up || d.w.now.Before(d.gates[api].until) {
		return
	}
	for key := range len(d.w.orders) {
		if a := d.actors[key]; a != nil && (a.wake.On[0] == api || a.wake.On[1] == api) {
			d.feed(a, ledger.Resumed{On: api})
		}
	}
}

func (d *driver) arm(a *actor, wk ledger.Wake) {
	a.wake = wk
	a.alarm++
	if wk.At.IsZero() {
		return
	}
	mine := a.alarm
	d.w.after(wk.At.Sub(d.w.now), func() {
		if d.up && d.actors[a.key] == a && a.alarm == mine {
			a.wake = ledger.Wake{}
			d.feed(a, ledger.Timer{})
		}
	})
}
