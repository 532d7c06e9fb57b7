package bus_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/bus/bustest"
)

func portOf(t testing.TB, s *bus.Server) int {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.URL(), "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	return must(strconv.Atoi(port))(t)
}

func TestConnectFails(t *testing.T) {
	s := bustest.Server(t)
	host := strings.TrimPrefix(s.URL(), "nats://")
	missing := filepath.Join(t.TempDir(), "token")
	for _, c := range []struct {
		name  string
		o     bus.Options
		want  []string
		cause error
	}{
		{"nobody there", bus.Options{URL: "nats://user:hunter2@127.0.0.1:1"}, []string{"connect nats://127.0.0.1:1: "}, bus.ErrUnreachable},
		{"wrong token", bus.Options{URL: s.URL(), Token: "hunter2"}, []string{s.URL(), "Authorization Violation"}, nats.ErrAuthorization},
		{"wrong password", bus.Options{URL: "nats://user:hunter2@" + host}, []string{s.URL(), "Authorization Violation"}, nats.ErrAuthorization},
		{"no token file", bus.Options{URL: s.URL(), TokenFile: missing}, []string{missing}, bus.ErrUnreachable},
		{"no credentials file", bus.Options{URL: s.URL(), CredentialsFile: missing}, []string{missing}, nil},
		{"bad URL", bus.Options{URL: "nats://user:hunt er2@host:x/hunter2"}, []string{"not a URL of the form nats://host:port"}, nil},
		{"no URL", bus.Options{}, []string{"not a URL of the form nats://host:port"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := bus.Connect(ctx, c.o)
			if err == nil {
				t.Fatal("connected")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error is %q, want %q in it", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "hunt er2") {
				t.Errorf("the error tells the password: %v", err)
			}
			if c.cause != nil {
				is(t, err, c.cause)
			}
		})
	}
}

func TestConnectWaitsForTheServer(t *testing.T) {
	dir := t.TempDir()
	s := start(t, bus.ServerOptions{Dir: dir})
	port, url, token := portOf(t, s), s.URL(), s.Token()
	stop(t, s)
	type outcome struct {
		b   *bus.Bus
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		b, err := bus.Connect(within(t), bus.Options{URL: url, Token: token})
		done <- outcome{b, err}
	}()
	start(t, bus.ServerOptions{Dir: dir, Port: port})
	r := receive(t, done)
	if r.err != nil {
		t.Fatal(r.err)
	}
	if err := r.b.Ready(within(t)); err != nil {
		t.Error(err)
	}
	if err := errors.Join(r.b.Close(within(t)), r.b.Close(within(t))); err != nil {
		t.Error(err)
	}
	is(t, r.b.Ready(within(t)), bus.ErrUnreachable)
	_, err := r.b.Publish(within(t), callback(1))
	is(t, err, bus.ErrUnreachable)
}

// plainServer is a NATS server that is not ours.
func plainServer(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	change(o)
	ns := must(server.NewServer(o))(t)
	ns.Start()
	if !ns.ReadyForConnections(20 * time.Second) {
		t.Fatal("not ready")
	}
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	return ns
}

func open(t *testing.T, o bus.Options) *bus.Bus {
	t.Helper()
	b := must(bus.Connect(within(t), o))(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// A refused permission only makes the call time out: Ready must name it.
func TestRefusedPermissionShowsInReady(t *testing.T) {
	ns := plainServer(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "ingest", Password: "p", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: []string{"$JS.API.>"}},
		}}}
	})
	b := open(t, bus.Options{URL: strings.Replace(ns.ClientURL(), "nats://", "nats://ingest:p@", 1)})
	if err := errors.Join(b.Provision(within(t)), b.Ready(within(t))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := b.Publish(ctx, callback(1))
	is(t, err, bus.ErrUnreachable)
	err = b.Ready(within(t))
	is(t, err, nats.ErrPermissionViolation)
	if !strings.Contains(err.Error(), "gongdan.acme.event.weiban") {
		t.Errorf("error is %v, want the subject in it", err)
	}
}

func TestNoJetStream(t *testing.T) {
	ns := plainServer(t, func(o *server.Options) { o.JetStream = false })
	b := open(t, bus.Options{URL: ns.ClientURL()})
	is(t, b.Provision(within(t)), bus.ErrUnreachable)
	is(t, b.Ready(within(t)), bus.ErrUnreachable)
	_, err := b.Publish(within(t), callback(1))
	is(t, err, bus.ErrUnreachable)
	_, err = b.Next(within(t), bus.Callbacks, ">", 1)
	is(t, err, bus.ErrUnreachable)
}

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

func raw(t *testing.T, s *bus.Server) jetstream.JetStream {
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
