package tables

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"gongdan-bridge/internal/mapping/table"
)

// importers is how many shards are written at once.
const importers = 8

// SetAll writes many rows, those alone that say something new, and gives what it
// changed, in the list's order. Each shard that they touch is written once. Where
// a row's race is lost, or a shard cannot be read or grows too large, the others
// are written. tell, if not nil, is told how far it has come, one call at a time.
func (s *Store) SetAll(ctx context.Context, tenant, name string, list []Write, act Act, tell func(done, of int)) ([]Change, error) {
	parts, err := divide(name, list)
	if err != nil {
		return nil, err
	}
	found, broken, err := s.shards(ctx, tenant, name)
	if err != nil {
		return nil, err
	}
	in := importing{store: s, line: s.line(ActionSet, tenant, name, act), tell: tell, of: len(list), done: map[string]Change{}}
	var writers errgroup.Group
	writers.SetLimit(importers)
	for n, part := range parts {
		at := place{tenant, name, n}
		sh, ok := found[at.key()]
		if !ok {
			sh = shard{place: at}
		}
		switch {
		case len(part) == 0:
		case broken[at.key()] != nil:
			in.ended(part, nil, fmt.Errorf("table %s, %d rows: %w", name, len(part), broken[at.key()]))
		default:
			writers.Go(func() error { in.shard(ctx, sh, part); return nil })
		}
	}
	_ = writers.Wait() // none of them says anything: the faults are in in.err
	var done []Change
	for _, w := range list {
		if c, ok := in.done[w.Word]; ok {
			done = append(done, c)
		}
	}
	return done, in.err
}

// divide checks the rows and sorts them into their shards.
func divide(name string, list []Write) (parts [Shards][]Write, err error) {
	seen := make(map[string]bool, len(list))
	for i := range list {
		w := &list[i]
		w.Word, w.Cells = table.Clean(w.Word), w.Cells.clean()
		err := checkWord(w.Word)
		if err == nil {
			err = w.Cells.check()
		}
		if err == nil && seen[w.Word] {
			err = fmt.Errorf("%w: the word stands twice", ErrRow)
		}
		if err != nil {
			return parts, fmt.Errorf("table %s, row %q: %w", name, w.Word, err)
		}
		seen[w.Word] = true
		n := shardOf(w.Word)
		parts[n] = append(parts[n], *w)
	}
	return parts, nil
}

// importing is one [Store.SetAll] on its way.
type importing struct {
	store *Store
	line  Line
	tell  func(done, of int)

	mu   sync.Mutex
	at   int // rows that are decided
	of   int
	done map[string]Change
	err  error
	stop bool // the bus fails: no use in going on
}

func (in *importing) shard(ctx context.Context, sh shard, part []Write) {
	in.mu.Lock()
	stop := in.stop
	in.mu.Unlock()
	if stop {
		return
	}
	line := in.line
	for _, w := range part {
		if c, changes := sh.change(w); changes {
			line.Rows = append(line.Rows, c)
		}
	}
	if len(line.Rows) == 0 {
		in.ended(part, nil, nil)
		return
	}
	done, err := in.store.change(ctx, sh, line)
	in.ended(part, done, err)
}

func (in *importing) ended(part []Write, done []Change, err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, c := range done {
		in.done[c.Word] = c
	}
	in.err = errors.Join(in.err, err)
	ours := []error{ErrRace, ErrBroken, ErrLarge}
	in.stop = in.stop || err != nil && !slices.ContainsFunc(ours, func(x error) bool { return errors.Is(err, x) })
	if in.at += len(part); in.tell != nil {
		in.tell(in.at, in.of)
	}
}
