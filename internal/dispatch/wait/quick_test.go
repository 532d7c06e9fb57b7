package wait

import (
	"context"
	"errors"
	"testing"
	"time"

	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/events"
)

// An answer that fails for one order may be whole at once; one that is in no known
// form will not be.
func TestQuickTriesOfAnAnswer(t *testing.T) {
	q := Quick{Tries: 3, Initial: time.Nanosecond, Max: time.Nanosecond}
	page := &events.Failure{Kind: events.Unavailable, API: "weiban x", Status: 200}
	var c connectors.Control
	_ = c.Judge(t.Context(), page.API, "a", nil, func(context.Context) error { return nil })
	own := c.Judge(t.Context(), page.API, "b", page, nil)
	for _, tc := range []struct {
		err   error
		tries int
	}{
		{own, 3},
		{page, 3},
		{&events.Failure{Kind: events.Invalid, API: "weiban x"}, 1},
		{&events.Failure{Kind: events.Unavailable, Err: connectors.ErrOpen}, 1},
	} {
		n, err := q.Do(t.Context(), func(context.Context) error { return tc.err })
		if n != tc.tries || !errors.Is(err, tc.err) {
			t.Errorf("%v: %d tries, want %d", tc.err, n, tc.tries)
		}
	}
}
