package dispatch_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/testwing/bustest"
	"gongdan-bridge/internal/testwing/script"
)

// small gives the bridge streams of a mebibyte, and a log that can be read.
func (b *bridge) small() *testLog {
	b.t.Helper()
	b.bus = bustest.Connect(b.t, bustest.Server(b.t), bus.Options{Limits: bus.Limits{Of: map[string]bus.Limit{
		bus.Callbacks: {MaxBytes: 1 << 20}, bus.Events: {MaxBytes: 1 << 20},
	}}})
	b.box = deadletter.NewBox(b.bus, time.Now)
	b.change = func(o *dispatch.Options) { o.Trim = 20 * time.Millisecond }
	log := &testLog{}
	b.log = log
	return log
}

// fill publishes what no stage reads until that share of the stream is taken.
func (b *bridge) fill(stream string, share float64) {
	b.t.Helper()
	subject := events.CallbackSubject("acme", "customer_change", "add", "1")
	if stream == bus.Events {
		subject = events.OutcomeSubject("acme", events.Applied, "1")
	}
	for b.usage(stream) < share {
		m := bus.Message{Subject: subject, Data: bytes.Repeat([]byte("x"), 10<<10)}
		if _, err := b.bus.Publish(b.t.Context(), m); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bridge) usage(stream string) float64 {
	b.t.Helper()
	u, err := b.bus.Usage(b.t.Context(), stream)
	if err != nil {
		b.t.Fatal(err)
	}
	return float64(u.Bytes) / float64(u.MaxBytes)
}

// there reports whether a message is still in its stream.
func (b *bridge) there(stream string, seq uint64) bool {
	_, err := b.bus.Get(b.t.Context(), stream, seq)
	return err == nil
}

// A stream is trimmed below what anybody needs: an order that waits, another
// service's consumer, a tenant that nobody has taken over. Nothing else holds it.
func TestTrimLeavesWhatIsNeeded(t *testing.T) {
	for _, tt := range []struct {
		name string
		// need makes something needed, and gives what is, and how to be done with it.
		need func(b *bridge) (seq uint64, held string, done func())
	}{
		{"a waiting order", func(b *bridge) (uint64, string, func()) {
			number, _ := b.order()
			if err := b.weiban.Stop(b.t.Context()); err != nil {
				b.t.Fatal(err)
			}
			b.visit(number, "上门")
			b.until("it waits", func() bool {
				_, err := b.bus.Bucket("STATE").Get(b.t.Context(), "wait.acme.work_order."+number)
				return err == nil
			})
			return 1, "waiting order work_order " + number, func() {
				if err := b.weiban.Start(b.t.Context(), ""); err != nil {
					b.t.Fatal(err)
				}
			}
		}},
		{"another service", func(b *bridge) (uint64, string, func()) {
			number, _ := b.order()
			hold := make(chan struct{})
			c, err := b.bus.Consume(b.t.Context(), bus.ConsumerConfig{Stream: bus.Callbacks, Name: "theirs"}, func(d *bus.Delivery) {
				<-hold
				_ = d.Ack() // the trimming tells
			})
			if err != nil {
				b.t.Fatal(err)
			}
			b.t.Cleanup(func() { _ = c.Stop(b.t.Context()) })
			b.ended(b.visit(number, "上门"), "applied")
			return 1, "consumer theirs", func() { close(hold) }
		}},
		{"a tenant whose owner is away", func(b *bridge) (uint64, string, func()) {
			state := b.bus.Bucket(bus.State)
			if _, err := state.Put(b.t.Context(), "owner.absent", []byte(`{"instance":"gone","epoch":3,"released":true}`)); err != nil {
				b.t.Fatal(err)
			}
			a, err := b.bus.Publish(b.t.Context(), bus.Message{Subject: events.CallbackSubject("absent", "work_order_change", "close", "1"), Data: []byte("{}")})
			if err != nil {
				b.t.Fatal(err)
			}
			return a.Sequence, "tenant absent, stage enrich of work_order", func() {
				if _, err := state.Put(b.t.Context(), "trail.absent.enrich.work_order", fmt.Appendf(nil, `{"epoch":3,"floor":%d}`, a.Sequence)); err != nil {
					b.t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBridge(t)
			log := b.small()
			reader, change := sdkmetric.NewManualReader(), b.change
			b.change = func(o *dispatch.Options) {
				change(o)
				o.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
			}
			b.run("one", nil)
			seq, held, done := tt.need(b)
			b.fill(bus.Callbacks, 0.82)
			b.until("it is said who holds the stream", func() bool { return log.has(`"alert"`, `"room"`, held) })
			if n := measured(t, reader, "gongdan.dispatch.alerts", "alarm", "room"); n != 1 {
				t.Errorf("counted %d times", n)
			}
			if !b.there(bus.Callbacks, seq) {
				t.Fatal("what is needed was trimmed")
			}
			done()
			b.until("the stream is trimmed", func() bool { return b.usage(bus.Callbacks) < 0.7 })
			if b.there(bus.Callbacks, seq) || b.usage(bus.Callbacks) < 0.5 {
				t.Errorf("%v of the stream is left", b.usage(bus.Callbacks))
			}
		})
	}
}

// Without room for outcomes nothing is written at Kingdee, and before that no
// detail is read; both go on by themselves.
func TestWithoutRoomNothingIsCalled(t *testing.T) {
	b := newBridge(t)
	log := b.small()
	b.run("one", nil)
	c, err := b.bus.Consume(t.Context(), bus.ConsumerConfig{Stream: bus.Events, Name: "stuck"}, func(*bus.Delivery) {})
	if err != nil {
		t.Fatal(err)
	}
	number, bill := b.order()
	b.fill(bus.Events, 0.96)
	paused := func(stage string) func() bool {
		return func() bool { return log.has("stage paused", stage, "no room in EVENTS") }
	}
	b.until("details are paused", paused("enrich work_order"))
	b.until("writes are paused", paused("handle (handle-order)"))
	b.end(number, "修好")
	b.until("it waits", func() bool {
		_, err := b.bus.Bucket("STATE").Get(t.Context(), "wait.acme.work_order."+number)
		return err == nil
	})
	if n := len(b.kingdee.Records(bill)); n != 0 {
		t.Errorf("%d records were made", n)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.bus.DeleteConsumer(t.Context(), bus.Events, "stuck"); err != nil {
		t.Fatal(err)
	}
	b.until("it ends", func() bool {
		_, err := b.bus.Next(t.Context(), bus.Events, events.OutcomeSubject("acme", events.Applied, number), 1)
		return err == nil
	})
}

// An outcome that has left its stream is not announced again when its order is
// taken up after a long time, and a letter that a person closed does not return.
func TestWhatWasTrimmedDoesNotComeBack(t *testing.T) {
	b := newBridge(t)
	b.bus = bustest.Connect(t, bustest.Server(t), bus.Options{Limits: bus.Limits{DuplicateWindow: 100 * time.Millisecond}})
	b.box = deadletter.NewBox(b.bus, time.Now)
	stop := b.run("one", nil)
	number, _ := b.order()
	b.faultsK.Add(script.Fault{Kind: script.Refuse, API: "handle-order", Text: "审批中"})
	b.ended(b.visit(number, "上门"), "dead")
	if _, err := b.box.Discard(t.Context(), b.letters()[0].Number, deadletter.Act{Who: "wang", Reason: "by hand"}); err != nil {
		t.Fatal(err)
	}
	stop()
	u, err := b.bus.Usage(t.Context(), bus.Events)
	if err != nil {
		t.Fatal(err)
	}
	k := history.NewKeeper(history.Options{Log: b.bus, State: b.bus.Bucket(bus.State), Tables: b.bus.Bucket(bus.Tables)})
	if err := k.Trimming(t.Context(), "", bus.Events, u.Last+1); err != nil {
		t.Fatal(err)
	}
	if _, err := b.bus.Trim(t.Context(), bus.Events, u.Last+1); err != nil {
		t.Fatal(err)
	}
	<-time.After(300 * time.Millisecond) // the server's memory of message ids is its own clock's
	b.run("two", nil)
	last := b.end(number, "修好")
	b.ended(last, "applied")
	if diff := cmp.Diff([]string{last + " applied"}, b.outcomes()); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if l := b.letters(); len(l) != 0 {
		t.Errorf("letters %+v", l)
	}
}
