package dispatch_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/script"
)

// weather is how bad a world is: probabilities per occasion, and the settings.
type weather struct {
	kill, undone, unheard, slow float64 // of an exchange with the server
	killCall                    float64 // of a call to a vendor, before it and behind it
	drop, forget                float64 // of a delivery, of an ack
	ledger                      ledger.Settings
	concurrency, maxHeld        int
}

// simSecret is that of Weiban's API.
const simSecret = "sample-secret"

// fate is what becomes of an exchange with the server; "" is nothing bad.
func (w *world) fate(d *rand.Rand) string {
	f, x := w.weather, d.Float64()
	for _, c := range []struct {
		share float64
		fate  string
	}{
		{f.kill / 2, "killed before"},
		{f.kill / 2, "killed behind"},
		{f.undone, "undone"},
		{f.unheard, "unheard"},
		{f.slow, "slow"},
	} {
		if x -= c.share; x < 0 {
			return c.fate
		}
	}
	return ""
}

// chance is true with probability p, but never once it is calm.
func (w *world) chance(d *rand.Rand, p float64) bool {
	return p > 0 && d.Float64() < p && time.Now().Before(w.calm)
}

// plan draws the whole history.
func (w *world) plan() {
	p := func(often, most float64) float64 {
		if w.rng.Float64() < often {
			return w.rng.Float64() * most
		}
		return 0
	}
	w.weather = weather{
		kill: p(0.5, 0.01), undone: p(0.4, 0.05), unheard: p(0.4, 0.05), slow: p(0.3, 0.1), killCall: p(0.4, 0.05),
		drop: p(0.3, 0.1), forget: p(0.3, 0.3), ledger: simLedger(),
		concurrency: 1 + w.rng.IntN(3), maxHeld: 2 + w.rng.IntN(8),
	}
	s := &w.weather.ledger
	s.MaxHeld = 1 + w.rng.IntN(3)
	s.Marker = !w.one(10)
	s.CheckStatus = w.one(5)
	s.HoldAfterLetter = w.one(8)
	w.slots = make([]*process, 2)
	if w.one(6) {
		w.slots = make([]*process, 3)
	}
	w.faulty()
	w.storms()
	w.people = newPeople(w)
	w.people.plan()
	w.accident.plan(w)
}

// faulty lets single calls of the vendors fail.
func (w *world) faulty() {
	type of struct {
		s     *script.Script
		often int // in one of so many worlds
		most  float64
		fault script.Fault
	}
	const order, list, detail = fakekingdee.APIHandle, fakekingdee.APIList, "workorder/detail"
	for _, x := range []of{
		{w.faultsK, 3, 0.5, script.CommitThenCut(order)},
		{w.faultsK, 4, 0.4, script.CommitThenHang(order, 0)},
		{w.faultsK, 4, 0.4, script.CommitThenGarbage(order, true)},
		{w.faultsK, 4, 0.4, script.CommitThenGarbage(order, false)},
		{w.faultsK, 4, 0.4, script.Fault{Kind: script.Code, Code: "5000", API: order, Commit: true}},
		{w.faultsK, 4, 0.5, script.Fault{Kind: script.Cut, API: order}},
		{w.faultsK, 5, 0.3, script.Fault{Kind: script.Code, Code: "5004", API: order}},
		{w.faultsK, 5, 0.3, script.Fault{Kind: script.Hang, API: order}},
		{w.faultsK, 5, 0.5, script.Fault{Kind: script.Slow, API: order, Delay: 6 * time.Second}},
		{w.faultsK, 6, 0.3, script.Fault{Kind: script.Refuse, API: order, Text: "审批中"}},
		{w.faultsK, 8, 0.2, script.Fault{Kind: script.Throttle, API: order}},
		{w.faultsK, 6, 0.3, script.Fault{Kind: script.Odd, API: list}},
		{w.faultsK, 6, 0.3, script.Fault{Kind: script.Status, API: list}},
		{w.faultsK, 8, 0.2, script.Fault{Kind: script.Hang, API: list}},
		{w.faultsW, 5, 0.3, script.Fault{Kind: script.Status, API: detail}},
		{w.faultsW, 6, 0.3, script.Fault{Kind: script.Torn, API: detail}},
		{w.faultsW, 8, 0.2, script.Fault{Kind: script.Throttle, API: detail}},
		{w.faultsW, 8, 0.3, script.Fault{Kind: script.Slow, API: detail, Delay: 4 * time.Second}},
	} {
		if w.one(x.often) {
			x.s.Chance(w.rng.Float64()*x.most, x.fault)
		}
	}
}

// storms are what goes on for a while, or strikes from outside.
func (w *world) storms() {
	while := func(often int, begin, end func()) {
		if w.one(often) {
			from := w.between(0, calmAfter)
			w.at(from, begin)
			w.at(min(from+w.between(10*time.Second, 3*time.Minute), calmAfter), end)
		}
	}
	while(6, func() { w.kingdee.SetDown(true) }, func() { w.kingdee.SetDown(false) })
	while(6, func() { w.weiban.SetDown(true) }, func() { w.weiban.SetDown(false) })
	while(8, func() { w.kingdee.SetListShape(fakekingdee.ListOdd) }, func() { w.kingdee.SetListShape(fakekingdee.ListArray) })
	while(10, func() {
		w.weiban.RotateSecret("another")
		w.weiban.ExpireTokens()
	}, func() { w.weiban.RotateSecret(simSecret) })
	for range w.rng.IntN(3) {
		slot, sig := w.rng.IntN(len(w.slots)), w.rng.IntN(2)
		rest := w.between(time.Second, 70*time.Second)
		w.at(w.between(0, calmAfter), func() {
			if p := w.in(slot); sig == 0 {
				p.die("kill -9")
			} else {
				p.sleep(rest)
			}
		})
	}
	if w.one(5) {
		w.at(w.between(0, calmAfter), w.loseConsumers)
	}
}

// in is who runs in a slot.
func (w *world) in(slot int) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.slots[slot]
}

// loseConsumers deletes what the owner reads by, on the server.
func (w *world) loseConsumers() {
	for _, stream := range []string{bus.Callbacks, bus.Events} {
		list, err := w.server.Followers(context.Background(), stream)
		for _, f := range list {
			w.logf("consumer %s is deleted", f.Name)
			err = errors.Join(err, w.server.DeleteConsumer(context.Background(), stream, f.Name))
		}
		w.trouble("consumers", err)
	}
}
