package dispatch

import (
	"context"
	"errors"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// takeSafely lets the order go at a panic: whose order that was is known, and no
// other must suffer for it. The message that it was about has a try spent.
func (a *actor) takeSafely(x any) {
	defer func() {
		if p := recover(); p != nil {
			f := events.Panicked(p)
			a.blame(x, f)
			a.forget("panicked", f)
			a.refuse(x)
		}
	}()
	a.take(x)
}

// safely is act; a panic lets the order go.
func (a *actor) safely(act func(ctx context.Context) (ledger.Input, func())) (in ledger.Input, also func()) {
	defer func() {
		if p := recover(); p != nil {
			f := events.Panicked(p)
			in, also = nil, func() {
				a.blame(nil, f)
				a.forget("panicked", f)
			}
		}
	}()
	return act(a.o.ctx)
}

// blameFor is blame for an action that was not carried out, where that was a fault
// of ours and not one of the bus.
func (a *actor) blameFor(in ledger.Input, err error) {
	var f *events.Failure
	if errors.As(err, &f) && f.Kind == events.Internal {
		a.blame(answer{in: in}, f)
	}
}

// blame notes the message that was worked on when a fault of ours came up, for the
// ledger to count once the order is loaded anew: one that always breaks must end
// as a letter.
func (a *actor) blame(x any, f *events.Failure) {
	if !a.loaded {
		return // it is the record that broke, and no message
	}
	stage, seq := a.about(x)
	if seq > 0 {
		a.o.evictions.Blame(a.key, ledger.Broke{Stage: stage, Seq: seq, Failure: f})
	}
}

// about is the message that something posted was about: the one that it names,
// else the one in hand, else the one that waits.
func (a *actor) about(x any) (events.Stage, uint64) {
	in := ledger.Input(nil)
	switch x := x.(type) {
	case delivery:
		return x.stage, x.m.Sequence
	case answer:
		in = x.in
	}
	stages := []events.Stage{events.Handle, events.Enrich}
	switch in := in.(type) {
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
		if m := a.hands[ledger.Index(s)].now; m != nil {
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
