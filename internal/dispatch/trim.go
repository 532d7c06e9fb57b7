package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/ledger"
)

// Shares of a stream's size limit. From trimFrom on what nobody needs goes, down
// to trimTo, so that as much of the past as possible stays to be looked at. A
// stream that cannot be trimmed first holds back the details, which fill EVENTS,
// and only then the writes, which empty it: the other way round neither would
// ever go on.
const (
	trimFrom    = 0.70
	trimTo      = 0.60
	alarmFrom   = 0.80
	detailsTill = 0.85
	writesTill  = 0.95
)

// alarmRoom is the alarm of a stream that fills up; it is no tenant's.
const alarmRoom ledger.Alarm = "room"

// lookEvery is the longest time between two looks at how full the streams are.
const lookEvery = 5 * time.Second

// space is what is known of the streams' room. It is asked before every vendor
// call and so holds what was last seen.
type space struct {
	mu    sync.Mutex
	share map[string]float64 // of a stream's limit that is taken
}

func (s *space) saw(stream string, u bus.Usage) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.share == nil {
		s.share = map[string]float64{}
	}
	s.share[stream] = 0
	if u.MaxBytes > 0 {
		s.share[stream] = float64(u.Bytes) / float64(u.MaxBytes)
	}
	return s.share[stream]
}

func (s *space) lacks(stream string, till float64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.share[stream] >= till {
		return "no room in " + stream
	}
	return ""
}

// forDetails says why no detail may be read now, "" if one may.
func (s *space) forDetails() string { return s.lacks(bus.Events, detailsTill) }

// forWrites says why no vendor write may be made now: its outcome, or its letter,
// would find no room.
func (s *space) forWrites() string {
	if why := s.lacks(bus.Events, writesTill); why != "" {
		return why
	}
	return s.lacks(bus.Dead, writesTill)
}

// guard makes the tenant's gates ask for room.
func (s *space) guard(g *gates) {
	g.writes.room = s.forWrites
	for _, d := range g.detail {
		d.room = s.forDetails
	}
}

// trimmer keeps the streams within their limits. Every replica has one: what may
// go is computed over all tenants each time, and trimming twice is trimming once.
type trimmer struct {
	d       *Dispatcher
	next    map[string]time.Time // not before, where the last time brought too little
	held    map[string]string    // who needed the first message that stayed
	alarmed map[string]bool
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

// look is one look at every stream that may fill up.
func (t *trimmer) look(ctx context.Context, now time.Time) {
	for _, stream := range []string{bus.Callbacks, bus.Events, bus.Dead} {
		if err := t.keep(ctx, stream, now); err != nil && ctx.Err() == nil {
			t.d.o.Logger.Warn("room not looked after", slog.String("stream", stream), slog.String("cause", err.Error()))
		}
	}
}

func (t *trimmer) keep(ctx context.Context, stream string, now time.Time) error {
	u, err := t.d.o.Bus.Usage(ctx, stream)
	if err != nil {
		return err
	}
	share := t.d.space.saw(stream, u)
	if stream == bus.Dead {
		t.d.letters.Store(int64(u.Messages))
	}
	if share >= trimFrom && stream != bus.Dead && !now.Before(t.next[stream]) {
		if t.held[stream], err = t.trim(ctx, stream, u); err != nil {
			return err
		}
		if u, err = t.d.o.Bus.Usage(ctx, stream); err != nil {
			return err
		}
		if share = t.d.space.saw(stream, u); share >= trimFrom {
			t.next[stream] = now.Add(t.d.o.Trim)
		}
	}
	t.alarm(stream, share)
	return nil
}

// trim removes the oldest messages that nobody needs, as many as it takes, and
// says who needs the first one that stays.
func (t *trimmer) trim(ctx context.Context, stream string, u bus.Usage) (string, error) {
	limit, by, err := t.d.needed(ctx, stream, u.Last+1)
	if err != nil {
		return "", err
	}
	began, from := u, time.Now()
	for float64(u.Bytes) > trimTo*float64(u.MaxBytes) && u.First < limit {
		// Messages differ in size, so the count is a guess that the next round mends.
		surplus := (float64(u.Bytes) - trimTo*float64(u.MaxBytes)) / float64(u.Bytes)
		below := min(u.First+uint64(surplus*float64(u.Last+1-u.First))+1, limit)
		if err := t.d.keeper.Trimming(ctx, stream, below); err != nil {
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

// alarm says once that a stream fills up although it is trimmed, and once that
// it has room again.
func (t *trimmer) alarm(stream string, share float64) {
	full := share >= alarmFrom
	if full == t.alarmed[stream] {
		return
	}
	t.alarmed[stream] = full
	about := []any{slog.String("stream", stream), slog.Int("percent", int(100*share))}
	if !full {
		t.d.o.Logger.Info("room again", about...)
		return
	}
	t.d.meters.alert(context.Background(), "", alarmRoom)
	t.d.o.Logger.Error("alert", append(about, slog.String("why", string(alarmRoom)), slog.String("needed_by", t.held[stream]),
		slog.String("text", "the stream is filling up, and what is needed cannot be trimmed"))...)
}
