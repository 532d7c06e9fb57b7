package retention

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/ledger"
)

// A stream is trimmed from trimFrom on, and no further than to trimTo: as much of the past
// as possible stays to be looked at.
const (
	trimFrom  = 0.70
	trimTo    = 0.60
	alarmFrom = 0.80
)

// lookEvery is the longest time between two looks at how full the streams are.
const lookEvery = 5 * time.Second

// Space keeps how full each stream and bucket is, for those who ask before a call.
type Space interface {
	Saw(f bus.Fill) (share float64)
	Failed(f bus.Fill, err error)
	Looked(now time.Time)
}

// Options are what a [Trimmer] needs.
type Options struct {
	Bus         *bus.Bus
	Keeper      *history.Keeper // told before anything is trimmed
	Space       Space           // told how full each stream and bucket is
	Tenants     []string        // the configured ones
	Every       time.Duration   // between two trims of a stream that stays too full
	KeepSettled time.Duration   // how long a settled record lives
	Foreign     float64         // from this share of a stream on, consumers of other services hold nothing back
	Logger      *slog.Logger
	Alerted     func(ledger.Alarm) // called at each alert
	Letters     func(open uint64)  // told how many dead letters are open
}

// Trimmer keeps the streams within their limits. Every replica has one: what may
// go is computed over all tenants each time, and trimming twice is trimming once. It
// belongs to one goroutine.
type Trimmer struct {
	o       Options
	next    map[string]time.Time // not before, where the last time brought too little
	held    map[string]string    // who needed the first message that stayed
	alarmed map[string]bool      // of space
	behind  map[string]lag       // of each stream: consumers of other services
	paced   time.Time            // not before: whether STATE is large enough
}

// New returns a trimmer that has not looked yet.
func New(o Options) *Trimmer {
	return &Trimmer{o: o, next: map[string]time.Time{}, held: map[string]string{}, alarmed: map[string]bool{}, behind: map[string]lag{}}
}

// Run looks every few seconds until ctx ends.
func (t *Trimmer) Run(ctx context.Context) {
	beat := time.NewTicker(min(t.o.Every, lookEvery))
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-beat.C:
			t.Look(ctx, now)
		}
	}
}

// Look is one look at every stream and bucket.
func (t *Trimmer) Look(ctx context.Context, now time.Time) {
	seen := map[string]bus.Usage{}
	for _, f := range t.o.Bus.Fills(ctx) {
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
		t.o.Space.Failed(f, err)
		if !errors.Is(err, bus.ErrUnprovisioned) { // an alert has said that
			t.o.Logger.Warn("use of a stream or bucket not read", slog.String(f.Kind(), f.Name), slog.String("cause", err.Error()))
		}
	}
	t.o.Space.Looked(now)
	if err := t.pace(ctx, now, seen[bus.Callbacks], seen[bus.State]); err != nil && ctx.Err() == nil {
		t.o.Logger.Debug("size of STATE not checked", slog.String("cause", err.Error()))
	}
}

func (t *Trimmer) keep(ctx context.Context, f bus.Fill, now time.Time) error {
	share := t.o.Space.Saw(f)
	if f.Name == bus.Dead {
		t.o.Letters(f.Messages)
	}
	trimmed := f.Name == bus.Callbacks || f.Name == bus.Events
	if trimmed {
		if err := t.foreign(ctx, f, share, now); err != nil {
			return err
		}
	}
	if share >= trimFrom && trimmed && !now.Before(t.next[f.Name]) {
		var err error
		if t.held[f.Name], err = t.trim(ctx, f.Name, f.Usage); err != nil {
			return err
		}
		if f.Usage, err = t.o.Bus.Usage(ctx, f.Name); err != nil {
			return err
		}
		if share = t.o.Space.Saw(f); share >= trimFrom {
			t.next[f.Name] = now.Add(t.o.Every)
		}
	}
	t.alarm(f, share)
	return nil
}

// trim removes the oldest messages that are not needed, as many as it takes, and says
// who needs the first one that stays.
func (t *Trimmer) trim(ctx context.Context, stream string, u bus.Usage) (string, error) {
	store, err := t.o.Keeper.Examine(ctx)
	if err != nil {
		return "", err
	}
	n, err := t.needed(ctx, store.History, stream, u.Last+1)
	if err != nil {
		return "", err
	}
	began, from := u, time.Now()
	limit := n.both()
	if u, err = t.cut(ctx, store.History, stream, u, limit.seq, trimTo); err != nil {
		return limit.by, err
	}
	if u.Share() >= t.o.Foreign && n.foreign.seq < n.own.seq {
		limit = n.own
		t.o.Logger.Warn("messages are trimmed that another service has not settled", slog.String("stream", stream), slog.String("unsettled", n.foreign.by))
		if u, err = t.cut(ctx, store.History, stream, u, limit.seq, max(t.o.Foreign-foreignStep, trimTo)); err != nil {
			return limit.by, err
		}
	}
	t.o.Logger.Info("stream trimmed", slog.String("stream", stream), slog.Uint64("from", began.First), slog.Uint64("to", u.First),
		slog.Uint64("bytes", began.Bytes-min(u.Bytes, began.Bytes)), slog.String("needed_by", limit.by), slog.Duration("took", time.Since(from)))
	return limit.by, nil
}

// cut removes the oldest messages below a limit until the stream takes no more than a share.
func (t *Trimmer) cut(ctx context.Context, history, stream string, u bus.Usage, limit uint64, share float64) (bus.Usage, error) {
	for float64(u.Bytes) > share*float64(u.MaxBytes) && u.First < limit {
		// Messages differ in size, so the count is a guess that the next round mends.
		surplus := (float64(u.Bytes) - share*float64(u.MaxBytes)) / float64(u.Bytes)
		below := min(u.First+uint64(surplus*float64(u.Last+1-u.First))+1, limit)
		if err := t.o.Keeper.Trimming(ctx, history, stream, below); err != nil {
			return u, err
		}
		_, err := t.o.Bus.Trim(ctx, stream, below)
		if err != nil {
			return u, err
		}
		if u, err = t.o.Bus.Usage(ctx, stream); err != nil {
			return u, err
		}
	}
	return u, nil
}

// alarm says once that a stream or bucket fills up, and once that it has space again.
func (t *Trimmer) alarm(f bus.Fill, share float64) {
	full := share >= alarmFrom
	if full == t.alarmed[f.Name] {
		return
	}
	t.alarmed[f.Name] = full
	about := []any{slog.String(f.Kind(), f.Name), slog.Int("percent", int(100*share))}
	if !full {
		t.o.Logger.Info("stream or bucket has space again", about...)
		return
	}
	text := "it is filling up, and nothing in it goes by itself in time: raise " + f.Setting()
	if by := t.held[f.Name]; by != "" {
		about = append(about, slog.String("needed_by", by))
		text = "it is filling up, and what is needed cannot be trimmed: free what needs it, or raise " + f.Setting()
	}
	t.o.Alerted(ledger.AlarmSpace)
	t.o.Logger.Error("alert", append(about, slog.String("why", string(ledger.AlarmSpace)), slog.String("text", text))...)
}
