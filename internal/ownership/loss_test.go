package ownership

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/bus"
)

// A renewal that was written, but whose answer got lost, costs no tenure.
func TestOneAnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("acme")
		a := c.join(t, "a", Settings{}, stages{})
		wait(time.Second)
		o := c.owner("acme")
		a.link.set(deaf, 0)
		wait(4 * time.Second)
		a.link.set(healthy, 0)
		wait(time.Minute)
		if c.owner("acme") != o {
			t.Errorf("the owner is %+v", c.owner("acme"))
		}
		c.end(t)
	})
}

// A process stopped between writing a claim and hearing of it starts nothing when it
// wakes: the cluster looks at every start. It takes the claim anew.
func TestStoppedInTheMiddleOfAClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("acme")
		a := c.join(t, "a", Settings{}, stages{})
		c.memory.mu.Lock()
		c.memory.wrote = func(e bus.Entry) {
			c.check(e)
			if e.Key == ownerKey("acme") && decodeClaim(e).Epoch == 1 && !decodeClaim(e).Released {
				a.link.set(stopped, 0)
			}
		}
		c.memory.mu.Unlock()
		wait(20 * time.Second)
		if n := len(c.tenures["acme"]); n != 0 {
			t.Fatalf("started %d times; the test proves nothing", n)
		}
		a.link.set(healthy, 0)
		wait(5 * time.Second)
		c.settled(t, "a")
		if o := c.owner("acme"); o == nil || o.Epoch < 2 || o.CleanHandover {
			t.Errorf("woken, it owns the tenant by %+v", o)
		}
		c.end(t)
	})
}

func TestStoreAwayForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(numbered(10)...)
		for _, name := range []string{"a", "b", "c"} {
			c.join(t, name, Settings{}, stages{})
		}
		wait(10 * time.Second)
		for _, n := range c.nodes {
			n.link.set(cut, 0)
		}
		wait(11 * time.Second)
		for _, tenant := range c.tenants {
			if live := c.live(tenant); len(live) > 0 {
				t.Errorf("%s is still owned by %s", tenant, live[0].Instance)
			}
		}
		wait(49 * time.Second)
		for _, n := range c.nodes {
			n.link.set(healthy, 0)
		}
		wait(6 * time.Second)
		c.settled(t, "a", "b", "c")
		c.end(t)
	})
}

// The claim changed under its owner: the watch ends the tenure at once, and a
// refused record write, reported by Lost, does too.
func TestLossIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("acme", "globex")
		hard := make(chan error, 4)
		c.join(t, "a", Settings{}, stages{stop: func(ctx context.Context, tn *Tenure) error {
			hard <- context.Cause(ctx)
			return nil
		}})
		wait(time.Second)
		acme, globex := c.owner("acme"), c.owner("globex")
		call, cancel := acme.CallContext(t.Context())
		defer cancel()
		if _, err := c.memory.Update(t.Context(), acme.Fence.Key, encode(Claim{Instance: "nobody", Epoch: 9}), acme.Fence.Revision); err != nil {
			t.Fatal(err)
		}
		globex.Lost()
		synctest.Wait()
		if len(hard) != 2 {
			t.Errorf("%d of 2 lost tenants were stopped at once", len(hard))
		}
		for len(hard) > 0 {
			if err := <-hard; !errors.Is(err, ErrLost) {
				t.Errorf("stopped with %v", err)
			}
		}
		if !errors.Is(context.Cause(call), ErrLost) || !errors.Is(acme.Check(t.Context()), ErrLost) {
			t.Error("the tenure outlives its claim")
		}
		c.mu.Lock()
		c.faults = nil // that the claim was written under a live tenure was the test's own doing
		c.mu.Unlock()
		wait(time.Second)
		if o := c.owner("globex"); o == nil || o.Epoch != 2 || o.CleanHandover {
			t.Errorf("globex, reported lost though it was not, was taken anew as %+v", o)
		}
		wait(13 * time.Second) // nobody is not there to renew
		if o := c.owner("acme"); o == nil || o.Epoch != 10 {
			t.Errorf("acme was taken anew as %+v", o)
		}
		c.end(t)
	})
}

func TestCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(numbered(10)...)
		a := c.join(t, "a", Settings{}, stages{})
		c.join(t, "b", Settings{}, stages{})
		wait(20 * time.Second)
		c.settled(t, "a", "b")
		a.link.set(stopped, 0)
		died := time.Now()
		wait(8 * time.Second)
		for _, tenant := range c.tenants {
			if Rendezvous(tenant, []string{"a", "b"}) == "a" && c.owner(tenant) != nil && c.owner(tenant).Instance != "a" {
				t.Errorf("%s was taken %v after its owner died", tenant, time.Since(died))
			}
		}
		wait(5 * time.Second)
		c.settled(t, "b")
		for _, tenant := range c.tenants {
			o := c.owner(tenant)
			if o == nil || Rendezvous(tenant, []string{"a", "b"}) == "b" {
				continue
			}
			// a's lease ended 10 s after its last renewal, and calls live for 30 s.
			over := o.QuietUntil.Sub(died)
			if o.CleanHandover || over < 36*time.Second || over > 41*time.Second {
				t.Errorf("%s was taken from the dead as %+v, quiet %v after the death", tenant, o, over)
			}
		}
		c.end(t)
	})
}

