package vendors

import (
	"context"
	"errors"
	"fmt"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
)

// vaultOf is where the vendors' tokens are: shared by all processes where the
// configuration has a key to seal them with, else this process's own.
func vaultOf(cfg *config.Config, conn *bus.Bus) (connectors.Vault, error) {
	k := cfg.Dispatcher.Key()
	if k == nil {
		return connectors.MemoryVault(), nil
	}
	sealed, err := connectors.Sealed(bucketVault{conn.Bucket("TOKENS")}, k)
	if err != nil {
		return nil, fmt.Errorf("dispatcher.token_key: %w", err)
	}
	return sealed, nil
}

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
