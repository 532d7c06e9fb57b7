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
)

// stored are the Weiban ids of the callbacks that lie in a stream, as they came or
// enriched, and how many messages of CALLBACKS there are.
type stored struct {
	ids       map[string]bool
	callbacks int
}

// stored reads both streams.
func (x *trial) stored(ctx context.Context) (stored, error) {
	out := stored{ids: map[string]bool{}}
	for stream, subject := range map[string]string{bus.Callbacks: "gongdan.*.event.weiban.>", bus.Events: "gongdan.*.event.enriched.>"} {
		page, err := x.bus.Page(ctx, stream, subject, 1, 10_000)
		if err != nil {
			return out, err
		}
		for _, m := range page {
			ev, err := events.Decode(m.Header.Get("Content-Type"), m.Data)
			if err != nil {
				return out, err
			}
			out.ids[weibanID(ev.ID())] = true
		}
		if stream == bus.Callbacks {
			out.callbacks = len(page)
		}
	}
	return out, nil
}

// weibanID is the id that the simulated Weiban gave, a UUID; whatever the bridge
// adds to it stands behind.
func weibanID(id string) string { return id[:min(len(id), 36)] }

// wrong is everything that is not yet as it has to be.
func (x *trial) wrong(ctx context.Context) (out []string) {
	letters := map[string]bool{} // by order
	err := deadletter.NewBox(x.bus, time.Now).All(ctx, deadletter.Filter{}, func(o deadletter.Open) error {
		letters[o.Key] = true
		return nil
	})
	if err != nil {
		return []string{err.Error()}
	}
	for _, p := range x.tale.told {
		if why := x.missing(p, letters[p.Key]); why != "" {
			out = append(out, fmt.Sprintf("order %s, %s %s: %s", p.bill, p.Status, p.ID, why))
		}
	}
	return append(out, x.excess()...)
}

// records counts what one callback's calls have left.
func (x *trial) records(p promise) (n int) {
	for _, r := range x.c.Kingdee.Records(p.bill) {
		if r.Status == p.state {
			n++
		}
	}
	return n
}

// excess are the calls that should never have been made.
func (x *trial) excess() (out []string) {
	for _, p := range x.tale.told {
		switch n := x.records(p); {
		case n > 1:
			out = append(out, fmt.Sprintf("order %s, %s %s: %d handling records", p.bill, p.Status, p.ID, n))
		case n > 0 && p.want != called:
			out = append(out, fmt.Sprintf("order %s, %s %s: it was called, and nobody wanted that", p.bill, p.Status, p.ID))
		}
	}
	for m, n := range x.c.Kingdee.CountBy(markerOf) {
		if n != 1 {
			out = append(out, fmt.Sprintf("%d handling records carry %s", n, m))
		}
	}
	return out
}

// missing says what a callback lacks; "" if nothing.
func (x *trial) missing(p promise, letter bool) string {
	records := x.records(p)
	safe := p.fresh || x.before.ids[p.ID] || x.again && p.late // it was accepted, and it is there
	switch {
	case p.want == called && safe && records == 0 && (!x.letters || p.fresh || !letter):
		return fmt.Sprintf("no handling record; a letter: %t", letter)
	case p.want == buried && !letter && (safe || !x.gone(bus.Dead)):
		return "its letter is gone"
	case p.want == discarded && letter && !x.gone(bus.Audit) && (!x.letters || !x.gone(bus.Events)): // AUDIT says so
		return "its letter was discarded, and is there again"
	}
	return ""
}

// gone says whether the row's accident has befallen a stream.
func (x *trial) gone(stream string) bool { return slices.Contains(x.hit, stream) }

