package operate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/testwing/bustest"
)

// li decides in these tests.
var li = operate.Decision{Who: "li", Reason: "已核对"}

// place is a real bus, two tenants, and what a person may do to them.
type place struct {
	*operate.Acts
	t   *testing.T
	bus *bus.Bus
	box *deadletter.Box
}

const rules = `version: 1
bill: {orderNo: '${"fwgs-1"}'}
tables: {staff: {rows: {LiYang: {emp: "1", note: here}}}}
rules:
  - name: close
    when: callback.status == "close"
    body: {handlesdate: "2025-07-17 08:11:41", handleedate: "2025-07-17 18:11:41", handlemanid: '${lookup("staff", callback.staff_id, "emp")}', handledeptid: "2",
      wxztid: H, processid: "100", wtyyid: "3", clfaid: "4", cljgid: "5", clsmid: done}
`

func newPlace(t *testing.T) *place {
	t.Helper()
	file := filepath.Join(t.TempDir(), "acme.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	b := bustest.New(t)
	return &place{t: t, bus: b, box: deadletter.NewBox(b, time.Now), Acts: operate.New(operate.Options{
		Bus: b, Silence: time.Minute, Tenants: []operate.Tenant{{Name: "acme", Mapping: file, Marker: true}, {Name: "beta", Mapping: file}},
	})}
}

// letter files one whose event says the staff id.
func (p *place) letter(n int, kind events.Kind, staff string) {
	p.t.Helper()
	data := fmt.Sprintf(`{"id":"m%d","corp_id":"1","create_time":1639741382,"type":"event","event":"work_order_change","status":"close",`+
		`"msg_data":{"order_no":"%d","staff_id":%q}}`, n, n, staff)
	parent, err := events.NewCallback(p.t.Context(), events.Callback{
		Tenant: "acme", CorpID: "1", ID: fmt.Sprint("m", n), Event: "work_order_change", Status: "close", Key: fmt.Sprint(n),
		Time: time.Unix(1639741382, 0), Origin: events.FromCallback, Data: []byte(data),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	detail := `{"order_no":"` + fmt.Sprint(n) + `"}`
	ev, err := events.NewEnriched(parent, events.WorkOrder, fmt.Sprint(n), 0, events.Position(parent.Time(), 1),
		events.Enriched{Callback: parent.Data(), FetchedAt: time.Unix(1639741383, 0), WorkOrder: json.RawMessage(detail)})
	if err != nil {
		p.t.Fatal(err)
	}
	raw, err := json.Marshal(ev)
	if err != nil {
		p.t.Fatal(err)
	}
	l := deadletter.Letter{
		ID: "acme/" + ev.ID() + "~handle~0", Tenant: "acme", Stage: events.Handle, Noun: events.WorkOrder, Key: fmt.Sprint(n),
		EventID: ev.ID(), Event: raw, DiedAt: time.Unix(1639741384, 0), Stream: bus.Events, Sequence: uint64(n),
	}
	l.Fill(&events.Failure{Kind: kind, Reason: "table staff has no " + staff, Rule: "close", Field: "handlemanid", Word: staff})
	if err := p.box.Put(p.t.Context(), l); err != nil {
		p.t.Fatal(err)
	}
}

// audited are the actions of the audit, oldest first.
func (p *place) audited() (out []string) {
	p.t.Helper()
	err := p.box.Audits(p.t.Context(), "acme", 1, func(a deadletter.Audit) error {
		if a.Who != li.Who || a.Reason != li.Reason {
			p.t.Errorf("%s by %q for %q", a.Action, a.Who, a.Reason)
		}
		out = append(out, a.Action)
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func quiet(string, uint64, uint64) {}

// wants fails unless err is of a request that cannot be meant, and says word.
func wants(t *testing.T, err error, word string) {
	t.Helper()
	var wrong *operate.RequestError
	if !errors.As(err, &wrong) || !strings.Contains(wrong.Reason, word) {
		t.Errorf("%v; want a request error with %q", err, word)
	}
}

func TestTenants(t *testing.T) {
	p := newPlace(t)
	if all, err := p.Tenants(""); err != nil || !slices.Equal(all, []string{"acme", "beta"}) {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := p.Tenants("acm"); err == nil || !strings.Contains(err.Error(), `expected "acme"`) {
		t.Error(err)
	}
	_, err := p.Columns(t.Context(), operate.TableRequest{Table: "staff"})
	wants(t, err, "several tenants")
}

// Letters are replayed together only in the number that a person has seen, and those
// whose call may have run are passed over.
func TestReplayAll(t *testing.T) {
	p := newPlace(t)
	for n := range 3 {
		p.letter(n+1, events.Unmapped, "LiMei")
	}
	p.letter(4, events.Uncertain, "")
	r := operate.BulkRequest{Decision: li}
	got, err := p.ReplayAll(t.Context(), r, quiet)
	if err != nil || got != (operate.BulkResult{Fit: 3, Passed: 1}) {
		t.Fatalf("counted %+v, %v", got, err)
	}
	two, three := 2, 3
	r.Count = &two
	if got, err = p.ReplayAll(t.Context(), r, quiet); err == nil || got.Done || len(p.audited()) > 0 {
		t.Fatalf("of another number: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.Count = &three
	got, err = p.ReplayAll(ctx, r, func(string, uint64, uint64) { cancel() })
	if err == nil || got.Replayed != 1 || !strings.Contains(err.Error(), "the rest is as it was") {
		t.Fatalf("stopped after one: %+v, %v", got, err)
	}
	r.Count = &two
	if got, err = p.ReplayAll(t.Context(), r, quiet); err != nil || got.Replayed != 2 {
		t.Fatalf("the rest: %+v, %v", got, err)
	}
	if a := p.audited(); len(a) != 3 {
		t.Errorf("audited %v", a)
	}
}

func TestOneLetter(t *testing.T) {
	p := newPlace(t)
	p.letter(1, events.Uncertain, "")
	p.letter(2, events.Invalid, "")
	r := operate.LetterRequest{Decision: li, Number: 1}
	if _, err := p.Replay(t.Context(), r); !errors.Is(err, deadletter.ErrUncertain) {
		t.Errorf("without force: %v", err)
	}
	r.Force = true
	if _, err := p.Replay(t.Context(), r); err != nil {
		t.Error(err)
	}
	if _, err := p.Discard(t.Context(), operate.LetterRequest{Decision: li, Number: 2}); err != nil {
		t.Error(err)
	}
	p.letter(3, events.Invalid, "")
	if _, err := p.Settle(t.Context(), operate.SettleRequest{Decision: li, Number: 3, Word: ledger.Discard}); !errors.Is(err, operate.ErrGoneOn) {
		t.Errorf("settled what does not wait: %v", err)
	}
	if _, err := p.Letter(t.Context(), 2); !errors.Is(err, deadletter.ErrNoLetter) {
		t.Error(err)
	}
	if a := p.audited(); !slices.Equal(a, []string{deadletter.ActionReplay, deadletter.ActionDiscard}) {
		t.Errorf("audited %v", a)
	}
}

// What only an owner may do is not done without one.
func TestNoOwner(t *testing.T) {
	p := newPlace(t)
	list, err := p.Owners(t.Context())
	if err != nil || len(list) != 2 || list[0].State != "unclaimed" {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := inspect.Unowned(list); err == nil || err.Error() != "nobody owns acme, beta" {
		t.Error(err)
	}
	_, err = p.Pause(t.Context(), operate.StageRequest{Decision: li, Tenant: "acme", Stage: events.Handle})
	if !errors.Is(err, bus.ErrNoResponders) || len(p.audited()) > 0 {
		t.Errorf("%v, audited %v", err, p.audited())
	}
}

// Where no dispatcher has worked yet there is nothing to look at again, and nobody to
// wait for.
func TestLookAgain(t *testing.T) {
	p := newPlace(t)
	if err := p.LookAgain(t.Context(), operate.Decision{Who: "li"}, nil); !errors.Is(err, deadletter.ErrNeedsReason) {
		t.Errorf("without a reason: %v", err)
	}
	if err := p.LookAgain(t.Context(), li, []string{"acme"}); err == nil || !strings.Contains(err.Error(), "no dispatcher has worked with it") {
		t.Errorf("before the first dispatcher: %v", err)
	}
	if err := p.AwaitRecovery(t.Context(), []string{"acme"}, quiet); err != nil {
		t.Error(err)
	}
	if s, err := p.Store(t.Context(), []string{"acme"}); err != nil || !s.Fits() || len(s.Unknown) > 0 {
		t.Errorf("%+v, %v", s, err)
	}
}
