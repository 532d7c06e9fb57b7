package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// sweep makes letters of waiting messages before they can expire from their
// stream.
func (o *owner) sweep(ctx context.Context) {
	t := time.NewTicker(o.d.o.Expiry)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			for _, s := range []events.Stage{events.Enrich, events.Handle} {
				if err := o.sweepStage(ctx, s); err != nil && ctx.Err() == nil {
					o.log.Warn("sweep for expiring messages", slog.String("stage", string(s)), slog.String("cause", err.Error()))
				}
			}
		}
	}
}

// sweepStage looks at what each waiting head's stream would forget before the
// sweep after the next.
func (o *owner) sweepStage(ctx context.Context, s events.Stage) error {
	u, err := o.d.o.Bus.Usage(ctx, streamOf(s))
	if err != nil || u.MaxAge <= 0 {
		return err
	}
	edge := time.Now().Add(-u.MaxAge + 2*o.d.o.Expiry)
	var all error
	err = o.d.state.Load(ctx, "wait."+o.t.Name, func(e bus.Entry) error {
		k, err := orderOf(e.Key)
		if err != nil {
			return nil // said so at the takeover
		}
		r, err := o.d.record(ctx, o.t.Name, k)
		if err != nil {
			all = errors.Join(all, err)
			return nil
		}
		l := r.Handle
		if s == events.Enrich {
			l = r.Enrich
		}
		if l.Head == nil || l.Head.Since.After(edge) {
			return nil
		}
		m, err := o.d.o.Bus.Get(ctx, streamOf(s), l.Head.Seq)
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			all = errors.Join(all, err)
		}
		if err == nil && m.Time.Before(edge) {
			o.post(k, true, expiring{ledger.Expiring{Stage: s, Seq: l.Head.Seq}})
		}
		return nil
	})
	return errors.Join(all, err)
}

// record reads an order's record, for looking at alone.
func (d *Dispatcher) record(ctx context.Context, tenant string, k order) (ledger.Record, error) {
	return readRecord(ctx, d.state, tenant, k)
}

func readRecord(ctx context.Context, state *bus.Bucket, tenant string, k order) (ledger.Record, error) {
	e, err := state.Get(ctx, recordKey(tenant, k))
	if errors.Is(err, bus.ErrNotFound) {
		return ledger.Record{}, nil
	}
	if err != nil {
		return ledger.Record{}, err
	}
	return ledger.Decode(e.Value)
}