// busy is what still goes on; "" when nothing does.
func (x *trial) busy(ctx context.Context) string {
	const quiet = 1500 * time.Millisecond
	if n := len(x.c.calls.since(time.Now().Add(-quiet), "")); n > 0 {
		return fmt.Sprintf("%d calls to Kingdee lately", n)
	}
	for _, name := range []string{bus.Callbacks, bus.Events} {
		s, err := x.js.Stream(ctx, name)
		if err != nil {
			return err.Error()
		}
		list := s.ListConsumers(ctx)
		n := 0
		for c := range list.Info() {
			n++
			if c.NumPending > 0 || c.NumAckPending > 0 {
				return fmt.Sprintf("consumer %s: %d to come, %d not settled", c.Name, c.NumPending, c.NumAckPending)
			}
			if last := s.CachedInfo().State.LastSeq; c.Delivered.Stream > last {
				return fmt.Sprintf("consumer %s is at %d, the stream at %d", c.Name, c.Delivered.Stream, last)
			}
		}
		if list.Err() != nil || n == 0 {
			return fmt.Sprintf("%s has %d consumers: %v", name, n, list.Err())
		}
	}
	return ""
}

// holds waits until everything is right and nothing goes on, and then looks again.
func (x *trial) holds(t *testing.T) {
	t.Helper()
	until(t, storeBound, 200*time.Millisecond, "everything is right", func() (bool, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if len(x.excess()) > 0 { // it will not come right any more
			return true, ""
		}
		if wrong := x.wrong(ctx); len(wrong) > 0 {
			return false, strings.Join(wrong, "\n  ")
		}
		busy := x.busy(ctx)
		return busy == "", busy
	})
	final := x.excess()
	if len(final) == 0 {
		final = x.wrong(t.Context())
	}
	for _, why := range final {
		t.Error(why)
	}
}

// explained asks the program for its balance.
func (x *trial) explained(t *testing.T) {
	t.Helper()
	now, err := x.stored(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := x.in.Run(t.Context(), programs(t).Dispatcher, "balance", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Cut         bool
		Accepted    int
		Unexplained *int
		Strays      []any
	}
	if err := json.Unmarshal([]byte(r.Stdout), &said); err != nil || said.Unexplained == nil {
		t.Fatalf("balance: %v, status %d: %s%s", err, r.Status, r.Stdout, r.Stderr)
	}
	if *said.Unexplained != 0 || r.Status != 0 {
		t.Errorf("balance: %d unexplained, status %d: %v %s", *said.Unexplained, r.Status, said.Strays, r.Stderr)
	}
	if !said.Cut && said.Accepted != now.callbacks {
		t.Errorf("balance counts %d accepted callbacks and does not say that it cannot see all; %d are stored", said.Accepted, now.callbacks)
	}
}

var storeAlert = regexp.MustCompile(`(?m)^gongdan_dispatch_alerts_total\{[^}]*alarm="store[^"]*"[^}]*\} [1-9]`)

// told holds the dispatcher to having said that the store does not fit; or, of a
// store that does, to having said nothing.
func (x *trial) told(t *testing.T) {
	t.Helper()
	d := x.in.Dispatchers[0]
	if x.sound {
		if _, page, err := d.Get(t.Context(), "/metrics"); err != nil || storeAlert.Match(page) {
			t.Errorf("an alert about a store that is sound: %s (%v)", storeAlert.Find(page), err)
		}
		return
	}
	until(t, 10*time.Second, 200*time.Millisecond, "the dispatcher says that the store does not fit", func() (bool, string) {
		_, page, err := d.Get(t.Context(), "/metrics")
		return err == nil && storeAlert.Match(page), fmt.Sprintf("no metric %s (%v)", storeAlert, err)
	})
}

// unharmed fails for what no accident excuses.
func (x *trial) unharmed(t *testing.T) {
	t.Helper()
	for _, p := range x.in.Processes() {
		log, err := p.Log()
		if err != nil {
			t.Fatal(err)
		}
		if i := strings.Index(string(log), "panic"); i >= 0 {
			t.Errorf("%s: %s", p.Name, log[i:min(len(log), i+500)])
		}
	}
	for _, p := range x.tale.told {
		if d, _ := x.c.Weiban.Delivery(p.ID); p.fresh && !d.Accepted() {
			t.Errorf("callback %s of order %s was not accepted: %+v", p.ID, p.bill, d.Attempts)
		}
	}
	x.in.breaches()
}
