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

// needs are the lowest messages of a stream that are still needed: by the bridge itself, and
// by consumers of other services.
type needs struct{ own, foreign need }

// both is the lower one.
func (n needs) both() need {
	if n.foreign.seq < n.own.seq {
		return n.foreign
	}
	return n.own
}

// needed is what is needed of a stream, over all tenants: by a consumer, ours or another
// service's; by a tenant that has no consumer at the moment; by an order that waits. end is
// the first sequence that cannot be needed yet.
//
// The consumers are asked before the records: a message that was not settled
// then holds the stream itself, and one that was is on record by now if it still
// has to be done.
func (t *Trimmer) needed(ctx context.Context, history, stream string, end uint64) (needs, error) {
	n := needs{need{seq: end}, need{seq: end}}
	b := t.o.Bus
	followers, err := b.Followers(ctx, stream)
	if err != nil {
		return n, err
	}
	tenants, err := knownTenants(ctx, b, t.o.Tenants)
	if err != nil {
		return n, err
	}
	working := map[string]bool{}
	for _, f := range followers {
		working[f.Name] = true
		seq, ok, err := b.Unsettled(ctx, stream, f.Filters, f.AckFloor)
		switch {
		case err != nil:
			return n, err
		case !ok:
		case isOurs(f.Name, tenants):
			n.own.at(seq, "consumer "+f.Name)
		default:
			n.foreign.at(seq, "consumer "+f.Name)
		}
	}
	for _, err := range []error{
		idleTenants(ctx, b, history, stream, tenants, working, &n.own),
		waitingOrders(ctx, b, stream, &n.own),
	} {
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// knownTenants are the configured tenants and those that a dispatcher has ever claimed.
func knownTenants(ctx context.Context, b *bus.Bus, configured []string) (map[string]bool, error) {
	tenants := map[string]bool{}
	for _, t := range configured {
		tenants[t] = true
	}
	claims, err := ownership.Owners(ctx, b.Bucket(bus.State))
	for _, c := range claims {
		tenants[c.Tenant] = true
	}
	return tenants, err
}

// isOurs reports whether a consumer is that of a tenant's queue.
func isOurs(name string, tenants map[string]bool) bool {
	for tenant := range tenants {
		for _, k := range orders.Queues {
			if k.EpochOf(name, tenant) > 0 {
				return true
			}
		}
	}
	return false
}

// idleTenants adds the needs of tenants without a consumer: they have had no owner yet, or
// a takeover is under way.
func idleTenants(ctx context.Context, b *bus.Bus, history, stream string, tenants, working map[string]bool, n *need) error {
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
