package ownership

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// event is one thing that happens to one instance.
type event struct {
	after time.Duration
	node  string
	what  string // "join", "leave", or a fault of its link
	delay time.Duration
}

func histories() *rapid.Generator[[]event] {
	whats := []string{"join", "join", "leave", string(healthy), string(cut), string(mute), string(deaf), string(blind), string(slow), string(stopped)}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) event {
		ms := func(name string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Millisecond
		}
		return event{
			after: ms("after", 20_000),
			node:  rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "node"),
			what:  rapid.SampledFrom(whats).Draw(t, "what"),
			delay: ms("delay", 6_000),
		}
	}), 1, 25)
}

// Whatever happens: a claim never changes while an older tenure could act (the
// cluster looks at every write), and soon after the last change every tenant is
// owned by exactly the instance that should.
func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		history := histories().Draw(rt, "history")
		stopping := time.Duration(rapid.IntRange(0, 4_000).Draw(rt, "stopping")) * time.Millisecond
		var faults []string
		synctest.Test(t, func(t *testing.T) {
			faults = play(t, history, stopping)
		})
		if len(faults) > 0 {
			rt.Fatal(faults)
		}
	})
}

// patience is what the last change may take: the oldest call and answer on the way,
// a stop, an expiry, and what is settled behind it.
const patience = 35 * time.Second

func play(t *testing.T, history []event, stopping time.Duration) []string {
	c := newCluster(numbered(6)...)
	s := stages{stop: slowly(stopping)}
	generation := 0
	join := func(name string) {
		generation++
		c.nodes[name] = c.join(t, fmt.Sprintf("%s-%d", name, generation), Settings{}, s)
	}
	join("a")
	for _, e := range history {
		wait(e.after)
		switch n := c.nodes[e.node]; {
		case e.what == "join" && (n == nil || !n.up):
			join(e.node)
		case n == nil || !n.up:
		case e.what == "join":
		case e.what == "leave":
			n.up = false
			n.cancel()
		default:
			n.link.set(fault(e.what), e.delay)
		}
	}
	for _, n := range c.nodes {
		n.link.set(healthy, 0)
	}
	join("e") // so that there is always one
	wait(patience)
	var living []string
	for _, n := range c.nodes {
		if n.up && !slices.Contains(living, n.instance) {
			living = append(living, n.instance)
		}
	}
	unsettled := c.unsettled(living...)
	for _, n := range c.nodes {
		n.up = false
		n.cancel()
	}
	wait(time.Minute)
	c.mu.Lock()
	defer c.mu.Unlock()
	return append(c.faults, unsettled...)
}

// The property above must be one that can fail: a reader that trusts its view and
// does not prove the death takes what is another's.
func TestHistoryNoticesOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster("acme")
		c.join(t, "a", Settings{}, stages{})
		wait(time.Second)
		o := c.owner("acme")
		if _, err := c.memory.Update(context.Background(), o.Fence.Key, encode(Claim{Instance: "b", Epoch: 2}), o.Fence.Revision); err != nil {
			t.Fatal(err)
		}
		if len(c.faults) != 1 {
			t.Errorf("a claim taken from the living was noticed as %v", c.faults)
		}
		c.faults = nil
		c.end(t)
	})
}
