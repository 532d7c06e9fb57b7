package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// Log is what the box needs of the bus.
type Log interface {
	Publish(ctx context.Context, m bus.Message) (bus.Ack, error)
	Page(ctx context.Context, stream, subject string, from uint64, n int) ([]bus.Stored, error)
	Get(ctx context.Context, stream string, sequence uint64) (bus.Stored, error)
	Delete(ctx context.Context, stream string, sequence uint64) error
}

// Box is the dead letters of all tenants. It is safe for concurrent use and
// holds nothing in memory.
type Box struct {
	log Log
	now func() time.Time
}

// NewBox returns the box over a log; now is the clock of the audit.
func NewBox(log Log, now func() time.Time) *Box { return &Box{log: log, now: now} }

// Put files a letter. Putting the same letter again leaves one, and none once it was
// closed.
func (b *Box) Put(ctx context.Context, l Letter) error { return b.put(ctx, l, l.ID) }

// PutAgain files a letter that went without being closed, once for each occasion: the
// server may remember the message id of the one that went.
func (b *Box) PutAgain(ctx context.Context, l Letter, occasion string) error {
	return b.put(ctx, l, l.ID+"/"+occasion)
}

func (b *Box) put(ctx context.Context, l Letter, id string) error {
	data, err := events.JSON(l)
	if err != nil {
		return fmt.Errorf("dead letter %s: %w", l.ID, err)
	}
	m := bus.Message{Subject: l.Subject(), ID: id, ContentType: "application/json", Data: data}
	if _, err := b.log.Publish(ctx, m); err != nil {
		return fmt.Errorf("dead letter %s: %w", l.ID, err)
	}
	return nil
}

// Filter chooses letters; an empty member takes all.
type Filter struct {
	Tenant string
	Stage  events.Stage
	Kind   events.Kind
	Noun   events.Noun
	Key    string
	Shelf  string
}

func (f Filter) subject() string {
	return events.DeadFilter(f.Tenant, f.Stage, f.Kind, f.Noun, f.Key)
}

// Page returns at most n letters of the filter whose number is from or above,
// oldest first, and the number to go on from (0 at the end).
func (b *Box) Page(ctx context.Context, f Filter, from uint64, n int) ([]Open, uint64, error) {
	var out []Open
	from = max(from, 1)
	for len(out) < n {
		page, err := b.log.Page(ctx, bus.Dead, f.subject(), from, n)
		if err != nil {
			return nil, 0, fmt.Errorf("dead letters: %w", err)
		}
		for _, s := range page {
			o, err := decode(s.Sequence, s.Data)
			if err != nil {
				return nil, 0, err
			}
			if f.Shelf == "" || f.Shelf == o.Shelf {
				out = append(out, o)
			}
			if from = s.Sequence + 1; len(out) == n {
				return out, from, nil
			}
		}
		if len(page) < n {
			return out, 0, nil
		}
	}
	return out, from, nil
}

// All calls visit for every letter of the filter, oldest first.
func (b *Box) All(ctx context.Context, f Filter, visit func(Open) error) error {
	for from := uint64(1); from != 0; {
		page, next, err := b.Page(ctx, f, from, 200)
		if err != nil {
			return err
		}
		for _, o := range page {
			if err := visit(o); err != nil {
				return err
			}
		}
		from = next
	}
	return nil
}

// Get returns the letter of a number, or [ErrNoLetter].
func (b *Box) Get(ctx context.Context, number uint64) (Open, error) {
	s, err := b.log.Get(ctx, bus.Dead, number)
	if errors.Is(err, bus.ErrNotFound) {
		return Open{}, fmt.Errorf("dead letter %d: %w", number, ErrNoLetter)
	}
	if err != nil {
		return Open{}, fmt.Errorf("dead letter %d: %w", number, err)
	}
	return decode(number, s.Data)
}

// Act is a person's word on a letter.
type Act struct {
	Who    string
	Reason string
	Force  bool // an uncertain effect may run again
	Left   bool // the caller has seen that the order no longer waits with the letter
}

// Replay sends the letter's event again to the stage that failed, with the letter's trace,
// and closes the letter. Calling it twice sends it once.
func (b *Box) Replay(ctx context.Context, number uint64, act Act) (Open, error) {
	o, err := b.Get(ctx, number)
	switch {
	case err != nil:
		return Open{}, err
	case o.Waiting && !act.Left:
		return o, fmt.Errorf("dead letter %d: %w", number, ErrWaits)
	case len(o.Event) == 0:
		return o, fmt.Errorf("dead letter %d: %w", number, errNothingToRun)
	case o.Kind == events.Uncertain && !act.Force:
		return o, fmt.Errorf("dead letter %d: %w", number, ErrUncertain)
	case act.Force && act.Reason == "":
		return o, fmt.Errorf("dead letter %d: %w", number, ErrNeedsReason)
	}
	n := o.Replay + 1
	h := bus.Header{
		HeaderReplay:   {strconv.Itoa(n)},
		HeaderSequence: {strconv.FormatUint(o.Callback, 10)},
		HeaderLetter:   {o.ID},
	}
	if o.Forced != "" { // the wish is not granted yet
		h[HeaderForced] = []string{oneLine(o.Forced)}
		h[HeaderGeneration] = []string{strconv.Itoa(o.Again)}
	}
	if act.Force {
		h[HeaderForced] = []string{oneLine(act.Reason)}
	}
	m := bus.Message{
		Subject: events.ReplaySubject(o.Tenant, o.Stage, o.Noun, o.Key), ID: events.MessageID(o.Tenant, o.EventID, n),
		ContentType: events.ContentType, Header: h, Data: o.Event,
	}
	if _, err := b.log.Publish(bus.WithTraceParent(ctx, o.parent()), m); err != nil {
		return o, fmt.Errorf("dead letter %d: replay: %w", number, err)
	}
	return o, b.close(ctx, o, ActionReplay, act, "")
}

// oneLine is text that can stand in a header.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Discard closes the letter and does nothing else; the reason is kept.
func (b *Box) Discard(ctx context.Context, number uint64, act Act) (Open, error) {
	o, err := b.Get(ctx, number)
	if err != nil {
		return Open{}, err
	}
	switch {
	case o.Waiting && !act.Left:
		return o, fmt.Errorf("dead letter %d: %w", number, ErrWaits)
	case act.Reason == "":
		return o, fmt.Errorf("dead letter %d: %w", number, ErrNeedsReason)
	}
	return o, b.close(ctx, o, ActionDiscard, act, "")
}

// Settled closes the letter of an order whose owner has taken a person's word
// on it. Calling it twice closes it once.
func (b *Box) Settled(ctx context.Context, o Open, word string, act Act) error {
	return b.close(ctx, o, ActionSettle, act, word)
}

func (b *Box) close(ctx context.Context, o Open, action string, act Act, word string) error {
	err := b.note(ctx, o.ID+"/"+action, Audit{
		Action: action, Tenant: o.Tenant, Who: act.Who, Reason: act.Reason, Forced: act.Force, Word: word,
		Letter: &AuditedEvent{
			Number: o.Number, ID: o.ID, EventID: o.EventID, Stage: o.Stage, Kind: o.Kind,
			Noun: o.Noun, Key: o.Key, Reason: o.Reason, DiedAt: o.DiedAt,
		},
	})
	if err != nil {
		return fmt.Errorf("dead letter %d: %w", o.Number, err)
	}
	if err := b.log.Delete(ctx, bus.Dead, o.Number); err != nil && !errors.Is(err, bus.ErrNotFound) {
		return fmt.Errorf("dead letter %d: close: %w", o.Number, err)
	}
	return nil
}
