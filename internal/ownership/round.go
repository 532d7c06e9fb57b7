package ownership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"gongdan-bridge/internal/bus"
)

// decide decides and acts until ctx ends: Settle after the first of several changes, when a
// peer's lease lapses, and after every refresh.
func (r *Runner) decide(ctx context.Context, start Start) {
	r.refresh(ctx)
	refreshed := r.clock.now().mono
	wake := time.NewTimer(r.set.Settle)
	defer wake.Stop()
	settling := true // the first decision waits for the first entries of the watch
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.nudge:
			if !settling {
				settling = true
				wake.Reset(r.set.Settle)
			}
			continue
		case <-wake.C:
			settling = false
		}
		if r.clock.now().mono.Sub(refreshed) >= r.set.Refresh {
			r.refresh(ctx)
			refreshed = r.clock.now().mono
		}
		wake.Reset(r.round(ctx, start))
	}
}

// round makes one decision and carries it out. It returns when the next one is due if
// nothing changes before.
func (r *Runner) round(ctx context.Context, start Start) time.Duration {
	v := r.view() // the claims from before the lapsed leases are confirmed
	buried := map[string]bool{}
	for _, i := range slices.Sorted(maps.Keys(v.Lapsed)) {
		over, err := r.bury(ctx, i)
		if err != nil {
			r.warn(ctx, "lease not read", err, slog.String("of", i))
			return r.set.Retry
		}
		buried[i] = over
	}
	v.Lapsed = buried
	for _, a := range Decide(v, r.instance) {
		if ctx.Err() != nil {
			return 0
		}
		if err := r.carryOut(ctx, a, start); err != nil {
			r.note(a.Tenant, fmt.Errorf("claim not written: %w", err))
			r.warn(ctx, "claim not written", err, slog.String("tenant", a.Tenant), slog.String("act", string(a.Verb)))
			return r.set.Retry
		}
	}
	now := r.clock.now().mono
	next := r.roster.nextLapse(now, r.set.Refresh)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.decided = r.decided || len(v.Living) > 0
	for _, until := range r.delayed {
		next = min(next, until.Sub(now))
	}
	return max(next, 0)
}

