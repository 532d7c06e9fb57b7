package dispatch

import (
	"context"
	"log/slog"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// publish sends what a verdict or a waiting letter implies, and logs the attempt that ended
// with it.
func (a *actor) publish(p ledger.Publish) error {
	ctx, cancel := context.WithTimeout(a.context(p.Stage), writeWait)
	defer cancel()
	if err := a.o.tenure.Check(ctx); err != nil {
		return err
	}
	crash("publish")
	news, err := a.announce(ctx, p)
	crash("published")
	if err != nil || !news {
		return err
	}
	switch p.What {
	case ledger.PublishEnriched:
		a.record(p.Stage, attempt{outcome: "enriched", event: p.EventID, seq: p.Seq, replay: p.Replay})
		a.current[0].end("enriched")
	case ledger.PublishLetter:
		a.o.log.Warn("order waits for a person", slog.String("stage", string(p.Stage)), slog.String("order", a.key.Key),
			slog.String("event", p.EventID), slog.String("letter", p.LetterID))
	case ledger.PublishVerdict:
		v := p.Verdict
		a.record(p.Stage, attempt{
			outcome: string(v.Outcome), reason: reason(v), tries: v.Tries + 1, fault: v.Fault,
			event: p.EventID, seq: p.Seq, replay: p.Replay, rule: v.Rule,
		})
		a.current[ledger.Index(p.Stage)].end(string(v.Outcome))
	}
	return nil
}

func reason(v ledger.Verdict) string {
	if v.Outcome == events.Applied && v.Reason == "" {
		return v.Rule
	}
	return v.Reason
}

// announce reports whether it had not been announced before.
func (a *actor) announce(ctx context.Context, p ledger.Publish) (news bool, err error) {
	c := &a.current[ledger.Index(p.Stage)]
	if p.What != ledger.PublishEnriched {
		return a.o.store.Publish(ctx, a.key, p, c.find(p.Seq), a.listed)
	}
	out := c.out
	if out == nil || out.ID != p.ID {
		return false, errLost
	}
	c.out = nil
	return true, a.o.store.PublishEnriched(ctx, *out, p.Check)
}
