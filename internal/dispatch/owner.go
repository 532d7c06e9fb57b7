package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gongdan-bridge/internal/dispatch/store"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/dispatch/work"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/ownership"
)

// owner runs one tenant under one tenure. Its locks, in the order in which they are taken:
// owner.mu, inbox.mu of an actor, then a lock of package wait; no two actors' locks at once.
type owner struct {
	d         *Dispatcher
	t         Tenant
	tenure    *ownership.Tenure
	log       *slog.Logger
	apis      *wait.APIs
	bills     *wait.BillLocks
	evictions *wait.Evictions
	waiters   *wait.Waiters
	tally     *wait.Tally
	proof     *wait.QueryProof
	timers    map[orders.Queue]*wait.Timers
	slots     map[orders.Queue]chan struct{} // one place for each order that is worked on
	work      *work.Tenant

	ctx        context.Context // of all that is begun; ends with the tenure
	working    context.Context // ends when nothing new may be begun
	stop       context.CancelFunc
	threads    sync.WaitGroup
	busy       sync.WaitGroup // actors that run, and their acts
	intakes    []*intake
	endServing []func()

	mu     sync.Mutex // taken before the lock of an actor's inbox and before those of package wait
	actors map[orders.ID]*actor
	listed map[orders.ID]bool // found waiting at the takeover and not loaded yet

	store     *store.Store
	rechecked chan struct{} // closed when all that was stored before has been looked at again
}

func (d *Dispatcher) owner(t Tenant, tenure *ownership.Tenure) *owner {
	o := &owner{
		d: d, t: t, tenure: tenure, ctx: tenure.Context(),
		log:  d.o.Logger.With(slog.String("tenant", t.Name), slog.Uint64("epoch", tenure.Epoch)),
		apis: wait.NewAPIs(t.Name, t.Accounts), bills: wait.NewBillLocks(), evictions: wait.NewEvictions(),
		waiters: wait.NewWaiters(), tally: wait.NewTally(), proof: wait.NewQueryProof(),
		timers: map[orders.Queue]*wait.Timers{}, slots: map[orders.Queue]chan struct{}{},
		actors: map[orders.ID]*actor{}, listed: map[orders.ID]bool{}, rechecked: make(chan struct{}),
		store: store.New(store.Options{
			Tenant: t.Name, Account: t.Account, Log: d.o.Ports.Log, State: d.state, Consumers: d.o.Ports.Inbox, Letters: d.o.Letters,
			Events: d.o.Events, Keeper: d.watch.Keeper, Tenure: tenure, MaxFuture: d.o.MaxFuture, Logger: d.o.Logger,
		}),
	}
	o.work = &work.Tenant{
		Vendors: t.Vendors, Name: t.Name, Owner: lent{o}, APIs: o.apis, Proof: o.proof, Doubles: &wait.Doubles{},
		Events: d.o.Events, MaxPayload: d.o.Ports.Log.MaxPayload, ProbeDenied: d.o.ProbeDenied, Log: o.log, Crash: crash,
	}
	d.space.Guard(o.apis)
	o.working, o.stop = context.WithCancel(o.ctx)
	for _, k := range orders.Queues {
		o.slots[k] = make(chan struct{}, d.o.Concurrency)
		o.timers[k] = wait.NewTimers()
		o.intakes = append(o.intakes, newIntake(o, k))
	}
	return o
}

// open takes the tenant over. The consumers of earlier owners are replaced, so that their
// pulls and acks fail; then the waiting orders are loaded; only then does anything run.
func (o *owner) open() error {
	ctx, cancel := context.WithTimeout(o.ctx, takeoverWait)
	defer cancel()
	o.claimAccounts()
	began := time.Now()
	if err := o.store.Open(ctx); err != nil {
		return err
	}
	if err := o.loadPauses(ctx); err != nil {
		return err
	}
	if err := o.loadProof(ctx); err != nil {
		return err
	}
	for _, r := range o.intakes {
		if err := r.takeOver(ctx); err != nil {
			return err
		}
	}
	n, err := o.takeOver(ctx)
	if err != nil {
		return err
	}
	for _, r := range o.intakes {
		if err := r.open(ctx); err != nil {
			return err
		}
	}
	if err := o.serve(); err != nil {
		return err
	}
	for _, k := range orders.Queues {
		o.threads.Go(func() { o.timers[k].Run(o.working, func(x orders.ID) { o.wake(x, k) }) })
	}
	for _, g := range o.apis.All() {
		o.threads.Go(func() { o.watch(o.working, g) })
	}
	o.threads.Go(func() { o.sweepExpiring(o.working) })
	for _, r := range o.intakes {
		o.threads.Go(func() { r.keep(o.working) })
	}
	o.threads.Go(func() { o.recheckAll(o.working) })
	o.log.Info("tenant taken over", slog.Int("waiting", n), slog.Duration("took", time.Since(began)))
	return nil
}

