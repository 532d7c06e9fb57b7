package ownership

import (
	"context"
	"strings"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
)

// Store is where leases and claims are kept: the bucket STATE, a [bus.Bucket]. Reads
// and compared writes must be linearizable: Get asks the leader. Errors answer to
// [bus.ErrNotFound], [bus.ErrExists] and [bus.ErrConflict]; after any other one a
// write may have happened all the same.
type Store interface {
	Get(ctx context.Context, key string) (bus.Entry, error)
	Create(ctx context.Context, key string, value []byte, opts ...bus.Option) (uint64, error)
	Update(ctx context.Context, key string, value []byte, revision uint64, opts ...bus.Option) (uint64, error)
	DeleteRevision(ctx context.Context, key string, revision uint64) error
	// Watch calls each for what is there and then for every change, until ctx
	// ends. It may lag: it wakes and informs, but nothing is taken on its word.
	Watch(ctx context.Context, pattern string, each func(bus.Entry)) error
}

// The keys.
const (
	alivePrefix = "alive"
	ownerPrefix = "owner"
)

func aliveKey(instance string) string { return alivePrefix + "." + events.Token(instance) }
func ownerKey(tenant string) string   { return ownerPrefix + "." + events.Token(tenant) }

// named is the instance or tenant that a key below prefix is about.
func named(prefix, key string) (string, bool) {
	token, ok := strings.CutPrefix(key, prefix+".")
	if !ok {
		return "", false
	}
	name, err := events.Untoken(token)
	return name, err == nil
}
