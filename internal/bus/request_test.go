package bus_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/testwing/bustest"
)

func TestRequestAndServe(t *testing.T) {
	s := bustest.Server(t)
	owner, operator := bustest.Connect(t, s, bus.Options{}), bustest.Connect(t, s, bus.Options{})
	subject := events.ControlSubject("acme", "pause")
	_, err := operator.Request(within(t), subject, nil)
	is(t, err, bus.ErrNoResponders)

	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled})
	stop := must(owner.Serve(subject, func(ctx context.Context, data []byte) []byte {
		return fmt.Appendf(nil, "%s in %s", data, trace.SpanContextFromContext(ctx).TraceID())
	}))(t)
	ctx := trace.ContextWithSpanContext(within(t), parent)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			reply, err := operator.Request(ctx, subject, fmt.Append(nil, i))
			if want := fmt.Sprintf("%d in %s", i, parent.TraceID()); err != nil || string(reply) != want {
				t.Errorf("reply is %q (%v), want %q", reply, err, want)
			}
		})
	}
	wg.Wait()
	stop()
	stop()
	_, err = operator.Request(within(t), subject, nil)
	is(t, err, bus.ErrNoResponders)
}

func TestServeStopsSoftly(t *testing.T) {
	b := bustest.New(t)
	begun, ended := make(chan struct{}), false
	stop := must(b.Serve("gongdan.acme.ctl.resume", func(ctx context.Context, _ []byte) []byte {
		close(begun)
		<-ctx.Done() // told to end by stop
		ended = true
		return []byte("done")
	}))(t)
	reply := make(chan string, 1)
	go func() {
		r, err := b.Request(within(t), "gongdan.acme.ctl.resume", nil)
		reply <- fmt.Sprint(string(r), err)
	}()
	receiveEnd(t, begun)
	stop()
	if !ended {
		t.Error("stop did not wait for the request in hand")
	}
	if r := receive(t, reply); r != "done<nil>" {
		t.Errorf("the request in hand was answered %q", r)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Request(cancelled, "gongdan.acme.ctl.resume", nil)
	is(t, err, context.Canceled)
}
