package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
)

// job is one message in the hands of a stage.
type job struct {
	route    events.Route
	event    events.Event
	raw      []byte // the event as it came
	stream   string
	sequence uint64 // in the stage's stream
	callback uint64 // of the callback in CALLBACKS
	replay   int    // number of the replay, 0 for the event itself
	forced   string // why an uncertain effect may run again
	again    bool   // delivered before
}

// verdict is how a stage ended a message.
type verdict struct {
	outcome string // for the log line: "enriched", or an events.Outcome
	tries   int
	reason  string
	failure *events.Failure // nil where it went well
	letter  deadletter.Letter
}

// stage does the work of one message. It returns an error only where the
// message must come again: nothing could be recorded of it.
type stage interface {
	work(ctx context.Context, j job) (verdict, error)
}

// room is one stage of one tenant and noun: its consumer and its lanes.
type room struct {
	d     *Dispatcher
	t     Tenant
	stage events.Stage
	noun  events.Noun
	work  stage
	lanes *lanes
	held  held
	cons  *bus.Consumer
	beat  context.CancelFunc
	done  sync.WaitGroup
}

func (d *Dispatcher) room(t Tenant, s events.Stage, n events.Noun, w stage) *room {
	return &room{d: d, t: t, stage: s, noun: n, work: w, lanes: newLanes(d.o.Concurrency)}
}

// streams are what each stage reads.
func stream(s events.Stage) string {
	if s == events.Enrich {
		return "CALLBACKS"
	}
	return "EVENTS"
}

func (r *room) name() string {
	return string(r.stage) + "-" + string(r.noun) + "-" + r.t.Name + "-0"
}

func (r *room) open(ctx, hard context.Context, lost chan<- error) error {
	c, err := r.d.o.Bus.Consume(ctx, bus.ConsumerConfig{
		Stream: stream(r.stage), Name: r.name(), Filters: events.StageFilters(r.t.Name, r.stage, r.noun),
		AckWait: r.d.o.AckWait, MaxAckPending: r.d.o.MaxHeld, Batch: r.d.o.Concurrency * 2,
	}, func(m *bus.Delivery) { r.take(hard, m) })
	if err != nil {
		return fmt.Errorf("consumer %s: %w", r.name(), err)
	}
	r.cons = c
	beat, cancel := context.WithCancel(hard)
	r.beat = cancel
	r.done.Go(func() { r.held.beat(beat, r.d.o.AckWait/3) })
	r.done.Go(func() {
		select {
		case err := <-c.Err():
			if err != nil {
				lost <- fmt.Errorf("consumer %s: %w", r.name(), err)
			}
		case <-beat.Done():
		}
	})
	return nil
}

// close takes no more messages and waits for those in hand.
func (r *room) close(ctx context.Context) error {
	err := r.cons.Stop(ctx)
	r.lanes.wait()
	r.beat()
	r.done.Wait()
	return err
}

func (r *room) take(ctx context.Context, m *bus.Delivery) {
	r.held.add(m)
	route, err := events.ParseRoute(m.Subject)
	if err != nil {
		// The consumer's filters let nothing else through.
		r.d.o.Logger.ErrorContext(ctx, "message", slog.String("subject", m.Subject), slog.String("cause", err.Error()))
		r.held.drop(m)
		return
	}
	r.lanes.add(route.Key, func() {
		defer r.held.drop(m)
		if ctx.Err() == nil {
			r.run(ctx, m, route)
		}
	})
}

// run does one message in its turn, and acknowledges it once it is settled.
func (r *room) run(ctx context.Context, m *bus.Delivery, route events.Route) {
	start := time.Now()
	ctx, span := r.span(ctx, m)
	defer span.End()
	j := newJob(m, route)
	v, err := r.attempt(ctx, m, &j)
	if err == nil && v.failure != nil {
		if v.failure.Kind == events.Interrupted {
			err = v.failure
		} else {
			err = r.d.bury(ctx, r.t, j, &v)
		}
	}
	if err == nil {
		err = m.Ack()
	}
	r.record(ctx, span, j, v, err, time.Since(start))
}

