package wait

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
)

// Quick is the schedule of the tries that follow each other at once, while an order keeps
// its slot.
type Quick struct {
	Tries   int           // in all
	Initial time.Duration // first wait
	Max     time.Duration // longest wait
}

// may says whether a failure is worth another try at once: not a write whose
// outcome is unknown, and not a call that an open breaker kept back.
func (q Quick) may(f *events.Failure) bool {
	switch f.Kind {
	case events.Invalid:
		return connectors.OneOrders(f)
	case events.Unavailable, events.Missing:
		return !errors.Is(f, connectors.ErrOpen) && !errors.Is(f, connectors.ErrPaused)
	default:
		return false
	}
}

// Do tries op until it succeeds, fails in a way that trying does not mend, or
// the tries are spent. It returns the number of tries and the last failure.
func (q Quick) Do(ctx context.Context, op func(context.Context) error) (int, error) {
	hint := &hinted{BackOff: backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(q.Initial), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(q.Max), backoff.WithMaxElapsedTime(0))}
	tries := 0
	var last error
	err := backoff.RetryNotify(func() error {
		if err := ctx.Err(); err != nil {
			return backoff.Permanent(err)
		}
		tries++
		last = op(ctx)
		if last == nil {
			return nil
		}
		f := events.FailureOf(last)
		hint.wait = f.Wait
		if !q.may(f) {
			return backoff.Permanent(last)
		}
		return last
	}, backoff.WithMaxRetries(backoff.WithContext(hint, ctx), uint64(q.Tries-1)), func(err error, wait time.Duration) {
		trace.SpanFromContext(ctx).AddEvent("retry", trace.WithAttributes(
			attribute.String("gongdan.kind", string(events.KindOf(err))), attribute.String("gongdan.wait", wait.String())))
	})
	if err != nil && last != nil && errors.Is(err, context.Canceled) {
		err = errors.Join(err, last)
	}
	return tries, err
}

// hinted waits at least as long as the vendor asked.
type hinted struct {
	backoff.BackOff
	wait time.Duration
}

func (h *hinted) NextBackOff() time.Duration {
	d := h.BackOff.NextBackOff()
	if d == backoff.Stop {
		return d
	}
	return max(d, h.wait)
}
