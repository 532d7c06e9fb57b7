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
	series  map[series]metric.AddOption
	unknown int // paths that no type knows
}

type series struct {
	vendor, document string
	what             What
	path             string
}

// NewCounter makes the instrument gongdan.drift.
func NewCounter(p metric.MeterProvider) (*Counter, error) {
	c, err := p.Meter("gongdan-bridge/internal/drift").Int64Counter("gongdan.drift", metric.WithUnit("{document}"),
		metric.WithDescription("Documents of a vendor that differ from what the bridge knows of them, by member."))
	if err != nil {
		return nil, fmt.Errorf("drift: %w", err)
	}
	return &Counter{documents: c, series: make(map[series]metric.AddOption)}, nil
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
		c.documents.Add(ctx, 1, c.option(series{t.vendor, t.document, f.What, f.Path}))
	}
}

// option keeps the attributes of a series, which cost more than the counting.
func (c *Counter) option(s series) metric.AddOption {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o, ok := c.series[s]; ok {
		return o
	}
	if s.what == Unknown && s.path != other {
		if c.unknown == maxPaths {
			s.path = other
		} else {
			c.unknown++
		}
	}
	if o, ok := c.series[s]; ok {
		return o
	}
	o := metric.WithAttributeSet(attribute.NewSet(
		attribute.String("vendor", s.vendor), attribute.String("document", s.document),
		attribute.String("what", string(s.what)), attribute.String("path", s.path)))
	c.series[s] = o
	return o
}