// attempt decodes the event and gives it to the stage; a panic of ours is a
// failure like any other, so that one bad order stops no other.
func (r *room) attempt(ctx context.Context, m *bus.Delivery, j *job) (v verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			v.failure = &events.Failure{Kind: events.Internal, Reason: "the bridge panicked; please report it"}
			r.d.o.Logger.ErrorContext(ctx, "panic", slog.String("order", j.route.Key), slog.Any("panic", fmt.Sprintf("%T", p)), slog.String("stack", stack()))
		}
	}()
	ev, err := events.Decode(m.Header.Get("Content-Type"), m.Data)
	if err != nil {
		return verdict{failure: &events.Failure{Kind: events.Invalid, Reason: err.Error(), Err: err}}, nil
	}
	j.event = ev
	return r.work.work(ctx, *j)
}

func newJob(m *bus.Delivery, route events.Route) job {
	j := job{
		route: route, raw: m.Data, stream: m.Stream, sequence: m.Sequence, callback: m.Sequence,
		forced: m.Header.Get(deadletter.HeaderForced), again: m.Delivered > 1,
	}
	if n, err := strconv.Atoi(m.Header.Get(deadletter.HeaderReplay)); err == nil {
		j.replay = n
	}
	if n, err := strconv.ParseUint(m.Header.Get(deadletter.HeaderSequence), 10, 64); err == nil {
		j.callback = n
	}
	return j
}

// span continues the hop's trace. A message that comes again, or is replayed,
// begins a trace of its own with a link to the first.
func (r *room) span(ctx context.Context, m *bus.Delivery) (context.Context, trace.Span) {
	opts := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			attribute.String("messaging.system", "nats"), attribute.String("messaging.operation.type", "process"),
			attribute.String("messaging.consumer.group.name", r.name()), attribute.String("gongdan.tenant", r.t.Name),
			attribute.Int64("messaging.nats.delivered", int64(m.Delivered)), attribute.Int64("messaging.nats.sequence", int64(m.Sequence)),
		),
	}
	remote := m.Context(ctx)
	if m.Delivered > 1 || m.Header.Get(deadletter.HeaderReplay) != "" {
		opts = append(opts, trace.WithNewRoot(), trace.WithLinks(trace.LinkFromContext(remote)))
	}
	return r.d.tracer.Start(remote, "process "+string(r.stage)+" "+string(r.noun), opts...)
}

// record writes the one log line of an attempt.
func (r *room) record(ctx context.Context, span trace.Span, j job, v verdict, err error, took time.Duration) {
	attrs := []slog.Attr{
		slog.String("tenant", r.t.Name), slog.String("stage", string(r.stage)), slog.String("noun", string(r.noun)),
		slog.String("order", j.route.Key), slog.String("event", j.event.ID()), slog.Uint64("sequence", j.sequence),
		slog.Int("replay", j.replay), slog.Int("tries", v.tries), slog.String("outcome", v.outcome), slog.Duration("took", took),
	}
	level := slog.LevelInfo
	if v.reason != "" {
		attrs = append(attrs, slog.String("reason", v.reason))
	}
	if f := v.failure; f != nil {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("kind", string(f.Kind)), slog.String("api", f.API), slog.String("code", f.Code),
			slog.String("cause", f.Error()))
		span.SetStatus(codes.Error, string(f.Kind))
	}
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("unsettled", err.Error()))
		v.outcome = "unsettled"
		span.SetStatus(codes.Error, "unsettled")
	}
	span.SetAttributes(attribute.String("gongdan.outcome", v.outcome), attribute.String("cloudevents.event_id", j.event.ID()))
	r.d.meters.attempt(ctx, r.t.Name, r.stage, r.noun, v, took)
	r.d.o.Logger.LogAttrs(ctx, level, "attempt", attrs...)
}
