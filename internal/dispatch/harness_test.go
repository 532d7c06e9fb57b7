package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mnoop "go.opentelemetry.io/otel/metric/noop"
	tnoop "go.opentelemetry.io/otel/trace/noop"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/dispatch/wait"
	"gongdan-bridge/internal/dispatch/work"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/ownership"
	"gongdan-bridge/internal/testwing/accounttest"
	"gongdan-bridge/internal/testwing/bustest"
	"gongdan-bridge/internal/testwing/fakekingdee"
	"gongdan-bridge/internal/testwing/fakeweiban"
	"gongdan-bridge/internal/testwing/script"
	"gongdan-bridge/schemas"
)

// bridge is a dispatcher on a real JetStream between two simulated vendors, all
// its intervals scaled down.
type bridge struct {
	t       *testing.T
	bus     *bus.Bus
	codec   *events.Codec
	box     *deadletter.Box
	acts    *operate.Acts
	mapping func() *mapping.Mapping
	fresh   func(context.Context) error // of the mapping's tables
	file    string                      // of the mapping
	weiban  *fakeweiban.Server
	kingdee *fakekingdee.Server
	faultsW *script.Script
	faultsK *script.Script
	change  func(*dispatch.Options)
	log     io.Writer
	bill    int
}

// wang decides in these tests.
func wang(reason string) operate.Decision { return operate.Decision{Who: "wang", Reason: reason} }

// stageBy is what wang asks of a stage.
func stageBy(s events.Stage, reason string) operate.StageRequest {
	return operate.StageRequest{Decision: wang(reason), Tenant: "acme", Stage: s}
}

const rules = `version: 1
bill: {orderNo: '${component("金蝶工单号")}', wait: 300ms}
rules:
  - name: switch
    when: callback.status == "switch"
    late: skip
    body: &b
      handlesdate: "2025-07-17 08:11:41"
      handleedate: "2025-07-17 18:11:41"
      handlemanid: "%s"
      handledeptid: "%s"
      wxztid: F
      processid: "50"
      wtyyid: "%s"
      clfaid: "%s"
      cljgid: "%s"
      clsmid: ${callback.content.text}
      attmentInforspre: ${picturesBefore()}
      attmentInforsafter: ${picturesAfter()}
  - name: close
    when: callback.status == "close"
    body: {<<: *b, wxztid: H, processid: "100"}
`

// The key and IV of authority_info are published by the vendor and the same for all.
const (
	authorityKey = "2c17e560c500f55c"
	authorityIV  = "5e8y6w45ju8w9jq8"
)

