package dispatch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/testwing/bustest"
)

// limited gives the bridge a store with these limits in bytes, looked at often, and a
// log that can be read. It gives its metrics, and a client that is not the bridge.
func (b *bridge) limited(limits map[string]int64) (*testLog, *sdkmetric.ManualReader, jetstream.JetStream) {
	b.t.Helper()
	s := bustest.Server(b.t)
	of := map[string]bus.Limit{}
	for name, n := range limits {
		of[name] = bus.Limit{MaxBytes: n}
	}
	b.bus = bustest.Connect(b.t, s, bus.Options{Limits: bus.Limits{Of: of}})
	b.box = deadletter.NewBox(b.bus, time.Now)
	b.acts = operate.New(operate.Options{Bus: b.bus, Tenants: []operate.Tenant{{Name: "acme"}}})
	reader, log := sdkmetric.NewManualReader(), &testLog{}
	b.log = log
	b.change = func(o *dispatch.Options) {
		o.Trim, o.Stalls = 20*time.Millisecond, 200*time.Millisecond
		o.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	}
	nc, err := nats.Connect(s.URL(), nats.Token(s.Token()))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		b.t.Fatal(err)
	}
	return log, reader, js
}

// stuff puts entries into a bucket until that share of it is taken, and gives what
// takes them out again.
func (b *bridge) stuff(name string, share float64) (clear func()) {
	b.t.Helper()
	k := b.bus.Bucket(name)
	var keys []string
	for b.usage("KV_"+name) < share {
		keys = append(keys, fmt.Sprintf("stuff.%d", len(keys)))
		if _, err := k.Put(b.t.Context(), keys[len(keys)-1], bytes.Repeat([]byte("x"), 5<<10)); err != nil {
			b.t.Fatal(err)
		}
	}
	return func() {
		for _, key := range keys {
			if err := k.Delete(b.t.Context(), key); err != nil {
				b.t.Fatal(err)
			}
		}
	}
}

// beats waits until the replica one has renewed its lease so often.
func (b *bridge) beats(n int) {
	b.t.Helper()
	for last := uint64(0); n >= 0; n-- {
		b.until("the lease is renewed", func() bool {
			e, err := b.bus.Bucket(bus.State).Get(b.t.Context(), "alive.one")
			renewed := err == nil && e.Revision > last
			if renewed {
				last = e.Revision
			}
			return renewed
		})
	}
}

// says waits until a readiness check gives a reason with all of the words in it, or
// none for no words.
func (b *bridge) says(check func(context.Context) error, words ...string) {
	b.t.Helper()
	b.until(fmt.Sprintf("readiness says %q", words), func() bool {
		last := check(b.t.Context())
		if len(words) == 0 {
			return last == nil
		}
		return last != nil && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(last.Error(), w) })
	})
}

// A bucket STATE that fills up is told at 80 %; from 85 % on no new callback is taken,
// and at 95 % nothing is begun at Kingdee, while the lease and what has begun can
// still be written; it goes on by itself. Nothing is lost of it.
func TestStateFillsUp(t *testing.T) {
	b := newBridge(t)
	log, reader, _ := b.limited(map[string]int64{bus.State: 1 << 20})
	d, _ := b.replica("one", nil)
	first, bill := b.order()
	b.ended(b.visit(first, "上门"), "applied")
	b.says(d.StoreReady)
	b.says(d.Ready)

	clearDetails := b.stuff(bus.State, 0.86)
	b.until("it is said", func() bool { return log.has(`"alert"`, `"room"`, `"bucket":"STATE"`, "nats.buckets.state") })
	b.says(d.Ready, "enrich work_order", "no room in STATE")
	var waiting []string
	before := b.usage("KV_STATE")
	for range 60 {
		number, _ := b.order()
		waiting = append(waiting, b.visit(number, "上门"))
	}
	b.beats(3)
	if grown := b.usage("KV_STATE") - before; grown > 0.02 {
		t.Errorf("STATE grew by %.0f %% while no callback may be taken", 100*grown)
	}

	clearWrites := b.stuff(bus.State, 0.96)
	b.says(d.StoreReady, "no room in STATE")
	b.says(d.Ready, "handle (handle-order)", "no room in STATE")
	if n := measured(t, reader, "gongdan.dispatch.alerts", "alarm", "room"); n != 1 {
		t.Errorf("%d alerts", n)
	}
	last := b.end(first, "修好")
	b.beats(3)
	if n := len(b.kingdee.Records(bill)); n != 1 {
		t.Errorf("%d records", n)
	}
	clearWrites()
	clearDetails()
	b.ended(last, "applied")
	for _, id := range waiting {
		b.ended(id, "applied")
	}
	b.says(d.StoreReady)
	b.says(d.Ready)
}

