package dispatch

import "gongdan-bridge/internal/orders"

// actor is the actor of an order; it is made if there is none.
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

// post puts an item into the inbox of an order.
func (o *owner) post(k orders.ID, listed bool, x item) {
	for !o.actor(k, listed).post(x) {
	}
}

// bring posts an item to an order once the order has a slot of the queue; false if the owner
// stops first.
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

// wake posts an order its timer once the order has a slot.
func (o *owner) wake(x orders.ID, k orders.Queue) {
	o.mu.Lock()
	a, listed := o.actors[x], o.listed[x]
	o.mu.Unlock()
	switch {
	case listed:
		o.bring(x, true, k, timer{})
	case a != nil && o.giveSlot(a, k):
		a.post(timer{}) // an actor that has left memory waits for nothing
	}
}

// giveSlot gives an order a slot of a queue, unless it has one; false if the owner stops
// first. It blocks while all slots are taken.
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
