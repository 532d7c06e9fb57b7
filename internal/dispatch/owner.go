package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/ownership"
)

// owner is one tenant in this process's hands, under one tenure.
type owner struct {
	d         *Dispatcher
	t         Tenant
	tenure    *ownership.Tenure
	log       *slog.Logger
	apis      *wait.APIs
	bills     *wait.BillLocks
	evictions *wait.Evictions
	timers    map[orders.Queue]*wait.Timers
	desks     map[orders.Queue]chan struct{} // places for orders in hand

	ctx     context.Context // of all that is begun; ends with the tenure
	soft    context.Context // ends when nothing new may be begun
	stop    context.CancelFunc
	threads sync.WaitGroup
	rooms   []*room
	serving []func()

	mu     sync.Mutex
	actors map[orders.ID]*actor
	waited map[waitKind]bool  // sorts of waiting that have been told
	listed map[orders.ID]bool // found waiting at the takeover and not loaded yet
	busy   sync.WaitGroup     // orders in hand

	proof *wait.QueryProof

	store   history.Record // as it was when the tenant was taken
	walked  chan struct{}  // closed when all that was stored before has been looked at again
	audit   closings
	doubles wait.Doubles
}

func (d *Dispatcher) owner(t Tenant, tenure *ownership.Tenure) *owner {
	o := &owner{
		d: d, t: t, tenure: tenure, apis: wait.NewAPIs(t.Name, t.WeibanAccount, t.KingdeeAccount), bills: wait.NewBillLocks(), evictions: wait.NewEvictions(), timers: map[orders.Queue]*wait.Timers{},
		log:   d.o.Logger.With(slog.String("tenant", t.Name), slog.Uint64("epoch", tenure.Epoch)),
		desks: map[orders.Queue]chan struct{}{}, actors: map[orders.ID]*actor{}, listed: map[orders.ID]bool{}, waited: map[waitKind]bool{}, ctx: tenure.Context(),
		walked: make(chan struct{}),
	}
	o.proof, o.audit.turn = wait.NewQueryProof(), make(chan struct{}, 1)
	d.space.Guard(o.apis)
	o.soft, o.stop = context.WithCancel(o.ctx)
	for _, k := range orders.Queues {
		o.desks[k] = make(chan struct{}, d.o.Concurrency)
		o.timers[k] = wait.NewTimers()
		o.rooms = append(o.rooms, newRoom(o, k))
	}
	return o
}

// open takes the tenant over: the consumers of owners before are replaced, so
// that their pulls and acks fail; then what waits is loaded; only then does
// anything run.
func (o *owner) open() error {
	ctx, cancel := context.WithTimeout(o.ctx, takeoverWait)
	defer cancel()
	o.claimLines()
	began := time.Now()
	var err error
	if o.store, err = o.d.keeper.Examine(ctx); err != nil {
		return err
	}
	if err := o.loadPauses(ctx); err != nil {
		return err
	}
	if err := o.loadProof(ctx); err != nil {
		return err
	}
	for _, r := range o.rooms {
		if err := r.succeed(ctx); err != nil {
			return err
		}
	}
	n, err := o.takeOver(ctx)
	if err != nil {
		return err
	}
	for _, r := range o.rooms {
		if err := r.open(ctx); err != nil {
			return err
		}
	}
	if err := o.serve(); err != nil {
		return err
	}
	for _, k := range orders.Queues {
		o.threads.Go(func() { o.timers[k].Run(o.soft, func(x orders.ID) { o.wake(x, k) }) })
	}
	for _, g := range o.apis.All() {
		o.threads.Go(func() { o.watch(o.soft, g) })
	}
	o.threads.Go(func() { o.sweep(o.soft) })
	for _, r := range o.rooms {
		o.threads.Go(func() { r.keep(o.soft) })
	}
	o.threads.Go(func() { o.walk(o.soft) })
	o.log.Info("tenant taken over", slog.Int("waiting", n), slog.Duration("took", time.Since(began)))
	return nil
}

// claimLines lets calls be made under this tenure, without a burst at first: the
// owner before may just have spent its own.
func (o *owner) claimLines() {
	for _, l := range []*connectors.Account{o.t.WeibanAccount, o.t.KingdeeAccount} {
		l.Empty()
	}
	o.t.Guard.tenure.Store(o.tenure)
}

