package bus_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/testwing/script"
)

// cluster starts three NATS servers that are one JetStream cluster.
func cluster(t *testing.T) (servers []*server.Server, urls string) {
	t.Helper()
	ports := must(script.FreePorts(t.Context(), 3))(t)
	var routes []*url.URL
	for _, port := range ports {
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)})
	}
	for i, port := range ports {
		ns := must(server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("n%d", i), Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port}, Routes: routes,
		}))(t)
		go ns.Start()
		t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
		servers = append(servers, ns)
	}
	var all []string
	for _, ns := range servers {
		if !ns.ReadyForConnections(20 * time.Second) {
			t.Fatal("not ready")
		}
		all = append(all, ns.ClientURL())
	}
	return servers, strings.Join(all, ",")
}

// provision waits until the cluster has found itself.
func provision(t *testing.T, b *bus.Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := b.Provision(ctx)
		if err == nil {
			return
		}
		if !errors.Is(err, bus.ErrUnreachable) && !errors.Is(err, bus.ErrFull) || ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// On three replicas the same promises hold: concurrent fenced writes all come to an
// end, what was confirmed is read from the leader, and a lost leader loses nothing.
func TestThreeReplicas(t *testing.T) {
	servers, urls := cluster(t)
	b := open(t, bus.Options{URL: urls, Replicas: 3})
	provision(t, b)
	js := must(jetstreamOf(urls))(t)
	t.Cleanup(js.Conn().Close)
	for stream, direct := range map[string]bool{"KV_STATE": false, "KV_TOKENS": true, bus.Callbacks: true} {
		info := must(js.Stream(within(t), stream))(t).CachedInfo()
		if info.Config.Replicas != 3 || info.Config.AllowDirect != direct {
			t.Errorf("%s has %d replicas, direct reads %t", stream, info.Config.Replicas, info.Config.AllowDirect)
		}
	}

	k := b.Bucket(bus.State)
	claim := must(k.Create(within(t), "owner.acme", nil))(t)
	fence := bus.Fence{Key: "owner.acme", Revision: claim}
	const n = 200
	each(t, n, func(i int) error {
		_, err := k.PutFenced(within(t), fmt.Sprintf("wait.acme.work_order.%d", i), []byte("x"), fence)
		return err
	})
	each(t, n, func(i int) error {
		m := callback(i)
		if _, err := b.Publish(within(t), m); err != nil {
			return err
		}
		_, err := b.Next(within(t), bus.Callbacks, m.Subject, 1) // at once, and by anybody
		return err
	})
	// One write that the claim's end overtakes is refused, not tried for ever.
	must(k.Update(within(t), "owner.acme", []byte("next"), claim))(t)
	_, err := k.PutFenced(within(t), "wait.acme.late", nil, fence)
	is(t, err, bus.ErrFenced)

	info := must(js.Stream(within(t), "KV_STATE"))(t).CachedInfo()
	for _, ns := range servers {
		if ns.Name() == info.Cluster.Leader {
			ns.Shutdown()
			ns.WaitForShutdown()
		}
	}
	loaded := 0
	patiently(t, func(ctx context.Context) error {
		loaded = 0
		return k.Load(ctx, "wait.acme", func(bus.Entry) error { loaded++; return nil })
	})
	if loaded != n {
		t.Errorf("%d of %d records are there", loaded, n)
	}
	refused := errors.New("enough")
	is(t, k.Load(within(t), "wait.acme", func(bus.Entry) error { return refused }), refused)
	var page []bus.Stored
	patiently(t, func(ctx context.Context) (err error) {
		page, err = b.Page(ctx, bus.Callbacks, "", 1, 2*n)
		return err
	})
	if len(page) != n {
		t.Errorf("%d of %d callbacks are there", len(page), n)
	}
	patiently(t, func(ctx context.Context) error {
		_, err := b.Publish(ctx, callback(n+1))
		return err
	})
}

// each does n things, sixteen at a time.
func each(t *testing.T, n int, do func(int) error) {
	t.Helper()
	var wg sync.WaitGroup
	next := make(chan int)
	for range 16 {
		wg.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// patiently tries again what a change of leader makes unreachable.
func patiently(t *testing.T, do func(context.Context) error) {
	t.Helper()
	ctx := within(t)
	for {
		one, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := do(one)
		cancel()
		if err == nil {
			return
		}
		if !errors.Is(err, bus.ErrUnreachable) || ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}
