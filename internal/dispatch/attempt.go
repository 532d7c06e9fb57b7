package dispatch

import (
	"log/slog"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// waiting is the outcome of an attempt after which the message waits.
const waiting = "waiting"

// attempt is one wide log line: what a stage did with a message.
type attempt struct {
	outcome string // enriched, waiting, or an outcome
	reason  string
	rule    string
	tries   int
	next    time.Time
	fault   *ledger.Fault
	event   string
	seq     uint64
	replay  int
}

func (a *actor) record(s events.Stage, t attempt) {
	c := &a.current[ledger.Index(s)]
	ctx := a.context(s)
	took := time.Duration(0)
	if !c.from.IsZero() && c.span != nil {
		took = time.Since(c.from)
	}
	attrs := []slog.Attr{
		slog.String("tenant", a.o.t.Name), slog.String("stage", string(s)), slog.String("noun", string(a.key.Noun)),
		slog.String("order", a.key.Key), slog.String("event", t.event), slog.Uint64("sequence", t.seq),
		slog.Int("replay", t.replay), slog.Int("tries", t.tries), slog.String("outcome", t.outcome), slog.Duration("took", took),
	}
	if t.reason != "" && (t.fault == nil || t.outcome == waiting) {
		attrs = append(attrs, slog.String("reason", t.reason))
	}
	if t.rule != "" {
		attrs = append(attrs, slog.String("rule", t.rule))
	}
	if !t.next.IsZero() {
		attrs = append(attrs, slog.Time("next", t.next))
	}
	level, kind := slog.LevelInfo, ""
	if f := t.fault; f != nil {
		level, kind = slog.LevelWarn, string(f.Kind)
		attrs = append(attrs, slog.String("kind", kind), slog.String("api", f.API), slog.String("code", f.Code), slog.String("cause", loggable(f)))
	}
	a.o.d.meters.attempt(ctx, a.o.t.Name, orders.Queue{Stage: s, Noun: a.key.Noun}, t.outcome, kind, took)
	a.o.d.o.Logger.LogAttrs(ctx, level, "attempt", attrs...)
}

// loggable is a fault without the words of an order. Those stand in the letter, which only
// operators read, and never in a log.
func loggable(f *ledger.Fault) string {
	switch f.Kind {
	case events.Unmapped:
		if f.Rule != "" {
			return "rule " + f.Rule + " cannot work out " + f.Field + "; its letter says why"
		}
		return "the mapping cannot place it; its letter says why"
	case events.Rejected:
		return "refused for business reasons; its letter says why"
	default:
		return f.Reason
	}
}
