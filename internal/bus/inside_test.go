package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func FuzzSafeURL(f *testing.F) {
	for _, u := range []string{"nats://user:pw@host:4222", "user:pw@host", "tls://a:b@h1, nats://c:d@h2/x?y=z", "nats://h:1/pw@x"} {
		f.Add(u)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		const secret = "hunter2"
		for _, u := range []string{"nats://user:" + secret + "@" + rest, secret + "@" + rest, "nats://host/" + secret} {
			if strings.Contains(rest, secret) || strings.ContainsAny(rest, ",") {
				continue
			}
			if safe := safeURL(u); strings.Contains(safe, secret) {
				t.Fatalf("%q became %q", u, safe)
			}
			if err := checkURL(u); err != nil && strings.Contains(err.Error(), secret) {
				t.Fatalf("the check of %q says %v", u, err)
			}
		}
	})
}

func TestSafeURL(t *testing.T) {
	for u, want := range map[string]string{
		"nats://127.0.0.1:4250":            "nats://127.0.0.1:4250",
		"host:4222":                        "nats://host:4222",
		"tls://u:p@h1:1, nats://t@h2:2":    "tls://h1:1,nats://h2:2",
		"nats://u:p/w@host:4222/path?t=x#": "nats://host:4222",
	} {
		if have := safeURL(u); have != want {
			t.Errorf("%s became %s, want %s", u, have, want)
		}
	}
}

func TestFaultsAreRememberedForAWhile(t *testing.T) {
	f := newFaults(time.Minute)
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	if err := f.current(at(0)); err != nil {
		t.Fatalf("fault %v before any", err)
	}
	one, two := errors.New("one"), errors.New("two")
	for _, c := range []struct {
		err  error
		at   int
		news bool
	}{{one, 0, true}, {one, 59, false}, {two, 60, true}, {one, 61, true}, {one, 200, true}} {
		if news := f.add(c.err, at(c.at)); news != c.news {
			t.Errorf("%v at %d s is news: %t, want %t", c.err, c.at, news, c.news)
		}
	}
	if err := f.current(at(259)); !errors.Is(err, one) {
		t.Errorf("after 59 s the fault is %v", err)
	}
	if err := f.current(at(260)); err != nil {
		t.Errorf("after a minute the fault is still %v", err)
	}
}

func TestFits(t *testing.T) {
	for _, c := range []struct {
		filter, subject string
		want            bool
	}{
		{"a.*.c", "a.b.c", true},
		{"a.{name}.c", "a.b.c", true},
		{"a.*.c", "a.b.d", false},
		{"a.*", "a.b.c", false},
		{"a.*.c", "a.b", false},
		{"a.>", "a.b.c", true},
		{"a.>", "a", false},
		{">", "a", true},
	} {
		if have := matches(strings.Split(c.filter, "."), strings.Split(c.subject, ".")); have != c.want {
			t.Errorf("%s takes %s: %t, want %t", c.filter, c.subject, have, c.want)
		}
	}
}

