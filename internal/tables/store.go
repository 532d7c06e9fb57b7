package tables

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/table"
)

// Act is who decides, and why.
type Act struct{ Who, Reason string }

// Write is one row that is to be.
type Write struct {
	Word  string
	Cells Cells
}

// Store is the rows of all tenants. It is safe for concurrent use and holds
// nothing in memory.
type Store struct {
	bus    *bus.Bus
	bucket *bus.Bucket
	now    func() time.Time
}

// NewStore returns the store; now is the clock of rows and audit.
func NewStore(b *bus.Bus, now func() time.Time) *Store {
	return &Store{bus: b, bucket: b.Bucket(Bucket), now: now}
}

// shard is a shard as it was read.
type shard struct {
	place
	revision uint64 // 0: there is none yet
	rows     map[string]Row
}

// shard reads one shard; one that is not there has no rows.
func (s *Store) shard(ctx context.Context, p place) (shard, error) {
	e, err := s.bucket.Get(ctx, p.key())
	if errors.Is(err, bus.ErrNotFound) {
		return shard{place: p}, nil
	}
	if err != nil {
		return shard{}, err
	}
	_, d, err := decode(e.Key, e.Value)
	return shard{place: p, revision: e.Revision, rows: d.rows()}, err
}

// shards reads the shards of a tenant's table, "" being all tables, by their keys;
// broken are those that cannot be read.
func (s *Store) shards(ctx context.Context, tenant, name string) (found map[string]shard, broken map[string]error, err error) {
	prefix := events.Token(tenant)
	if name != "" {
		prefix += "." + events.Token(name)
	}
	found, broken = map[string]shard{}, map[string]error{}
	err = s.bucket.Load(ctx, prefix, func(e bus.Entry) error {
		p, d, err := decode(e.Key, e.Value)
		delete(found, e.Key) // one that is written meanwhile comes again
		delete(broken, e.Key)
		if err != nil {
			broken[e.Key] = err
			return nil
		}
		found[e.Key] = shard{place: p, revision: e.Revision, rows: d.rows()}
		return nil
	})
	return found, broken, err
}

// Get is one row; [ErrNoRow] if operators have added none.
func (s *Store) Get(ctx context.Context, tenant, name, word string) (Entry, error) {
	word = table.Clean(word)
	sh, err := s.shard(ctx, place{tenant, name, shardOf(word)})
	if err != nil {
		return Entry{}, fmt.Errorf("table %s, row %q: %w", name, word, err)
	}
	r, ok := sh.rows[word]
	if !ok {
		return Entry{}, fmt.Errorf("table %s, row %q: %w", name, word, ErrNoRow)
	}
	return Entry{Table: name, Word: word, Row: r}, nil
}

// List is every row of a tenant's table ("" is all tables), by table and word. What
// can be read comes also with an error that is [ErrBroken], which names each
// entry that cannot.
func (s *Store) List(ctx context.Context, tenant, name string) ([]Entry, error) {
	found, broken, err := s.shards(ctx, tenant, name)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for _, sh := range found {
		for word, r := range sh.rows {
			list = append(list, Entry{Table: sh.table, Word: word, Row: r})
		}
	}
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.Table, b.Table), strings.Compare(a.Word, b.Word))
	})
	var all error
	for _, key := range slices.Sorted(maps.Keys(broken)) {
		all = errors.Join(all, broken[key])
	}
	return list, all
}

// Set writes one row over what is there; [ErrRace] if that changes meanwhile. A
// row that says the same already is left as it is: the Change's After is nil.
func (s *Store) Set(ctx context.Context, tenant, name string, w Write, act Act) (Change, error) {
	return s.Edit(ctx, tenant, name, w.Word, func(Cells) (Cells, error) { return w.Cells, nil }, act)
}

// Edit is [Store.Set] where what the row is to say depends on what it says now:
// decide is given that, no cells if there is no row.
func (s *Store) Edit(ctx context.Context, tenant, name, word string, decide func(Cells) (Cells, error), act Act) (Change, error) {
	word = table.Clean(word)
	fail := func(err error) (Change, error) {
		return Change{}, fmt.Errorf("table %s, row %q: %w", name, word, err)
	}
	if err := checkWord(word); err != nil {
		return fail(err)
	}
	sh, err := s.shard(ctx, place{tenant, name, shardOf(word)})
	if err != nil {
		return fail(err)
	}
	cells, err := decide(sh.rows[word].Cells)
	if err != nil {
		return Change{}, err
	}
	cells = cells.clean()
	if err := cells.check(); err != nil {
		return fail(err)
	}
	c, changes := sh.change(Write{word, cells})
	if !changes {
		c.After = nil
		return c, nil
	}
	_, err = s.change(ctx, sh, s.line(ActionSet, tenant, name, act, c))
	return c, err
}

// Unset takes one row away, so that the mapping's own table answers again;
// [ErrNoRow] if there is none, [ErrRace] if it changes meanwhile.
func (s *Store) Unset(ctx context.Context, tenant, name, word string, act Act) (Change, error) {
	word = table.Clean(word)
	sh, err := s.shard(ctx, place{tenant, name, shardOf(word)})
	if err != nil {
		return Change{}, fmt.Errorf("table %s, row %q: %w", name, word, err)
	}
	r, ok := sh.rows[word]
	if !ok {
		return Change{}, fmt.Errorf("table %s, row %q: %w", name, word, ErrNoRow)
	}
	c := Change{Word: word, Before: &r}
	_, err = s.change(ctx, sh, s.line(ActionUnset, tenant, name, act, c))
	return c, err
}

// change is what a write does to a shard; false if it says nothing new.
func (sh shard) change(w Write) (Change, bool) {
	c := Change{Word: w.Word, After: &w.Cells}
	if r, ok := sh.rows[w.Word]; ok {
		c.Before = &r
		return c, !r.Cells.equal(w.Cells)
	}
	return c, true
}
