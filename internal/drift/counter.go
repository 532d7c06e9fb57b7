package drift

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	// maxPaths is how many paths that no type knows a process counts apart; those
	// of the types are bounded by the types.
	maxPaths = 200
	other    = "other" // the path of what comes after them
)

// Counter counts drift as a metric, once for each document and path: what is
// gone only where every object of the document that can have the member lacks
// it. It may be used by many at once; a nil one counts nothing.
type Counter struct {
	documents metric.Int64Counter

	mu      sync.Mutex
	unknown map[string]bool // paths that no type knows
}

// NewCounter makes the instrument gongdan.drift.
func NewCounter(p metric.MeterProvider) (*Counter, error) {
	c, err := p.Meter("gongdan-bridge/internal/drift").Int64Counter("gongdan.drift", metric.WithUnit("{document}"),
		metric.WithDescription("Documents of a vendor that differ from what the bridge knows of them, by member."))
	if err != nil {
		return nil, fmt.Errorf("drift: %w", err)
	}
	return &Counter{documents: c, unknown: make(map[string]bool)}, nil
}

// See looks at a document and counts what drifts in it.
func (c *Counter) See(ctx context.Context, t *Tree, doc []byte) {
	if c == nil {
		return
	}
	for _, f := range t.Look(doc) {
		if f.What == Gone && f.Count < f.Of {
			continue
		}
		path := f.Path
		if f.What == Unknown {
			path = c.bounded(path)
		}
		c.documents.Add(ctx, 1, metric.WithAttributes(attribute.String("vendor", t.vendor), attribute.String("document", t.document),
			attribute.String("what", string(f.What)), attribute.String("path", path)))
	}
}

// bounded is the path, or other after maxPaths of them.
func (c *Counter) bounded(path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.unknown[path] && len(c.unknown) == maxPaths {
		return other
	}
	c.unknown[path] = true
	return path
}
