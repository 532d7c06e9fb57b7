package store

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/retention"
)

// Ports are what tells whether the store belongs together.
type Ports struct {
	Log    history.Log
	State  history.State
	Tables history.Tables
}

// Trimming is what a [Watch] needs to trim the streams.
type Trimming = retention.Options

// errUnseen is why a dispatcher that has just begun is not ready.
var errUnseen = errors.New("the store has not been looked at yet")

// Watch looks whether the streams and buckets still belong together. A dispatcher has one,
// for all tenants.
type Watch struct {
	Keeper *history.Keeper
	logger *slog.Logger
	failed atomic.Pointer[error] // why the last look failed; nil: it did not
}

// NewWatch returns a watch that has not looked yet. silence is the life of a lease; alerted
// is called at each alert.
func NewWatch(p Ports, silence time.Duration, alerted func(), logger *slog.Logger) *Watch {
	w := &Watch{logger: logger}
	w.failed.Store(&errUnseen)
	w.Keeper = history.NewKeeper(history.Options{
		Log: p.Log, State: p.State, Tables: p.Tables, Silence: silence,
		Alert: func(n history.Note) {
			if n.Mild {
				logger.Info("store", slog.String("text", n.String()), slog.Time("from", n.From))
				return
			}
			alerted()
			logger.Error("alert", slog.String("why", string(ledger.AlarmStore)), slog.String("store", n.Store), slog.String("text", n.String()))
		},
	})
	return w
}

// Trimmer returns what keeps the streams within their limits, in step with the watch.
func (w *Watch) Trimmer(o Trimming) *retention.Trimmer {
	o.Keeper, o.Logger = w.Keeper, w.logger
	return retention.New(o)
}

// Begin looks before anything is written to the store; false if that failed.
func (w *Watch) Begin(ctx context.Context) bool {
	_, err := w.Keeper.Begin(ctx)
	if err == nil || ctx.Err() != nil {
		w.failed.Store(nil)
		return true
	}
	w.failed.Store(&err)
	w.logger.Warn("store not checked yet", slog.String("cause", err.Error()))
	return false
}

// Run looks at every beat until ctx ends, and tells which history the store has.
func (w *Watch) Run(ctx context.Context, beat time.Duration, tell func(history string)) {
	t := time.NewTicker(beat)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		r, err := w.Keeper.Glance(ctx)
		if err == nil {
			w.failed.Store(nil)
			tell(r.History)
			continue
		}
		if ctx.Err() == nil {
			w.failed.Store(&err)
			w.logger.Warn("store not checked", slog.String("cause", err.Error()))
		}
	}
}

// End looks once more, so that what is stored last is known.
func (w *Watch) End(ctx context.Context) {
	if _, err := w.Keeper.Examine(ctx); err != nil {
		w.logger.Debug("store not checked at the end", slog.String("cause", err.Error()))
	}
}

// Err is why it is not known whether the store belongs together; nil if it is known.
func (w *Watch) Err() error {
	if failed := w.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}
