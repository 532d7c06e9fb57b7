package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/ledger"
)

// From trimFrom on what nobody needs goes from a stream, down to trimTo, so that as much
// of the past as possible stays to be looked at.
const (
	trimFrom  = 0.70
	trimTo    = 0.60
	alarmFrom = 0.80
)

// alarmRoom is the alarm of a stream or bucket that fills up; it is no tenant's.
const alarmRoom ledger.Alarm = "room"

// lookEvery is the longest time between two looks at how full the streams are.
const lookEvery = 5 * time.Second

// trimmer keeps the streams within their limits. Every replica has one: what may
// go is computed over all tenants each time, and trimming twice is trimming once.
type trimmer struct {
	d       *Dispatcher
	next    map[string]time.Time // not before, where the last time brought too little
	held    map[string]string    // who needed the first message that stayed
	alarmed map[string]bool      // of room
	paced   time.Time            // not before: whether STATE is large enough
}

func (d *Dispatcher) trimmer() *trimmer {
	return &trimmer{d: d, next: map[string]time.Time{}, held: map[string]string{}, alarmed: map[string]bool{}}
}

// run looks until ctx ends.
func (t *trimmer) run(ctx context.Context) {
	beat := time.NewTicker(min(t.d.o.Trim, lookEvery))
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-beat.C:
			t.look(ctx, now)
		}
	}
}

// look is one look at every stream and bucket.
func (t *trimmer) look(ctx context.Context, now time.Time) {
	seen := map[string]bus.Usage{}
	for _, f := range t.d.o.Bus.Fills(ctx) {
		if ctx.Err() != nil {
			return
		}
		seen[f.Name] = f.Usage
		err := f.Err
		if err == nil {
			err = t.keep(ctx, f, now)
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		t.d.space.Failed(f, err)
		if !errors.Is(err, bus.ErrUnprovisioned) { // an alert has said that
			t.d.o.Logger.Warn("room not looked after", slog.String(f.Kind(), f.Name), slog.String("cause", err.Error()))
		}
	}
	t.d.space.Looked(now)
	if err := t.pace(ctx, now, seen[bus.Callbacks], seen[bus.State]); err != nil && ctx.Err() == nil {
		t.d.o.Logger.Debug("pace not looked at", slog.String("cause", err.Error()))
	}
}

func (t *trimmer) keep(ctx context.Context, f bus.Fill, now time.Time) error {
	share := t.d.space.Saw(f)
	if f.Name == bus.Dead {
		t.d.letters.Store(int64(f.Messages))
	}
	trimmed := f.Name == bus.Callbacks || f.Name == bus.Events
	if share >= trimFrom && trimmed && !now.Before(t.next[f.Name]) {
		var err error
		if t.held[f.Name], err = t.trim(ctx, f.Name, f.Usage); err != nil {
			return err
		}
		if f.Usage, err = t.d.o.Bus.Usage(ctx, f.Name); err != nil {
			return err
		}
		if share = t.d.space.Saw(f); share >= trimFrom {
			t.next[f.Name] = now.Add(t.d.o.Trim)
		}
	}
	t.alarm(f, share)
	return nil
}

// trim removes the oldest messages that nobody needs, as many as it takes, and
// says who needs the first one that stays.
func (t *trimmer) trim(ctx context.Context, stream string, u bus.Usage) (string, error) {
	store, err := t.d.keeper.Examine(ctx)
	if err != nil {
		return "", err
	}
	limit, by, err := t.d.needed(ctx, store.History, stream, u.Last+1)
	if err != nil {
		return "", err
	}
	began, from := u, time.Now()
	for float64(u.Bytes) > trimTo*float64(u.MaxBytes) && u.First < limit {
		// Messages differ in size, so the count is a guess that the next round mends.
		surplus := (float64(u.Bytes) - trimTo*float64(u.MaxBytes)) / float64(u.Bytes)
		below := min(u.First+uint64(surplus*float64(u.Last+1-u.First))+1, limit)
		if err := t.d.keeper.Trimming(ctx, store.History, stream, below); err != nil {
			return by, err
		}
		if _, err := t.d.o.Bus.Trim(ctx, stream, below); err != nil {
			return by, err
		}
		if u, err = t.d.o.Bus.Usage(ctx, stream); err != nil {
			return by, err
		}
	}
	t.d.o.Logger.Info("stream trimmed", slog.String("stream", stream), slog.Uint64("from", began.First), slog.Uint64("to", u.First),
		slog.Uint64("bytes", began.Bytes-min(u.Bytes, began.Bytes)), slog.String("needed_by", by), slog.Duration("took", time.Since(from)))
	return by, nil
}

// alarm says once that a stream or bucket fills up, and once that it has room again.
func (t *trimmer) alarm(f bus.Fill, share float64) {
	full := share >= alarmFrom
	if full == t.alarmed[f.Name] {
		return
	}
	t.alarmed[f.Name] = full
	about := []any{slog.String(f.Kind(), f.Name), slog.Int("percent", int(100*share))}
	if !full {
		t.d.o.Logger.Info("room again", about...)
		return
	}
	text := "it is filling up, and nothing in it goes by itself in time: raise " + f.Setting()
	if by := t.held[f.Name]; by != "" {
		about = append(about, slog.String("needed_by", by))
		text = "it is filling up, and what is needed cannot be trimmed: free what needs it, or raise " + f.Setting()
	}
	t.d.meters.alert(context.Background(), "", alarmRoom)
	t.d.o.Logger.Error("alert", append(about, slog.String("why", string(alarmRoom)), slog.String("text", text))...)
}