// why says what of the tenant does not work now; nil if all does.
func (o *owner) why() error {
	all := o.apis.Why()
	for _, r := range o.rooms {
		if down := r.down.Load(); down != nil {
			all = errors.Join(all, fmt.Errorf("tenant %s: consumer %s is being made anew: %s", o.t.Name, r.name(o.tenure.Epoch), *down))
		}
	}
	return all
}

// close stops softly: nothing new is begun and what is in hand is finished; at
// the tenure's end that is cut off.
func (o *owner) close(ctx context.Context) error {
	o.mu.Lock()
	o.stop()
	o.mu.Unlock()
	var all error
	for _, r := range o.rooms {
		// The tenure may have ended: then nothing in hand is waited for here.
		if err := r.close(ctx); err != nil && ctx.Err() == nil {
			all = errors.Join(all, err)
		}
	}
	for _, end := range o.serving {
		end()
	}
	o.threads.Wait()
	for _, r := range o.rooms {
		// One may have been rebuilt in the meantime.
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

// enlist counts something that begins by itself among what is in hand; false if
// the owner stops.
func (o *owner) enlist() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.soft.Err() != nil {
		return false
	}
	o.busy.Add(1)
	return true
}

// cut undoes an open that failed.
func (o *owner) cut() {
	ctx, cancel := context.WithCancel(o.ctx)
	cancel()
	_ = o.close(ctx) // why it failed is known already
}

// actor is that of an order, made if it is not there.
func (o *owner) actor(k orders.ID, listed bool) *actor {
	o.mu.Lock()
	defer o.mu.Unlock()
	a := o.actors[k]
	if a == nil {
		a = newActor(o, k, listed || o.listed[k])
		o.actors[k] = a
		delete(o.listed, k)
	}
	return a
}

// post hands something to an order, which is loaded if it must be.
func (o *owner) post(k orders.ID, listed bool, x any) {
	for !o.actor(k, listed).post(x) {
	}
}

// bring hands an order something to work on, once there is a place for it at the
// desk; false if the owner stops first.
func (o *owner) bring(k orders.ID, listed bool, at orders.Queue, x any) bool {
	for {
		a := o.actor(k, listed)
		if !o.seat(a, at) {
			return false
		}
		if a.post(x) {
			return true
		}
	}
}

// wake gives an order its timer, once there is a place for it.
func (o *owner) wake(x orders.ID, k orders.Queue) {
	o.mu.Lock()
	a, listed := o.actors[x], o.listed[x]
	o.mu.Unlock()
	switch {
	case listed:
		o.bring(x, true, k, timer{})
	case a != nil && o.seat(a, k):
		a.post(timer{}) // an actor that is gone waits for nothing
	}
}

// seat gives an order a place at a desk, unless it has one; false if the owner
// stops first. It blocks while all places are taken.
func (o *owner) seat(a *actor, k orders.Queue) bool {
	if o.soft.Err() != nil || a.seated() {
		return o.soft.Err() == nil
	}
	places := o.desks[k]
	select {
	case places <- struct{}{}:
		a.sit(func() { <-places })
		return true
	case <-o.soft.Done():
		return false
	}
}

// watch looks at a gate, says when a pause begins and is proved to be over, and
// wakes what waits for it to open.
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

// resume wakes every order that waits for the gate.
func (o *owner) resume(g *wait.Availability) {
	var waiting []*actor
	o.mu.Lock()
	for _, a := range o.actors {
		if a.waitsFor(g) {
			waiting = append(waiting, a)
		}
	}
	o.mu.Unlock()
	for _, a := range waiting {
		if g.Why() != "" || !o.seat(a, orders.Queue{Stage: g.Stage, Noun: a.key.Noun}) {
			return // down again, or stopping
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
			continue // one that is gone waits for nothing
		}
		go func() {
			defer o.busy.Done()
			if o.seat(a, orders.Queue{Stage: events.Handle, Noun: k.Noun}) {
				a.post(freed{})
			}
		}()
	}
}
