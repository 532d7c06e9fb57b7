package dispatch

import (
	"errors"
	"testing"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/ownership"
	"gongdan-bridge/internal/testwing/bustest"
)

// A delivery that was lost on the way costs its order's trust only until all is
// settled up to there.
func TestAGapEndsOnceAllIsSettled(t *testing.T) {
	r := &intake{}
	come := func(turn, seq, times uint64) bool {
		inOrder, _ := r.judge(&bus.Delivery{Turn: turn, Delivered: times, Stored: bus.Stored{Sequence: seq}})
		return inOrder
	}
	settled := func(upTo uint64) bool { return r.heal(r.missedUpTo.Load(), upTo) }
	if !come(1, 10, 1) || !come(2, 12, 1) {
		t.Fatal("what comes in order is not vouched for")
	}
	if come(4, 20, 1) { // turn 3 was lost, with a message between 12 and 20
		t.Fatal("vouched for behind a gap")
	}
	if settled(12) || settled(18) || come(5, 21, 1) {
		t.Fatal("vouched for before the lost one can have come")
	}
	if come(6, 15, 2) || !settled(19) || !come(7, 22, 1) {
		t.Fatal("not vouched for although the lost one is settled")
	}
	if come(9, 15, 3) || settled(21) { // lost again on the way, up to the highest that had come
		t.Fatal("a redelivery that is lost is no gap")
	}
	old := r.missedUpTo.Load()
	if come(11, 30, 1) || r.heal(old, 25) {
		t.Fatal("a gap that came after the question was asked is healed by its answer")
	}
}

// A new message may be lost right before one that comes again: that one says
// nothing of where the new one lies, the next new one does.
func TestAGapBeforeARedeliveryEndsNotBeforeTheNextMessage(t *testing.T) {
	r := &intake{}
	come := func(turn, seq, times uint64) bool {
		inOrder, _ := r.judge(&bus.Delivery{Turn: turn, Delivered: times, Stored: bus.Stored{Sequence: seq}})
		return inOrder
	}
	settled := func(upTo uint64) bool { return r.heal(r.missedUpTo.Load(), upTo) }
	come(1, 10, 1)
	come(2, 12, 1)
	come(4, 12, 2) // turn 3 was lost: message 14, which nobody here knows of
	if settled(12) || settled(13) {
		t.Fatal("vouched for although a new message may have been lost")
	}
	if come(5, 16, 1) || settled(14) {
		t.Fatal("vouched for before the lost one can have come")
	}
	if come(6, 14, 2) || !settled(15) || !come(7, 17, 1) {
		t.Fatal("not vouched for although the lost one is settled")
	}
}

// consumer makes that of an epoch, as an owner before left it.
func consumer(t *testing.T, b *bus.Bus, r *intake, epoch uint64) {
	t.Helper()
	c, err := b.Consume(t.Context(), bus.ConsumerConfig{Stream: bus.Callbacks, Name: r.name(epoch), Filters: []string{"gongdan.acme.>"}}, func(*bus.Delivery) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A takeover asks for the consumers that may be left, and not for one of every
// epoch that ever was.
func TestATakeoverAsksForFewConsumers(t *testing.T) {
	b := bustest.New(t)
	o := ownerOf(t, b)
	r := o.intakes[0]
	o.tenure.Epoch = 1 << 40 // as after a claim that could not be read
	for _, epoch := range []uint64{1, 9_999, 1<<40 - 1} {
		consumer(t, b, r, epoch)
	}
	if err := r.takeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, epoch := range []uint64{1, 9_999, 1<<40 - 1} {
		if _, err := b.ConsumerInfo(t.Context(), bus.Callbacks, r.name(epoch)); !errors.Is(err, bus.ErrNotFound) {
			t.Errorf("the consumer of epoch %d is left: %v", epoch, err)
		}
	}
	next := newIntake(o, r.queue)
	o.tenure.Epoch++
	if first, known, err := next.readCheckpoint(t.Context()); err != nil || !known || first != 1<<40 {
		t.Errorf("the next takeover begins at epoch %d, %v, %v", first, known, err)
	}
	if epochs, err := next.epochs(t.Context(), 1<<40); err != nil || len(epochs) != 1 {
		t.Errorf("the next takeover asks for %v, %v", epochs, err)
	}
}

// successor is the first room of the owner after o, whose consumer is gone: nine
// callbacks of one order are stored, the record of the order has lane, and the mark of
// the last owner has start 5 and delivered 6.
func successor(t *testing.T, b *bus.Bus, o *owner, lane ledger.Progress) *intake {
	t.Helper()
	for range 9 {
		if _, err := b.Publish(t.Context(), bus.Message{Subject: "gongdan.acme.event.weiban.work_order_change.close.1", Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	data, err := ledger.Record{Enrich: lane}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Bucket(bus.State).Put(t.Context(), orders.RecordKey("acme", orders.ID{Noun: events.WorkOrder, Key: "1"}), data); err != nil {
		t.Fatal(err)
	}
	before := o.intakes[0]
	before.start = 5
	if err := before.writeCheckpoint(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	o.tenure.Epoch++
	return newIntake(o, before.queue)
}

// A consumer that is gone has its past on record: what was settled is not read
// again, what came since may have been begun.
func TestAConsumerThatIsGoneIsSucceededToo(t *testing.T) {
	b := bustest.New(t)
	o := ownerOf(t, b)
	r := successor(t, b, o, ledger.Progress{Cursor: 4})
	if err := r.takeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.start != 5 || r.begunUpTo != 9 {
		t.Errorf("starts at %d, and up to %d may have been begun; want 5 and 9", r.start, r.begunUpTo)
	}
}

// A consumer that had settled a message which is now another one does not count: the
// order of what lies there knows nothing of it, or of another time.
func TestAConsumerOfAnotherHistoryEndsTheTenure(t *testing.T) {
	for name, lane := range map[string]ledger.Progress{"never settled": {}, "another message": {Cursor: 4, At: 1}} {
		t.Run(name, func(t *testing.T) {
			b := bustest.New(t)
			o := ownerOf(t, b)
			if _, err := o.d.watch.Keeper.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := o.store.Open(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := successor(t, b, o, lane).takeOver(t.Context()); !errors.Is(err, ownership.ErrLost) {
				t.Fatalf("taken over: %v", err)
			}
			r, err := o.d.watch.Keeper.Examine(t.Context())
			if err != nil || r.History == o.store.History() || len(r.Notes) != 1 || r.Notes[0].Store != bus.Callbacks {
				t.Fatalf("no new history: %+v, %v", r, err)
			}
		})
	}
}

// What owners before have left goes; another service's consumer stays, whatever it
// is called.
func TestOnlyWhatOwnersLeftIsTidiedAway(t *testing.T) {
	b := bustest.New(t)
	o := ownerOf(t, b)
	o.tenure.Epoch = 9
	r := o.intakes[0]
	for _, epoch := range []uint64{8, 9} {
		consumer(t, b, r, epoch)
	}
	names := map[string]bool{"7": true, r.name(8): false, r.name(9): true}
	c, err := b.Consume(t.Context(), bus.ConsumerConfig{Stream: bus.Callbacks, Name: "7"}, func(*bus.Delivery) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := o.deleteLeftConsumers(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, stays := range names {
		if _, err := b.ConsumerInfo(t.Context(), bus.Callbacks, name); stays != (err == nil) {
			t.Errorf("consumer %s: %v, stays %v", name, err, stays)
		}
	}
}
