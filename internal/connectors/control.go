package connectors

import (
	"context"
	"errors"
	"slices"
	"sync"

	"gongdan-bridge/internal/events"
)

// Control tells a read that fails for one order from an API that fails. Of each API
// it keeps what was last asked with success, and asks that again when an answer
// gives no outcome: if it is answered, the API is up, and the failure is about the
// order alone. The zero Control is ready; it is safe for concurrent use.
type Control struct {
	mu   sync.Mutex
	good map[string][]asked // by API: the last two orders, newest first
}

// asked is a read that succeeded. again makes it once more, about no order, so that
// its failure counts in full for the breaker; see [BreakerSettings].
type asked struct {
	order string
	again func(context.Context) error
}

// Judge is the end of a read of api, as failures name it, about an order. A failure
// whose answer gave no outcome (HTTP below 500, kind Unavailable) stays what it is,
// unless the API at once answers for another order: then it is Invalid. The read
// may be repeated in both cases.
func (c *Control) Judge(ctx context.Context, api, order string, err error, again func(context.Context) error) error {
	if err == nil {
		c.keep(api, asked{order, again})
		return nil
	}
	f := events.FailureOf(err)
	if f.Kind != events.Unavailable || f.API != api || f.Status == 0 || ctx.Err() != nil {
		return err
	}
	other := c.other(api, order)
	if other == nil || !up(other(ctx)) || !answered(f.Status) {
		return err
	}
	g := *f
	g.Kind, g.Reason, g.Err = events.Invalid, f.Reason+"; for another order the API answers", errors.Join(errAnswer, f.Err)
	return &g
}

// errAnswer is in the chain of what Judge made Invalid.
var errAnswer = errors.New("the answer for this order has no outcome")

// OneOrders reports whether a failure was shown to be one order's alone.
func OneOrders(err error) bool { return errors.Is(err, errAnswer) }

// up reports whether the end of a read shows that its API is up.
func up(err error) bool {
	switch events.KindOf(err) {
	case "", events.Missing, events.Rejected:
		return true
	default:
		return false
	}
}

func (c *Control) keep(api string, a asked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.good == nil {
		c.good = make(map[string][]asked)
	}
	others := slices.DeleteFunc(c.good[api], func(x asked) bool { return x.order == a.order })
	c.good[api] = append([]asked{a}, others[:min(len(others), 1)]...)
}

// other is the last good read about any other order, nil if there was none.
func (c *Control) other(api, order string) func(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.good[api] {
		if a.order != order {
			return a.again
		}
	}
	return nil
}
