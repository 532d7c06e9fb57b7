package bus_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/natsd"
	"gongdan-bridge/internal/testwing/bustest"
)

func TestProvisionFromSeveralAtOnce(t *testing.T) {
	s := bustest.Server(t)
	var wg sync.WaitGroup
	for range 6 {
		b := open(t, bus.Options{URL: s.URL(), Token: s.Token()})
		wg.Go(func() {
			for range 3 {
				if err := b.Provision(within(t)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestProvisionChangesLimits(t *testing.T) {
	s := bustest.Server(t)
	publish(t, bustest.Connect(t, s, bus.Options{}), callback(1))
	limits := bus.Limits{DuplicateWindow: 3 * time.Hour, Of: map[string]bus.Limit{
		bus.Callbacks: {MaxBytes: 1 << 30, MaxAge: 2 * time.Hour},
		bus.Events:    {MaxAge: -1},
		bus.State:     {MaxBytes: 1 << 20},
	}}
	bustest.Connect(t, s, bus.Options{Limits: limits})
	js := raw(t, s)
	for name, want := range map[string]jetstream.StreamConfig{
		bus.Callbacks: {MaxBytes: 1 << 30, MaxAge: 2 * time.Hour, Duplicates: 2 * time.Hour, AllowDirect: true},
		bus.Events:    {MaxBytes: 8 << 30, MaxAge: 0, Duplicates: 3 * time.Hour, AllowDirect: true},
		bus.Dead:      {MaxBytes: 1 << 30, MaxAge: 0, Duplicates: 3 * time.Hour, AllowDirect: true},
		"KV_STATE":    {MaxBytes: 1 << 20, Duplicates: 2 * time.Minute, AllowDirect: true},
	} {
		have := must(js.Stream(within(t), name))(t).CachedInfo().Config
		if have.MaxBytes != want.MaxBytes || have.MaxAge != want.MaxAge || have.Duplicates != want.Duplicates || have.AllowDirect != want.AllowDirect ||
			have.Storage != jetstream.FileStorage || have.Discard != jetstream.DiscardNew || have.Retention != jetstream.LimitsPolicy {
			t.Errorf("%s is %+v", name, have)
		}
	}
	// Any NATS client reads a bucket as one.
	if _, err := must(js.KeyValue(within(t), bus.State))(t).PutString(within(t), "alive.one", "x"); err != nil {
		t.Error(err)
	}
}

func raw(t *testing.T, s *natsd.Server) jetstream.JetStream {
	t.Helper()
	js := must(jetstreamOf(s.URL(), nats.Token(s.Token())))(t)
	t.Cleanup(js.Conn().Close)
	return js
}

func jetstreamOf(urls string, opts ...nats.Option) (jetstream.JetStream, error) {
	nc, err := nats.Connect(urls, opts...)
	if err != nil {
		return nil, err
	}
	return jetstream.New(nc)
}

func TestProvisionRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		before jetstream.StreamConfig
		o      bus.Options
		want   []string
	}{
		{
			"another storage and retention",
			jetstream.StreamConfig{
				Name: bus.Callbacks, Subjects: []string{"gongdan.*.event.weiban.>"},
				Storage: jetstream.MemoryStorage, Retention: jetstream.WorkQueuePolicy,
			},
			bus.Options{},
			[]string{
				"provision CALLBACKS: ", "storage cannot be changed: have Memory, want File",
				"retention cannot be changed: have WorkQueue, want Limits",
			},
		},
		{
			"a limit below what is stored",
			jetstream.StreamConfig{Name: bus.Audit, Subjects: []string{"gongdan.*.audit.>"}},
			bus.Options{Limits: bus.Limits{Of: map[string]bus.Limit{bus.Audit: {MaxBytes: 10}}}},
			[]string{"provision AUDIT: max bytes: ", "want a limit of 10, which would throw messages away"},
		},
		{
			"a foreign stream on the subjects",
			jetstream.StreamConfig{Name: "FOREIGN", Subjects: []string{"gongdan.*.dead.>"}},
			bus.Options{},
			[]string{"provision DEAD: ", "a stream that is not the bridge's takes the same subjects"},
		},
		{
			"replicas of a single server",
			jetstream.StreamConfig{Name: "OTHER"},
			bus.Options{Replicas: 3},
			[]string{"provision CALLBACKS: ", "set replicas to 1"},
		},
		{
			"more than the server may store",
			jetstream.StreamConfig{Name: "OTHER"},
			bus.Options{Limits: bus.Limits{Of: map[string]bus.Limit{bus.Events: {MaxBytes: 1 << 40}}}},
			[]string{"provision EVENTS: ", "raise its max store or lower the limits"},
		},
		{
			"a limit of nothing",
			jetstream.StreamConfig{Name: "OTHER"},
			bus.Options{Limits: bus.Limits{Of: map[string]bus.Limit{"EVENT": {}}}},
			[]string{"limits of EVENT: no such stream or bucket"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := bustest.Server(t)
			js := raw(t, s)
			must(js.CreateStream(within(t), c.before))(t)
			if len(c.before.Subjects) > 0 {
				must(js.Publish(within(t), "gongdan.acme.audit.x", []byte("some bytes"), jetstream.WithRetryAttempts(0)))
			}
			c.o.URL, c.o.Token = s.URL(), s.Token()
			err := open(t, c.o).Provision(within(t))
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error is %v, want %q in it", err, want)
				}
			}
		})
	}
}

// A program that does not keep the limits makes what is missing, says where it
// differs, and changes nothing; of how many copies there are it must not differ.
func TestLimitsAreKeptByOneProgram(t *testing.T) {
	s := bustest.Server(t)
	theirs := bus.Limits{DuplicateWindow: 2 * time.Hour, Of: map[string]bus.Limit{bus.Callbacks: {MaxBytes: 1 << 30, MaxAge: 48 * time.Hour}}}
	bustest.Connect(t, s, bus.Options{Limits: theirs})
	js := raw(t, s)
	if err := js.DeleteStream(within(t), bus.Dead); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	ours := bus.Options{
		URL: s.URL(), Token: s.Token(), KeepLimits: true, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Limits: bus.Limits{Of: map[string]bus.Limit{bus.Callbacks: {MaxBytes: 1 << 20}, bus.Dead: {MaxBytes: 1 << 21}}},
	}
	if err := open(t, ours).Provision(within(t)); err != nil {
		t.Fatal(err)
	}
	have := must(js.Stream(within(t), bus.Callbacks))(t).CachedInfo().Config
	if have.MaxBytes != 1<<30 || have.MaxAge != 48*time.Hour || have.Duplicates != 2*time.Hour {
		t.Errorf("CALLBACKS is %+v", have)
	}
	if dead := must(js.Stream(within(t), bus.Dead))(t).CachedInfo().Config; dead.MaxBytes != 1<<21 {
		t.Errorf("what was missing is made as %+v", dead)
	}
	for _, want := range []string{"keeps them", "stream=CALLBACKS", "max bytes 1073741824, here 1048576", "max age 48h0m0s, here 720h0m0s"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q: %s", want, log.String())
		}
	}
	ours.Replicas = 3
	if err := open(t, ours).Provision(within(t)); err == nil || !strings.Contains(err.Error(), "replicas 1, here 3") {
		t.Errorf("another number of copies: %v", err)
	}
}