// view returns the present state for [Decide].
func (r *Runner) view() View {
	now := r.clock.now().mono
	v := r.roster.view(now)
	v.Held = map[string]Phase{}
	if r.currentLease().live() {
		v.Living = append(v.Living, Member{Instance: r.instance, Tenants: r.serving()})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for t, h := range r.holds {
		v.Held[t] = h.phase()
	}
	maps.DeleteFunc(r.delayed, func(_ string, until time.Time) bool { return !now.Before(until) })
	return v
}

// warn logs an error unless a shutdown caused it.
func (r *Runner) warn(ctx context.Context, what string, err error, about ...any) {
	if ctx.Err() == nil {
		r.log.Warn(what, append(about, slog.Any("cause", err))...)
	}
}

func (r *Runner) carryOut(ctx context.Context, a Act, start Start) error {
	switch a.Verb {
	case GiveUp:
		r.mu.Lock()
		h := r.holds[a.Tenant]
		r.mu.Unlock()
		if h != nil {
			h.giveUp(r.set.SoftStop)
		}
	case Release:
		// The process that wrote the claim may have died during calls: not clean.
		return notConflict(r.writeRelease(a.Tenant, a.Claim, false))
	case Take:
		return r.take(ctx, a, start)
	}
	return nil
}

// notConflict returns nil for the errors of a write that another instance preceded: the
// next round starts from that write.
func notConflict(err error) error {
	if errors.Is(err, bus.ErrConflict) || errors.Is(err, bus.ErrExists) {
		return nil
	}
	return err
}

// bury proves that a lapsed peer's lease is over: it deletes the revision that was seen
// Expire ago. After that the peer cannot renew the lease, and an instance that joins
// later does not take the peer for alive. The claims were read before: if the peer comes
// back and takes them again, our writes fail their comparison.
func (r *Runner) bury(ctx context.Context, instance string) (bool, error) {
	asked := r.clock.now().mono
	seen, over := r.roster.lease(instance, asked)
	if !over {
		return false, nil
	}
	if seen.revision != 0 && !seen.gone {
		dctx, cancel := context.WithTimeout(ctx, r.set.Reply)
		err := r.store.DeleteRevision(dctx, aliveKey(instance), seen.revision)
		cancel()
		if err == nil {
			r.log.Info("peer is dead", slog.String("peer", instance))
			r.roster.missedBeat(instance)
			return true, nil
		}
		if notConflict(err) != nil {
			return false, err
		}
	}
	if err := r.readBeat(ctx, instance); err != nil {
		return false, err
	}
	_, over = r.roster.lease(instance, asked)
	return over, nil
}

// take writes the claim, and holds the tenant once the store has confirmed it.
func (r *Runner) take(ctx context.Context, a Act, start Start) error {
	r.mu.Lock()
	l, waits := r.lease, !r.delayed[a.Tenant].IsZero()
	r.mu.Unlock()
	if waits || !l.live() {
		return nil
	}
	sent := r.clock.now().mono
	c := Claim{Instance: r.instance, Epoch: a.Claim.Epoch + 1, Since: time.Now()}
	revision, err := r.writeClaim(ctx, a.Tenant, c, a.Claim.Revision)
	if err != nil {
		return notConflict(err)
	}
	t := &Tenure{
		Tenant: a.Tenant, Instance: r.instance, Epoch: c.Epoch, Since: c.Since,
		Fence:         bus.Fence{Key: ownerKey(a.Tenant), Revision: revision},
		CleanHandover: a.Claim.Revision == 0 || a.Claim.Clean,
		lease:         l,
	}
	if !t.CleanHandover {
		t.QuietUntil = sent.Add(r.set.CallTimeout)
		if a.From != "" {
			t.QuietUntil = t.QuietUntil.Add(-r.set.Margin) // the owner's lease ended at least Margin ago
		}
	}
	t.ctx, t.cancel = context.WithCancelCause(l.ctx)
	r.hold(t, start)
	return nil
}

// hold registers a tenure and serves its tenant.
func (r *Runner) hold(t *Tenure, start Start) {
	h := newHold(t)
	r.note(t.Tenant, errTakingOver)
	r.idle.Add(1)
	r.mu.Lock()
	r.holds[t.Tenant] = h
	r.mu.Unlock()
	go r.serve(h, start)
}

// writeClaim creates or replaces a claim. A shutdown does not interrupt it: a claim that
// was taken must be released.
func (r *Runner) writeClaim(ctx context.Context, tenant string, c Claim, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.set.Reply)
	defer cancel()
	value := encode(c)
	var err error
	if revision == 0 {
		revision, err = r.store.Create(ctx, ownerKey(tenant), value)
	} else {
		revision, err = r.store.Update(ctx, ownerKey(tenant), value, revision)
	}
	switch {
	case err == nil:
		r.sawClaim(tenant, bus.Entry{Value: value, Revision: revision})
	case notConflict(err) == nil:
		err = errors.Join(err, r.readClaim(ctx, tenant))
	}
	return revision, err
}

// refresh reads every known claim and lease again, in case the watch missed a change. It
// ends at the first failure of the store.
func (r *Runner) refresh(ctx context.Context) {
	for _, t := range r.tenants {
		if err := r.readClaim(ctx, t); err != nil {
			return
		}
	}
	for _, i := range r.roster.instances() {
		if err := r.readBeat(ctx, i); err != nil {
			return
		}
	}
	r.roster.forget()
}

// readClaim reads a claim into the roster. A revision lower than the known one means that
// the bucket was created again: then the known claim is void.
func (r *Runner) readClaim(ctx context.Context, tenant string) error {
	ctx, cancel := context.WithTimeout(ctx, r.set.Reply)
	defer cancel()
	before := r.roster.claim(tenant).Revision
	e, err := r.store.Get(ctx, ownerKey(tenant))
	gone := errors.Is(err, bus.ErrNotFound)
	if err != nil && !gone {
		return err
	}
	if gone || e.Revision < before {
		r.roster.missedClaim(tenant)
		r.compare(tenant, 0)
	}
	if !gone {
		r.sawClaim(tenant, e)
	}
	return nil
}

// readBeat reads a peer's lease into the roster, by the same rule.
func (r *Runner) readBeat(ctx context.Context, instance string) error {
	ctx, cancel := context.WithTimeout(ctx, r.set.Reply)
	defer cancel()
	before, _ := r.roster.lease(instance, time.Time{})
	e, err := r.store.Get(ctx, aliveKey(instance))
	gone := errors.Is(err, bus.ErrNotFound)
	if err != nil && !gone {
		return err
	}
	if gone || e.Revision < before.revision {
		r.roster.missedBeat(instance)
	}
	if !gone {
		r.sawBeat(instance, e)
	}
	return nil
}
