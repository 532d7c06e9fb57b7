package dispatch_test

import (
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/testwing/script"
)

// The attempt at a replayed event links to the attempt that made the letter, so that a
// person finds one from the other.
func TestAReplayLinksToItsLetter(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	b := newBridge(t)
	b.change = func(o *dispatch.Options) {
		o.Tracer = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	}
	b.run("one", nil)
	number, _ := b.order()
	b.faultsK.Add(script.Fault{Kind: script.Refuse, API: "handle-order", Text: "审批中"})
	id := b.end(number, "修好")
	b.ended(id, "dead")
	letter := b.letters()[0]
	if letter.Trace == "" {
		t.Fatal("the letter has no trace")
	}
	if _, err := b.box.Replay(t.Context(), letter.Number, actOf("wang")); err != nil {
		t.Fatal(err)
	}
	b.ended(id, "applied")
	linked := func() bool {
		for _, s := range spans.GetSpans() {
			for _, l := range s.Links {
				if s.Name == "process handle work_order" && l.SpanContext.TraceID().String() == letter.Trace {
					return true
				}
			}
		}
		return false
	}
	b.until("the replay's attempt links to the letter's", linked)
}