// claimAccounts lets calls be made under this tenure, without a burst at first: the last owner
// may just have spent its own.
func (o *owner) claimAccounts() {
	o.t.Accounts.Empty()
	o.t.Guard.tenure.Store(o.tenure)
}

// why says which stages and consumers of the tenant do not work now; nil if all do.
func (o *owner) why() error {
	all := o.apis.Why()
	for _, r := range o.intakes {
		if down := r.down.Load(); down != nil {
			all = errors.Join(all, fmt.Errorf("tenant %s: consumer %s is being rebuilt: %s", o.t.Name, r.name(o.tenure.Epoch), *down))
		}
	}
	return all
}

// close stops softly: no message is begun, and those that were begun are finished; the end
// of the tenure cuts them off.
func (o *owner) close(ctx context.Context) error {
	o.mu.Lock()
	o.stop()
	o.mu.Unlock()
	var all error
	for _, r := range o.intakes {
		// The tenure may have ended: then no message is waited for here.
		if err := r.close(ctx); err != nil && ctx.Err() == nil {
			all = errors.Join(all, err)
		}
	}
	for _, end := range o.endServing {
		end()
	}
	o.threads.Wait()
	for _, r := range o.intakes {
		// A consumer may have been rebuilt in the meantime.
		if err := r.close(ctx); err != nil && ctx.Err() == nil {
			all = errors.Join(all, err)
		}
	}
	done := make(chan struct{})
	go func() {
		o.busy.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		<-done // the calls end with the tenure
		all = errors.Join(all, context.Cause(ctx))
	}
	o.t.Guard.tenure.CompareAndSwap(o.tenure, nil)
	return all
}

// enlist counts a goroutine among those that close waits for; false if the owner stops.
func (o *owner) enlist() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.working.Err() != nil {
		return false
	}
	o.busy.Add(1)
	return true
}

// abort undoes an open that failed.
func (o *owner) abort() {
	ctx, cancel := context.WithCancel(o.ctx)
	cancel()
	_ = o.close(ctx) // why it failed is known already
}

// watch refreshes an API's availability, logs when a pause begins and when it is proved to
// be over, and wakes the orders that wait for the API.
func (o *owner) watch(ctx context.Context, g *wait.Availability) {
	t := time.NewTicker(o.d.o.Beat)
	defer t.Stop()
	down := false
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			paused, _ := g.Refresh(now)
			why := g.Shown()
			switch {
			case why != "" && !down:
				o.log.Warn("stage paused", slog.String("stage", g.Name), slog.String("why", why))
			case down && why == "":
				o.log.Info("stage resumed", slog.String("stage", g.Name))
			}
			down = why != ""
			if !paused {
				o.resume(g)
			}
		}
	}
}

// resume wakes every order that waits for an API.
func (o *owner) resume(g *wait.Availability) {
	for _, k := range o.waiters.Of(g) {
		o.mu.Lock()
		a := o.actors[k]
		o.mu.Unlock()
		if a == nil {
			continue // it waits for nothing any more
		}
		if g.Why() != "" || !o.giveSlot(a, orders.Queue{Stage: g.Stage, Noun: k.Noun}) {
			return // paused again, or stopping
		}
		a.post(resumed{g})
	}
}

// free wakes the orders that wait for a released bill, each once there is a slot for it.
// The caller may hold a slot itself, so it does not wait.
func (o *owner) free(waiting []orders.ID) {
	for _, k := range waiting {
		o.mu.Lock()
		a := o.actors[k]
		o.mu.Unlock()
		if a == nil || !o.enlist() {
			continue // an order that is not in memory waits for nothing
		}
		go func() {
			defer o.busy.Done()
			if o.giveSlot(a, orders.Queue{Stage: events.Handle, Noun: k.Noun}) {
				a.post(freed{})
			}
		}()
	}
}