func TestClassify(t *testing.T) {
	api := func(code jetstream.ErrorCode, text string) error {
		return fmt.Errorf("nats: %w", &jetstream.APIError{ErrorCode: code, Description: text})
	}
	reasons := []error{ErrFull, ErrUnreachable, ErrTooLarge, ErrUnprovisioned, ErrNotFound}
	for _, c := range []struct{ err, want error }{
		{api(10077, "maximum bytes exceeded"), ErrFull},
		{api(10077, "write x: no space left on device"), ErrFull},
		{api(10077, "checksum is wrong"), nil},
		{api(10002, "resource limits exceeded for account"), ErrFull},
		{api(10023, "insufficient resources"), ErrFull},
		{api(10047, "insufficient storage resources available"), ErrFull},
		{api(10054, "message size exceeds maximum allowed"), ErrTooLarge},
		{nats.ErrMaxPayload, ErrTooLarge},
		{jetstream.ErrStreamNotFound, ErrUnprovisioned},
		{jetstream.ErrMsgNotFound, ErrNotFound},
		{jetstream.ErrConsumerNotFound, ErrNotFound},
		{api(10057, "stream store EOF"), ErrNotFound},
		{api(10057, "disk on fire"), nil},
		{api(10008, "JetStream system temporarily unavailable"), ErrUnreachable},
		{jetstream.ErrJetStreamNotEnabled, ErrUnreachable},
		{jetstream.ErrNoStreamResponse, ErrUnreachable},
		{nats.ErrNoResponders, ErrUnreachable},
		{nats.ErrReconnectBufExceeded, ErrUnreachable},
		{nats.ErrConnectionClosed, ErrUnreachable},
		{context.DeadlineExceeded, ErrUnreachable},
		{context.Canceled, nil},
		{api(10060, "expected stream does not match"), nil},
		{errors.New("something else"), nil},
	} {
		have := classify(c.err)
		if !errors.Is(have, c.err) {
			t.Errorf("%v lost its cause", c.err)
		}
		for _, r := range reasons {
			if is, want := errors.Is(have, r), errors.Is(c.want, r); is != want {
				t.Errorf("%v is %q: %t, want %t", c.err, r, is, want)
			}
		}
		if again := classify(have); again.Error() != have.Error() {
			t.Errorf("%v was classified twice: %v", c.err, again)
		}
	}
	if classify(nil) != nil {
		t.Error("nil is no error")
	}
}

// pulls stands for the client library's side of a consumer.
type pulls struct{ stopped int }

func (p *pulls) Stop()                   { p.stopped++ }
func (p *pulls) Drain()                  {}
func (p *pulls) Closed() <-chan struct{} { return nil }

func TestMissedHeartbeats(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	for _, c := range []struct {
		name   string
		info   error
		misses []int // seconds; heartbeats come every 5
		want   error
	}{
		{"one is a blip", nil, []int{10}, nil},
		{"two far apart are two blips", nil, []int{10, 60}, nil},
		{"two in a row", nil, []int{10, 20}, ErrStalled},
		{"nobody can tell", ErrUnreachable, []int{10, 20}, ErrStalled},
		{"it was deleted", ErrNotFound, []int{10}, ErrConsumerGone},
		{"its stream was deleted", ErrUnprovisioned, []int{10}, ErrConsumerGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &pulls{}
			k := &Consumer{
				heartbeat: 5 * time.Second, log: slog.New(slog.DiscardHandler), cc: p,
				info:     func(context.Context) (*jetstream.ConsumerInfo, error) { return nil, c.info },
				handling: make(chan struct{}, 1),
				stopped:  make(chan struct{}), errs: make(chan error, 1),
			}
			for _, s := range c.misses {
				k.missed(at(s), jetstream.ErrNoHeartbeat)
			}
			var have error
			select {
			case have = <-k.Err():
			default:
			}
			if !errors.Is(have, c.want) || (c.want == nil) != (have == nil) {
				t.Errorf("reported %v, want %v", have, c.want)
			}
			if (p.stopped == 1) != (c.want != nil) {
				t.Errorf("pulls were stopped %d times", p.stopped)
			}
		})
	}
}

func TestTroubleOfAPull(t *testing.T) {
	for _, c := range []struct{ err, want error }{
		{jetstream.ErrConsumerDeleted, ErrConsumerGone},
		{jetstream.ErrConnectionClosed, ErrStalled},
		{jetstream.ErrConsumerLeadershipChanged, nil},
		{nats.ErrNoResponders, nil},
	} {
		k := &Consumer{
			log: slog.New(slog.DiscardHandler), cc: &pulls{}, handling: make(chan struct{}, 1),
			stopped: make(chan struct{}), errs: make(chan error, 1),
		}
		k.trouble(c.err)
		k.trouble(jetstream.ErrConsumerLeadershipChanged) // never ends it, and is no use to one that has ended
		var have error
		select {
		case have = <-k.Err():
		default:
		}
		if !errors.Is(have, c.want) || (c.want == nil) != (have == nil) {
			t.Errorf("%v was reported as %v, want %v", c.err, have, c.want)
		}
	}
}
