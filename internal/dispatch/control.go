package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
)

// serve answers operators' requests while the tenant is owned.
func (o *owner) serve() error {
	for verb, do := range map[string]func(context.Context, orders.Request) orders.Reply{
		orders.VerbSettle: func(ctx context.Context, r orders.Request) orders.Reply {
			return orders.Reply{Refused: o.settle(ctx, r)}
		},
		orders.VerbPause:  o.pause,
		orders.VerbResume: o.unpause,
	} {
		err := o.answer(verb, func(ctx context.Context, data []byte) any {
			var r orders.Request
			if json.Unmarshal(data, &r) != nil {
				return orders.Reply{Refused: "the request cannot be read"}
			}
			return do(ctx, r)
		})
		if err != nil {
			return err
		}
	}
	if err := o.answer(orders.VerbTrouble, func(context.Context, []byte) any { return o.trouble() }); err != nil {
		return err
	}
	if err := o.answer(orders.VerbMapping, func(context.Context, []byte) any { return o.mappingInForce() }); err != nil {
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
		o.endServing = append(o.endServing, end)
	}
	return err
}

// settle feeds an operator's decision to the order that waits, and returns why it was refused.
func (o *owner) settle(ctx context.Context, r orders.Request) string {
	if r.Key == "" || !slices.Contains(orders.Queues[:], orders.Queue{Stage: r.Stage, Noun: r.Noun}) {
		return "no such order or stage"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*writeWait)
	defer cancel()
	answers := make(chan ledger.Answer, 1)
	o.post(orders.ID{Noun: r.Noun, Key: r.Key}, false, operator{
		in:    ledger.Operator{Stage: r.Stage, Seq: r.Sequence, Word: r.Word, Who: r.Who, Why: r.Why},
		reply: answers,
	})
	select {
	case a := <-answers:
		return a.Refused
	case <-ctx.Done():
		return "the owner did not decide in time"
	case <-o.working.Done():
		return "the owner is stopping; try again in a moment"
	}
}

func (o *owner) trouble() orders.TroubleReply {
	var a orders.TroubleReply
	for _, err := range []error{o.why(), o.d.storeReady(), o.refused()} {
		if err != nil {
			a.Trouble = append(a.Trouble, strings.Split(err.Error(), "\n")...)
		}
	}
	return a
}

// refused is why a changed mapping is not in force, nil if it is.
func (o *owner) refused() error {
	if o.t.Refused == nil {
		return nil
	}
	return o.t.Refused()
}

// mappingInForce are the sources of the tenant's mapping, where one message takes them.
func (o *owner) mappingInForce() orders.MappingReply {
	if o.t.Sources == nil {
		return orders.MappingReply{Refused: "this dispatcher does not tell it"}
	}
	raw, err := o.t.Sources()
	if err != nil {
		return orders.MappingReply{Refused: err.Error()}
	}
	if limit := o.d.o.Ports.Log.MaxPayload() - orders.Headroom; int64(len(raw))*4/3 > limit {
		return orders.MappingReply{Refused: fmt.Sprintf("it has %d bytes, packed, more than the NATS server takes: raise its max_payload", len(raw))}
	}
	return orders.MappingReply{Sources: raw}
}

// staff reads the staff list with the calls that the tenant's quota leaves.
func (o *owner) staff(ctx context.Context) orders.StaffReply {
	ctx, cancel := context.WithTimeout(ctx, orders.StaffWait)
	defer cancel()
	defer context.AfterFunc(o.ctx, cancel)() // as any call of the owner
	list, err := o.t.Weiban.Staff(ctx)
	if err != nil {
		return orders.StaffReply{Refused: err.Error()}
	}
	a := orders.StaffReply{}
	for _, x := range list {
		a.Staff = append(a.Staff, orders.Staff{ID: string(x.ID), Name: string(x.Name), Department: x.Department})
	}
	raw, err := json.Marshal(a)
	if limit := o.d.o.Ports.Log.MaxPayload() - orders.Headroom; err == nil && int64(len(raw)) > limit {
		return orders.StaffReply{Refused: fmt.Sprintf("the list of %d members has %d bytes, more than the NATS server takes (%d): raise its max_payload", len(list), len(raw), limit)}
	}
	return a
}
