//go:build unix

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/harness"
)

// patience bounds every wait of these tests; none comes near it.
const patience = 30 * time.Second

var builder harness.Builder

func TestMain(m *testing.M) { os.Exit(builder.Main(m)) }

// programs are built once, for the first test that asks.
func programs(t *testing.T) harness.Programs {
	t.Helper()
	p, err := builder.Programs()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// within is the test's context with a bound.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// install makes an installation that ends with the test; of a test that failed
// it shows the programs' last words.
func install(t *testing.T, o harness.Options) *harness.Installation {
	t.Helper()
	o.Dir = t.TempDir()
	if o.Programs == (harness.Programs{}) {
		o.Programs = programs(t)
	}
	i, err := harness.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := i.Close(ctx); err != nil {
			t.Error(err)
		}
		if !t.Failed() {
			return
		}
		for _, p := range i.Processes() {
			text, err := p.Log()
			const tail = 4000
			t.Logf("last words of %s (%v):\n%s", p.Name, err, text[max(0, len(text)-tail):])
		}
	})
	return i
}

// start starts everything.
func start(t *testing.T, i *harness.Installation) {
	t.Helper()
	if err := i.Start(within(t, patience)); err != nil {
		t.Fatal(err)
	}
}

// subscribe listens to the bus until the test ends.
func subscribe(t *testing.T, i *harness.Installation) *harness.Subscriber {
	t.Helper()
	s, err := i.Subscribe(within(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = s.Close(ctx) // the server may be gone before
	})
	return s
}

// morning is a clock at nine in China.
func morning() *harness.Clock {
	return harness.NewClock(time.Date(2025, 6, 5, 9, 0, 0, 0, time.FixedZone("China", 8*3600)))
}

// tenant is one by that name whose Weiban goes by the clock. Its tokens outlive the
// hours that a story is told in.
func tenant(name string, c *harness.Clock) harness.TenantOptions {
	return harness.TenantOptions{Name: name, Weiban: fakeweiban.Options{Clock: c.Now, TokenLife: 1000 * time.Hour}}
}

// story is one tenant's work orders, told act by act.
type story struct {
	t      *testing.T
	tenant *harness.Tenant
	clock  *harness.Clock
	ids    []string
}

// order makes a work order and sends the callback of its creation.
func (s *story) order(i int, creator, handler string) (order, bill string) {
	s.t.Helper()
	n := s.create(i, creator, handler)
	s.sent(n, nil)
	return n.Key, fakekingdee.BillNo(i)
}

// silentOrder makes a work order of which no callback tells.
func (s *story) silentOrder(i int, creator, handler string) (order string) {
	s.t.Helper()
	return s.create(i, creator, handler).Key
}

// create makes the i-th bill in Kingdee and a work order in Weiban that names it.
func (s *story) create(i int, creator, handler string) fakeweiban.Notice {
	s.t.Helper()
	b := s.tenant.Kingdee.AddBill(fakekingdee.Bill{OrderNo: fakekingdee.BillNo(i), ID: fmt.Sprint(1741100000000000001 + i)})
	n, err := s.tenant.Weiban.Create(fakeweiban.NewOrder{
		Title: "空调不制冷", Text: "请尽快上门", TemplateTitle: "上门维修", Creator: creator, Handler: handler,
		Relation: fakeweiban.Relation{Type: 1, ID: "wm8xjUCAAAjzIxv1bnZErBXWZgBV2RBg", Name: "王晓明"},
		Answers: []fakeweiban.Answer{
			{Type: "input", Title: "金蝶工单号", Values: []string{b.OrderNo}},
			{Type: "select", Title: "问题原因", Values: []string{"安装不当"}},
			{Type: "select", Title: "处理方案", Values: []string{"重新安装"}},
			{Type: "radio", Title: "处理结果", Values: []string{"已修复"}},
			{Type: "textarea", Title: "地址", Values: []string{"杭州市西湖区示例路 8 号"}},
			{Type: "selectMultiple", Title: "附加服务"},
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

type act = func(string, fakeweiban.Act) (fakeweiban.Notice, error)

// then lets half an hour pass, does one thing to an order and sends its callback.
func (s *story) then(do act, order string, a fakeweiban.Act) fakeweiban.Notice {
	s.t.Helper()
	s.clock.Pass(30 * time.Minute)
	n, err := do(order, a)
	s.sent(n, err)
	return n
}

// sent sends a callback, which must be answered 200.
func (s *story) sent(n fakeweiban.Notice, err error) {
	s.t.Helper()
	if err == nil {
		_, err = s.tenant.Weiban.Send(s.t.Context(), n)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.ids = append(s.ids, n.ID)
}

// ended waits until every callback of the story has ended.
func (s *story) ended(sub *harness.Subscriber) {
	s.t.Helper()
	if err := sub.Ended(within(s.t, patience), s.ids...); err != nil {
		s.t.Fatal(err)
	}
}

// statuses are the letters of a bill's handling records, oldest first.
func (s *story) statuses(bill string) []string {
	var out []string
	for _, r := range s.tenant.Kingdee.Records(bill) {
		out = append(out, r.Status)
	}
	return out
}
