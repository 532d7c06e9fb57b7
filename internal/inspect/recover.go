package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/orders"
)

// How far a tenant is in the store's present history.
const (
	RecoverDone    = "done"    // everything that was stored before has been looked at again, or need not be
	RecoverLooking = "looking" // it is being looked at
	RecoverWaiting = "waiting" // for the owner to take the tenant up in this history
)

// Recovery is how far a tenant is in a history of the store.
type Recovery struct {
	Tenant string `json:"tenant"`
	State  string `json:"state"` // done, looking or waiting
}

// StoreState is what is known of the store as a whole.
type StoreState struct {
	History string         `json:"history"` // "" is the first
	Began   time.Time      `json:"began,omitzero"`
	Notes   []history.Note `json:"notes"`          // on record, oldest first
	Found   []history.Note `json:"found"`          // by this look: what a dispatcher would note now
	Tenants []Recovery     `json:"tenants"`        // those that were asked for
	Lost    bool           `json:"lost"`           // records were lost with STATE, and made again from the streams
	Stale   time.Time      `json:"stale,omitzero"` // calls of events that were stored before may have been made already
	Unknown []string       `json:"unknown"`        // what nothing that is stored can tell
	Letters map[string]int `json:"letters_unsure"` // open letters of kind uncertain, by tenant
	Record  history.Record `json:"-"`
}

// Fits reports whether there is nothing to look at, and nothing going on.
func (s StoreState) Fits() bool {
	serious := func(n history.Note) bool { return !n.Mild }
	return len(s.Record.Open()) == 0 && !slices.ContainsFunc(s.Found, serious) &&
		!slices.ContainsFunc(s.Tenants, func(r Recovery) bool { return r.State != RecoverDone })
}

// StoreRecord is the store's record; the zero record where there is none yet.
func StoreRecord(ctx context.Context, b *bus.Bus) (history.Record, error) {
	e, err := b.Bucket(bus.State).Get(ctx, history.Key)
	if errors.Is(err, bus.ErrNotFound) {
		return history.Record{}, nil
	}
	if err != nil {
		return history.Record{}, fmt.Errorf("the store's record: %w", err)
	}
	return history.Decode(e)
}

// StoreOf looks at the store and writes nothing. silence is the lease's life.
func StoreOf(ctx context.Context, b *bus.Bus, silence time.Duration, tenants []string) (StoreState, error) {
	r, found, err := history.KeeperOf(b, silence).Inspect(ctx)
	if err != nil {
		return StoreState{}, err
	}
	s := StoreState{
		History: r.History, Began: r.Began, Notes: append([]history.Note{}, r.Notes...), Found: append([]history.Note{}, found...), Lost: !r.Lost.Time.IsZero(), Stale: r.Stale.Time,
		Record: r, Letters: map[string]int{}, Unknown: []string{},
	}
	if s.Tenants, err = Recoveries(ctx, b, r, tenants); err != nil {
		return s, err
	}
	box := deadletter.NewBox(b, time.Now)
	for _, t := range tenants {
		err := box.All(ctx, deadletter.Filter{Tenant: t, Kind: events.Uncertain}, func(deadletter.Open) error { s.Letters[t]++; return nil })
		if err != nil && !errors.Is(err, bus.ErrUnprovisioned) {
			return s, err
		}
	}
	return s, nil
}

// Recoveries are how far tenants are in the history that r names.
func Recoveries(ctx context.Context, b *bus.Bus, r history.Record, tenants []string) ([]Recovery, error) {
	marks := map[string]map[string]orders.Checkpoint{}
	err := b.Bucket(bus.State).Load(ctx, "trail", func(e bus.Entry) error {
		m, err := orders.DecodeCheckpoint(e.Value)
		if err != nil {
			return fmt.Errorf("checkpoint %s: %w", e.Key, err)
		}
		tenant, _, _ := strings.Cut(strings.TrimPrefix(e.Key, "trail."), ".")
		if marks[tenant] == nil {
			marks[tenant] = map[string]orders.Checkpoint{}
		}
		marks[tenant][e.Key] = m
		return nil
	})
	if err != nil && !errors.Is(err, bus.ErrUnprovisioned) {
		return nil, fmt.Errorf("checkpoints: %w", err)
	}
	var out []Recovery
	for _, t := range tenants {
		x := Recovery{t, RecoverDone}
		for _, k := range orders.Queues {
			m, known := marks[t][orders.CheckpointKey(t, k)]
			switch {
			case m.History != r.History || !known && r.History != "":
				x.State = RecoverWaiting
			case m.Rechecks && x.State == RecoverDone:
				x.State = RecoverLooking
			}
		}
		out = append(out, x)
	}
	return out, nil
}
