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
	"gongdan-bridge/internal/testwing/fakekingdee"
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

	// A store that was harmed is read again, as another history.
	history int
	lost    map[string]bool // tenant/event id of callbacks that were lost with the disk
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
		messages: map[string]int{}, closed: map[string]bool{}, lost: map[string]bool{},
	}
}

// harmed reads everything again, of a store of which something was taken away. What
// was read before stays, but for callbacks without an end, if those may be lost.
func (b *books) harmed(ctx context.Context, mayLose bool) error {
	b.history++
	b.from = map[string]uint64{}
	for _, ids := range b.callbacks {
		for id := range ids {
			ids[id] = 0
		}
	}
	if err := b.read(ctx); err != nil {
		return err
	}
	for tenant, ids := range b.callbacks {
		for id, times := range ids {
			if mayLose && times == 0 && len(b.ends[tenant+"/"+id]) == 0 {
				delete(ids, id)
				b.lost[tenant+"/"+id] = true
			}
		}
	}
	for _, c := range b.in.customers {
		for _, d := range c.Weiban.Ledger() { // some were gone before they were ever read here
			if mayLose && d.Accepted() && b.callbacks[c.Name][d.ID] == 0 && len(b.ends[c.Name+"/"+d.ID]) == 0 {
				b.lost[c.Name+"/"+d.ID] = true
			}
		}
	}
	return nil
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
	b.callbacks[parts[1]][sentAs(ev.ID())]++
	return nil
}

// sentAs is the id that Weiban sent the callback of an event under.
func sentAs(event string) string {
	root, _, _ := strings.Cut(event, "~")
	if id, _, ok := events.SplitCallbackID(root); ok {
		return id
	}
	return root
}

func (b *books) event(s bus.Stored) error {
	parts := strings.Split(s.Subject, ".")
	if parts[2] != "event" {
		return nil
	}
	b.messages[fmt.Sprintf("%d/%s", b.history, s.ID())]++
	ev, err := events.Decode(s.Header.Get("Content-Type"), s.Data)
	if err != nil {
		return err
	}
	if parts[3] == "enriched" {
		place := parts[1] + "/" + ev.ID()
		if _, known := b.enriched[place]; !known || b.history == 0 {
			b.enriched[place] = enriched{uint64(b.history)<<48 | s.Sequence, events.Extension(ev, events.ExtPosition), ev.Subject()}
		}
		return nil
	}
	e := ending{id: ev.ID(), cause: events.Extension(ev, events.ExtCausation)}
	if err := json.Unmarshal(ev.Data(), &e.HandleOutcome); err != nil {
		return err
	}
	place := parts[1] + "/" + sentAs(ev.ID())
	if b.history > 0 && slices.ContainsFunc(b.ends[place], func(k ending) bool { return k.id == e.id && k.Outcome == e.Outcome }) {
		return nil
	}
	b.ends[place] = append(b.ends[place], e)
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

// open lists the accepted callbacks that have no end yet.
func (b *books) open(ctx context.Context) ([]string, error) {
	if err := b.read(ctx); err != nil {
		return nil, err
	}
	var out []string
	for _, c := range b.in.customers {
		for id, times := range b.callbacks[c.Name] {
			if len(b.ends[c.Name+"/"+id]) == 0 {
				out = append(out, fmt.Sprintf("%s %s is stored, %d times in this history", c.Name, id, times))
			}
		}
		for _, d := range c.Weiban.Ledger() {
			// What has ended may have been trimmed before it was read here.
			if _, stored := b.callbacks[c.Name][d.ID]; d.Accepted() && !stored && len(b.ends[c.Name+"/"+d.ID]) == 0 && !b.lost[c.Name+"/"+d.ID] {
				out = append(out, fmt.Sprintf("%s %s of order %s is stored nowhere: %+v", c.Name, d.ID, d.Key, d.Attempts))
			}
		}
	}
	return out, nil
}

// settled waits until every accepted callback has its end, and no letter waits for a
// person.
func (b *books) settled(t *testing.T, patience time.Duration) {
	t.Helper()
	until(t, patience, 200*time.Millisecond, "every accepted callback has ended", func() (bool, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		left, err := b.open(ctx)
		if err != nil {
			return false, err.Error()
		}
		return len(left) == 0, fmt.Sprintf("%d have not:\n%s", len(left), strings.Join(left[:min(5, len(left))], "\n"))
	})
	until(t, patience, 200*time.Millisecond, "no letter waits", func() (bool, string) {
		n := b.waiting(t)
		return n == 0, fmt.Sprintf("%d wait", n)
	})
}

// settledAfter waits until everything posted was answered and has ended.
func (b *books) settledAfter(t *testing.T, c *customer) {
	t.Helper()
	if err := c.Weiban.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.settled(t, patience)
}

// waiting counts the letters that wait for a person.
func (b *books) waiting(t *testing.T) (n int) {
	t.Helper()
	for _, l := range b.letters(t) {
		if l.Waiting {
			n++
		}
	}
	return n
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
