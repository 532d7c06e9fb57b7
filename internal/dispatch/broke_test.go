package dispatch_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"
	tnoop "go.opentelemetry.io/otel/trace/noop"

	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// poison is a tracer that panics at the spans of one event in one stage: a fault of
// ours where no vendor is called and no mapping runs.
type poison struct {
	tnoop.TracerProvider
	span  string
	event atomic.Value
	times atomic.Int64
}

type poisonTracer struct {
	tnoop.Tracer
	*poison
}

func (p *poison) Tracer(string, ...trace.TracerOption) trace.Tracer { return poisonTracer{poison: p} }

func (p poisonTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	c := trace.NewSpanStartConfig(opts...)
	for _, a := range c.Attributes() {
		id, _ := p.event.Load().(string)
		if strings.HasPrefix(name, p.span) && a.Key == "cloudevents.event_id" && id != "" && strings.HasPrefix(a.Value.AsString(), id) {
			p.times.Add(1)
			panic("poisoned")
		}
	}
	return p.Tracer.Start(ctx, name, opts...)
}

// A message at which we always panic is a letter after a few tries, in the time of
// the retries and not of the consumer, and the order's next event goes on.
func TestAMessageThatAlwaysBreaksUsIsALetter(t *testing.T) {
	for _, stage := range ledger.Stages {
		t.Run(string(stage), func(t *testing.T) {
			b := newBridge(t)
			p := &poison{span: "process " + string(stage)}
			// The other stage's deliveries go with the evicted order, and come again after AckWait.
			b.change = func(o *dispatch.Options) { o.Tracer, o.AckWait = p, 2*time.Second }
			number, bill := b.order()
			first := b.visit(number, "第一次")
			poisoned := b.visit(number, "第二次")
			p.event.Store(poisoned)
			last := b.end(number, "修好")
			b.run("one", nil)
			b.ended(first, "applied")
			b.ended(poisoned, "dead")
			b.ended(last, "applied")
			if diff := cmp.Diff([]string{"第一次", "修好"}, b.notes(bill)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if l := b.letters(); len(l) != 1 || l[0].Kind != events.Internal || l[0].Stage != stage || !strings.Contains(l[0].Reason, "panicked") {
				t.Errorf("letters %+v", l)
			}
			if n := p.times.Load(); n != 3 {
				t.Errorf("tried %d times, want 3", n)
			}
		})
	}
}
