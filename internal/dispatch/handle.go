package dispatch

import (
	"context"
	"encoding/json"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping"
)

// handler is the stage that turns an enriched event into one handle-order.
//
// A message that comes a second time may have been sent to Kingdee by whoever
// had it first, so it becomes an uncertain letter; a write whose outcome is
// unknown is never repeated.
type handler struct {
	d *Dispatcher
	t Tenant
}

func (s handler) work(ctx context.Context, j job) (verdict, error) {
	if j.again {
		return verdict{failure: &events.Failure{
			Kind:   events.Uncertain,
			Reason: "the message came a second time: a call may have run before the dispatcher stopped",
		}}, nil
	}
	match, err := s.match(j)
	if err != nil {
		return s.failed(err), nil
	}
	if match == nil {
		o := events.HandleOutcome{Outcome: events.Ignored, Reason: "no_rule", Mapping: s.t.Mapping.Hash()}
		return verdict{outcome: string(o.Outcome), reason: o.Reason}, s.d.announce(ctx, s.t, j, o)
	}
	return s.apply(ctx, j, match)
}

func (s handler) match(j job) (*mapping.Match, error) {
	data, err := events.DecodeEnriched(j.event)
	if err != nil {
		return nil, &events.Failure{Kind: events.Invalid, Reason: err.Error(), Err: err}
	}
	in, err := mapping.NewInput(mapping.Meta{
		ID: j.event.ID(), Tenant: s.t.Name, Noun: j.route.Noun, Status: j.route.Status, Time: j.event.Time(),
		Position: events.Extension(j.event, events.ExtPosition), Origin: events.Extension(j.event, events.ExtOrigin),
	}, data)
	if err != nil {
		return nil, err
	}
	return s.t.Mapping.Match(in)
}

// apply finds the bill, maps the body and calls Kingdee.
func (s handler) apply(ctx context.Context, j job, match *mapping.Match) (verdict, error) {
	ref, err := match.Bill()
	if err != nil {
		return s.failed(err), nil
	}
	var bill kingdee.Bill
	tries, err := s.d.o.Quick.do(ctx, func(ctx context.Context) (err error) {
		if ref.OrderNo != "" {
			bill, err = s.t.Kingdee.FindWorkOrder(ctx, ref.OrderNo)
		} else {
			bill, err = s.t.Kingdee.FindWorkOrderByID(ctx, ref.ID)
		}
		return err
	})
	if err != nil {
		v := s.failed(err)
		v.tries, v.letter.Rule = tries, match.Rule()
		return v, nil
	}
	order, err := match.Body(bill.ID, bill.OrderNo)
	if err != nil {
		return s.failed(err), nil
	}
	return s.call(ctx, j, match.Rule(), order)
}

func (s handler) call(ctx context.Context, j job, rule string, order kingdee.HandleOrder) (verdict, error) {
	body, err := json.Marshal(order.Body)
	if err != nil {
		return s.failed(&events.Failure{Kind: events.Internal, Reason: "the body cannot be written as JSON", Err: err}), nil
	}
	o := events.HandleOutcome{
		Outcome: events.Applied, Rule: rule, Mapping: s.t.Mapping.Hash(), Status: order.Body.Status,
		Bill: &events.BillRef{ID: order.ID, OrderNo: order.Body.OrderNo}, Body: body, DryRun: s.t.DryRun,
	}
	tries := 0
	if !s.t.DryRun {
		tries, err = s.d.o.Quick.do(ctx, func(ctx context.Context) error {
			_, err := s.t.Kingdee.HandleOrder(ctx, order)
			return err
		})
	}
	if err != nil {
		v := s.failed(err)
		v.tries = tries
		v.letter.Rule, v.letter.Bill, v.letter.Body = rule, o.Bill, body
		return v, nil
	}
	v := verdict{tries: tries, outcome: string(o.Outcome), reason: rule}
	if err := s.d.announce(ctx, s.t, j, o); err != nil {
		// Kingdee has the record. If the message comes again it becomes an
		// uncertain letter, and a person will find the record there.
		return v, err
	}
	return v, nil
}

func (s handler) failed(err error) verdict {
	return verdict{failure: events.FailureOf(err), letter: deadletter.Letter{Mapping: s.t.Mapping.Hash()}}
}
