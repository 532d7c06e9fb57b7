package ledger

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/events"
)

// Recovery is what the streams tell of an order whose record may not fit them: a
// stream or the records were lost, cut, or put back from an older copy. The driver
// gives it with [Takeover] where the record names another history, or where what it
// has settled ends below Recheck.
type Recovery struct {
	Lost    bool      // records were lost: there may be effects that no record tells of
	Recheck [2]uint64 // of enrich and of handle: messages up to here may have been settled before
	Ended   [2][]Ended
	Stored  [2][]string // event ids of the order's messages that the stage's stream holds
	// Unanswered died, and their letters are gone although no person closed them: they
	// are done again, so that there is a letter.
	Unanswered []Ended
	Effects    []Effect // as outcome events tell them, oldest first
	// Closed is the number of the newest letter of a message that a person has closed:
	// the next one must have another name. Of enrich and of handle.
	Closed [2]map[Ended]int
}

// Ended is a message that has had its verdict, as an outcome event, an enriched
// event, an open letter or a closing in the audit tells.
type Ended struct {
	EventID string
	Replay  int
}

// Doubtful is up to when calls may have been made that no record tells of. Up to
// Stale the store may be an older copy: a look comes first, and what it does not find
// is sent. Up to Lost the records are known to be gone: what is not found is sent
// only where the query has proved that it finds our records.
type Doubtful struct {
	Stale, Lost Moments
}

// Moments are one moment by three clocks: the sequences of the two streams that the
// stages read, and the vendor's time, by which an event is known that comes again.
type Moments struct {
	Callbacks, Events uint64
	Time              time.Time
}

// covers reports whether a message of handle, or the callback that it comes from, may
// be of that moment or earlier. A time of arrival says nothing: Weiban may have sent
// the callback before.
func (s Moments) covers(m Message) bool {
	if s.Time.IsZero() {
		return false
	}
	millis, sequence, ok := strings.Cut(m.Position, "-")
	callback, err := strconv.ParseUint(sequence, 10, 64)
	at, err2 := strconv.ParseInt(millis, 10, 64)
	return m.Seq <= s.Events || m.Arrived || ok && (err == nil && callback <= s.Callbacks || err2 == nil && at <= s.Time.UnixMilli())
}

// NeedsRecovery reports whether the record must not be gone on with before the
// streams were asked: it names another history, or has not reached recheck.
func (r Record) NeedsRecovery(history string, recheck [2]uint64) bool {
	for i, l := range []Progress{r.Enrich, r.Handle} {
		if l.History != history || l.Cursor < recheck[i] {
			return true
		}
	}
	return false
}

// Unknown reports whether nothing was ever settled or begun of the order.
func (r Record) Unknown() bool {
	return r.Enrich.Cursor == 0 && r.Handle.Cursor == 0 && len(r.Effects) == 0 && !r.Open()
}

// recover takes up a record that may not fit the streams: what they tell is added,
// sequences of another history are dropped, and every message that is still stored
// and has no verdict gets its turn, in order.
func (t *step) recover(in Takeover) {
	rec := in.Recovery
	t.o.recovery = rec
	t.learn(rec)
	rebased := false
	for i, st := range Stages {
		l, _ := t.at(st)
		if l.History != in.History {
			t.rebase(st)
			rebased = true
		}
		l.History = in.History
		l.Behind = l.Behind || l.Cursor < rec.Recheck[i]
	}
	// Its events may be gone with another stream: only these tell.
	t.o.Record.Enrich.Seen = nil
	if rebased || t.o.Record.Enrich.Behind || t.o.Record.Handle.Behind {
		t.write()
	}
	for _, st := range Stages {
		if l, _ := t.at(st); rebased && l.Head != nil && l.Head.Seq == 0 && !t.doubtedHead(st) {
			t.vanished(st)
		}
	}
}

// rebase takes the sequences of another history out of a stage's progress. A head whose call is
// in doubt goes on waiting; one whose message is still stored is found there; any
// other has nothing left to go on with.
func (t *step) rebase(st events.Stage) {
	l, _ := t.at(st)
	l.Cursor, l.At, l.Behind = 0, 0, true
	if l.Last != nil {
		l.Last.Seq = 0
	}
	if st == events.Handle {
		for i := range t.o.Record.Effects {
			t.o.Record.Effects[i].Seq = 0
		}
	}
	if l.Head == nil {
		return
	}
	l.Head.Was, l.Head.Seq, l.Head.At = max(l.Head.Seq, l.Head.Was), 0, 0
	if !t.doubtedHead(st) && t.stored(st, l.Head.EventID) {
		l.Head = nil
	}
}

// doubtedHead reports whether a stage waits with a call that may have run.
func (t *step) doubtedHead(st events.Stage) bool {
	l, _ := t.at(st)
	return l.Head != nil && st == events.Handle && t.open() >= 0
}

