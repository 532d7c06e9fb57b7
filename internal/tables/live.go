package tables

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/sleep"
)

// Live is one tenant's rows in memory, for [mapping.Options].Tables: a change
// takes effect as soon as the bus has told of it. It is safe for concurrent use.
type Live struct {
	tenant string
	bus    *bus.Bus
	bucket *bus.Bucket
	logger *slog.Logger

	mu     sync.RWMutex
	tables map[string]*[Shards]liveShard
	seen   uint64        // the newest revision
	moved  chan struct{} // closed when seen grows
}

// liveShard is a shard as it was told last.
type liveShard struct {
	revision uint64
	rows     map[string]table.Row
}

// NewLive reads a tenant's rows as they are now. They stay so until [Live.Run].
func NewLive(ctx context.Context, b *bus.Bus, tenant string, logger *slog.Logger) (*Live, error) {
	l := &Live{
		tenant: tenant, bus: b, bucket: b.Bucket(Bucket), logger: logger,
		tables: map[string]*[Shards]liveShard{}, moved: make(chan struct{}),
	}
	return l, l.bucket.Load(ctx, events.Token(tenant), func(e bus.Entry) error { l.take(e); return nil })
}

// Lookup makes Live [table.Tables].
func (l *Live) Lookup(name, word string) (table.Row, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	t := l.tables[name]
	if t == nil {
		return table.Row{}, false
	}
	r, ok := t[shardOf(word)].rows[word]
	return r, ok
}

// Len is the number of rows of all tables.
func (l *Live) Len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := 0
	for _, t := range l.tables {
		for i := range t {
			n += len(t[i].rows)
		}
	}
	return n
}

const pause = time.Second // after a watch that broke off

// Run follows every change until ctx ends.
func (l *Live) Run(ctx context.Context) {
	for {
		err := l.bucket.Watch(ctx, events.Token(l.tenant)+".>", l.take)
		if ctx.Err() != nil {
			return
		}
		l.warn("tables are not followed", err)
		sleep.For(ctx, pause)
		if err := l.reload(ctx); err != nil {
			l.warn("tables are not read again yet", err)
		}
	}
}

// reload takes the rows as they are now for all there are: the bucket may be another
// one. Until it succeeds the rows stay as they were.
func (l *Live) reload(ctx context.Context) error {
	now, err := NewLive(ctx, l.bus, l.tenant, l.logger)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tables, l.seen = now.tables, now.seen
	close(l.moved)
	l.moved = make(chan struct{})
	return nil
}

// Fresh returns when every change is here that was made before it was called: a
// row that was set before a letter is replayed is there when it is planned. It
// needs [Live.Run], and waits for it no longer than ctx.
func (l *Live) Fresh(ctx context.Context) error {
	// A bucket is the stream KV_<name>, a key the subject behind $KV.<name>.
	last, err := l.bus.Last(ctx, "KV_"+Bucket, "$KV."+Bucket+"."+events.Token(l.tenant)+".>")
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("tables of %s: %w", l.tenant, err)
	}
	for {
		l.mu.RLock()
		seen, moved := l.seen, l.moved
		l.mu.RUnlock()
		if seen >= last.Sequence {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("tables of %s: wait for revision %d: %w", l.tenant, last.Sequence, ctx.Err())
		}
	}
}

// take enters one entry as it is told. What cannot be read is as if it were not
// there: a stranger's entry must not stop a tenant.
func (l *Live) take(e bus.Entry) {
	p, known := placeOf(e.Key)
	rows := map[string]table.Row(nil)
	if l.knows(p, e.Revision) {
		return // told before, or by a replica that lags
	}
	if !e.Deleted {
		_, d, err := decode(e.Key, e.Value)
		if err != nil {
			l.warn("entry passed over", err)
		}
		rows = d.live()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known {
		if l.tables[p.table] == nil {
			l.tables[p.table] = new([Shards]liveShard)
		}
		l.tables[p.table][p.n] = liveShard{revision: e.Revision, rows: rows}
	}
	if e.Revision > l.seen {
		l.seen = e.Revision
		close(l.moved)
		l.moved = make(chan struct{})
	}
}

// knows says whether a shard is here as it was at that revision or later.
func (l *Live) knows(p place, revision uint64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	t := l.tables[p.table]
	return t != nil && t[p.n].revision >= revision
}

// live are the document's rows for look-ups.
func (d document) live() map[string]table.Row {
	n := 0
	for _, g := range d.Groups {
		n += len(g.Rows)
	}
	rows := make(map[string]table.Row, n)
	for _, g := range d.Groups {
		for _, r := range g.Rows {
			rows[r[0]] = table.NewRow(g.Columns, r[1:])
		}
	}
	return rows
}

func (l *Live) warn(message string, err error) {
	l.logger.Warn(message, slog.String("tenant", l.tenant), slog.Any("error", err))
}
