package bus_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"gongdan-bridge/internal/bus"
)

// serverOf runs a NATS server with these options on loopback, for the test's time.
func serverOf(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	o.Host, o.NoSigs, o.NoLog = "127.0.0.1", true, true
	if o.Port == 0 {
		o.Port = -1
	}
	if o.JetStream {
		o.StoreDir = t.TempDir()
	}
	ns := must(server.NewServer(&o))(t)
	go ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(20 * time.Second) {
		t.Fatal("not ready")
	}
	return ns
}

// pretend is something that greets as a NATS server of that version, and says nothing
// else than PONG.
func pretend(t *testing.T, addr, version string) string {
	t.Helper()
	l := must((&net.ListenConfig{}).Listen(t.Context(), "tcp", addr))(t)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			go func() {
				_, _ = fmt.Fprintf(c, "INFO {\"server_id\":\"x\",\"version\":%q,\"headers\":true,\"proto\":1,\"max_payload\":8388608}\r\n", version)
				for lines := bufio.NewScanner(c); lines.Scan(); {
					if strings.HasPrefix(lines.Text(), "PING") {
						_, _ = c.Write([]byte("PONG\r\n"))
					}
				}
			}()
		}
	}()
	return "nats://" + l.Addr().String()
}

// A server that cannot do what the bridge asks of it is refused before anything is
// written to it, in words that say what is wrong and what to do.
func TestConnectRefusesAServerThatDoesNotFit(t *testing.T) {
	plain := func(o server.Options) func(*testing.T) string {
		return func(t *testing.T) string { return serverOf(t, o).ClientURL() }
	}
	for _, tt := range []struct {
		name  string
		url   func(*testing.T) string
		o     bus.Options
		cause error
		says  []string
	}{
		{"too old", func(t *testing.T) string { return pretend(t, "127.0.0.1:0", "2.11.6") }, bus.Options{}, bus.ErrServerTooOld, []string{"2.11.6", bus.MinServerVersion, "upgrade"}},
		{"of a year ago", func(t *testing.T) string { return pretend(t, "127.0.0.1:0", "2.10.29-RC.1") }, bus.Options{}, bus.ErrServerTooOld, []string{"2.10.29-RC.1"}},
		{"without JetStream", plain(server.Options{}), bus.Options{}, bus.ErrNoJetStream, []string{"jetstream block"}},
		{"an account without JetStream", func(t *testing.T) string {
			acc := server.NewAccount("PLAIN")
			ns := serverOf(t, server.Options{JetStream: true, Accounts: []*server.Account{acc}, Users: []*server.User{{Username: "u", Password: "p", Account: acc}}})
			return strings.Replace(ns.ClientURL(), "nats://", "nats://u:p@", 1)
		}, bus.Options{}, bus.ErrNoJetStream, []string{"account"}},
		{"max_payload of 64 KiB", plain(server.Options{JetStream: true, MaxPayload: 64 << 10}), bus.Options{Payload: 1 << 20}, bus.ErrPayloadTooSmall, []string{"65536", "1048576", "max_payload: 8MB"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.URL = tt.url(t)
			b, err := bus.Connect(within(t), tt.o)
			if err == nil {
				_ = b.Close(within(t))
			}
			is(t, err, tt.cause)
			for _, want := range tt.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in %q", want, err)
				}
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "u:p@") {
				t.Errorf("not one line, or a password in it: %q", err)
			}
		})
	}
}

// A newer version, a later patch and one that is not understood are taken.
func TestVersions(t *testing.T) {
	for have, old := range map[string]bool{
		"2.11.7": true, "2.11.8": false, "2.11.8-RC.1": false, "2.12.0": false, "3.0.0": false, "2.9.25": true, "1.4.1": true, "": false, "main": false,
	} {
		if bus.Older(have, bus.MinServerVersion) != old {
			t.Errorf("%q: %t", have, !old)
		}
	}
}

// A connection that comes back to an older server is not ready.
func TestReadyNoticesAnOlderServer(t *testing.T) {
	ns := serverOf(t, server.Options{JetStream: true})
	addr := ns.Addr().String()
	b := open(t, bus.Options{URL: ns.ClientURL()})
	if err := b.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	ns.Shutdown()
	ns.WaitForShutdown()
	pretend(t, addr, "2.10.29")
	until(t, func() bool { return errors.Is(b.Ready(within(t)), bus.ErrServerTooOld) })
}

// A cluster that has fewer servers than replicas says so.
func TestProvisionMoreReplicasThanServers(t *testing.T) {
	_, urls := cluster(t)
	b := open(t, bus.Options{URL: urls, Replicas: 5})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var err error
	until(t, func() bool {
		err = b.Provision(ctx)
		return !errors.Is(err, bus.ErrUnreachable)
	})
	if err == nil || !strings.Contains(err.Error(), "lower replicas, or add servers") {
		t.Fatal(err)
	}
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(30*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatal("it did not happen")
		case <-tick.C:
		}
	}
}
