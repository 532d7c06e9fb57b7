package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrNoRecord: no dispatcher has worked with this store yet.
var ErrNoRecord = errors.New("the store has no record yet: no dispatcher has worked with it")

// Open returns the notes that a person must still acknowledge, oldest first.
func (r Record) Open() []Note {
	return slices.DeleteFunc(slices.Clone(r.Notes), func(n Note) bool { return n.Mild || n.SeenBy != "" })
}

// Inspect returns the record and the notes that [Keeper.Begin] would add to it now. It
// writes nothing and creates nothing.
func (k *Keeper) Inspect(ctx context.Context) (have Record, news []Note, err error) {
	unlock, err := k.lock(ctx)
	if err != nil {
		return have, nil, err
	}
	defer unlock()
	f, err := k.find(ctx, k.o.Log.Identity)
	if err != nil {
		return have, nil, fmt.Errorf("inspect the store: %w", err)
	}
	if f.have != nil {
		have = *f.have
	}
	next, _, err := k.decide(ctx, f, begin)
	if err != nil {
		return have, nil, fmt.Errorf("inspect the store: %w", err)
	}
	for _, n := range next.Notes {
		if !contains(have.Notes, n) {
			news = append(news, n)
		}
	}
	return have, news, nil
}

// Acknowledge marks every open note as seen by a person, and returns their number.
func (k *Keeper) Acknowledge(ctx context.Context, who string) (int, error) {
	before, _, err := k.read(ctx)
	if err == nil {
		// A write to STATE ends a silence: it is noted first.
		_, err = k.Begin(ctx)
	}
	if err != nil {
		return 0, fmt.Errorf("acknowledge what does not fit: %w", err)
	}
	n := 0
	err = k.revise(ctx, func(r *Record) bool {
		n = 0
		r.Notes = slices.Clone(r.Notes)
		for i := range r.Notes {
			if x := &r.Notes[i]; !x.Mild && x.SeenBy == "" && before != nil && contains(before.Notes, *x) {
				x.SeenBy = who
				n++
			}
		}
		return n > 0
	})
	if err != nil {
		return 0, fmt.Errorf("acknowledge what does not fit: %w", err)
	}
	return n, nil
}

// Again begins a new history for a person: every stored message is checked again.
func (k *Keeper) Again(ctx context.Context, who, why string) (history string, err error) {
	r, _, err := k.read(ctx)
	if err == nil && r == nil {
		err = ErrNoRecord
	}
	if err == nil {
		_, err = k.Begin(ctx) // a write to STATE ends a silence: it is noted first
	}
	if err != nil {
		return "", fmt.Errorf("look at all that is stored again: %w", err)
	}
	err = k.revise(ctx, func(r *Record) bool {
		r.History, r.Began = newName(), time.Now().UTC()
		history = r.History
		r.note([]Note{{At: r.Began, What: "is looked at again at the word of " + who + ": " + why, Act: "every stored callback is looked at again", Mild: true}})
		return true
	})
	if err != nil {
		return "", fmt.Errorf("look at all that is stored again: %w", err)
	}
	return history, nil
}
