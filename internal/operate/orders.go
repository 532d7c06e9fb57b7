package operate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

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

// Balance counts the callbacks of a tenant since a moment, and how each ended.
func (a *Acts) Balance(ctx context.Context, tenant string, since time.Time, tell inspect.Progress) (inspect.Balance, error) {
	return inspect.BalanceOf(ctx, a.o.Bus, tenant, since, tell)
}
