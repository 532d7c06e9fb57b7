package proof

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
)

// row is one accident of the store.
type row struct {
	name string
	hit  []string // the streams and buckets that it befalls

	stopped func(store)                                      // while no program runs
	running func(context.Context, jetstream.JetStream) error // or while both do, by a client

	flood   bool // both streams take more than was lost, before the dispatcher starts
	again   bool // Weiban delivers again what the copy of the store does not have
	letters bool // what has no outcome may end as a letter
	sound   bool // nothing is missing, and nothing may be said
}

// storeBound is the time within which everything has to come right by itself.
const storeBound = 45 * time.Second

// trial is a row at work.
type trial struct {
	row
	in     *installation
	c      *customer
	bus    *bus.Bus
	js     jetstream.JetStream
	tale   *tale
	before stored // what was left when the accident had happened
}

// TestStore: whatever part of the store is missing, cut, or older than the rest,
// and whether that happens to a store at rest or under running programs: no
// callback that is still stored is passed over, no call is made twice, and the
// dispatcher says that something does not fit.
func TestStore(t *testing.T) {
	b := newBase(t)
	for _, r := range slices.Concat(sound(), removed(), cut(), older(), deleted()) {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			b.run(t, r)
		})
	}
}

func (b *base) run(t *testing.T, r row) {
	in := b.install(t)
	x := &trial{row: r, in: in, c: in.customers[0]}
	x.c.Kingdee.Adopt(b.in.customers[0].Kingdee)
	x.tale = tell(t, x.c)
	dir := in.Path("nats")
	if err := os.CopyFS(dir, os.DirFS(b.full())); err != nil {
		t.Fatal(err)
	}
	if r.stopped != nil {
		r.stopped(store{t: t, dir: dir, half: b.half(), killed: b.killed()})
	}
	x.start(t, in.Ingest)
	x.bus, x.js = in.observer(), in.jetstream()
	switch {
	case r.running != nil:
		x.start(t, in.Dispatchers[0])
		x.accident(t)
		x.post(t)
		x.look(t)
	case r.flood:
		x.look(t)
		x.crowd(t)
		x.post(t)
		x.start(t, in.Dispatchers[0])
	default:
		x.look(t)
		x.start(t, in.Dispatchers[0])
		x.post(t)
	}
	for _, i := range []int{waitEarly, waitLate} {
		x.c.Kingdee.AddBill(fakekingdee.Bill{OrderNo: fakekingdee.BillNo(i)})
	}
	x.holds(t)
	x.told(t)
	x.explained(t)
	x.unharmed(t)
	if err := in.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// start starts a program and waits until it answers; one that has found something
// wrong need not be ready.
func (x *trial) start(t *testing.T, p *harness.Process) {
	t.Helper()
	if err := p.Launch(); err != nil {
		t.Fatal(err)
	}
	until(t, patience, 20*time.Millisecond, p.Name+" answers", func() (bool, string) {
		status, _, err := p.Get(t.Context(), "/healthz")
		return err == nil && status == 200, fmt.Sprint(status, err)
	})
}

// accident happens once the dispatcher works: it has called for the order that
// Weiban's API would not tell of before.
func (x *trial) accident(t *testing.T) {
	t.Helper()
	x.in.ready(x.in.Dispatchers[0])
	until(t, patience, 50*time.Millisecond, "the dispatcher works", func() (bool, string) {
		return len(x.c.Kingdee.Records(x.tale.lives[unread].bill)) == 1, "no handling record yet"
	})
	if err := x.running(t.Context(), x.js); err != nil {
		t.Fatal(err)
	}
}

// look reads what the accident has left. A stream that was deleted under running
// programs has to come back by itself.
func (x *trial) look(t *testing.T) {
	t.Helper()
	until(t, storeBound, 50*time.Millisecond, "the streams can be read", func() (bool, string) {
		var err error
		x.before, err = x.stored(t.Context())
		return err == nil, fmt.Sprint(err)
	})
}

// crowd lets the events of another customer, with a dispatcher of its own, outgrow
// what EVENTS has ever held.
func (x *trial) crowd(t *testing.T) {
	t.Helper()
	for i := range 5 * len(x.tale.told) {
		subject := fmt.Sprintf("gongdan.other.event.kingdee.handle_order.ignored.%d", i)
		if _, err := x.js.Publish(t.Context(), subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
}

// post sends what comes after the accident: callbacks of an order that is new, and
// of two that are known, one of them from before the copy; and with flood as many
// as the store has ever held.
func (x *trial) post(t *testing.T) {
	t.Helper()
	if x.again {
		x.c.Weiban.Post(t.Context(), x.tale.notices(func(p promise) bool { return p.late })...)
	}
	l := x.tale.order(t, someOrder, called, false, true)
	x.c.Kingdee.AddBill(fakekingdee.Bill{OrderNo: l.bill})
	x.tale.end(t, x.tale.lives[2])
	x.tale.end(t, x.tale.lives[toldLate-2])
	if x.flood {
		for range len(x.tale.told) {
			n := x.c.act(t, x.c.Weiban.Reply, l, fakeweiban.Act{Staff: l.handler, Text: "客户催促"})
			x.tale.told = append(x.tale.told, promise{Notice: n, want: ignored, bill: l.bill, fresh: true})
		}
	}
	x.c.Weiban.Post(t.Context(), x.tale.notices(func(p promise) bool { return p.fresh })...)
	ctx, cancel := context.WithTimeout(t.Context(), storeBound)
	defer cancel()
	if err := x.c.Weiban.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestPromisesNameRows: the page of promises names rows that are there.
func TestPromisesNameRows(t *testing.T) {
	page, err := os.ReadFile("../../docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, r := range slices.Concat(sound(), removed(), cut(), older(), deleted()) {
		rows[strings.ReplaceAll(r.name, " ", "_")] = true
	}
	for _, m := range regexp.MustCompile("`TestStore/([^`]+)`").FindAllSubmatch(page, -1) {
		if !rows[string(m[1])] && string(m[1]) != "…" {
			t.Errorf("docs/promises.md names TestStore/%s, and there is no such row", m[1])
		}
	}
}
