package retention

import (
	"strings"
	"testing"
	"time"
)

// The defaults keep 400 days of 7,000 callbacks a day and not of 40,000, of which they
// keep 70 days; an hour's rush says nothing.
func TestTooSmall(t *testing.T) {
	const days400, gib = 400 * day, 1 << 30
	for _, tt := range []struct {
		callbacks  uint64
		span, keep time.Duration
		size       int64
		small      bool
	}{
		{7_000 * 30, 30 * day, days400, 4 * gib, false},
		{40_000 * 30, 30 * day, days400, 4 * gib, true},
		{40_000 * 30, 30 * day, 70 * day, 4 * gib, false},
		{40_000 * 30, 30 * day, days400, 24 * gib, false},
		{40_000, time.Hour, days400, 4 * gib, false},
		{40_000 * 30, 30 * day, days400, -1, false},
	} {
		if why := tooSmall(tt.callbacks, tt.span, tt.keep, tt.size); (why != "") != tt.small || tt.small && !strings.Contains(why, "40000 callbacks a day") {
			t.Errorf("%+v: %q", tt, why)
		}
	}
}
