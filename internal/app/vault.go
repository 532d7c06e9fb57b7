package app

import (
	"context"
	"errors"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
)

// bucketVault keeps the vendors' tokens in bucket TOKENS, where all processes
// share them. It must be sealed: the bucket is readable to every service.
type bucketVault struct{ b *bus.Bucket }

// Load reads an entry.
func (v bucketVault) Load(ctx context.Context, name string) ([]byte, uint64, error) {
	e, err := v.b.Get(ctx, key(name))
	if errors.Is(err, bus.ErrNotFound) {
		return nil, 0, connectors.ErrNoEntry
	}
	return e.Value, e.Revision, err
}

// Save compares and sets; revision 0 creates.
func (v bucketVault) Save(ctx context.Context, name string, value []byte, revision uint64) (uint64, error) {
	save := func() (uint64, error) { return v.b.Update(ctx, key(name), value, revision) }
	if revision == 0 {
		save = func() (uint64, error) { return v.b.Create(ctx, key(name), value) }
	}
	rev, err := save()
	if errors.Is(err, bus.ErrExists) || errors.Is(err, bus.ErrConflict) {
		return 0, connectors.ErrRace
	}
	return rev, err
}

func key(name string) string { return events.Token(name) }
