package retention

import (
	"context"
	"fmt"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/orders"
	"gongdan-bridge/internal/ownership"
)

// need is the lowest sequence that is still needed, and who needs it.
type need struct {
	seq uint64
	by  string
}

func (n *need) at(seq uint64, by string) {
	if seq < n.seq {
		n.seq, n.by = seq, by
	}
}

// needed is the lowest message of a stream that is still needed, over all tenants: by a
// consumer, ours or another service's; by a tenant that has no consumer at the moment; by
// an order that waits. end is the first sequence that cannot be needed yet.
//
// The consumers are asked before the records: a message that was not settled
// then holds the stream itself, and one that was is on record by now if it still
// has to be done.
func (t *Trimmer) needed(ctx context.Context, history, stream string, end uint64) (uint64, string, error) {
	n := need{seq: end}
	b := t.o.Bus
	followers, err := b.Followers(ctx, stream)
	if err != nil {
		return 0, "", err
	}
	working := map[string]bool{}
	for _, f := range followers {
		working[f.Name] = true
		seq, ok, err := b.Unsettled(ctx, stream, f.Filters, f.AckFloor)
		if err != nil {
			return 0, "", err
		}
		if ok {
			n.at(seq, "consumer "+f.Name)
		}
	}
	for _, err := range []error{
		idleTenants(ctx, b, history, stream, t.o.Tenants, working, &n),
		waitingOrders(ctx, b, stream, &n),
	} {
		if err != nil {
			return 0, "", err
		}
	}
	return n.seq, n.by, nil
}

// idleTenants adds the needs of tenants without a consumer: they have had no owner yet, or
// a takeover is under way.
func idleTenants(ctx context.Context, b *bus.Bus, history, stream string, configured []string, working map[string]bool, n *need) error {
	tenants := map[string]bool{}
	for _, t := range configured {
		tenants[t] = true
	}
	claims, err := ownership.Owners(ctx, b.Bucket(bus.State))
	if err != nil {
		return err
	}
	for _, c := range claims {
		tenants[c.Tenant] = true
	}
	for tenant := range tenants {
		for _, k := range orders.Queues {
			if orders.StreamOf(k.Stage) != stream {
				continue
			}
			mark, err := orders.ReadCheckpoint(ctx, b.Bucket(bus.State), tenant, k)
			if err != nil {
				return err
			}
			// What was settled in another history may have to be done again in this one.
			mark.Rechecks = mark.Rechecks || mark.History != history
			if working[k.Consumer(tenant, mark.Epoch)] && !mark.Rechecks {
				continue
			}
			seq, ok, err := b.Unsettled(ctx, stream, events.StageFilters(tenant, k.Stage, k.Noun), mark.Settled())
			if err != nil {
				return err
			}
			if ok {
				n.at(seq, fmt.Sprintf("tenant %s, stage %s of %s: no consumer", tenant, k.Stage, k.Noun))
			}
		}
	}
	return nil
}

// waitingOrders adds the needs of the records of all tenants.
func waitingOrders(ctx context.Context, b *bus.Bus, stream string, n *need) error {
	return orders.EachWaiting(ctx, b, "", func(tenant string, k orders.ID, r ledger.Record) error {
		for _, s := range ledger.Stages {
			if orders.StreamOf(s) != stream {
				continue
			}
			if seq, ok := r.Progress(s).Needs(); ok {
				n.at(seq, fmt.Sprintf("tenant %s, waiting order %s %s", tenant, k.Noun, k.Key))
			}
		}
		return nil
	})
}
