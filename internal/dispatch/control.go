package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// serve answers operators' requests while the tenant is owned.
func (o *owner) serve() error {
	for verb, do := range map[string]func(context.Context, orders.Request) string{
		orders.VerbSettle: o.settle,
		orders.VerbPause:  func(ctx context.Context, r orders.Request) string { return o.pause(ctx, r, true) },
		orders.VerbResume: func(ctx context.Context, r orders.Request) string { return o.pause(ctx, r, false) },
	} {
		err := o.answer(verb, func(ctx context.Context, data []byte) any {
			var r orders.Request
			if json.Unmarshal(data, &r) != nil {
				return orders.Reply{Refused: "the request cannot be read"}
			}
			return orders.Reply{Refused: do(ctx, r)}
		})
		if err != nil {
			return err
		}
	}
	if err := o.answer(orders.VerbTrouble, func(context.Context, []byte) any { return o.trouble() }); err != nil {
		return err
	}
	return o.answer(orders.VerbStaff, func(ctx context.Context, _ []byte) any { return o.staff(ctx) })
}

func (o *owner) answer(verb string, do func(ctx context.Context, data []byte) any) error {
	end, err := o.d.o.Ports.Inbox.Serve(events.ControlSubject(o.t.Name, verb), func(ctx context.Context, data []byte) []byte {
		out, err := json.Marshal(do(ctx, data))
		if err != nil {
			return nil // texts always encode
		}
		return out
	})
	if err == nil {
		o.serving = append(o.serving, end)
	}
	return err
}

// settle brings a person's word to the order's record.
func (o *owner) settle(ctx context.Context, r orders.Request) string {
	if r.Key == "" || !slices.Contains(orders.Queues[:], orders.Queue{Stage: r.Stage, Noun: r.Noun}) {
		return "no such order or stage"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*writeWait)
	defer cancel()
	answers := make(chan ledger.Answer, 1)
	o.post(orders.ID{Noun: r.Noun, Key: r.Key}, false, spoken{
		in:    ledger.Operator{Stage: r.Stage, Seq: r.Sequence, Word: r.Word, Who: r.Who, Why: r.Why},
		reply: answers,
	})
	select {
	case a := <-answers:
		return a.Refused
	case <-ctx.Done():
		return "the owner did not come to it in time"
	case <-o.soft.Done():
		return "the owner is stopping; try again in a moment"
	}
}

// pause holds a stage or lets it go on; it stays so over restarts.
func (o *owner) pause(ctx context.Context, r orders.Request, on bool) string {
	s := r.Stage
	if s != events.Enrich && s != events.Handle {
		return "no such stage; say enrich or handle"
	}
	ctx, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	key, fence := orders.PauseKey(o.t.Name, s), o.tenure.Fence
	var err error
	if on {
		var data []byte
		if data, err = json.Marshal(orders.PauseRecord{Who: r.Who, Why: r.Why, At: time.Now().UTC()}); err == nil {
			_, err = o.d.state.PutFenced(ctx, key, data, fence)
		}
	} else {
		err = o.d.state.DeleteFenced(ctx, key, fence)
	}
	if err != nil {
		return "not recorded: " + err.Error()
	}
	o.apis.Hold(s, on)
	return ""
}

// loadPauses takes over what operators have paused.
func (o *owner) loadPauses(ctx context.Context) error {
	for _, s := range ledger.Stages {
		_, err := o.d.state.Get(ctx, orders.PauseKey(o.t.Name, s))
		if errors.Is(err, bus.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		o.apis.Hold(s, true)
	}
	return nil
}
