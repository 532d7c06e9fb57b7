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

// Start starts all work for a tenant under a tenure, and returns the function that stops
// it. It should return early once the tenure's context ends. An error means that nothing
// runs; the tenant is then released, and taken again later.
type Start func(t *Tenure) (Stop, error)

// Stop ends the work for a tenant and returns once nothing runs any more: nil if all ended
// softly. Until ctx ends it may finish the work in progress; then it must cut everything
// off. ctx is the tenure's context; it has ended already if the tenure was lost.
type Stop func(ctx context.Context) error

// errTakingOver is why a tenant is not at work while start runs.
var errTakingOver = errors.New("it is being taken over")

// hold is a tenant that this instance holds. One goroutine starts it, waits, stops it and
// releases it.
type hold struct {
	tenure *Tenure
	asked  chan struct{} // closed by giveUp
	once   sync.Once
}

func newHold(t *Tenure) *hold { return &hold{tenure: t, asked: make(chan struct{})} }

// giveUp asks the hold's goroutine to stop the tenant. Work in progress may finish within
// the bound; then the tenure ends.
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

// serve runs a tenant from its claim to its release. It returns once nothing of the tenant
// runs any more.
func (r *Runner) serve(h *hold, start Start) {
	defer r.drop(h)
	t := h.tenure
	r.compare(t.Tenant, r.roster.claim(t.Tenant).Revision) // another instance may own it already
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
		// The tenure has ended: its work writes no record and starts no call, so
		// another instance may own the tenant. This one may not until the work has
		// stopped.
		log.Error("tenant does not stop", slog.Duration("bound", r.set.HardStop))
		r.release(t, false, log)
		<-done
	}
}

// late returns a channel that is closed HardStop after the tenure's end.
func (r *Runner) late(t *Tenure) (<-chan struct{}, func() bool) {
	late := make(chan struct{})
	return late, context.AfterFunc(t.Context(), func() {
		time.AfterFunc(r.set.HardStop, func() { close(late) })
	})
}

// release ends the tenure and marks the claim as released, unless the claim is lost.
func (r *Runner) release(t *Tenure, soft bool, log *slog.Logger) {
	clean := soft && t.Check(context.Background()) == nil && t.quiet(r.clock.now().mono)
	t.Lost()
	if !t.lease.live() {
		log.Warn("tenant lost", slog.String("cause", "the lease was not renewed in time"))
		return
	}
	c := r.roster.claim(t.Tenant)
	if c.Revision != t.Fence.Revision {
		log.Warn("tenant lost", slog.String("cause", "another instance has the claim"), slog.String("owner", c.Instance))
		return
	}
	if err := r.writeRelease(t.Tenant, c, clean); err != nil {
		log.Warn("tenant not released", slog.Any("cause", err))
		return
	}
	log.Info("tenant released", slog.Bool("clean", clean))
}

// writeRelease marks our claim as released.
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