// A tenant taken from the dead and soon handed on: what the dead left behind may
// still run, and the third owner has to know.
func TestHandoverOnAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, later := range []bool{false, true} {
			c := newCluster("acme")
			first := Rendezvous("acme", []string{"a", "b", "c"})
			rest := map[string][]string{"a": {"b", "c"}, "b": {"a", "c"}, "c": {"a", "b"}}[first]
			third := Rendezvous("acme", rest)
			second := map[string]string{rest[0]: rest[1], rest[1]: rest[0]}[third]
			n := c.join(t, first, Settings{}, stages{})
			c.join(t, second, Settings{}, stages{})
			wait(5 * time.Second)
			n.link.set(stopped, 0)
			wait(15 * time.Second)
			c.settled(t, second)
			if later {
				wait(time.Minute)
			}
			c.join(t, third, Settings{}, stages{})
			wait(3 * time.Second)
			c.settled(t, second, third)
			if o := c.owner("acme"); o == nil || o.CleanHandover != later {
				t.Errorf("handed on later %v: %+v", later, o)
			}
			c.end(t)
		}
	})
}

func TestStoppedAndWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(numbered(10)...)
		a := c.join(t, "a", Settings{}, stages{})
		c.join(t, "b", Settings{}, stages{})
		wait(5 * time.Second)
		var old []*Tenure
		for _, tenant := range c.tenants {
			if o := c.owner(tenant); o.Instance == "a" {
				old = append(old, o)
			}
		}
		a.link.set(stopped, 0)
		wait(20 * time.Second)
		c.settled(t, "b")
		for _, o := range old {
			if o.Context().Err() != nil {
				t.Fatal("a process that stands still cancelled something; the test proves nothing")
			}
			if err := o.Check(t.Context()); !errors.Is(err, ErrLost) {
				t.Errorf("woken, before any timer, Check says %v", err)
			}
		}
		a.link.set(healthy, 0)
		wait(5 * time.Second)
		c.settled(t, "a", "b")
		c.end(t)
	})
}

// One instance's writes do not arrive, or their answers do not: its tenures end by
// themselves before anyone takes them, and it comes back when it can.
func TestPartition(t *testing.T) {
	for _, f := range []fault{mute, deaf, cut} {
		t.Run(string(f), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(numbered(10)...)
				a := c.join(t, "a", Settings{}, stages{stop: slowly(time.Second)})
				c.join(t, "b", Settings{}, stages{})
				wait(5 * time.Second)
				a.link.set(f, 0)
				wait(10 * time.Second)
				for _, tenant := range c.tenants {
					if o := c.owner(tenant); o != nil && o.Instance == "a" {
						t.Errorf("a still owns %s", tenant)
					}
				}
				wait(5 * time.Second)
				if f != deaf { // whose renewals are seen to arrive: b leaves it its tenants
					c.settled(t, "b")
				}
				a.link.set(healthy, 0)
				wait(10 * time.Second)
				c.settled(t, "a", "b")
				c.end(t)
			})
		})
	}
}

// Who hears nothing of a peer's renewals must not take the silence for its death.
func TestBlindTakesNothingFromTheLiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(numbered(10)...)
		c.join(t, "a", Settings{}, stages{})
		b := c.join(t, "b", Settings{Refresh: time.Hour}, stages{})
		wait(5 * time.Second)
		c.settled(t, "a", "b")
		b.link.set(blind, 0)
		wait(time.Minute)
		c.settled(t, "a", "b")
		for _, tenant := range c.tenants {
			if n := len(c.tenures[tenant]); n > 2 {
				t.Errorf("%s changed hands %d times", tenant, n-1)
			}
		}
		c.end(t)
	})
}

// What a round decided on is what its writes compare with: a claim that changed
// meanwhile, even one that the same owner took anew, is not taken.
func TestTakeComparesWithWhatWasDecidedOn(t *testing.T) {
	m := newMemory()
	r, err := NewRunner(Options{Instance: "b", Tenants: []string{"acme"}, Store: m})
	if err != nil {
		t.Fatal(err)
	}
	r.leased(r.clock.now())
	write := func(c Claim, revision uint64) {
		t.Helper()
		if _, err := r.writeClaim(t.Context(), "acme", c, revision); err != nil {
			t.Fatal(err)
		}
	}
	write(Claim{Instance: "a", Epoch: 1}, 0)
	r.roster.missedBeat("a")
	acts := Decide(r.view(), "b")
	if len(acts) != 1 || acts[0].From != "a" {
		t.Fatalf("decided %+v", acts)
	}
	write(Claim{Instance: "a", Epoch: 2}, 1) // a is back
	if err := r.take(t.Context(), acts[0], func(*Tenure) (Stop, error) { panic("started") }); err != nil {
		t.Error(err)
	}
	if c := r.roster.claim("acme"); c.Instance != "a" || c.Epoch != 2 {
		t.Errorf("the claim is %+v", c)
	}
	r.currentLease().end()
}
