package ownership

import (
	"context"
	"strings"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// Store holds leases and claims: the bucket STATE, a [bus.Bucket]. Reads and compared
// writes must be linearizable: Get asks the leader. Errors wrap [bus.ErrNotFound],
// [bus.ErrExists] and [bus.ErrConflict]; after any other error a write may have happened.
type Store interface {
	Get(ctx context.Context, key string) (bus.Entry, error)
	Create(ctx context.Context, key string, value []byte, opts ...bus.Option) (uint64, error)
	Update(ctx context.Context, key string, value []byte, revision uint64, opts ...bus.Option) (uint64, error)
	DeleteRevision(ctx context.Context, key string, revision uint64) error
	// Watch calls each for every present entry and then for every change, until ctx
	// ends. It may lag: no claim is taken without a compared write.
	Watch(ctx context.Context, pattern string, each func(bus.Entry)) error
}

// The keys.
const (
	alivePrefix = "alive"
	ownerPrefix = "owner"
)

func aliveKey(instance string) string { return alivePrefix + "." + events.Token(instance) }
func ownerKey(tenant string) string   { return ownerPrefix + "." + events.Token(tenant) }

// named returns the instance or tenant in a key below prefix.
func named(prefix, key string) (string, bool) {
	token, ok := strings.CutPrefix(key, prefix+".")
	if !ok {
		return "", false
	}
	name, err := events.Untoken(token)
	return name, err == nil
}
