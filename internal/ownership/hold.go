package ownership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
)

// Start begins all that is done for a tenant under a tenure, and gives what stops
// it. It should return early once the tenure's context ends; an error means that
// nothing was left running, and the tenant is released and taken again later.
type Start func(t *Tenure) (Stop, error)

// Stop ends it. Until ctx ends it may finish what is in hand; then it must cut
// everything off. It returns once nothing runs any more: nil if all ended softly.
// ctx is the tenure's context; where the tenure was lost it has ended already.
type Stop func(ctx context.Context) error

// errTakingOver is why a tenant is not at work while start runs.
var errTakingOver = errors.New("it is being taken over")

// hold is a tenant in hand: one goroutine starts it, waits, stops it and releases it.
type hold struct {
	tenure *Tenure
	asked  chan struct{} // closed when it is to be given up
	once   sync.Once
}

func newHold(t *Tenure) *hold { return &hold{tenure: t, asked: make(chan struct{})} }

// giveUp asks for it to be given up: what is in hand has until the bound to finish,
// then the tenure is ended.
func (h *hold) giveUp(bound time.Duration) {
	h.once.Do(func() {
		close(h.asked)
		cut := time.AfterFunc(bound, h.tenure.Lost)
		context.AfterFunc(h.tenure.Context(), func() { cut.Stop() })
	})
}

func (h *hold) phase() Phase {
	select {
	case <-h.asked:
		return Stopping
	case <-h.tenure.Context().Done():
		return Stopping
	default:
		return Running
	}
}

// serve is a tenant's life here, from the claim on. It returns once nothing of the
// tenant runs any more.
func (r *Runner) serve(h *hold, start Start) {
	defer r.drop(h)
	t := h.tenure
	r.compare(t.Tenant, r.roster.claim(t.Tenant).Revision) // another may have it already
	log := r.log.With(slog.String("tenant", t.Tenant), slog.Uint64("epoch", t.Epoch))
	log.Info("tenant claimed", slog.Bool("clean", t.CleanHandover))
	if t.Check(context.Background()) != nil {
		r.release(t, true, log) // lost before its claim was confirmed
		return
	}
	stop, err := start(t)
	if err != nil {
		log.Error("tenant not started", slog.Any("cause", err))
		r.note(t.Tenant, fmt.Errorf("not started: %w", err))
		r.delay(t.Tenant)
		r.release(t, true, log)
		return
	}
	r.note(t.Tenant, nil)
	select {
	case <-h.asked:
	case <-t.Context().Done():
	}
	late, unlink := r.late(t)
	defer unlink()
	done := make(chan bool, 1)
	go func() {
		err := stop(t.Context())
		if err != nil {
			log.Warn("tenant stopped hard", slog.Any("cause", err))
		}
		done <- err == nil
	}()
	select {
	case soft := <-done:
		r.release(t, soft, log)
	case <-late:
		// Its tenure has ended: it writes no record and starts no call, so that
		// another may have the tenant. We may not, before it has stopped.
		log.Error("tenant does not stop", slog.Duration("bound", r.set.HardStop))
		r.release(t, false, log)
		<-done
	}
}

// late is closed HardStop after the tenure's end.
func (r *Runner) late(t *Tenure) (<-chan struct{}, func() bool) {
	late := make(chan struct{})
	return late, context.AfterFunc(t.Context(), func() {
		time.AfterFunc(r.set.HardStop, func() { close(late) })
	})
}

// release ends the tenure and says so in the claim, unless the claim is lost.
func (r *Runner) release(t *Tenure, soft bool, log *slog.Logger) {
	clean := soft && t.Check(context.Background()) == nil && t.quiet(r.clock.now().mono)
	t.Lost()
	if !t.lease.live() {
		log.Warn("tenant lost", slog.String("cause", "the lease was not renewed in time"))
		return
	}
	c := r.roster.claim(t.Tenant)
	if c.Revision != t.Fence.Revision {
		log.Warn("tenant lost", slog.String("cause", "the claim is another's"), slog.String("owner", c.Instance))
		return
	}
	if err := r.writeRelease(t.Tenant, c, clean); err != nil {
		log.Warn("tenant not released", slog.Any("cause", err))
		return
	}
	log.Info("tenant released", slog.Bool("clean", clean))
}

// writeRelease marks a claim of ours as released.
func (r *Runner) writeRelease(tenant string, c Claim, clean bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.set.Reply)
	defer cancel()
	c.Released, c.Clean, c.Since = true, clean, time.Now()
	value := encode(c)
	revision, err := r.store.Update(ctx, ownerKey(tenant), value, c.Revision)
	if errors.Is(err, bus.ErrConflict) {
		return errors.Join(err, r.readClaim(ctx, tenant))
	}
	if err == nil {
		r.sawClaim(tenant, bus.Entry{Value: value, Revision: revision})
	}
	return err
}
