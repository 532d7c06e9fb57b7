package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"gongdan-bridge/internal/bus"
)

// Misfit begins a new history because an order's record does not fit a stream, unless a
// newer history than the given one has begun.
func (k *Keeper) Misfit(ctx context.Context, history, stream, what string) error {
	unlock, err := k.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	r, revision, err := k.read(ctx)
	if err == nil && r != nil && r.History == history {
		next := *r
		next.History, next.Began = newName(), time.Now().UTC()
		next.Trimmed = maps.Clone(next.Trimmed)
		delete(next.Trimmed, stream) // these sequences may be other messages'
		if stream == bus.State {
			if next.Lost, err = k.now(ctx); err != nil {
				return fmt.Errorf("%s does not fit: %w", stream, err)
			}
		}
		next.note([]Note{{At: next.Began, Store: stream, What: what, Act: remedies[stream]}})
		if err = k.write(ctx, next, revision); err == nil {
			k.tell(next)
			k.known = &next
		}
	}
	if err != nil && !errors.Is(err, bus.ErrConflict) {
		return fmt.Errorf("%s does not fit: %w", stream, err)
	}
	return nil
}

// now returns the present moment.
func (k *Keeper) now(ctx context.Context) (Moment, error) {
	c, err := k.o.Log.Identity(ctx, bus.Callbacks)
	if err != nil {
		return Moment{}, err
	}
	e, err := k.o.Log.Identity(ctx, bus.Events)
	return Moment{Time: time.Now().UTC(), Callbacks: c.Last, Events: e.Last}, err
}

// errBegun: the trimming was worked out in an earlier history.
var errBegun = errors.New("a new history of the store has begun")

// Trimming notes that the bridge is about to remove all messages of a stream below a
// sequence, so that they do not count as lost. It first checks the store; a misfit found
// then is an error. history is the one in which the trimming was worked out.
func (k *Keeper) Trimming(ctx context.Context, history, stream string, below uint64) error {
	r, err := k.Examine(ctx)
	if err == nil && history != r.History {
		err = errBegun
	}
	if err == nil {
		err = k.revise(ctx, func(r *Record) bool {
			if r.History != history || r.Trimmed[stream] >= below {
				return false
			}
			r.Trimmed = maps.Clone(r.Trimmed)
			if r.Trimmed == nil {
				r.Trimmed = map[string]uint64{}
			}
			r.Trimmed[stream] = below
			return true
		})
	}
	if err != nil {
		return fmt.Errorf("note that %s is trimmed: %w", stream, err)
	}
	return nil
}

// revise changes the record, unless change returns false.
func (k *Keeper) revise(ctx context.Context, change func(*Record) bool) error {
	unlock, err := k.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	for range conflictTries {
		var r *Record
		var revision uint64
		if r, revision, err = k.read(ctx); err != nil {
			return err
		}
		if r == nil {
			return ErrNoRecord
		}
		if !change(r) {
			return nil
		}
		if err = k.write(ctx, *r, revision); !errors.Is(err, bus.ErrConflict) {
			return err
		}
	}
	return err
}

func (k *Keeper) read(ctx context.Context) (*Record, uint64, error) {
	e, err := k.o.State.Get(ctx, Key)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	r, err := Decode(e)
	return &r, e.Revision, err
}

func (k *Keeper) write(ctx context.Context, r Record, revision uint64) error {
	b, err := r.encode()
	if err != nil {
		return err
	}
	if revision == 0 {
		_, err = k.o.State.Create(ctx, Key, b)
	} else {
		_, err = k.o.State.Update(ctx, Key, b, revision)
	}
	return err
}

// upgraded reports whether STATE has tenants: then an earlier version kept it, which wrote
// no record of the store.
func (k *Keeper) upgraded(ctx context.Context) (bool, error) {
	found := false
	err := k.o.State.Load(ctx, "trail", func(bus.Entry) error { found = true; return nil })
	return found, err
}

func (k *Keeper) readAnchor(ctx context.Context) (anchor, error) {
	var a anchor
	e, err := k.o.Tables.Get(ctx, Key)
	if errors.Is(err, bus.ErrNotFound) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(e.Value, &a); err != nil {
		return a, fmt.Errorf("anchor of STATE in TABLES: %w", err)
	}
	return a, nil
}

// anchor writes the life and revision of STATE to TABLES.
func (k *Keeper) anchor(ctx context.Context, a anchor) error {
	if a == k.saved {
		return nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if _, err := k.o.Tables.Put(ctx, Key, b); err != nil {
		return err
	}
	k.saved = a
	return nil
}
