package dispatch

import "gongdan-bridge/internal/orders"

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
func (o *owner) post(k orders.ID, listed bool, x item) {
	for !o.actor(k, listed).post(x) {
	}
}

// bring hands an order something to work on, once there is a place for it at the
// desk; false if the owner stops first.
func (o *owner) bring(k orders.ID, listed bool, at orders.Queue, x item) bool {
	for {
		a := o.actor(k, listed)
		if !o.giveSlot(a, at) {
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
	case a != nil && o.giveSlot(a, k):
		a.post(timer{}) // an actor that is gone waits for nothing
	}
}

// giveSlot gives an order a place at a desk, unless it has one; false if the owner
// stops first. It blocks while all places are taken.
func (o *owner) giveSlot(a *actor, k orders.Queue) bool {
	if o.working.Err() != nil || a.hasSlot() {
		return o.working.Err() == nil
	}
	places := o.slots[k]
	select {
	case places <- struct{}{}:
		a.takeSlot(func() { <-places })
		return true
	case <-o.working.Done():
		return false
	}
}
