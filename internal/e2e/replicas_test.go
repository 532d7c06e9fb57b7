//go:build unix

package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
)

// TestKilledAtWork kills and suspends what it can while two replicas, a NATS
// server and ingest are at work for two tenants: nothing is lost, nothing doubled.
// It is a short one; the long runs are elsewhere.
func TestKilledAtWork(t *testing.T) {
	t.Parallel()
	const orders = 8
	c := morning()
	var tenants []harness.TenantOptions
	for _, name := range []string{"acme", "beta"} {
		o := tenant(name, c)
		o.Weiban.Callback = fakeweiban.Callback{RetryWait: 300 * time.Millisecond, Tries: 20, Senders: 2}
		tenants = append(tenants, o)
	}
	i := install(t, harness.Options{Tenants: tenants, Dispatchers: 2, Servers: 1})
	start(t, i)
	ctx := within(t, patience)
	var ids []string
	for _, tenant := range i.Tenants {
		s := &story{t: t, tenant: tenant, clock: c}
		for n := range orders {
			order := s.silentOrder(n, "OuyangXue", "LiYang")
			c.Pass(30 * time.Minute)
			notice, err := tenant.Weiban.Close(order, fakeweiban.Act{Staff: "LiYang", Text: "好了"})
			if err != nil {
				t.Fatal(err)
			}
			tenant.Weiban.Post(ctx, notice)
			ids = append(ids, notice.ID)
		}
	}
	eventually(t, "each tenant is at work", func() bool {
		return len(i.Tenants[0].Kingdee.Records("")) > 0 && len(i.Tenants[1].Kingdee.Records("")) > 0
	})
	nats := i.Servers[0]
	for _, harm := range []func() error{
		i.Dispatchers[0].Kill, nats.Suspend, i.Ingest.Kill, nats.Resume, nats.Kill, i.Dispatchers[1].Kill,
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
	}
	done := 0
	for _, tenant := range i.Tenants {
		done += len(tenant.Kingdee.Records(""))
	}
	start(t, i)
	for _, tenant := range i.Tenants {
		if err := tenant.Weiban.Drain(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := subscribe(t, i).Ended(ctx, ids...); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d records were made when everything was killed", done, 2*orders)
	for _, tenant := range i.Tenants {
		for n := range orders {
			if got := tenant.Kingdee.Records(fakekingdee.BillNo(n)); len(got) != 1 {
				t.Errorf("%s: bill %d has %d records: %s", tenant.Name, n, len(got), fmt.Sprint(got))
			}
		}
	}
	command(t, i, 0, "balance")
	if err := i.Stop(ctx); err != nil {
		t.Error(err)
	}
}
