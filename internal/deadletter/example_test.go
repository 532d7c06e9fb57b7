package deadletter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/memory"
)

// sample is the letter of an event for which the mapping lacked a word.
func sample() deadletter.Letter {
	l := deadletter.Letter{
		ID: "acme/7a1d~enrich~0~handle~0", Tenant: "acme", Stage: events.Handle, Noun: events.WorkOrder, Key: "7",
		EventID: "7a1d~enrich~0", Event: json.RawMessage(`{"specversion":"1.0"}`),
	}
	l.Fill(&events.Failure{Kind: events.Unmapped, Reason: "table staff has no worker-2", Field: "handlemanid", Word: "worker-2"})
	return l
}

// A letter is put, read, and replayed once the integrator has added the missing
// word: its event goes again to the stage that failed, and the letter is closed.
func ExampleBox_Replay() {
	ctx, log := context.Background(), memory.New()
	box := deadletter.NewBox(log, time.Now)
	if err := box.Put(ctx, sample()); err != nil {
		fmt.Println(err)
		return
	}
	open, _, err := box.Page(ctx, deadletter.Filter{Tenant: "acme", Shelf: "business"}, 0, 10)
	if err != nil || len(open) != 1 {
		fmt.Println(len(open), err)
		return
	}
	fmt.Printf("letter %d: %s, word %s\n", open[0].Number, open[0].Reason, open[0].Word)

	_, err = box.Replay(ctx, open[0].Number, deadletter.Act{Who: "operator", Reason: "the word was added"})
	fmt.Println("replayed:", err)
	sent, err := log.Last(ctx, bus.Events, events.ReplaySubject("acme", events.Handle, events.WorkOrder, "7"))
	fmt.Println(sent.Subject, sent.ID(), err)
	_, err = box.Get(ctx, open[0].Number)
	fmt.Println("closed:", errors.Is(err, deadletter.ErrNoLetter))
	// Output:
	// letter 1: table staff has no worker-2, word worker-2
	// replayed: <nil>
	// gongdan.acme.replay.handle.work_order.7 acme/7a1d~enrich~0/r1 <nil>
	// closed: true
}

// Every closing of a letter is written to the audit before the letter goes. To
// discard one takes a reason.
func ExampleBox_Audits() {
	ctx := context.Background()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	box := deadletter.NewBox(memory.New(), func() time.Time { return at })
	if err := box.Put(ctx, sample()); err != nil {
		fmt.Println(err)
		return
	}
	_, err := box.Discard(ctx, 1, deadletter.Act{Who: "operator"})
	fmt.Println("without a reason it is refused:", errors.Is(err, deadletter.ErrNeedsReason))
	_, err = box.Discard(ctx, 1, deadletter.Act{Who: "operator", Reason: "entered by hand"})
	fmt.Println("discarded:", err)
	err = box.Audits(ctx, "acme", 1, func(a deadletter.Audit) error {
		fmt.Println(a.At.Format(time.RFC3339), a.Action, a.Letter.Key, a.Who, a.Reason)
		return nil
	})
	fmt.Println("all read:", err)
	// Output:
	// without a reason it is refused: true
	// discarded: <nil>
	// 2026-01-02T03:04:05Z dead_discard 7 operator entered by hand
	// all read: <nil>
}