func newBridge(t *testing.T) *bridge {
	t.Helper()
	set, err := schemas.Load()
	if err != nil {
		t.Fatal(err)
	}
	base := fakekingdee.SampleBase()
	path := filepath.Join(t.TempDir(), "m.yaml")
	text := fmt.Sprintf(rules, base.Employees[0].ID, base.Departments[0].ID, base.Reasons[0].ID, base.Schemes[0].ID, base.Results[0].ID)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := mapping.Load(path, mapping.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bridge{
		t: t, bus: bustest.New(t), codec: events.NewCodec(set), mapping: func() *mapping.Mapping { return m }, file: path, log: io.Discard,
		faultsW: script.New(1), faultsK: script.New(2),
	}
	b.box = deadletter.NewBox(b.bus, time.Now)
	b.acts = operate.New(operate.Options{Bus: b.bus, Tenants: []operate.Tenant{{Name: "acme"}}})
	if b.weiban, err = fakeweiban.New(fakeweiban.Options{Script: b.faultsW}); err != nil {
		t.Fatal(err)
	}
	b.kingdee = fakekingdee.New(fakekingdee.Options{Script: b.faultsK, AnyReference: true})
	if err := errors.Join(b.weiban.Start(t.Context(), ""), b.kingdee.Start(t.Context(), "")); err != nil {
		t.Fatal(err)
	}
	return b
}

// run starts a replica and returns what stops it.
func (b *bridge) run(instance string, change func(*ledger.Settings)) (stop func()) {
	b.t.Helper()
	_, stop = b.replica(instance, change)
	return stop
}

// replica is run, and gives the dispatcher too.
func (b *bridge) replica(instance string, change func(*ledger.Settings)) (d *dispatch.Dispatcher, stop func()) {
	b.t.Helper()
	s := ledger.Defaults("acme")
	s.Waits = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond}
	s.Probe, s.LockWait, s.CallTimeout = 100*time.Millisecond, 20*time.Millisecond, 400*time.Millisecond
	s.Looks, s.Doubles = []time.Duration{30 * time.Millisecond, 60 * time.Millisecond}, 200*time.Millisecond
	if change != nil {
		change(&s)
	}
	t := dispatch.Tenant{
		Name: "acme", Account: b.kingdee.Account().AccountID, Ledger: s, Guard: &dispatch.Guard{},
		Vendors: work.Vendors{
			Mapping: b.mapping, Fresh: b.fresh,
			Quick: wait.Quick{Tries: 2, Initial: 5 * time.Millisecond, Max: 10 * time.Millisecond},
		},
	}
	account := func(vendor string) *connectors.Account {
		return accounttest.New(b.t, connectors.AccountOptions{
			Vendor: vendor, Tenant: "acme", Timeout: 300 * time.Millisecond, MaxWait: 20 * time.Millisecond, Before: t.Guard.Check,
			Breaker: connectors.BreakerSettings{Failures: 5, OpenFor: 100 * time.Millisecond},
			Tracer:  tnoop.NewTracerProvider(), Meter: mnoop.NewMeterProvider(),
		})
	}
	t.Accounts.Weiban, t.Accounts.Kingdee = account("weiban"), account("kingdee")
	t.Weiban = weiban.New(weiban.Options{
		BaseURL: b.weiban.URL(), CorpID: b.weiban.CorpID(), Secret: b.weiban.Secret(), Account: t.Accounts.Weiban,
		Vault: connectors.MemoryVault(), TokenPerMinute: 600,
	})
	a := b.kingdee.Account()
	t.Kingdee = kingdee.New(kingdee.Options{
		BaseURL: b.kingdee.URL(), AccountID: a.AccountID, Account: t.Accounts.Kingdee, Vault: connectors.MemoryVault(),
		Static: &kingdee.Static{AccessToken: b.kingdee.NewToken(), GroupName: a.GroupName, Domain: a.Domain}, UserID: a.UserID, UploadPart: "file",
		AuthorityKey: authorityKey, AuthorityIV: authorityIV,
	})
	o := dispatch.Options{
		Instance: instance, Bus: b.bus, Events: b.codec, Letters: b.box, Tenants: []dispatch.Tenant{t},
		Ownership: ownership.Settings{Renew: 250 * time.Millisecond, Expire: 5 * time.Second, Reply: 5 * time.Second, CallTimeout: 50 * time.Millisecond, SoftStop: 10 * time.Second},
		Beat:      20 * time.Millisecond, ProbeDenied: 100 * time.Millisecond, Expiry: time.Hour, Trim: time.Hour, Foreign: 1,
		Concurrency: 8, MaxHeld: 256, AckWait: time.Minute, KeepSettled: 9600 * time.Hour, MaxFuture: events.MaxFuture, Stalls: 30 * time.Second, StoreBeat: 2 * time.Second,
		Logger: slog.New(slog.NewJSONHandler(b.log, nil)), Tracer: tnoop.NewTracerProvider(), Meter: mnoop.NewMeterProvider(),
	}
	if b.change != nil {
		b.change(&o)
	}
	d, err := dispatch.New(o)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("replica %s: %v", instance, err)
		}
	}
	b.t.Cleanup(stop)
	return d, stop
}

