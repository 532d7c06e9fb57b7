package work

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"gongdan-bridge/internal/connectors/kingdee"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/orders"
)

// Plan is what planning a message found beside what the ledger is told.
type Plan struct {
	BillWait time.Duration   // how long Kingdee may lack the bill; 0: as long as the tenant's settings say
	bill     *kingdee.Bill   // read already, because the body speaks of it
	fail     *events.Failure // of that reading
}

// Plan runs the mapping over an enriched event. known is the order's bill, nil if it is not
// known yet.
func (w Order) Plan(ctx context.Context, m *orders.Message, known *ledger.Bill) (out ledger.Planned, p *Plan) {
	p = &Plan{}
	defer events.Guard(&out.Failure)
	if m.Asked {
		w.freshen(ctx)
	}
	rules := w.Mapping() // for the whole of this event, whatever comes into force meanwhile
	out.Mapping = rules.Hash()
	if m.Fault != nil {
		out.Failure = m.Fault
		return out, p
	}
	data, err := events.DecodeEnriched(m.Event)
	if err != nil {
		out.Failure = &events.Failure{Kind: events.Invalid, Reason: err.Error(), Err: err}
		return out, p
	}
	route, _ := events.ParseRoute(m.Stored.Subject)
	in, err := mapping.NewInput(mapping.MetaOf(m.Event, route, w.Name, w.ID.Noun), data)
	if err != nil {
		out.Failure = events.FailureOf(err)
		return out, p
	}
	out.IDs = w.identities(m, data, in)
	out.Reopening = in.Callback.Status == weiban.StatusReopen
	match, err := rules.Match(in)
	switch {
	case err != nil:
		out.Failure = events.FailureOf(err)
	case match == nil:
		out.NoRule = true
	default:
		w.mapped(ctx, match, known, p, &out)
	}
	return out, p
}

// freshen lets a replay see what was set before it was asked for.
func (w Order) freshen(ctx context.Context) {
	if w.Fresh == nil {
		return
	}
	ctx, end := context.WithTimeout(ctx, freshWait)
	defer end()
	if err := w.Fresh(ctx); err != nil {
		w.Log.WarnContext(ctx, "a replay is planned with tables that may be old", slog.String("tenant", w.Name), slog.Any("error", err))
	}
}

// freshWait is how long a replay waits for the tables.
const freshWait = 3 * time.Second

// mapped fills in what a rule says.
func (w Order) mapped(ctx context.Context, match *mapping.Match, known *ledger.Bill, p *Plan, out *ledger.Planned) {
	out.Rule, out.Late = match.Rule(), ledger.Late(match.Late())
	ref, err := match.Bill()
	if err != nil {
		out.Failure = events.FailureOf(err)
		return
	}
	p.BillWait = ref.Wait
	out.Bill = ledger.Bill{ID: ref.ID, OrderNo: ref.OrderNo}
	if known != nil && (ref.OrderNo == known.OrderNo || ref.OrderNo == "" && ref.ID == known.ID) {
		out.Bill = *known
	}
	if out.Bill.OrderNo == "" || out.Bill.ID == "" && match.NeedsBillID() {
		b, f := w.findBill(ctx, out.Bill)
		if p.fail = f; f != nil {
			// The ledger asks for the bill next: that fails, and is treated as that.
			out.Body = json.RawMessage("{}")
			return
		}
		p.bill, out.Bill = &b, ledger.Bill{ID: b.ID, OrderNo: b.OrderNo}
	}
	order, err := match.Body(out.Bill.ID, out.Bill.OrderNo)
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

// like is what a handling record without a marker is known by.
func like(b kingdee.Body) string {
	return events.Hash([]byte(strings.Join([]string{b.StartDate, b.EndDate, b.HandlerID, b.Status}, "\x00")))
}

// identities are the names that an effect is known by, the surest first: the row
// of the order's history, the content of the callback, its id. A callback and
// its twin by another way share at least one of them.
func (w Order) identities(m *orders.Message, data events.Enriched, in *mapping.Input) []string {
	own := string(w.ID.Noun) + "/" + w.ID.Key + "/"
	var ids []string
	if in.Flow != nil {
		ids = append(ids, own+"flow/"+string(in.Flow.ID))
	}
	if key := events.Extension(m.Event, events.ExtContent); key != "" {
		ids = append(ids, own+key)
	} else if events.Extension(m.Event, events.ExtIntake) != "" {
		// Its content cannot be told from the same content at another time.
	} else if n, err := weiban.ParseNotice(data.Callback); err == nil { // stored before events had the attribute
		ids = append(ids, own+n.ContentKey)
	}
	return append(ids, orders.EventName(w.ID, m.EventID))
}
