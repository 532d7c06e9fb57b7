package proof

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/sandbox/fakekingdee"
)

var marker = regexp.MustCompile(`\[wb:[0-9a-z]+\]$`)

func markerOf(r fakekingdee.DealRecord) string { return marker.FindString(r.Remark) }

// books are what the streams say of one installation, read as they grow.
type books struct {
	in   *installation
	bus  *bus.Bus
	from map[string]uint64

	callbacks map[string]map[string]int // tenant, event id: how often it is in the stream
	enriched  map[string]enriched       // tenant/enriched event id
	ends      map[string][]ending       // tenant/root event id
	outcomes  map[events.Outcome]int
	messages  map[string]int // message ids of EVENTS: no publication may be there twice
	closed    map[string]bool
}

type enriched struct {
	seq      uint64
	position string
	key      string
}

type ending struct {
	events.HandleOutcome
	id, cause string
}

func (in *installation) books() *books {
	return &books{
		in: in, bus: in.observer(), from: map[string]uint64{}, callbacks: map[string]map[string]int{},
		enriched: map[string]enriched{}, ends: map[string][]ending{}, outcomes: map[events.Outcome]int{},
		messages: map[string]int{}, closed: map[string]bool{},
	}
}

// read takes in what has come since the last time.
func (b *books) read(ctx context.Context) error {
	for stream, take := range map[string]func(bus.Stored) error{"CALLBACKS": b.callback, "EVENTS": b.event, "AUDIT": b.audit} {
		for {
			page, err := b.bus.Page(ctx, stream, "gongdan.>", max(b.from[stream], 1), 256)
			if err != nil {
				return err
			}
			for _, s := range page {
				if err := take(s); err != nil {
					return err
				}
				b.from[stream] = s.Sequence + 1
			}
			if len(page) < 256 {
				break
			}
		}
	}
	return nil
}

func (b *books) callback(s bus.Stored) error {
	parts := strings.Split(s.Subject, ".")
	if len(parts) < 4 || parts[2] != "event" {
		return nil
	}
	ev, err := events.Decode(s.Header.Get("Content-Type"), s.Data)
	if err != nil {
		return err
	}
	if b.callbacks[parts[1]] == nil {
		b.callbacks[parts[1]] = map[string]int{}
	}
	b.callbacks[parts[1]][ev.ID()]++
	return nil
}

func (b *books) event(s bus.Stored) error {
	parts := strings.Split(s.Subject, ".")
	if parts[2] != "event" {
		return nil
	}
	b.messages[s.ID()]++
	ev, err := events.Decode(s.Header.Get("Content-Type"), s.Data)
	if err != nil {
		return err
	}
	if parts[3] == "enriched" {
		b.enriched[parts[1]+"/"+ev.ID()] = enriched{s.Sequence, events.Extension(ev, events.ExtPosition), ev.Subject()}
		return nil
	}
	e := ending{id: ev.ID(), cause: events.Extension(ev, events.ExtCausation)}
	if err := json.Unmarshal(ev.Data(), &e.HandleOutcome); err != nil {
		return err
	}
	root, _, _ := strings.Cut(ev.ID(), "~")
	b.ends[parts[1]+"/"+root] = append(b.ends[parts[1]+"/"+root], e)
	b.outcomes[e.Outcome]++
	return nil
}

func (b *books) audit(s bus.Stored) error {
	var a deadletter.Audit
	if err := json.Unmarshal(s.Data, &a); err == nil && a.Letter != nil {
		b.closed[a.Letter.ID] = true
	}
	return nil
}

// open counts the accepted callbacks that have no end yet.
func (b *books) open(ctx context.Context) (int, error) {
	if err := b.read(ctx); err != nil {
		return 0, err
	}
	n := 0
	for _, c := range b.in.customers {
		for id := range b.callbacks[c.name] {
			if len(b.ends[c.name+"/"+id]) == 0 {
				n++
			}
		}
		for _, d := range c.weiban.Ledger() {
			// What has ended may have been trimmed before it was read here.
			if d.Accepted() && b.callbacks[c.name][d.ID] == 0 && len(b.ends[c.name+"/"+d.ID]) == 0 {
				n++
			}
		}
	}
	return n, nil
}

// settled waits until every accepted callback has its end.
func (b *books) settled(t *testing.T, patience time.Duration) {
	t.Helper()
	until(t, patience, 200*time.Millisecond, "every accepted callback has ended", func() (bool, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		n, err := b.open(ctx)
		if err != nil {
			return false, err.Error()
		}
		return n == 0, fmt.Sprintf("%d have not: %v", n, b.unsettled())
	})
}

