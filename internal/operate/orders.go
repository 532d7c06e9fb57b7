package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
)

// OrderRequest names an order. An empty tenant or noun stands for all.
type OrderRequest struct {
	Tenant string
	Noun   events.Noun
	Key    string // order number or opportunity id
}

var errUnknownOrder = errors.New("unknown order")

func (r OrderRequest) unknown(tenants []string) error {
	return fmt.Errorf("%w: nothing is known of %s at %s", errUnknownOrder, strconv.Quote(r.Key), strings.Join(tenants, ", "))
}

// History is everything known of the orders that have the key, with the bodies of
// callbacks, details and calls where they are wanted.
func (a *Acts) History(ctx context.Context, r OrderRequest, bodies bool) ([]inspect.History, error) {
	tenants, err := a.Tenants(r.Tenant)
	if err != nil {
		return nil, err
	}
	var found []inspect.History
	for _, t := range tenants {
		list, err := inspect.HistoryOf(ctx, a.o.Bus, t, r.Key, bodies)
		if err != nil {
			return nil, err
		}
		found = append(found, slices.DeleteFunc(list, func(h inspect.History) bool { return r.Noun != "" && h.Noun != r.Noun })...)
	}
	if len(found) == 0 {
		return nil, r.unknown(tenants)
	}
	return found, nil
}

// OrderReplayRequest asks to send a recorded event that has no letter to stage handle.
type OrderReplayRequest struct {
	Decision
	OrderRequest
	Event string // the id of the enriched event, or of its callback
	Force bool   // also if it was applied
}

// OrderReplay is the event that was sent, and of which order it is.
type OrderReplay struct {
	Tenant string
	Noun   events.Noun
	Again
}

// ReplayOrder sends a recorded event to stage handle. Each call sends it once more.
func (a *Acts) ReplayOrder(ctx context.Context, r OrderReplayRequest) (OrderReplay, error) {
	found, err := a.find(ctx, r.OrderRequest)
	if err != nil {
		return OrderReplay{}, err
	}
	act := deadletter.Act{Who: r.Who, Reason: r.Reason, Force: r.Force}
	found.Again, err = HandleAgain(ctx, a.o.Bus, a.box, found.Tenant, found.Noun, r.Key, r.Event, act)
	return found, err
}

// find is the one tenant and noun that know the order.
func (a *Acts) find(ctx context.Context, r OrderRequest) (found OrderReplay, err error) {
	tenants, err := a.Tenants(r.Tenant)
	if err != nil {
		return found, err
	}
	known := 0
	for _, t := range tenants {
		nouns, err := inspect.NounsOf(ctx, a.o.Bus, t, r.Key)
		if err != nil {
			return found, err
		}
		for _, n := range nouns {
			if r.Noun == "" || r.Noun == n {
				found.Tenant, found.Noun = t, n
				known++
			}
		}
	}
	switch known {
	case 1:
		return found, nil
	case 0:
		return found, r.unknown(tenants)
	default:
		return found, refuse("several orders have the number %s; say of which tenant and noun", strconv.Quote(r.Key))
	}
}

// Balance counts the callbacks of a tenant since a moment, and how each ended.
func (a *Acts) Balance(ctx context.Context, tenant string, since time.Time, tell inspect.Progress) (inspect.Balance, error) {
	return inspect.BalanceOf(ctx, a.o.Bus, tenant, since, tell)
}