// order makes a work order in Weiban with a bill of its own in Kingdee.
func (b *bridge) order() (number, bill string) {
	b.t.Helper()
	b.bill++
	return b.orderFor(fakekingdee.BillNo(b.bill)), fakekingdee.BillNo(b.bill)
}

func (b *bridge) orderFor(bill string) string {
	b.t.Helper()
	if _, ok := b.kingdee.Bill(bill); !ok {
		b.kingdee.AddBill(fakekingdee.Bill{OrderNo: bill})
	}
	return b.orderWithoutBill(bill)
}

func (b *bridge) orderWithoutBill(bill string) string {
	b.t.Helper()
	n, err := b.weiban.Create(fakeweiban.NewOrder{
		Title: "报修", Creator: "LiYang", Answers: []fakeweiban.Answer{{Type: "input", Title: "金蝶工单号", Values: []string{bill}}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return n.Key
}

// send publishes a callback's event as ingest does.
func (b *bridge) send(n fakeweiban.Notice, err error) string {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	return b.receive(n.Plaintext(0))
}

// receive publishes the event of a plaintext as ingest does, without its look at
// the schemas.
func (b *bridge) receive(text []byte) string {
	b.t.Helper()
	r := weiban.Receive(text)
	return b.publish(r.Callback("acme", "1"), events.MessageID("acme", r.EventID, 0))
}

func (b *bridge) publish(c events.Callback, messageID string) string {
	b.t.Helper()
	ev, err := events.NewCallback(b.t.Context(), c)
	if err != nil {
		b.t.Fatal(err)
	}
	data, err := events.Marshal(ev)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.bus.Publish(b.t.Context(), bus.Message{
		Subject: events.CallbackSubject("acme", c.Event, c.Status, c.Key), ID: messageID, ContentType: events.ContentType, Data: data,
	}); err != nil {
		b.t.Fatal(err)
	}
	return ev.ID()
}

func (b *bridge) visit(number, text string) string {
	b.t.Helper()
	return b.send(b.weiban.Switch(number, fakeweiban.Act{Staff: "LiYang", Handler: "LiHua", Text: text}))
}

func (b *bridge) end(number, text string) string {
	b.t.Helper()
	return b.send(b.weiban.Close(number, fakeweiban.Act{Staff: "LiYang", Text: text}))
}

// until polls a condition; what is waited for happens soon or never.
func (b *bridge) until(what string, ok func() bool) {
	b.t.Helper()
	deadline, tick := time.After(time.Minute), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			b.t.Fatalf("not within a minute: %s", what)
		case <-tick.C:
		}
	}
}

// outcomes are the outcome events, as "<event id> <outcome>", in their order.
func (b *bridge) outcomes() []string {
	b.t.Helper()
	list, err := b.bus.Page(b.t.Context(), "EVENTS", "gongdan.acme.event.kingdee.>", 1, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, s := range list {
		ev, err := events.Decode(s.Header.Get("Content-Type"), s.Data)
		if err != nil {
			b.t.Fatal(err)
		}
		id, _, _ := strings.Cut(ev.ID(), "~")
		out = append(out, id+" "+strings.Split(ev.Type(), ".")[3])
	}
	return out
}

func (b *bridge) ended(id, outcome string) {
	b.t.Helper()
	b.until(id+" "+outcome, func() bool { return slices.Contains(b.outcomes(), id+" "+outcome) })
}

func actOf(who string) deadletter.Act { return deadletter.Act{Who: who} }

func (b *bridge) letters() []deadletter.Open {
	b.t.Helper()
	list, _, err := b.box.Page(b.t.Context(), deadletter.Filter{}, 0, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

// notes are the texts of a bill's handling records, without markers.
func (b *bridge) notes(bill string) []string {
	var out []string
	for _, r := range b.kingdee.Records(bill) {
		text, _, _ := strings.Cut(r.Remark, " [wb:")
		out = append(out, text)
	}
	return out
}
