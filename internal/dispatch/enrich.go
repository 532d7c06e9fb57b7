package dispatch

import (
	"context"
	"encoding/json"
	"time"

	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
)

// enricher is the stage that reads an event's detail from Weiban and publishes
// both together.
type enricher struct {
	d *Dispatcher
	t Tenant
}

// detail is what either detail call gives, as far as the stage needs it.
type detail struct {
	key     string
	raw     json.RawMessage
	fetched time.Time
	updated time.Time
}

func (s enricher) work(ctx context.Context, j job) (verdict, error) {
	n, err := weiban.ParseNotice(j.event.Data())
	if err != nil {
		return verdict{failure: &events.Failure{Kind: events.Invalid, Reason: err.Error(), Err: err}}, nil
	}
	var d detail
	tries, err := s.d.o.Quick.do(ctx, func(ctx context.Context) (err error) {
		d, err = s.fetch(ctx, n)
		return err
	})
	if err != nil {
		return verdict{tries: tries, failure: events.FailureOf(err)}, nil
	}
	data := events.Enriched{Callback: j.event.Data(), FetchedAt: d.fetched.UTC()}
	if !d.updated.IsZero() {
		data.UpdatedAt = &d.updated
	}
	if n.Noun == events.Opportunity {
		data.Opportunity = d.raw
	} else {
		data.WorkOrder = d.raw
	}
	position := events.Position(n.CreateTime, j.callback)
	ev, err := events.NewEnriched(j.event, n.Noun, d.key, j.replay, position, data)
	if err != nil {
		return verdict{tries: tries, failure: &events.Failure{Kind: events.Invalid, Reason: err.Error(), Err: err}}, nil
	}
	if err := s.d.publish(ctx, events.EnrichedSubject(s.t.Name, n.Noun, n.Status, d.key), s.t.Name, ev); err != nil {
		return verdict{tries: tries}, err
	}
	return verdict{tries: tries, outcome: "enriched"}, nil
}

func (s enricher) fetch(ctx context.Context, n weiban.Notice) (detail, error) {
	if n.Noun == events.Opportunity {
		d, err := s.t.Weiban.Opportunity(ctx, n.Ref())
		return detail{string(d.Value.ID), d.Raw, d.FetchedAt, d.UpdatedAt}, err
	}
	d, err := s.t.Weiban.WorkOrder(ctx, n.Key)
	return detail{n.Key, d.Raw, d.FetchedAt, d.UpdatedAt}, err
}