// Every stream and bucket is watched; of those that no call depends on a full one is
// told by readiness too.
func TestEveryBucketIsWatched(t *testing.T) {
	b := newBridge(t)
	log, _, _ := b.limited(map[string]int64{bus.Tokens: 1 << 20, bus.Tables: 1 << 20, bus.Audit: 1 << 20})
	d, _ := b.replica("one", nil)
	for _, name := range []string{bus.Tokens, bus.Tables} {
		b.stuff(name, 0.82)
		b.until(name, func() bool { return log.has(`"alert"`, `"room"`, fmt.Sprintf(`"bucket":%q`, name)) })
	}
	b.says(d.StoreReady)
	for _, name := range []string{bus.Tokens, bus.Tables} {
		b.stuff(name, 0.99)
		b.says(d.StoreReady, "no room in "+name)
	}
	number, _ := b.order()
	b.ended(b.visit(number, "上门"), "applied") // what works goes on
	for b.usage(bus.Audit) < 0.99 {
		m := bus.Message{Subject: events.AuditSubject("acme", "x"), Data: bytes.Repeat([]byte("x"), 5<<10)}
		if _, err := b.bus.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	b.says(d.StoreReady, "no room in AUDIT")
	// What could not be kept is not done.
	_, err := b.acts.Pause(t.Context(), stageBy(events.Handle, actOf("wang").Reason))
	if !errors.Is(err, bus.ErrFull) || !strings.Contains(err.Error(), "nats.streams.audit.max_bytes") {
		t.Errorf("pause: %v", err)
	}
	if p, err := inspect.Pauses(t.Context(), b.bus, "acme"); err != nil || len(p) > 0 {
		t.Errorf("paused all the same: %+v, %v", p, err)
	}
}

// A stream or bucket that a client deletes while the dispatcher runs is an alert and
// red readiness, which name it, until it is made again.
func TestDeletedWhileItRuns(t *testing.T) {
	for name, stream := range map[string]string{bus.Events: "EVENTS", bus.State: "KV_STATE", bus.Tables: "KV_TABLES", bus.Dead: "DEAD"} {
		t.Run(name, func(t *testing.T) {
			b := newBridge(t)
			log, reader, js := b.limited(nil)
			d, _ := b.replica("one", nil)
			b.says(d.Ready)
			b.says(d.StoreReady)
			if err := js.DeleteStream(t.Context(), stream); err != nil {
				t.Fatal(err)
			}
			b.says(d.StoreReady, name)
			b.until("it is said", func() bool { return log.has(`"alert"`, `"store"`, `"`+name+`"`) })
			b.says(d.StoreReady)
			b.says(d.Ready)
			if n := measured(t, reader, "gongdan.dispatch.alerts", "alarm", "store"); n != 1 {
				t.Errorf("%d alerts", n)
			}
		})
	}
}

// A tenant that is claimed and cannot be started makes its replica unready, and people
// who ask who owns it are told that its owner does not answer.
func TestTenantThatDoesNotStart(t *testing.T) {
	b := newBridge(t)
	b.limited(nil)
	state, checkpoint := b.bus.Bucket(bus.State), "trail.acme.handle.work_order"
	if _, err := state.Put(t.Context(), checkpoint, []byte("no JSON")); err != nil {
		t.Fatal(err)
	}
	d, _ := b.replica("one", nil)
	b.says(d.Ready, "tenant acme is not at work", "not started", checkpoint)
	if trouble := orders.TroubleOf(t.Context(), b.bus, "acme"); len(trouble) != 1 || !strings.Contains(trouble[0], "does not answer") {
		t.Errorf("trouble %q", trouble)
	}
	if err := state.Delete(t.Context(), checkpoint); err != nil {
		t.Fatal(err)
	}
	b.says(d.Ready)
	if trouble := orders.TroubleOf(t.Context(), b.bus, "acme"); len(trouble) != 0 {
		t.Errorf("trouble %q", trouble)
	}
}

// A mapping that was refused is told by the owner and by a metric, and stops nothing.
func TestRefusedMappingIsTold(t *testing.T) {
	b := newBridge(t)
	_, reader, _ := b.limited(nil)
	change := b.change
	b.change = func(o *dispatch.Options) {
		change(o)
		o.Tenants[0].Refused = func() error { return errors.New("m.yaml:3:1: no such field") }
	}
	d, _ := b.replica("one", nil)
	b.says(d.Ready)
	if trouble := orders.TroubleOf(t.Context(), b.bus, "acme"); !slices.Equal(trouble, []string{"m.yaml:3:1: no such field"}) {
		t.Errorf("trouble %q", trouble)
	}
	if n := measured(t, reader, "gongdan.mapping.refused", "tenant", "acme"); n != 1 {
		t.Errorf("gauge is %d", n)
	}
}
