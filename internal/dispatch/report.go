package dispatch

import (
	"log/slog"
	"time"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

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

// of keeps what the last call failed with.
func (f *fact) of(x *events.Failure) {
	if x != nil {
		f.api, f.code = x.API, x.Code
	}
}

func (a *actor) record(s events.Stage, t attempt) {
	h := &a.hands[ledger.Index(s)]
	ctx := a.context(s)
	took := time.Duration(0)
	if !h.from.IsZero() && h.span != nil {
		took = time.Since(h.from)
	}
	attrs := []slog.Attr{
		slog.String("tenant", a.o.t.Name), slog.String("stage", string(s)), slog.String("noun", string(a.key.Noun)),
		slog.String("order", a.key.Key), slog.String("event", t.event), slog.Uint64("sequence", t.seq),
		slog.Int("replay", t.replay), slog.Int("tries", t.tries), slog.String("outcome", t.outcome), slog.Duration("took", took),
	}
	if t.reason != "" && (t.fault == nil || t.outcome == "waiting") {
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

// loggable is a fault without the words of an order: those stand in the letter,
// which is for the operators' eyes, and not in a log.
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

// advice is what a person can do about a failure.
func advice(f *events.Failure, waiting bool) string {
	switch {
	case waiting && f.Kind == events.Uncertain:
		return "look at the bill in Kingdee, then say what is true: dispatcher dead settle NUMBER applied, or send-again"
	case waiting:
		return "the order waits for you: repair the cause, then dispatcher dead settle NUMBER try-again, or discard"
	case aboutPicture(f):
		return "let kingdee.photos in bridge.yaml allow what the reason names, or set its on_failure to without, restart, then replay; " +
			"a picture that was replaced in Weiban is seen by a replay of stage enrich or by the next event"
	}
	switch f.Kind {
	case events.Unmapped:
		return "add the missing word to its table, or correct the form in Weiban, then replay"
	case events.Uncertain:
		return "look at the bill in Kingdee; discard the letter if the record is there, else replay with --force and the reason"
	case events.Rejected:
		return "read the reason, correct the order or the mapping, then replay"
	case events.Missing:
		return "check that the order still exists in Weiban, then replay or discard"
	case events.Denied:
		return "correct the credentials, then replay"
	case events.Invalid:
		if f.API != "" {
			return "open the order at the vendor: what its API answers for it cannot be read; replay once it can be, else report it with the letter's trace id"
		}
		return "report it with the letter's trace id"
	case events.Unavailable, events.Throttled:
		return "replay when the vendor answers again"
	default:
		return "report it with the letter's trace id"
	}
}
