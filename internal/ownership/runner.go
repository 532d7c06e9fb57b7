package ownership

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/sleep"
)

// Options describe one instance.
type Options struct {
	Instance string   // this process's name; no other process should ever have it
	Tenants  []string // this process can serve these by its configuration
	Store    Store
	Settings Settings
	Logger   *slog.Logger // nil: nothing is logged
}

// Runner is one instance: it keeps the lease and the claims, and starts and stops
// tenants accordingly.
type Runner struct {
	instance string
	session  string // tells this process from another one with the same name
	tenants  []string
	store    Store
	set      Settings
	log      *slog.Logger
	clock    clock
	roster   *roster

	nudge chan struct{} // wakes decide: its input has changed
	kick  chan struct{} // wakes the renewal: the beat has changed
	idle  sync.WaitGroup

	mu      sync.Mutex
	leaving bool
	lease   *lease
	trouble error // why the last renewal failed
	holds   map[string]*hold
	delayed map[string]time.Time // tenants that did not start, until when
	faults  map[string]error     // why tenants that fall to us are not at work
	decided bool                 // a decision was made under a lease
}

// NewRunner checks the options and the intervals.
func NewRunner(o Options) (*Runner, error) {
	set, err := o.Settings.Complete()
	if err != nil {
		return nil, fmt.Errorf("ownership settings: %w", err)
	}
	if o.Instance == "" || o.Store == nil {
		return nil, errors.New("ownership: an instance name and a store are needed")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	tenants := slices.Sorted(slices.Values(o.Tenants))
	return &Runner{
		instance: o.Instance,
		session:  rand.Text(),
		tenants:  slices.Compact(tenants),
		store:    o.Store,
		set:      set,
		log:      o.Logger,
		clock:    systemClock(),
		roster:   newRoster(o.Instance, set.Expire),
		nudge:    make(chan struct{}, 1),
		kick:     make(chan struct{}, 1),
		holds:    map[string]*hold{},
		delayed:  map[string]time.Time{},
		faults:   map[string]error{},
	}, nil
}

// Run runs the instance until ctx ends. Then it leaves: it stops every tenant softly,
// releases it, and deletes the lease, so that other instances take over at once; that
// takes at most SoftStop, HardStop and a few replies of the store. The error says what
// did not stop, or that the lease could not be deleted. Run does not end while the store
// is out of reach: the lease runs out, the tenants are stopped hard, and they are taken
// again when the store is back. Run is called once.
func (r *Runner) Run(ctx context.Context, start Start) error {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var threads sync.WaitGroup
	threads.Go(func() { (&renewal{r: r}).run(lasting) })
	threads.Go(func() { r.watch(lasting, alivePrefix, r.sawBeat) })
	threads.Go(func() { r.watch(lasting, ownerPrefix, r.sawClaim) })
	r.decide(ctx, start)
	err := r.leave()
	cancel()
	threads.Wait()
	r.currentLease().end()
	return errors.Join(err, r.resign())
}

// leave gives up every tenant and waits until all have stopped. The lease is renewed
// meanwhile.
func (r *Runner) leave() error {
	r.mu.Lock()
	r.leaving = true
	for _, h := range r.holds {
		h.giveUp(r.set.SoftStop)
	}
	r.mu.Unlock()
	signal(r.kick)
	stopped := make(chan struct{})
	go func() {
		r.idle.Wait()
		close(stopped)
	}()
	timer := time.NewTimer(r.set.SoftStop + r.set.HardStop + r.set.Reply)
	defer timer.Stop()
	select {
	case <-stopped:
		return nil
	case <-timer.C:
		r.mu.Lock()
		defer r.mu.Unlock()
		return fmt.Errorf("leave: tenants %v have not stopped", slices.Sorted(maps.Keys(r.holds)))
	}
}

// resign deletes our lease from the store.
func (r *Runner) resign() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*r.set.Reply) // a read and a write
	defer cancel()
	e, err := r.store.Get(ctx, aliveKey(r.instance))
	if err == nil && decodeBeat(e).Session == r.session {
		err = r.store.DeleteRevision(ctx, e.Key, e.Revision)
	}
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return fmt.Errorf("leave: the other instances wait %v for the lease to expire: %w", r.set.Expire, err)
	}
	return nil
}