// unsettled names a few callbacks without an end.
func (b *books) unsettled() (out []string) {
	for _, c := range b.in.customers {
		for _, d := range c.weiban.Ledger() {
			if d.Accepted() && len(b.ends[c.name+"/"+d.ID]) == 0 && len(out) < 5 {
				out = append(out, c.name+" "+d.Key+" "+d.Status+" "+d.ID)
			}
		}
	}
	return out
}

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
		for _, d := range c.weiban.Ledger() {
			if !d.Accepted() {
				continue
			}
			accepted++
			if b.callbacks[c.name][d.ID] == 0 && len(b.ends[c.name+"/"+d.ID]) == 0 {
				t.Errorf("%s: callback %s was answered 200 and is nowhere", c.name, d.ID)
			}
		}
		for id, times := range b.callbacks[c.name] {
			if n := len(b.ends[c.name+"/"+id]); n != times {
				t.Errorf("%s: callback %s is in the stream %d times and ended %d times: %+v", c.name, id, times, n, b.ends[c.name+"/"+id])
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
	for id := range b.callbacks[c.name] {
		for _, e := range b.ends[c.name+"/"+id] {
			if e.Outcome != events.Applied {
				continue
			}
			if e.Marker == "" {
				t.Errorf("%s: applied event %s has no marker", c.name, e.id)
			}
			if other, twice := said[e.Marker]; twice {
				t.Errorf("%s: %s and %s name one marker %s", c.name, other.id, e.id, e.Marker)
			}
			said[e.Marker] = e
		}
	}
	there := c.kingdee.CountBy(markerOf)
	for m, n := range there {
		if n != 1 {
			t.Errorf("%s: %d handling records carry %s", c.name, n, m)
		}
		if _, ok := said[m]; !ok {
			t.Errorf("%s: the handling record with %s has no applied event", c.name, m)
		}
	}
	for m, e := range said {
		if there[m] == 0 {
			t.Errorf("%s: applied event %s has no handling record (%s)", c.name, e.id, m)
		}
	}
	b.order(t, c, said)
}

// order: on every bill the records of one order stand in the stream's order, and
// none was made by an event older than one before it.
func (b *books) order(t *testing.T, c *customer, said map[string]ending) {
	t.Helper()
	last := map[string]enriched{}
	for _, r := range c.kingdee.Records("") {
		e, ok := said[markerOf(r)]
		if !ok {
			continue
		}
		now := b.enriched[c.name+"/"+e.cause]
		if before, any := last[now.key]; any && (before.seq >= now.seq || before.position >= now.position) {
			t.Errorf("%s: order %s: record %d (seq %d, %s) stands behind (seq %d, %s)", c.name, now.key, r.Seq, now.seq, now.position, before.seq, before.position)
		}
		last[now.key] = now
	}
}

// buried: every dead end has its letter, open or closed by a person; and every
// letter that is open belongs to an end, and waits for nobody.
func (b *books) buried(t *testing.T, c *customer, letters map[string]deadletter.Open) {
	t.Helper()
	for id := range b.callbacks[c.name] {
		for _, e := range b.ends[c.name+"/"+id] {
			if e.Outcome != events.Dead {
				continue
			}
			if e.Letter == nil {
				t.Errorf("%s: dead event %s names no letter", c.name, e.id)
				continue
			}
			if _, open := letters[e.Letter.ID]; !open && !b.closed[e.Letter.ID] {
				t.Errorf("%s: letter %s of dead event %s is nowhere", c.name, e.Letter.ID, e.id)
			}
		}
	}
	for id, l := range letters {
		if l.Tenant == c.name && l.Waiting {
			t.Errorf("%s: letter %s still waits: %s", c.name, id, l.Reason)
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

// kinds counts letters by what made them.
func kinds(letters map[string]deadletter.Open) string {
	n := map[string]int{}
	for _, l := range letters {
		n[string(l.Stage)+" "+string(l.Kind)+": "+l.Reason]++
	}
	var out []string
	for k, v := range n {
		out = append(out, fmt.Sprintf("%d × %s", v, k))
	}
	slices.Sort(out)
	return strings.Join(out, "\n  ")
}

// breaches fails for every quota that was broken.
func (in *installation) breaches() {
	in.t.Helper()
	for _, c := range in.customers {
		if b := c.weiban.Breaches(); len(b) > 0 {
			in.t.Errorf("%s: Weiban's limits were broken %d times, first %+v", c.name, len(b), b[0])
		}
		if b := c.kingdee.Breaches(); len(b) > 0 {
			in.t.Errorf("%s: Kingdee's limits were broken %d times, first %+v", c.name, len(b), b[0])
		}
	}
}
