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
)

// Live is one tenant's rows in memory, for [mapping.Options].Tables: a change
// takes effect as soon as the bus has told of it. It is safe for concurrent use.
type Live struct {
	tenant string
	bus    *bus.Bus
	bucket *bus.Bucket
	logger *slog.Logger

	mu    sync.RWMutex
	rows  rows
	seen  uint64        // the newest revision
	moved chan struct{} // closed when seen grows
}

// rows are by table, then word.
type rows map[string]map[string]held

type held struct {
	row      table.Row
	revision uint64
}

// NewLive reads a tenant's rows as they are now. They stay so until [Live.Run].
func NewLive(ctx context.Context, b *bus.Bus, tenant string, logger *slog.Logger) (*Live, error) {
	l := &Live{tenant: tenant, bus: b, bucket: b.Bucket(Bucket), logger: logger, moved: make(chan struct{})}
	return l, l.load(ctx)
}

// Lookup makes Live [table.Tables].
func (l *Live) Lookup(name, word string) (table.Row, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	h, ok := l.rows[name][word]
	return h.row, ok
}

// Len is the number of rows of all tables.
func (l *Live) Len() int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := 0
	for _, t := range l.rows {
		n += len(t)
	}
	return n
}

// A deletion leaves a trace for an hour only, and who was away longer would
// never hear of it: so everything is read anew every so often.
const (
	afresh = 20 * time.Minute
	pause  = time.Second // after a watch that broke off
)

// Run follows every change until ctx ends.
func (l *Live) Run(ctx context.Context) {
	for ctx.Err() == nil {
		turn, end := context.WithTimeout(ctx, afresh)
		err := l.bucket.Watch(turn, events.Token(l.tenant)+".>", l.take)
		over := turn.Err() != nil
		end()
		if ctx.Err() != nil {
			return
		}
		if !over {
			l.warn(ctx, "tables are not followed", err)
			l.wait(ctx)
		}
		if err := l.load(ctx); err != nil && ctx.Err() == nil {
			l.warn(ctx, "tables cannot be read", err)
			l.wait(ctx)
		}
	}
}

func (l *Live) wait(ctx context.Context) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// load reads everything and puts it in the place of what was there.
func (l *Live) load(ctx context.Context) error {
	fresh, newest := rows{}, uint64(0)
	err := l.bucket.Load(ctx, events.Token(l.tenant), func(e bus.Entry) error {
		l.keep(fresh, e)
		newest = max(newest, e.Revision)
		return nil
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = fresh
	l.saw(newest)
	return nil
}

// saw wakes who waits for a revision.
func (l *Live) saw(revision uint64) {
	if revision > l.seen {
		l.seen = revision
		close(l.moved)
		l.moved = make(chan struct{})
	}
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

func (l *Live) take(e bus.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep(l.rows, e)
	l.saw(e.Revision)
}

// keep enters one entry. What is no row is as if it were not there: a stranger's
// entry must not stop a tenant.
func (l *Live) keep(rows rows, e bus.Entry) {
	name, word, err := wordOf(e.Key)
	if err != nil {
		l.warn(context.Background(), "entry in bucket "+Bucket+" passed over", err)
		return
	}
	if rows[name][word].revision > e.Revision {
		return // of a replica that lags
	}
	if e.Deleted {
		delete(rows[name], word)
		return
	}
	x, err := decode(e.Key, e.Value, e.Revision)
	if err != nil {
		delete(rows[name], word)
		l.warn(context.Background(), "entry in bucket "+Bucket+" passed over", err)
		return
	}
	if rows[name] == nil {
		rows[name] = map[string]held{}
	}
	rows[name][word] = held{table.NewRow(x.Columns, x.Values), e.Revision}
}

func (l *Live) warn(ctx context.Context, message string, err error) {
	l.logger.WarnContext(ctx, message, slog.String("tenant", l.tenant), slog.Any("error", err))
}
