package inspect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// maxStrays is how many unexplained callbacks a balance lists.
const maxStrays = 20

// Balance is how many callbacks a tenant's stages were given in a span of time,
// and how each of them ended. Accepted is the sum of all that follows it.
type Balance struct {
	Tenant string    `json:"tenant"`
	Since  time.Time `json:"since"` // counted from here: as asked for, or from where the streams begin
	Cut    bool      `json:"cut,omitempty"`

	Published int `json:"published"`  // events that no stage reads; for subscribers alone, and not accepted here
	Foreign   int `json:"foreign"`    // other programs' messages that are no events, on subjects that a stage reads; each ends as a letter, and those in CALLBACKS are accepted, too
	ReusedIDs int `json:"reused_ids"` // message ids of Weiban's that came with more than one content
	Accepted  int `json:"accepted"`

	Again       int            `json:"again"` // the same message once more, after the duplicate window
	Applied     int            `json:"applied"`
	Superseded  int            `json:"superseded"`
	Ignored     int            `json:"ignored"`
	DeadOpen    int            `json:"dead_open"`
	DeadClosed  map[string]int `json:"dead_closed"` // by who closed the letter
	Waiting     map[string]int `json:"waiting"`     // by stage and why
	InHand      map[string]int `json:"in_hand"`     // by stage: delivered and not settled, or not delivered yet
	Unexplained int            `json:"unexplained"`
	Strays      []Stray        `json:"strays,omitempty"` // the first of the unexplained
	Paused      []Pause        `json:"paused,omitempty"` // the stages that operators have paused
}

// Stray is an unexplained callback.
type Stray struct {
	Stream   string    `json:"stream"` // where it, or what became of it, lay last
	Sequence uint64    `json:"sequence"`
	Subject  string    `json:"subject,omitempty"`
	Event    string    `json:"event,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Why      string    `json:"why"`
}

// Progress is told how far a count has come; it may be called often.
type Progress func(what string, done, of uint64)

// BalanceOf counts a tenant's callbacks since a moment. It reads what the streams
// say: each callback's outcome, its letter, its place. It holds some hundred and
// thirty bytes in memory for each callback, and no text.
//
// The order of the steps matters: how far the stages have come and what waits is
// read first, outcomes, letters and replays after it, each before what it turns
// into. So a callback that moves on while it is counted is found in one place or
// the other, and never in none.
func BalanceOf(ctx context.Context, b *bus.Bus, tenant string, since time.Time, tell Progress) (Balance, error) {
	c := &counter{
		b: b, tell: tell, all: map[uint64]*fate{}, foreign: map[uint64]bool{}, ids: map[uint64]uint64{},
		waits: map[uint64]waiting{}, floors: map[orders.Queue]uint64{}, closed: map[uint64]closing{},
		Balance: Balance{Tenant: tenant, Since: since, DeadClosed: map[string]int{}, Waiting: map[string]int{}, InHand: map[string]int{}},
	}
	for _, step := range []func(context.Context) error{
		c.history, c.bounds, c.settledUpTo, c.orders, c.callbacks, c.outcomes, c.letters, c.replays, c.enriched, c.judge, c.pauses,
	} {
		if err := step(ctx); err != nil {
			return Balance{}, fmt.Errorf("balance of %s: %w", tenant, err)
		}
	}
	return c.Balance, nil
}

// fate is what is known of one callback. A million of them are held, so it has
// no text in it.
type fate struct {
	order uint64 // hash of the order that has it now
	seq   uint64 // in the stream of the stage that has it now
	state state
	queue uint8  // index of the queue that has it now
	round uint16 // number of the replay that brought it there
}

type state uint8

const (
	pending state = iota
	applied
	superseded
	ignored
	dead
	deadOpen
)

// waiting is what a listed record says of its order's two stages.
type waiting [2]struct {
	cursor uint64
	open   bool // messages above the cursor may have been acknowledged
	why    ledger.Why
}

// counter counts.
type counter struct {
	b    *bus.Bus
	tell Progress
	Balance

	first, last uint64 // of the callbacks that are counted
	events      uint64 // where their outcomes begin
	all         map[uint64]*fate
	foreign     map[uint64]bool
	ids         map[uint64]uint64 // hash of the content by hash of Weiban's id; 0 once there were two
	waits       map[uint64]waiting
	floors      map[orders.Queue]uint64
	closed      map[uint64]closing
	store       history.Record
}

// closing is how a person last closed a letter of a callback.
type closing struct {
	replayed bool
	who      string
}

// pauses reads which stages are paused.
func (c *counter) pauses(ctx context.Context) (err error) {
	c.Paused, err = Pauses(ctx, c.b, c.Tenant)
	return err
}

// history reads how the records belong to the streams.
func (c *counter) history(ctx context.Context) error {
	e, err := c.b.Bucket(bus.State).Get(ctx, history.Key)
	if errors.Is(err, bus.ErrNotFound) {
		return nil // of a version that did not keep it
	}
	if err == nil {
		c.store, err = history.Decode(e)
	}
	return err
}

// bounds finds the callbacks to count. Where the streams do not reach back far enough, the
// count begins where both of them begin: an outcome is never older than its callback.
func (c *counter) bounds(ctx context.Context) error {
	u, err := c.b.Usage(ctx, bus.Callbacks)
	if err != nil {
		return err
	}
	c.last = u.Last
	for _, stream := range []string{bus.Callbacks, bus.Events} {
		begins, err := c.begin(ctx, stream)
		if err != nil {
			return err
		}
		if begins.After(c.Since) {
			c.Since, c.Cut = begins, true
		}
	}
	if c.first, err = c.b.SequenceAt(ctx, bus.Callbacks, c.Since); err != nil {
		return err
	}
	c.events, err = c.b.SequenceAt(ctx, bus.Events, c.Since)
	return err
}

// begin is from when on a stream is whole; the zero time if nothing was ever
// taken from it.
func (c *counter) begin(ctx context.Context, stream string) (time.Time, error) {
	u, err := c.b.Usage(ctx, stream)
	if err != nil || u.First <= 1 {
		return time.Time{}, err
	}
	if u.Messages == 0 {
		return time.Now(), nil
	}
	m, err := c.b.Next(ctx, stream, ">", u.First)
	return m.Time, err
}

// settledUpTo is how far each queue has settled its stream.
func (c *counter) settledUpTo(ctx context.Context) error {
	for _, k := range orders.Queues {
		floor, err := orders.FloorOf(ctx, c.b.Bucket(bus.State), c.b, c.Tenant, k)
		if err != nil {
			return err
		}
		c.floors[k] = floor
	}
	return nil
}

// orders reads the records of the orders that wait.
func (c *counter) orders(ctx context.Context) error {
	return orders.EachWaiting(ctx, c.b, c.Tenant, func(_ string, k orders.ID, r ledger.Record) error {
		var w waiting
		for i, s := range ledger.Stages {
			l := r.Progress(s)
			w[i].cursor, w[i].open = l.Cursor, l.Head != nil || l.Behind
			if l.History != c.store.History {
				w[i].cursor, w[i].open = 0, true // all its messages are treated again when it is loaded
			}
			if l.Head != nil {
				w[i].why = l.Head.Why
			}
		}
		c.waits[hash(k.Path())] = w
		return nil
	})
}
