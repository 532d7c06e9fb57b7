package ownership

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
)

// renewal keeps the key alive.<instance>. Only its one goroutine uses it.
type renewal struct {
	r        *Runner
	revision uint64   // of our last write, 0 if the key has no value
	stranger sighting // another process under our name
}

// run renews until ctx ends, and at once after a change of the beat.
func (n *renewal) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-n.r.kick:
		}
		timer.Reset(n.once(ctx))
	}
}

// once renews, and returns the time until the next renewal.
func (n *renewal) once(ctx context.Context) time.Duration {
	r := n.r
	sent := r.clock.now()
	// A shutdown does not interrupt it: else the key's revision would be unknown.
	rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.set.Reply)
	defer cancel()
	value := encode(beat{Session: r.session, Tenants: r.serving()})
	var revision uint64
	var err error
	if n.revision == 0 {
		revision, err = r.store.Create(rctx, aliveKey(r.instance), value)
	} else {
		revision, err = r.store.Update(rctx, aliveKey(r.instance), value, n.revision)
	}
	switch {
	case err == nil:
		n.revision = revision
		r.leased(sent)
		return r.set.Renew
	case errors.Is(err, bus.ErrExists), errors.Is(err, bus.ErrConflict):
		err = n.meet(ctx)
	}
	if err != nil && ctx.Err() == nil && r.refused(err) {
		r.log.Warn("lease not renewed", slog.Any("cause", err))
	}
	return r.set.Retry
}

// errNameTaken: only an operator can mend it.
var errNameTaken = errors.New("another process runs under this instance name")

// meet finds out who wrote our key: this process, by a write whose answer was lost; another
// process under our name; or none, if the key is gone. It waits for another process as
// for any other owner: the name is ours only once that process's lease is over.
func (n *renewal) meet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, n.r.set.Reply)
	defer cancel()
	e, err := n.r.store.Get(ctx, aliveKey(n.r.instance))
	now := n.r.clock.now().mono
	switch {
	case errors.Is(err, bus.ErrNotFound):
		n.revision = 0
		return nil
	case err != nil:
		return err
	case decodeBeat(e).Session == n.r.session:
		n.revision = e.Revision
		return nil
	}
	n.r.currentLease().end()
	if n.stranger.revision != e.Revision {
		n.stranger = sighting{revision: e.Revision, since: now}
	}
	if now.Sub(n.stranger.since) >= n.r.set.Expire {
		n.revision = e.Revision
		return nil
	}
	return errNameTaken
}
