package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// sweep makes letters of waiting messages before they can expire from their
// stream. What followed one of them is next in a moment, and as old.
func (o *owner) sweep(ctx context.Context) {
	t := time.NewTimer(o.d.o.Expiry)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		next := o.d.o.Expiry
		for _, s := range []events.Stage{events.Enrich, events.Handle} {
			n, err := o.sweepStage(ctx, s)
			if err != nil && ctx.Err() == nil {
				o.log.Warn("sweep for expiring messages", slog.String("stage", string(s)), slog.String("cause", err.Error()))
			}
			if n > 0 {
				next = o.d.o.Expiry / 32
			}
		}
		if err := o.tidy(ctx); err != nil && ctx.Err() == nil {
			o.log.Warn("sweep for consumers that were left", slog.String("cause", err.Error()))
		}
		t.Reset(next)
	}
}

// tidy deletes the consumers that owners before have left: one that died in its
// takeover, or one that was stopped and made its consumer when it was none any
// more. They would hold in their stream, for ever, what they have not read.
func (o *owner) tidy(ctx context.Context) (all error) {
	for _, s := range []events.Stage{events.Enrich, events.Handle} {
		list, err := o.d.o.Ports.Inbox.Followers(ctx, streamOf(s))
		if err != nil {
			return err
		}
		for _, f := range list {
			for _, k := range desks {
				epoch := epochOf(f.Name, k, o.t.Name)
				if epoch == 0 || epoch >= o.tenure.Epoch {
					continue
				}
				if err := o.d.o.Ports.Inbox.DeleteConsumer(ctx, streamOf(s), f.Name); !errors.Is(err, bus.ErrNotFound) {
					all = errors.Join(all, err)
				}
			}
		}
	}
	return all
}

// sweepStage looks at what each waiting head's stream would forget before the
// sweep after the next, and says how many those are.
func (o *owner) sweepStage(ctx context.Context, s events.Stage) (n int, err error) {
	u, err := o.d.o.Ports.Log.Usage(ctx, streamOf(s))
	if err != nil || u.MaxAge <= 0 {
		return 0, err
	}
	old := &ages{edge: time.Now().Add(-u.MaxAge + 2*o.d.o.Expiry)}
	var all error
	err = o.d.state.Load(ctx, "wait."+o.t.Name, func(e bus.Entry) error {
		k, err := orderOf(e.Key)
		if err != nil {
			return nil // said so at the takeover
		}
		r, err := readRecord(ctx, o.d.state, o.t.Name, k)
		if err != nil {
			all = errors.Join(all, err)
			return nil
		}
		l := laneOf(r, s)
		if l.Head == nil || l.History != o.store.History {
			return nil
		}
		due, err := old.due(l.Head.Seq, func() (bus.Stored, error) { return o.d.o.Ports.Log.Get(ctx, streamOf(s), l.Head.Seq) })
		if all = errors.Join(all, err); due {
			n++
			o.bring(k, true, desk{s, k.noun}, expiring{ledger.Expiring{Stage: s, Seq: l.Head.Seq}})
		}
		return nil
	})
	return n, errors.Join(all, err)
}

// ages tells old messages of a stream from young ones. The stream is in order of
// time, so that few have to be read.
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
		return false, nil // its order finds that out
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

// errRecord is the class of a record that cannot be understood.
var errRecord = errors.New("record not understood")

// readRecord reads an order's record; one never written is the zero record.
func readRecord(ctx context.Context, state Records, tenant string, k order) (ledger.Record, error) {
	e, err := state.Get(ctx, recordKey(tenant, k))
	if errors.Is(err, bus.ErrNotFound) {
		return ledger.Record{}, nil
	}
	if err != nil {
		return ledger.Record{}, err
	}
	r, err := ledger.Decode(e.Value)
	if err != nil {
		return r, fmt.Errorf("%w: %w", errRecord, err)
	}
	return r, nil
}
