package ownership

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
)

// renewal keeps alive.<instance>. Only its one goroutine uses it.
type renewal struct {
	r        *Runner
	revision uint64   // of our last write, 0 if the key is not there
	stranger sighting // another process under our name
}

// run renews until ctx ends, at once where something in the beat has changed.
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

// once renews, and says when to do it again.
func (n *renewal) once(ctx context.Context) time.Duration {
	r := n.r
	sent := r.clock.now()
	// A shutdown does not cut it short: then nobody would know what is on record.
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

// errNameTaken is the operator's to mend.
var errNameTaken = errors.New("another process runs under this instance name")

// meet finds out who wrote our key: ourselves, by a write whose answer never came;
// nobody, it is gone; or another process under our name. That one is waited for
// like any other owner: only once its lease is surely over is the name ours.
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
