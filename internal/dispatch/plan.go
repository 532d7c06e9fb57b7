package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/orders"
)

// planned is what planning a message found out beside what the ledger is told.
type planned struct {
	ref  mapping.BillRef
	bill *kingdee.Bill   // read already, because the body speaks of it
	fail *events.Failure // of that reading
}

// plan runs the mapping over an enriched event.
func (a *actor) plan(act ledger.Plan) error {
	h := &a.hands[1]
	m := h.find(act.Seq)
	if m == nil {
		return errLost
	}
	ctx := a.work(events.Handle, m)
	known := a.ledger.Record.Bill
	a.begin(func(context.Context) (ledger.Input, func()) {
		p := &planned{}
		in := a.planning(ctx, m, known, p)
		return in, func() {
			h.plan = p
			h.fact.of(in.Failure)
			a.set.BillWait = p.ref.Wait
		}
	})
	return nil
}

func (a *actor) planning(ctx context.Context, m *orders.Message, known *ledger.Bill, p *planned) (out ledger.Planned) {
	defer func() {
		if x := recover(); x != nil {
			out.Failure = events.Panicked(x)
		}
	}()
	if m.Asked {
		a.freshen(ctx)
	}
	rules := a.o.t.Mapping() // for the whole of this event, whatever comes into force meanwhile
	out.Mapping = rules.Hash()
	if m.Fault != nil {
		out.Failure = m.Fault
		return out
	}
	data, err := events.DecodeEnriched(m.Event)
	if err != nil {
		out.Failure = &events.Failure{Kind: events.Invalid, Reason: err.Error(), Err: err}
		return out
	}
	route, _ := events.ParseRoute(m.Stored.Subject)
	in, err := mapping.NewInput(mapping.MetaOf(m.Event, route, a.o.t.Name, a.key.Noun), data)
	if err != nil {
		out.Failure = events.FailureOf(err)
		return out
	}
	out.IDs = a.identities(m, data, in)
	out.Reopening = in.Callback.Status == weiban.StatusReopen
	match, err := rules.Match(in)
	switch {
	case err != nil:
		out.Failure = events.FailureOf(err)
	case match == nil:
		out.NoRule = true
	default:
		a.mapped(ctx, match, known, p, &out)
	}
	return out
}

// freshen lets a replay see what was set before it was asked for.
func (a *actor) freshen(ctx context.Context) {
	if a.o.t.Fresh == nil {
		return
	}
	ctx, end := context.WithTimeout(ctx, freshWait)
	defer end()
	if err := a.o.t.Fresh(ctx); err != nil {
		a.o.d.o.Logger.WarnContext(ctx, "a replay is planned with tables that may be old", slog.String("tenant", a.o.t.Name), slog.Any("error", err))
	}
}

// freshWait is how long a replay waits for the tables.
const freshWait = 3 * time.Second

// mapped fills in what a rule says.
func (a *actor) mapped(ctx context.Context, match *mapping.Match, known *ledger.Bill, p *planned, out *ledger.Planned) {
	out.Rule, out.Late = match.Rule(), ledger.Late(match.Late())
	ref, err := match.Bill()
	if err != nil {
		out.Failure = events.FailureOf(err)
		return
	}
	p.ref = ref
	out.Bill = ledger.Bill{ID: ref.ID, OrderNo: ref.OrderNo}
	if known != nil && (ref.OrderNo == known.OrderNo || ref.OrderNo == "" && ref.ID == known.ID) {
		out.Bill = *known
	}
	order, err := bodyWithoutID(match, out.Bill)
	if errors.Is(err, errNeedsBill) {
		b, f := a.findBill(ctx, out.Bill)
		if p.fail = f; f != nil {
			// The ledger asks for the bill next: that fails, and is treated as that.
			out.Body = json.RawMessage("{}")
			return
		}
		p.bill, out.Bill = &b, ledger.Bill{ID: b.ID, OrderNo: b.OrderNo}
		order, err = match.Body(b.ID, b.OrderNo)
	}
	if err != nil {
		out.Failure = events.FailureOf(err)
		return
	}
	body, err := events.JSON(order.Body)
	if err != nil {
		out.Failure = &events.Failure{Kind: events.Internal, Reason: "the body cannot be written as JSON", Err: err}
		return
	}
	b := order.Body
	out.Body, out.Status, out.Like = body, b.Status, like(b)
}

// errNeedsBill says that a body speaks of what only Kingdee knows of its bill.
var errNeedsBill = errors.New("the body needs the bill")

// bodyWithoutID is the body for a bill whose id may not be known yet: the same
// whatever the id, or errNeedsBill.
func bodyWithoutID(match *mapping.Match, b ledger.Bill) (kingdee.HandleOrder, error) {
	switch {
	case b.OrderNo == "":
		return kingdee.HandleOrder{}, errNeedsBill
	case b.ID != "":
		return match.Body(b.ID, b.OrderNo)
	}
	one, err := match.Body("1", b.OrderNo)
	if err != nil {
		return one, err
	}
	two, err := match.Body("2", b.OrderNo)
	if err != nil || !reflect.DeepEqual(one.Body, two.Body) {
		return kingdee.HandleOrder{}, errNeedsBill
	}
	return one, nil
}

// like is what a handling record without a marker is known by.
func like(b kingdee.Body) string {
	return events.Hash([]byte(strings.Join([]string{b.StartDate, b.EndDate, b.HandlerID, b.Status}, "\x00")))
}

// identities are the names that an effect is known by, the surest first: the row
// of the order's history, the content of the callback, its id. A callback and
// its twin by another way share at least one of them.
func (a *actor) identities(m *orders.Message, data events.Enriched, in *mapping.Input) []string {
	own := string(a.key.Noun) + "/" + a.key.Key + "/"
	var ids []string
	if in.Flow != nil {
		ids = append(ids, own+"flow/"+string(in.Flow.ID))
	}
	if key := events.Extension(m.Event, events.ExtContent); key != "" {
		ids = append(ids, own+key)
	} else if events.Extension(m.Event, events.ExtIntake) != "" {
		// Nothing tells its content from the same at another time.
	} else if n, err := weiban.ParseNotice(data.Callback); err == nil { // stored before events had the attribute
		ids = append(ids, own+n.ContentKey)
	}
	return append(ids, orders.EventName(a.key, m.EventID))
}
