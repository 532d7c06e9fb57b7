package ownership

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/bus"
)

func TestJoinAndLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(numbered(30)...)
		c.join(t, "a", Settings{}, stages{stop: slowly(time.Second)})
		wait(time.Second)
		c.settled(t, "a")
		for _, tenant := range c.tenants {
			if o := c.owner(tenant); o.Epoch != 1 || !o.CleanHandover || !o.QuietUntil.IsZero() {
				t.Fatalf("the first tenure of %s is %+v", tenant, o)
			}
		}
		kept := map[string]*Tenure{}
		for _, tenant := range c.tenants {
			if Rendezvous(tenant, []string{"a", "b"}) == "a" {
				kept[tenant] = c.owner(tenant)
			}
		}
		b := c.join(t, "b", Settings{}, stages{stop: slowly(time.Second)})
		wait(3 * time.Second) // b settles, a settles and stops for a second, b takes
		c.settled(t, "a", "b")
		for _, tenant := range c.tenants {
			switch o := c.owner(tenant); {
			case kept[tenant] != nil && o != kept[tenant]:
				t.Errorf("%s changed hands for no reason", tenant)
			case kept[tenant] == nil && (o.Epoch != 2 || !o.CleanHandover):
				t.Errorf("%s was handed over as %+v", tenant, o)
			}
		}
		left := time.Now()
		if err := c.leave(b); err != nil {
			t.Error(err)
		}
		if d := time.Since(left); d < time.Second || d > 1100*time.Millisecond {
			t.Errorf("leaving took %v", d)
		}
		if _, err := c.memory.Get(t.Context(), aliveKey("b")); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("b's lease after it left: %v", err)
		}
		wait(600 * time.Millisecond)
		c.settled(t, "a")
		c.end(t)
	})
}

// While one tenant of a leaving instance takes long to stop, the others go on elsewhere.
func TestLeavingHandsOverOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("quick", "slow")
		a := c.join(t, "a", Settings{}, stages{stop: func(ctx context.Context, tn *Tenure) error {
			if tn.Tenant == "slow" {
				return slowly(15*time.Second)(ctx, tn)
			}
			return nil
		}})
		wait(time.Second)
		// b serves only from the moment that a leaves: nothing moves before.
		go func() { _ = c.leave(a) }()
		c.join(t, "b", Settings{}, stages{})
		wait(2 * time.Second)
		if o := c.owner("quick"); o == nil || o.Instance != "b" {
			t.Errorf("quick is owned by %+v while slow stops", o)
		}
		if o := c.owner("slow"); o == nil || o.Instance != "a" {
			t.Errorf("slow is owned by %+v while it stops softly", o)
		}
		wait(15 * time.Second)
		c.settled(t, "b")
		c.end(t)
	})
}

func TestSeveralJoinsSettleOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(numbered(30)...)
		c.join(t, "a", Settings{}, stages{})
		wait(time.Second)
		for _, name := range []string{"b", "c", "d"} {
			c.join(t, name, Settings{}, stages{})
			wait(100 * time.Millisecond)
		}
		wait(3 * time.Second)
		c.settled(t, "a", "b", "c", "d")
		for _, tenant := range c.tenants {
			if n := len(c.tenures[tenant]); n > 2 {
				t.Errorf("%s changed hands %d times", tenant, n-1)
			}
		}
		c.end(t)
	})
}

// Whenever an instance leaves, in the middle of a claim too, it leaves no claim behind.
func TestLeavingInTheMiddleOfAClaim(t *testing.T) {
	for at := time.Duration(0); at < 12*time.Second; at += 100 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster("acme", "globex")
			a := c.join(t, "a", Settings{}, stages{})
			a.link.set(slow, time.Second)
			wait(at)
			if err := c.leave(a); err != nil {
				t.Errorf("after %v: %v", at, err)
			}
			wait(10 * time.Second)
			left, err := Owners(t.Context(), c.memory)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range left {
				if !o.Released {
					t.Errorf("after %v: left behind %+v", at, o)
				}
			}
			c.end(t)
		})
	}
}

func TestStartFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("acme")
		var tries []time.Time
		c.join(t, "a", Settings{Retry: 7 * time.Second}, stages{start: func(*Tenure) error {
			if tries = append(tries, time.Now()); len(tries) < 3 {
				return errors.New("no")
			}
			return nil
		}})
		wait(20 * time.Second)
		c.settled(t, "a")
		if len(tries) != 3 || tries[1].Sub(tries[0]) < 7*time.Second || tries[2].Sub(tries[1]) > 8*time.Second {
			t.Errorf("started at %v", tries)
		}
		if !c.owner("acme").CleanHandover {
			t.Error("nothing ran, and yet there is something to wait for")
		}
		c.end(t)
	})
}

// Stages that do not stop keep the tenant from being started again here, but not
// from being started elsewhere.
func TestStopHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("acme")
		first := Rendezvous("acme", []string{"b"})
		wanted := Rendezvous("acme", []string{"a", "b"})
		if wanted == first {
			first = "a"
		}
		free := make(chan struct{})
		c.join(t, first, Settings{}, stages{stop: func(context.Context, *Tenure) error {
			<-free
			return nil
		}})
		wait(time.Second)
		old := c.owner("acme")
		n := c.join(t, wanted, Settings{}, stages{})
		wait(20 * time.Second)
		if old.Check(t.Context()) != nil {
			t.Error("the tenure ended before the bound of a soft stop")
		}
		wait(8 * time.Second)
		if o := c.owner("acme"); o == nil || o.Instance != wanted || o.CleanHandover {
			t.Errorf("after a stop that hangs the owner is %+v", o)
		}
		if err := c.leave(n); err != nil {
			t.Error(err)
		}
		wait(10 * time.Second)
		if o := c.owner("acme"); o != nil {
			t.Errorf("started again beside what has not stopped: %+v", o)
		}
		close(free)
		wait(time.Second)
		c.settled(t, first)
		c.end(t)
	})
}

// Two processes under one name: the second gets no lease while the first lives.
func TestNameTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("acme")
		a := c.join(t, "a", Settings{}, stages{})
		wait(time.Second)
		twin := c.join(t, "a", Settings{}, stages{})
		wait(time.Minute)
		if err := errors.Join(a.Ready(), twin.Ready()); !errors.Is(err, errNameTaken) || a.Ready() != nil {
			t.Errorf("readiness says %v", err)
		}
		if o := c.owner("acme"); o == nil || o.lease != a.currentLease() || twin.currentLease().live() {
			t.Fatalf("beside a twin the owner is %+v", o)
		}
		a.link.set(stopped, 0)
		wait(18 * time.Second)
		if o := c.owner("acme"); o == nil || o.lease != twin.currentLease() || o.CleanHandover {
			t.Errorf("of the dead twin's tenant the owner is %+v", o)
		}
		a.link.set(healthy, 0)
		wait(30 * time.Second)
		if a.currentLease().live() || !twin.currentLease().live() {
			t.Error("the twin that woke has taken the name back")
		}
		if err := c.leave(a); err != nil {
			t.Error(err)
		}
		wait(time.Second)
		c.settled(t, "a")
		c.end(t)
	})
}

func TestOwners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(numbered(6)...)
		c.join(t, "a", Settings{}, stages{})
		wait(time.Second)
		c.join(t, "b", Settings{}, stages{})
		wait(5 * time.Second)
		c.settled(t, "a", "b")
		got, err := Owners(t.Context(), c.memory)
		if err != nil {
			t.Fatal(err)
		}
		var want []Ownership
		for _, tenant := range c.tenants {
			o := c.owner(tenant)
			e, err := c.memory.Get(t.Context(), aliveKey(o.Instance))
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, Ownership{Tenant: tenant, Instance: o.Instance, Epoch: o.Epoch, Since: o.Since, Renewed: e.Time})
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		c.end(t)
		got, err = Owners(t.Context(), c.memory)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range got {
			if !o.Released || !o.Renewed.IsZero() {
				t.Errorf("after all have left: %+v", o)
			}
		}
	})
}
