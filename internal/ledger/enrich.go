package ledger

import "gongdan-bridge/internal/events"

// fetched ends the message of enrich: its enriched event goes out first, under
// an id that makes a second one recognisable, and one write says that it did.
func (t *step) fetched(in Fetched) {
	k := t.waitingFor(events.Enrich, fetching)
	if k == nil {
		return
	}
	if in.Failure != nil {
		if t.held(events.Enrich) {
			return
		}
		t.failed(ActFetch, in.Failure)
		return
	}
	l, d := t.at(events.Enrich)
	m := k.Message
	t.do(Publish{
		What: PublishEnriched, Stage: events.Enrich, Seq: m.Seq, EventID: m.EventID, Replay: m.Replay,
		ID: t.id(m, "enrich"), Check: !k.fresh || t.o.recovery != nil,
	})
	l.Cursor, l.At, l.Head, l.Last, d.task = m.Seq, m.At, nil, nil, nil
	l.Seen = remember(l.Seen, seen(m.EventID, m.Replay))
	t.write()
	t.ackHeld(events.Enrich)
	t.next(events.Enrich)
}
