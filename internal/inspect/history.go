package inspect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// What a line of a history tells of.
const (
	LineCallback = "callback" // Weiban's, as it was accepted
	LineReplay   = "replay"   // an event sent again to one stage
	LineEnriched = "enriched"
	LineOutcome  = "outcome"
	LineWaits    = "waits"  // a stage's head, since when
	LineCall     = "call"   // an effect, from its intent on
	LineEffect   = "effect" // one for which nothing was sent
	LineLetter   = "letter" // an open dead letter
	LineClosed   = "closed" // a letter that a person closed
	LinePause    = "pause"  // a stage that an operator has paused
)

// Line is one thing that is known of an order.
type Line struct {
	At       time.Time       `json:"at"`
	What     string          `json:"what"`
	Stage    events.Stage    `json:"stage,omitempty"`
	Event    string          `json:"event,omitempty"` // its CloudEvents id
	Stream   string          `json:"stream,omitempty"`
	Sequence uint64          `json:"sequence,omitempty"`
	Text     string          `json:"text"` // for a person
	Body     json.RawMessage `json:"body,omitempty"`

	Head   *ledger.Head          `json:"head,omitempty"`
	Effect *ledger.Effect        `json:"effect,omitempty"`
	End    *events.HandleOutcome `json:"outcome,omitempty"`
	Letter *LetterLine           `json:"letter,omitempty"`
	Closed *deadletter.Audit     `json:"closed,omitempty"`
	Pause  *Pause                `json:"pause,omitempty"`
}

// LetterLine is what a history tells of an open letter.
type LetterLine struct {
	Number  uint64      `json:"number"`
	ID      string      `json:"id"`
	Kind    events.Kind `json:"kind"`
	Reason  string      `json:"reason"`
	Advice  string      `json:"advice,omitempty"`
	Waiting bool        `json:"waiting,omitempty"` // the order waits with it
}

// History is everything known of one order, in the order of time. It holds no
// body, and so no customer's data, unless bodies were asked for.
type History struct {
	Tenant string       `json:"tenant"`
	Noun   events.Noun  `json:"noun,omitempty"` // "": events that no stage reads
	Key    string       `json:"key"`
	Bill   *ledger.Bill `json:"bill,omitempty"`
	Lines  []Line       `json:"lines"`
}

// HistoryOf reads the history of a key at a tenant: one of each noun of which
// anything is known, and one of the events that no stage reads. Only what the
// streams still hold is in it.
func HistoryOf(ctx context.Context, b *bus.Bus, tenant, key string, bodies bool) ([]History, error) {
	var out []History
	for _, n := range []events.Noun{events.WorkOrder, events.Opportunity, ""} {
		h := historyOf{b: b, bodies: bodies, History: History{Tenant: tenant, Noun: n, Key: key}}
		if err := h.read(ctx); err != nil {
			return nil, fmt.Errorf("order %s of %s: %w", key, tenant, err)
		}
		if len(h.Lines) > 0 || h.seen {
			out = append(out, h.History)
		}
	}
	return out, nil
}

// historyOf puts one history together.
type historyOf struct {
	b      *bus.Bus
	bodies bool
	seen   bool // there is a record
	History
}

func (h *historyOf) read(ctx context.Context) error {
	if err := h.messages(ctx); err != nil {
		return err
	}
	if h.Noun == "" {
		return nil
	}
	if err := h.record(ctx); err != nil {
		return err
	}
	box := deadletter.NewBox(h.b, time.Now)
	if err := h.letters(ctx, box); err != nil {
		return err
	}
	slices.SortStableFunc(h.Lines, byTime)
	if err := h.closings(ctx, box); err != nil {
		return err
	}
	if err := h.pauses(ctx); err != nil {
		return err
	}
	slices.SortStableFunc(h.Lines, byTime)
	return nil
}

func byTime(a, b Line) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Sequence, b.Sequence))
}

// record tells what the order's record knows.
func (h *historyOf) record(ctx context.Context) error {
	e, err := h.b.Bucket(bus.State).Get(ctx, orders.RecordKey(h.Tenant, orders.ID{Noun: h.Noun, Key: h.Key}))
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r, err := ledger.Decode(e.Value)
	if err != nil {
		return err
	}
	h.seen, h.Bill = true, r.Bill
	for _, s := range ledger.Stages {
		if head := r.Progress(s).Head; head != nil {
			h.Lines = append(h.Lines, Line{
				At: head.Since, What: LineWaits, Stage: s, Event: head.EventID, Stream: orders.StreamOf(s), Sequence: head.Seq,
				Text: headText(*head), Head: head,
			})
		}
	}
	for _, x := range r.Effects {
		what := LineCall
		if x.Sends == 0 {
			what = LineEffect
		}
		l := Line{At: x.Begun, What: what, Stage: events.Handle, Event: x.EventID, Text: effectText(x), Effect: &x}
		if l.At.IsZero() {
			l.At = x.Ended // an old effect keeps no more
		}
		if h.bodies {
			l.Body = x.Body
		}
		x.Body = nil
		h.Lines = append(h.Lines, l)
	}
	return nil
}

func (h *historyOf) letters(ctx context.Context, box *deadletter.Box) error {
	return box.All(ctx, deadletter.Filter{Tenant: h.Tenant, Noun: h.Noun, Key: h.Key}, func(o deadletter.Open) error {
		l := Line{
			At: o.DiedAt, What: LineLetter, Stage: o.Stage, Event: o.EventID, Stream: bus.Dead, Sequence: o.Number,
			Letter: &LetterLine{Number: o.Number, ID: o.ID, Kind: o.Kind, Reason: o.Reason, Advice: o.Advice},
		}
		var err error
		if l.Letter.Waiting, err = Waits(ctx, h.b, o); err != nil {
			return err
		}
		l.Text = letterText(*l.Letter)
		if h.bodies {
			l.Body = o.Body
		}
		h.Lines = append(h.Lines, l)
		return nil
	})
}

// closings are the order's letters that people closed, and what they had sent again
// without a letter. None is older than the first thing known of the order.
func (h *historyOf) closings(ctx context.Context, box *deadletter.Box) error {
	if len(h.Lines) == 0 {
		return nil
	}
	from, err := h.b.SequenceAt(ctx, bus.Audit, h.Lines[0].At)
	if err != nil {
		return err
	}
	return box.Audits(ctx, h.Tenant, from, func(a deadletter.Audit) error {
		if x := a.Letter; x != nil && x.Noun == h.Noun && x.Key == h.Key {
			h.Lines = append(h.Lines, Line{
				At: a.At, What: LineClosed, Stage: x.Stage, Event: x.EventID, Text: closedText(a), Closed: &a,
			})
		}
		if x := a.Again; x != nil && x.Noun == h.Noun && x.Key == h.Key {
			h.Lines = append(h.Lines, Line{
				At: a.At, What: LineReplay, Stage: a.Stage, Event: x.EventID, Text: "replay " + strconv.Itoa(x.Replay) + " was asked for" + by(a.Who, a.Reason),
			})
		}
		return nil
	})
}

// pauses are shown where anything is known of the order: they may be why it
// does not move.
func (h *historyOf) pauses(ctx context.Context) error {
	if len(h.Lines) == 0 {
		return nil
	}
	list, err := Pauses(ctx, h.b, h.Tenant)
	if err != nil {
		return err
	}
	for _, p := range list {
		h.Lines = append(h.Lines, Line{
			At: p.At, What: LinePause, Stage: p.Stage, Text: "the stage is paused" + by(p.Who, p.Why), Pause: &p,
		})
	}
	return nil
}
