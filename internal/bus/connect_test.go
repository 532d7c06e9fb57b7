package bus_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/natsd"
	"gongdan-bridge/internal/testwing/bustest"
)

func portOf(t testing.TB, s *natsd.Server) int {
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
	s := start(t, natsd.Options{Dir: dir})
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
	start(t, natsd.Options{Dir: dir, Port: port})
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

func TestConnectionComesBackWithTheServer(t *testing.T) {
	dir := t.TempDir()
	s := start(t, natsd.Options{Dir: dir})
	b := bustest.Connect(t, s, bus.Options{})
	got := make(chan uint64, 10)
	k := must(b.Consume(within(t), bus.ConsumerConfig{Stream: bus.Callbacks, Name: "enrich"}, func(d *bus.Delivery) {
		if err := d.DoubleAck(context.Background()); err != nil {
			t.Error(err)
		}
		got <- d.Sequence
	}))(t)
	t.Cleanup(func() { end(t, k) })
	publish(t, b, callback(1))
	receive(t, got)
	stop(t, s)
	port := portOf(t, s)
	s = start(t, natsd.Options{Dir: dir, Port: port})
	publish(t, bustest.Connect(t, s, bus.Options{}), callback(2))
	if seq := receive(t, got); seq != 2 {
		t.Errorf("the consumer went on at %d, want 2", seq)
	}
	if err := b.Ready(within(t)); err != nil {
		t.Error(err)
	}
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

// JetStream that goes away behind a connection is out of reach; see
// TestConnectRefusesAServerThatDoesNotFit for one that is off from the beginning.
func TestNoJetStream(t *testing.T) {
	ns := plainServer(t, func(*server.Options) {})
	b := open(t, bus.Options{URL: ns.ClientURL()})
	if err := ns.DisableJetStream(); err != nil {
		t.Fatal(err)
	}
	is(t, b.Provision(within(t)), bus.ErrUnreachable)
	is(t, b.Ready(within(t)), bus.ErrUnreachable)
	_, err := b.Publish(within(t), callback(1))
	is(t, err, bus.ErrUnreachable)
	_, err = b.Next(within(t), bus.Callbacks, ">", 1)
	is(t, err, bus.ErrUnreachable)
}
