package history

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gongdan-bridge/internal/bus"
)

// kept are the streams and buckets whose identity is in the record. STATE is not among
// them, since it holds the record.
var kept = []string{bus.Callbacks, bus.Events, bus.Dead, bus.Audit, bus.Tables, bus.Tokens}

// remedies say what a misfit of a stream or bucket leads to.
var remedies = map[string]string{
	bus.Callbacks: "every stored callback is looked at again; what was stored and is gone Weiban alone can tell",
	bus.Events:    "every stored callback without an end is read again from Weiban",
	bus.Dead:      "orders that died without a closing are done again, so that their letters come back",
	bus.Audit:     "nothing is done again; what people closed before is not known any more",
	bus.Tables:    "the rows that operators added are gone: put them back with dispatcher mapping table import",
	bus.State: "the records are made again from the streams; what has no end there is looked for in Kingdee before it is called; " +
		"stages that people had paused go on",
	bus.Tokens: "the vendors' tokens are asked for again",
}

// restarts reports whether a misfit of the stream or bucket begins a new history.
func restarts(name string) bool {
	return name == bus.Callbacks || name == bus.Events || name == bus.Dead || name == bus.Audit
}

// judge compares a stream or bucket with its last sighting and returns what does not fit, or
// "". A glance does not read the witness if the stream reports the same newest message.
func judge(ctx context.Context, l Log, name string, seen Sighting, now bus.Identity, trimmed uint64, glance bool) (string, error) {
	switch {
	case seen.Life == "":
		return "", nil // first seen
	case now.Missing:
		return "is not there", nil
	case now.Life != seen.Life:
		return "was removed and made again", nil
	case now.Last < seen.Last:
		return "went back from message " + num(seen.Last) + " to " + num(now.Last), nil
	case now.Deleted > seen.Deleted && (name == bus.Callbacks || name == bus.Events):
		return "has lost " + num(uint64(now.Deleted-seen.Deleted)) + " messages in between", nil
	case seen.Last == 0 || seen.Gone || name == bus.Tables || name == bus.Tokens || glance && seen.newest(now):
		return "", nil
	}
	m, err := l.Get(ctx, name, seen.Last)
	switch {
	case err == nil && m.Time.Equal(seen.Time) && m.ID() == seen.ID:
		return "", nil
	case err == nil:
		return "went back behind message " + num(seen.Last) + " and was written on", nil
	case !errors.Is(err, bus.ErrNotFound):
		return "", fmt.Errorf("witness of %s: %w", name, err)
	case name == bus.Dead || seen.Last < trimmed, now.MaxAge > 0 && now.Now.Sub(seen.Time) >= now.MaxAge:
		return "", nil // closed, trimmed or over age
	default:
		return "has lost messages, number " + num(seen.Last) + " among them", nil
	}
}

// newest reports whether the stream's state names the seen message as its newest one. The
// message itself may be lost all the same.
func (s Sighting) newest(now bus.Identity) bool {
	return s.Last == now.Last && s.Time.Equal(now.LastTime) && now.First <= s.Last
}

// missingSince returns a time before which no lost message was stored; zero if none is
// known.
func (s Sighting) missingSince(now bus.Identity) time.Time {
	switch {
	case now.Life == s.Life && now.Last > 0 && now.LastTime.Before(s.Time):
		return now.LastTime.UTC() // of the newest message that is left
	case now.MaxAge > 0:
		return now.Now.Add(-now.MaxAge).UTC()
	}
	return time.Time{}
}

// sight returns the present sighting of a stream or bucket.
func sight(ctx context.Context, l Log, name string, seen Sighting, now bus.Identity) (Sighting, error) {
	s := Sighting{Life: now.Life, Last: now.Last, Deleted: now.Deleted}
	if seen.Life == now.Life && !seen.Gone && seen.Deleted == now.Deleted && seen.newest(now) {
		return seen, nil
	}
	if now.Last == 0 || name == bus.Tables || name == bus.Tokens {
		s.Last = 0
		return s, nil
	}
	m, err := l.Get(ctx, name, now.Last)
	if errors.Is(err, bus.ErrNotFound) {
		s.Time, s.Gone = now.LastTime, true
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("witness of %s: %w", name, err)
	}
	s.Time, s.ID = m.Time, m.ID()
	return s, nil
}

// evidence is the knowledge about STATE that is stored outside of it.
type evidence struct {
	anchor

	newest time.Time // when the newest outcome was stored in EVENTS; zero for none
}

// readEvidence reads the anchor in TABLES and the newest outcome in EVENTS. A missing stream
// or bucket is no evidence.
func (k *Keeper) readEvidence(ctx context.Context) (evidence, error) {
	a, err := k.readAnchor(ctx)
	if err != nil && !errors.Is(err, bus.ErrUnprovisioned) {
		return evidence{}, err
	}
	if (a.Life == "" || a.Life == k.saved.Life) && a.Revision < k.saved.Revision {
		a = k.saved // TABLES is an older copy too
	}
	e := evidence{anchor: a}
	m, err := k.o.Log.Last(ctx, bus.Events, "gongdan.*.event.kingdee.>")
	switch {
	case err == nil:
		e.newest = m.Time
	case !errors.Is(err, bus.ErrNotFound) && !errors.Is(err, bus.ErrUnprovisioned):
		return evidence{}, fmt.Errorf("newest outcome: %w", err)
	}
	return e, nil
}

// stateLost returns why records of STATE must be lost, "" if none need be. It relies on
// every working dispatcher writing to STATE every few seconds.
func (k *Keeper) stateLost(ctx context.Context, f found) (string, error) {
	e, state, callbacks := f.evidence, f.ids[bus.State], f.ids[bus.Callbacks]
	switch {
	case e.Life != "" && state.Missing:
		return "is not there", nil
	case e.Life != "" && e.Life != state.Life:
		return "was removed and made again", nil
	case e.Revision > state.Last:
		return "went back from revision " + num(e.Revision) + " to " + num(state.Last), nil
	case state.Last > 0 && e.newest.Sub(state.LastTime) > k.o.Silence:
		return "is older than the outcomes in EVENTS", nil
	case f.have != nil:
		return "", nil
	case e.Life != "" || k.known != nil:
		return "has lost the record of the store", nil
	}
	used, err := k.upgraded(ctx)
	switch {
	case used || errors.Is(err, bus.ErrUnprovisioned):
		return "", nil
	case err != nil:
		return "", err
	case !e.newest.IsZero():
		return "is empty, though EVENTS knows of work", nil
	case callbacks.Last > 0 && state.Created.Sub(callbacks.Created) > youth:
		return "is empty and younger than CALLBACKS", nil
	}
	return "", nil
}

// youth is the longest time between the creations of streams and buckets of one
// installation.
const youth = time.Minute

func num(n uint64) string { return strconv.FormatUint(n, 10) }