// stored reports whether the event of a head can still be had: from the stage's
// stream, or from the callback that it was made of.
func (t *step) stored(st events.Stage, eventID string) bool {
	root, _, _ := strings.Cut(eventID, "~")
	s := t.o.recovery.Stored
	return st == events.Enrich && slices.Contains(s[0], eventID) ||
		st == events.Handle && (slices.Contains(s[1], eventID) || slices.Contains(s[0], root))
}

// learn adds the effects that outcome events tell and the record does not know.
func (t *step) learn(rec *Recovery) {
	r := &t.o.Record
	var news []Effect
	for _, e := range rec.Effects {
		known := slices.ContainsFunc(r.Effects, func(x Effect) bool {
			return x.EventID == e.EventID && x.Generation == e.Generation && x.Replay >= e.Replay
		})
		if known {
			continue
		}
		e.IDs = tidyIDs(e.IDs)
		news = append(news, e)
		if e.State == Applied && e.Position >= r.Applied {
			r.Applied, r.Status = e.Position, e.Status
		}
		if e.Bill != nil && r.Bill == nil {
			r.Bill = e.Bill
		}
	}
	r.Effects = append(news, r.Effects...)
	r.Forgot = r.Forgot || rec.Lost
}

// passed reports whether a message was settled before its stage came to it in this
// history of its stream.
func (t *step) passed(st events.Stage, m Message) bool {
	rec := t.o.recovery
	if rec == nil || m.Seq > rec.Recheck[Index(st)] || t.unanswered(m.EventID, m.Replay) {
		return false
	}
	r := t.o.Record
	ended := func(id string, replay int) bool {
		return slices.Contains(rec.Ended[1], Ended{id, replay}) || slices.Contains(r.Handle.Seen, seen(id, replay)) ||
			slices.ContainsFunc(r.Effects, func(e Effect) bool { return e.EventID == id && e.Replay >= replay && e.final() })
	}
	if st == events.Handle {
		return ended(m.EventID, m.Replay)
	}
	return slices.Contains(rec.Ended[0], Ended{m.EventID, m.Replay}) || ended(m.EventID+"~enrich~"+strconv.Itoa(m.Replay), 0)
}

func (t *step) unanswered(eventID string, replay int) bool {
	return t.o.recovery != nil && slices.Contains(t.o.recovery.Unanswered, Ended{eventID, replay})
}

// recovered ends the recovery of an order of which nothing more is stored.
func (t *step) recovered(st events.Stage) {
	rec := t.o.recovery
	if rec == nil {
		return
	}
	l, _ := t.at(st)
	if n := rec.Recheck[Index(st)]; l.Cursor < n {
		l.Cursor, l.At = n, 0 // the message at the cursor need not be this order's
	}
	if e, h := t.o.Record.Enrich, t.o.Record.Handle; !e.Behind && !h.Behind {
		t.o.recovery = nil
		t.write()
	}
}

// pass goes over a message that was settled before. Nothing is published.
func (t *step) pass(st events.Stage, m Message) {
	l, k := t.at(st)
	l.Cursor, l.At, k.task = m.Seq, m.At, nil
	if h := l.Head; h != nil && h.Seq == m.Seq {
		l.Head = nil
	}
	t.dirty = true
	t.ackHeld(st)
	t.ask(st)
}

// final reports whether the effect needs nothing more by itself.
func (e Effect) final() bool { return e.State != Intent && e.State != InDoubt }

// suspect puts a call on record as in doubt that may have been made before: by an
// owner whose record is gone, or after the copy was taken that the store is now. It
// is looked for before anything is sent, under every marker that its names give.
func (t *step) suspect(e Effect) {
	k := t.o.stages[1].task
	lost := t.o.doubtful.Lost.covers(k.Message)
	e.State, e.Looks, e.Word, e.Stale = InDoubt, len(t.s.Looks)-1, k.Forced != "", !lost
	e.Deadline = t.m.At.Add(-t.s.lastLook())
	if t.o.quiet.After(e.Deadline) {
		e.Deadline = t.o.quiet // a call of an owner before may still be on its way
	}
	t.o.Record.Effects = append(t.o.Record.Effects, e)
	t.dirty = true
	if t.early(e) {
		t.wait(events.Handle, pauseFor{why: Doubt, on: Reads, next: t.lookAt(e)})
		return
	}
	t.look()
}

// mayHaveRun reports whether the call that is about to be made may have been made
// before, although no record tells of it.
func (t *step) mayHaveRun(m Message) bool {
	return t.o.doubtful.Stale.covers(m) || t.o.doubtful.Lost.covers(m)
}

// markers are all that an effect's record may carry: its own, and, where it is not
// known to have been sent, those of every name, generation and application that it
// may have gone under.
func (e Effect) markers(tenant string) []string {
	out := []string{e.Marker}
	if e.Marker == "" || e.Sends > 0 {
		return out
	}
	// Of lower ones the record knows how they ended.
	for _, id := range e.IDs {
		for generation := e.Generation; generation < e.Generation+3; generation++ {
			for application := e.Application; application < e.Application+3; application++ {
				if m := Marker(tenant, id, generation, application); !slices.Contains(out, m) {
					out = append(out, m)
				}
			}
		}
	}
	return out
}
