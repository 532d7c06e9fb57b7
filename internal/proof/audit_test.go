package proof

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
)

// audited holds everything against the promises, and fails with all that is wrong.
func (b *books) audited(t *testing.T) {
	t.Helper()
	letters := b.letters(t)
	for id, n := range b.messages {
		if n > 1 {
			t.Errorf("message %s was published %d times", id, n)
		}
	}
	for _, c := range b.in.customers {
		accepted := 0
		for _, d := range c.Weiban.Ledger() {
			if !d.Accepted() {
				continue
			}
			accepted++
			if b.callbacks[c.Name][d.ID] == 0 && len(b.ends[c.Name+"/"+d.ID]) == 0 && !b.lost[c.Name+"/"+d.ID] {
				t.Errorf("%s: callback %s was answered 200 and is nowhere", c.Name, d.ID)
			}
		}
		for id, times := range b.callbacks[c.Name] {
			n := len(b.ends[c.Name+"/"+id])
			if b.history > 0 && n > 0 {
				continue // an outcome that was lost with EVENTS may have been told again
			}
			if n != times {
				t.Errorf("%s: callback %s is in the stream %d times and ended %d times: %+v", c.Name, id, times, n, b.ends[c.Name+"/"+id])
			}
		}
		b.records(t, c)
		b.buried(t, c, letters)
	}
}

// records holds Kingdee's handling records against the applied events.
func (b *books) records(t *testing.T, c *customer) {
	t.Helper()
	said := map[string]ending{}
	for place, ends := range b.ends {
		if tenant, _, _ := strings.Cut(place, "/"); tenant != c.Name {
			continue
		}
		for _, e := range ends {
			if e.Outcome != events.Applied {
				continue
			}
			if e.Marker == "" {
				t.Errorf("%s: applied event %s has no marker", c.Name, e.id)
			}
			if other, twice := said[e.Marker]; twice {
				t.Errorf("%s: %s and %s name one marker %s", c.Name, other.id, e.id, e.Marker)
			}
			said[e.Marker] = e
		}
	}
	// A call of a callback that was lost with the disk may have run.
	lost := map[string]int{}
	for _, d := range c.Weiban.Ledger() {
		if b.lost[c.Name+"/"+d.ID] {
			lost[c.bills[d.Key]]++
		}
	}
	there := map[string]int{}
	for _, r := range c.Kingdee.Records("") {
		m := markerOf(r)
		there[m]++
		if there[m] > 1 {
			t.Errorf("%s: %d handling records carry %s", c.Name, there[m], m)
		}
		if _, ok := said[m]; !ok {
			if lost[r.OrderNo]--; lost[r.OrderNo] < 0 {
				t.Errorf("%s: the handling record with %s has no applied event", c.Name, m)
			}
		}
	}
	for m, e := range said {
		if there[m] == 0 {
			t.Errorf("%s: applied event %s has no handling record (%s)", c.Name, e.id, m)
		}
	}
	b.order(t, c, said)
}

// order: on every bill the records of one order stand in the stream's order, and
// none was made by an event older than one before it. What was applied before STATE was
// lost may be known to Kingdee alone, once EVENTS is lost too.
func (b *books) order(t *testing.T, c *customer, said map[string]ending) {
	t.Helper()
	last := map[string]enriched{}
	for n, r := range c.Kingdee.Records("") {
		if slices.Contains(c.forgot, n) {
			clear(last)
		}
		e, ok := said[markerOf(r)]
		if !ok {
			continue
		}
		now := b.enriched[c.Name+"/"+e.cause]
		if before, any := last[now.key]; any && (before.seq >= now.seq || before.position >= now.position) {
			t.Errorf("%s: order %s: record %d (seq %d, %s) stands behind (seq %d, %s)", c.Name, now.key, r.Seq, now.seq, now.position, before.seq, before.position)
		}
		last[now.key] = now
	}
}

// buried: every dead end has its letter, open or closed by a person; and every
// letter that is open belongs to an end, and waits for nobody.
func (b *books) buried(t *testing.T, c *customer, letters map[string]deadletter.Open) {
	t.Helper()
	for id := range b.callbacks[c.Name] {
		for _, e := range b.ends[c.Name+"/"+id] {
			if e.Outcome != events.Dead {
				continue
			}
			if e.Letter == nil {
				t.Errorf("%s: dead event %s names no letter", c.Name, e.id)
				continue
			}
			if _, open := letters[e.Letter.ID]; !open && !b.closed[e.Letter.ID] {
				t.Errorf("%s: letter %s of dead event %s is nowhere", c.Name, e.Letter.ID, e.id)
			}
		}
	}
	for id, l := range letters {
		if l.Tenant == c.Name && l.Waiting {
			t.Errorf("%s: letter %s still waits: %s", c.Name, id, l.Reason)
		}
	}
}

func (b *books) letters(t *testing.T) map[string]deadletter.Open {
	t.Helper()
	out := map[string]deadletter.Open{}
	err := deadletter.NewBox(b.bus, time.Now).All(t.Context(), deadletter.Filter{}, func(o deadletter.Open) error {
		if _, twice := out[o.ID]; twice {
			t.Errorf("letter %s is there twice", o.ID)
		}
		out[o.ID] = o
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// breaches fails for every quota that was broken.
func (in *installation) breaches() {
	in.t.Helper()
	for _, c := range in.customers {
		if b := c.Weiban.Breaches(); len(b) > 0 {
			in.t.Errorf("%s: Weiban's limits were broken %d times, first %+v", c.Name, len(b), b[0])
		}
		if b := c.Kingdee.Breaches(); len(b) > 0 {
			in.t.Errorf("%s: Kingdee's limits were broken %d times, first %+v", c.Name, len(b), b[0])
		}
	}
}
