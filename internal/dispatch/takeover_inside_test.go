package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	mnoop "go.opentelemetry.io/otel/metric/noop"
	tnoop "go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sync/errgroup"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/dispatch/store"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/ownership"
	"gongdan-bridge/internal/testwing/accounttest"
	"gongdan-bridge/internal/testwing/bustest"
)

// ownerOf is an owner that has not opened anything yet, under a claim of its own.
func ownerOf(t testing.TB, b *bus.Bus) *owner {
	t.Helper()
	m, err := newMeters(mnoop.NewMeterProvider())
	if err != nil {
		t.Fatal(err)
	}
	d := &Dispatcher{
		o:      Options{Bus: b, Ports: portsOf(b), Concurrency: 4, MaxHeld: 16, AckWait: time.Minute, Beat: time.Second, Logger: slog.New(slog.DiscardHandler)},
		meters: m, state: b.Bucket(bus.State), owners: map[string]*owner{},
	}
	d.watch = store.NewWatch(d.o.Ports.Store, 0, func() {}, d.o.Logger)
	account := accounttest.New(t, connectors.AccountOptions{Vendor: "any"})
	revision, err := d.o.Bus.Bucket(bus.State).Put(t.Context(), "owner.acme", []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	set := ledger.Defaults("acme")
	o := d.owner(
		Tenant{Name: "acme", Ledger: set, Accounts: wait.Accounts{Weiban: account, Kingdee: account}, Guard: &Guard{}},
		ownership.Grant(t.Context(), "acme", 7, bus.Fence{Key: "owner.acme", Revision: revision}),
	)
	t.Cleanup(func() {
		o.stop()
		o.busy.Wait()
	})
	return o
}

// waits puts an order's record and wait key down.
func (o *owner) waits(t *testing.T, key string, r ledger.Record) orders.ID {
	t.Helper()
	k := orders.ID{Noun: events.WorkOrder, Key: key}
	data, err := r.Encode()
	if err == nil {
		_, err = o.d.o.Bus.Bucket(bus.State).Put(t.Context(), orders.RecordKey("acme", k), data)
	}
	if err == nil {
		_, err = o.d.o.Bus.Bucket(bus.State).Put(t.Context(), orders.WaitKey("acme", k), []byte{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func head(why ledger.Why, next time.Time) ledger.Progress {
	return ledger.Progress{Behind: true, Head: &ledger.Head{
		Message: ledger.Message{Seq: 1, EventID: "e1"}, Why: why, Since: next, Next: next,
	}}
}

// The bill of a call in doubt is taken before any other order may ask for it,
// whichever is listed or loaded first.
func TestBillsOfOpenCallsAreTakenFirst(t *testing.T) {
	o := ownerOf(t, bustest.New(t))
	bill := ledger.Bill{ID: "77", OrderNo: "fwgs-1"}
	now := time.Now()
	for _, key := range []string{"1", "2", "3"} {
		o.waits(t, key, ledger.Record{Handle: head(ledger.Backoff, now.Add(-time.Minute))})
	}
	doubted := o.waits(t, "4", ledger.Record{
		Handle: head(ledger.Doubt, now.Add(-time.Minute)),
		Effects: []ledger.Effect{
			{IDs: []string{"a"}, State: ledger.Applied, Bill: &ledger.Bill{ID: "78"}},
			{IDs: []string{"b"}, State: ledger.InDoubt, Bill: &bill, Seq: 1},
		},
	})
	if n, err := o.takeOver(t.Context()); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	if o.bills.Lock(bill, orders.ID{Noun: events.WorkOrder, Key: "1"}) {
		t.Error("another order is let into the bill of a call in doubt")
	}
	if !o.bills.Lock(bill, doubted) {
		t.Error("the order in doubt does not have its bill")
	}
	if !o.bills.Lock(ledger.Bill{ID: "78"}, orders.ID{Noun: events.WorkOrder, Key: "1"}) {
		t.Error("a bill is taken whose call is done")
	}
	if len(o.actors) != 0 {
		t.Errorf("%d orders with something to do were loaded without a place", len(o.actors))
	}
}

// Orders that only wait are read and loaded at once, and none of them is run.
func TestManyThatOnlyWaitAreLoadedAtOnce(t *testing.T) { loadMany(t, 1000) }

// Ten thousand waiting orders: goal, under two seconds.
func BenchmarkTakeover(b *testing.B) {
	for range b.N {
		took := loadMany(b, 10_000)
		b.ReportMetric(took.Seconds(), "s/takeover")
	}
}

func loadMany(t testing.TB, n int) time.Duration {
	t.Helper()
	o := ownerOf(t, bustest.New(t))
	data, err := ledger.Record{Handle: head(ledger.Backoff, time.Now().Add(time.Hour))}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	fill := errgroup.Group{}
	fill.SetLimit(64)
	for i := range n {
		k := orders.ID{Noun: events.WorkOrder, Key: strconv.Itoa(i)}
		fill.Go(func() error {
			_, err := o.d.o.Bus.Bucket(bus.State).Put(t.Context(), orders.RecordKey("acme", k), data)
			if err == nil {
				_, err = o.d.o.Bus.Bucket(bus.State).Put(t.Context(), orders.WaitKey("acme", k), []byte{})
			}
			return err
		})
	}
	if err := fill.Wait(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	got, err := o.takeOver(t.Context())
	if got != n || err != nil {
		t.Fatal(got, err)
	}
	o.busy.Wait()
	took := time.Since(began)
	if w := o.timers[orders.Queue{Stage: events.Handle, Noun: events.WorkOrder}]; len(w.At) != n || len(o.actors) != n || len(o.listed) != 0 {
		t.Errorf("%d timers, %d orders, %d not loaded; want %d", len(w.At), len(o.actors), len(o.listed), n)
	}
	return took
}

// A process that owned the tenant before has collected a burst since; the owner in
// between may have spent one.
func TestATakeoverHasNoBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		guard := &Guard{}
		account := accounttest.New(t, connectors.AccountOptions{
			Vendor: "any", HTTP: &http.Client{Transport: unreachable{}}, Before: guard.Check,
			Rate:   func(string) connectors.Rate { return connectors.Rate{PerMinute: 495} },
			Tracer: tnoop.NewTracerProvider(), Meter: mnoop.NewMeterProvider(),
		})
		call := func() (took time.Duration) {
			begun := time.Now()
			_, _ = account.Do(t.Context(), connectors.Call{API: "x", Request: func(ctx context.Context) (*http.Request, error) {
				return httptest.NewRequestWithContext(ctx, http.MethodGet, "http://vendor.test/", nil), nil
			}})
			return time.Since(begun)
		}
		call()
		<-time.After(time.Minute)
		if took := call(); took != 0 {
			t.Fatalf("no burst was collected: a call waits %v", took)
		}
		tenure := ownership.Grant(t.Context(), "acme", 7, bus.Fence{})
		o := &owner{t: Tenant{Accounts: wait.Accounts{Weiban: account, Kingdee: account}, Guard: guard}, tenure: tenure}
		o.claimAccounts()
		if guard.tenure.Load() != tenure {
			t.Error("calls are not made under the new tenure")
		}
		if took := call(); took < 100*time.Millisecond {
			t.Errorf("the first call after a takeover waits %v", took)
		}
	})
}

// unreachable is a vendor that no connection reaches.
type unreachable struct{}

func (unreachable) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route")
}