// watch keeps the roster up to date until ctx ends.
func (r *Runner) watch(ctx context.Context, prefix string, each func(name string, e bus.Entry)) {
	for {
		err := r.store.Watch(ctx, prefix+".>", func(e bus.Entry) {
			if name, ok := named(prefix, e.Key); ok {
				each(name, e)
			}
		})
		if ctx.Err() != nil {
			return
		}
		r.log.Warn("watch ended, watching again", slog.String("keys", prefix), slog.Any("cause", err))
		if !sleep.For(ctx, r.set.Retry) {
			return
		}
	}
}

func (r *Runner) sawBeat(instance string, e bus.Entry) {
	if r.roster.sawBeat(instance, e, r.clock.now().mono) {
		signal(r.nudge)
	}
}

// sawClaim also ends, at once, our tenure if another instance has the claim now.
func (r *Runner) sawClaim(tenant string, e bus.Entry) {
	if r.roster.sawClaim(tenant, e, r.clock.now().mono) {
		r.compare(tenant, e.Revision)
		signal(r.nudge)
	}
}

// compare ends our tenure of the tenant if its claim's revision is another one.
func (r *Runner) compare(tenant string, revision uint64) {
	r.mu.Lock()
	h := r.holds[tenant]
	r.mu.Unlock()
	if h != nil && h.tenure.Fence.Revision != revision {
		h.tenure.Lost()
	}
}

// leased notes a confirmed renewal that was sent at sent.
func (r *Runner) leased(sent moment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = nil
	if r.lease != nil && r.lease.extend(sent) {
		return
	}
	if r.lease != nil {
		r.lease.end()
	}
	r.lease = newLease(r.clock, r.set.term(), sent)
	signal(r.nudge)
}

// Ready is nil while this instance has a lease and works for every tenant that falls to it.
// The error names the lease's fault, or each tenant that could not be claimed or started
// at the last try.
func (r *Runner) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lease.live() {
		return r.idleTenants()
	}
	if r.trouble != nil {
		return fmt.Errorf("instance %s has no lease: %w", r.instance, r.trouble)
	}
	return fmt.Errorf("instance %s has no lease yet", r.instance)
}

// idleTenants names the tenants that fall to us and are not at work. The caller holds r.mu.
func (r *Runner) idleTenants() error {
	if !r.decided {
		return fmt.Errorf("instance %s has not decided yet which tenants are its own", r.instance)
	}
	var all error
	for _, t := range slices.Sorted(maps.Keys(r.faults)) {
		if c := r.roster.claim(t); c.Revision != 0 && !c.Released && c.Instance != r.instance {
			continue // another instance owns it by now
		}
		all = errors.Join(all, fmt.Errorf("tenant %s is not at work: %w", t, r.faults[t]))
	}
	return all
}

// note keeps why a tenant that falls to us is not at work; nil means that it is.
func (r *Runner) note(tenant string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		delete(r.faults, tenant)
		return
	}
	r.faults[tenant] = err
}

// refused notes why the lease was not renewed. It returns true for the first failure in a
// row.
func (r *Runner) refused(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.trouble == nil
	r.trouble = err
	return first
}

func (r *Runner) currentLease() *lease {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lease
}

// serving returns the tenants that we offer to own.
func (r *Runner) serving() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leaving {
		return nil
	}
	return r.tenants
}

// delay keeps a tenant that did not start from being taken again before Retry.
func (r *Runner) delay(tenant string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delayed[tenant] = r.clock.now().mono.Add(r.set.Retry)
}

// drop forgets a tenant whose work has stopped.
func (r *Runner) drop(h *hold) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.holds, h.tenure.Tenant)
	signal(r.nudge)
	r.idle.Done()
}

// signal wakes the receiver once, and does not wait for it.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
