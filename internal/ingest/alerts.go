package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"gongdan-bridge/internal/events"
)

// What people must look at.
const (
	alarmSpace      = "room"       // CALLBACKS is nearly full
	alarmStore      = "store"      // a stream is not there any more
	alarmUnnumbered = "unnumbered" // a callback about an order that cannot be told
	alarmReusedID   = "reused_id"  // one message id for two contents
)

// alerts counts and logs what people must look at.
type alerts struct {
	log   *slog.Logger
	count metric.Int64Counter
}

func newAlerts(log *slog.Logger, m metric.MeterProvider) (alerts, error) {
	count, err := m.Meter("gongdan-bridge/internal/ingest").Int64Counter("gongdan.ingest.alerts",
		metric.WithDescription("What people must look at, by alarm."), metric.WithUnit("{alert}"))
	if err != nil {
		return alerts{}, fmt.Errorf("ingest: alerts: %w", err)
	}
	for _, alarm := range []string{alarmSpace, alarmStore, alarmUnnumbered, alarmReusedID} {
		count.Add(context.Background(), 0, metric.WithAttributes(attribute.String("alarm", alarm)))
	}
	return alerts{log, count}, nil
}

func (a alerts) raise(ctx context.Context, alarm, text string, attrs ...slog.Attr) {
	a.count.Add(ctx, 1, metric.WithAttributes(attribute.String("alarm", alarm)))
	a.log.LogAttrs(ctx, slog.LevelError, "alert", append([]slog.Attr{slog.String("why", alarm), slog.String("text", text)}, attrs...)...)
}

// maxRecent is how many message ids are remembered at least, and half of how
// many at most.
const maxRecent = 8192

// recent remembers the content that Weiban's last message ids came with. A reuse
// that it has forgotten, or that another replica saw, is found by the
// dispatcher's balance alone.
type recent struct {
	mu       sync.Mutex
	now, old map[string]string // intake key by tenant and message id
}

// reused reports whether a callback's message id came before with another
// content, and remembers it.
func (r *recent) reused(tenant, eventID string) bool {
	id, key, ok := events.SplitCallbackID(eventID)
	if !ok {
		return false
	}
	id = tenant + "/" + id
	r.mu.Lock()
	defer r.mu.Unlock()
	before, seen := r.now[id]
	if !seen {
		before, seen = r.old[id]
	}
	if len(r.now) >= maxRecent {
		r.now, r.old = nil, r.now
	}
	if r.now == nil {
		r.now = make(map[string]string)
	}
	r.now[id] = key
	return seen && before != key
}
