package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
)

// TestCluster: three NATS servers hold every stream; their leaders step down, one
// server dies and comes back, and nothing is lost, doubled or out of order.
func TestCluster(t *testing.T) {
	t.Parallel()
	s := seed(t)
	dice := rand.New(rand.NewPCG(s, 11))
	in := install(t, s, set{Options: harness.Options{Programs: programs(t), Servers: 3, Dispatchers: 2}, tenants: 2})
	for _, p := range in.Servers {
		in.keep(p, dice, harness.Keeping{})
	}
	in.ready(in.Servers...)
	for _, p := range append([]*harness.Process{in.Ingest}, in.Dispatchers...) {
		in.keep(p, dice, harness.Keeping{})
	}
	in.ready(append([]*harness.Process{in.Ingest}, in.Dispatchers...)...)
	books, js := in.books(), in.jetstream()
	var told [][]fakeweiban.Notice
	in.clerk(books)
	for _, c := range in.customers {
		lives, births := c.orders(t, short(10, 8), 2)
		c.Weiban.Post(t.Context(), births...)
		told = append(told, c.months(t, dice, lives, 4))
	}
	for _, c := range in.customers {
		books.settledAfter(t, c)
	}
	began := time.Now()
	steps := []func(context.Context){
		in.stepDown(js, "CALLBACKS"), in.stepDown(js, "KV_STATE"), in.stepDown(js, "EVENTS"),
		func(ctx context.Context) {
			for _, p := range in.Servers {
				if p.Name == leader(ctx, js, "KV_STATE") {
					if err := p.Kill(); err != nil {
						t.Error(err)
					}
				}
			}
		},
		in.stepDown(js, "KV_STATE"),
	}
	for n, harm := range steps {
		for i, c := range in.customers {
			c.Weiban.Post(t.Context(), told[i][n*len(told[i])/len(steps):(n+1)*len(told[i])/len(steps)]...)
		}
		before := len(in.customers[0].Kingdee.Records(""))
		harm(t.Context())
		until(t, patience, 20*time.Millisecond, "work goes on", func() (bool, string) {
			n := len(in.customers[0].Kingdee.Records(""))
			return n > before || in.customers[0].Weiban.Accepted() == len(told[0]), fmt.Sprintf("%d records", n)
		})
	}
	for _, c := range in.customers {
		if err := c.Weiban.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	books.settled(t, patience)
	books.audited(t)
	in.breaches()
	t.Logf("%d and %d callbacks in %v, %v", len(told[0]), len(told[1]), time.Since(began).Round(time.Millisecond), books.outcomes)
}

// leader is the server that leads a stream, "" while none does.
func leader(ctx context.Context, js jetstream.JetStream, stream string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s, err := js.Stream(ctx, stream)
	if err != nil || s.CachedInfo().Cluster == nil {
		return ""
	}
	return s.CachedInfo().Cluster.Leader
}

// stepDown lets the stream's leader give up its lead, and waits for another one.
func (in *installation) stepDown(js jetstream.JetStream, stream string) func(context.Context) {
	return func(ctx context.Context) {
		in.t.Helper()
		var before string
		until(in.t, patience, 20*time.Millisecond, stream+" has a leader", func() (bool, string) {
			before = leader(ctx, js, stream)
			return before != "", ""
		})
		until(in.t, patience, 20*time.Millisecond, stream+" has another leader", func() (bool, string) {
			ask, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, _ = js.Conn().RequestWithContext(ask, "$JS.API.STREAM.LEADER.STEPDOWN."+stream, nil) // who leads no more answers nothing
			now := leader(ctx, js, stream)
			return now != "" && now != before, now
		})
	}
}
