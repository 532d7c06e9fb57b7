package dispatch

import (
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// takeSafely takes an item; a panic evicts this order, and no other must suffer for it. It
// costs the message that was worked on a try.
func (a *actor) takeSafely(x item) {
	defer func() {
		if p := recover(); p != nil {
			f := events.Panicked(p)
			a.blame(x, f)
			a.evict("panicked", f)
			a.refuse(x)
		}
	}()
	a.take(x)
}

// blame notes the message that was worked on when a fault of ours came up. The ledger
// counts it once the order is loaded again: a message that always breaks must end as a letter.
func (a *actor) blame(x item, f *events.Failure) {
	if !a.loaded {
		return // it is the record that broke, and no message
	}
	stage, seq := a.about(x)
	if seq > 0 {
		a.o.evictions.Blame(a.key, ledger.Broke{Stage: stage, Seq: seq, Failure: f})
	}
}

// about is the message that broke: the one that the item or the ledger's input names, else
// the one that is worked on, else the one that waits.
func (a *actor) about(x item) (events.Stage, uint64) {
	if d, ok := x.(delivery); ok {
		return d.stage, d.m.Sequence
	}
	stages := []events.Stage{events.Handle, events.Enrich}
	switch in := a.fed.(type) {
	case ledger.Delivered:
		return in.Stage, in.Seq
	case ledger.Found:
		return in.Stage, in.Seq
	case ledger.Fetched:
		stages = stages[1:]
	case ledger.Planned, ledger.BillRead, ledger.Entered, ledger.StatusRead, ledger.Called, ledger.Looked:
		stages = stages[:1]
	}
	for _, s := range stages {
		if m := a.current[ledger.Index(s)].now; m != nil {
			return s, m.Seq
		}
	}
	for _, s := range stages {
		if h := a.ledger.Record.Progress(s).Head; h != nil && h.Why != ledger.Held {
			return s, h.Seq
		}
	}
	return "", 0
}
