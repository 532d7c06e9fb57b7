package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// sweepExpiring makes letters of waiting messages before they expire from their stream. The
// followers of such a message are as old, so the next sweep comes soon.
func (o *owner) sweepExpiring(ctx context.Context) {
	t := time.NewTimer(o.d.o.Expiry)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		next := o.d.o.Expiry
		for _, s := range ledger.Stages {
			n, err := o.sweepStage(ctx, s)
			if err != nil && ctx.Err() == nil {
				o.log.Warn("expiring messages not swept", slog.String("stage", string(s)), slog.String("cause", err.Error()))
			}
			if n > 0 {
				next = o.d.o.Expiry / 32
			}
		}
		if err := o.deleteLeftConsumers(ctx); err != nil && ctx.Err() == nil {
			o.log.Warn("consumers of earlier owners not deleted", slog.String("cause", err.Error()))
		}
		t.Reset(next)
	}
}

// deleteLeftConsumers deletes the consumers that earlier owners have left: an owner that died
// in its takeover, or one that was stopped and created its consumer when it had lost the
// tenant. Such a consumer would keep all that it has not read in its stream.
func (o *owner) deleteLeftConsumers(ctx context.Context) (all error) {
	for _, s := range ledger.Stages {
		list, err := o.d.o.Ports.Inbox.Followers(ctx, orders.StreamOf(s))
		if err != nil {
			return err
		}
		for _, f := range list {
			for _, k := range orders.Queues {
				epoch := k.EpochOf(f.Name, o.t.Name)
				if epoch == 0 || epoch >= o.tenure.Epoch {
					continue
				}
				if err := o.d.o.Ports.Inbox.DeleteConsumer(ctx, orders.StreamOf(s), f.Name); !errors.Is(err, bus.ErrNotFound) {
					all = errors.Join(all, err)
				}
			}
		}
	}
	return all
}

// sweepStage posts Expiring to every order whose waiting message the stream would drop before
// the sweep after the next, and returns how many those are.
func (o *owner) sweepStage(ctx context.Context, s events.Stage) (n int, err error) {
	u, err := o.d.o.Ports.Log.Usage(ctx, orders.StreamOf(s))
	if err != nil || u.MaxAge <= 0 {
		return 0, err
	}
	old := &ages{edge: time.Now().Add(-u.MaxAge + 2*o.d.o.Expiry)}
	var all error
	err = o.d.state.Load(ctx, "wait."+o.t.Name, func(e bus.Entry) error {
		k, err := orders.ParseKey(e.Key)
		if err != nil {
			return nil // logged at the takeover
		}
		r, err := orders.ReadRecord(ctx, o.d.state, o.t.Name, k)
		if err != nil {
			all = errors.Join(all, err)
			return nil
		}
		l := r.Progress(s)
		if l.Head == nil || l.History != o.store.History() {
			return nil
		}
		due, err := old.due(l.Head.Seq, func() (bus.Stored, error) { return o.d.o.Ports.Log.Get(ctx, orders.StreamOf(s), l.Head.Seq) })
		if all = errors.Join(all, err); due {
			n++
			o.bring(k, true, orders.Queue{Stage: s, Noun: k.Noun}, expiring{ledger.Expiring{Stage: s, Seq: l.Head.Seq}})
		}
		return nil
	})
	return n, errors.Join(all, err)
}

// ages tells old messages of a stream from young ones. A stream is in order of time, so few
// messages have to be read.
type ages struct {
	edge       time.Time
	old, young uint64 // highest sequence known to be older, lowest known to be younger; 0: none
}

func (a *ages) due(seq uint64, get func() (bus.Stored, error)) (bool, error) {
	switch {
	case seq <= a.old:
		return true, nil
	case a.young > 0 && seq >= a.young:
		return false, nil
	}
	m, err := get()
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return false, nil // its order notices that itself
	case err != nil:
		return false, err
	case m.Time.Before(a.edge):
		a.old = seq
		return true, nil
	default:
		a.young = seq
		return false, nil
	}
}
