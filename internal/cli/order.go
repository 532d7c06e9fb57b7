package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/operate"
)

// orderCmd is `dispatcher order`.
type orderCmd struct {
	Show   orderShowCmd   `cmd:"" help:"Show everything known of one order, in the order of time."`
	Replay orderReplayCmd `cmd:"" help:"Send a recorded event that has no letter to stage handle again; by force also one that was applied."`
}

type orderShowCmd struct {
	Order  string `arg:"" name:"order_no" help:"The order number in Weiban, or the opportunity's id."`
	Tenant string `help:"Only this tenant."`
	Noun   string `help:"Only this: work_order or opportunity." enum:",work_order,opportunity" default:""`
	JSON   bool   `name:"json" help:"One JSON object a tenant and noun."`
	Bodies bool   `help:"With the bodies of callbacks, details and calls, which hold customers' data."`
}

func (c orderShowCmd) Run(ctx context.Context, s *session) error {
	found, err := s.History(ctx, operate.OrderRequest{Tenant: c.Tenant, Noun: events.Noun(c.Noun), Key: c.Order}, c.Bodies)
	if err != nil {
		return err
	}
	return show(s.out, c.JSON, found, each(historyText))
}

func historyText(h inspect.History) string {
	noun := string(h.Noun)
	if noun == "" {
		noun = "events that no stage reads"
	}
	title := fmt.Sprintf("%s · %s · %s", h.Tenant, noun, h.Key)
	if h.Bill != nil {
		title += " · bill " + strings.TrimSpace(h.Bill.OrderNo+" "+h.Bill.ID)
	}
	t := newTable("when", "what", "stage", "about", "event", "message")
	t.SetColumnConfigs([]table.ColumnConfig{
		wrapped(4, 70),
		{Number: 5, WidthMax: 28, WidthMaxEnforcer: text.WrapHard},
	})
	for _, l := range h.Lines {
		t.AppendRow(table.Row{when(l.At), l.What, l.Stage, oneLine(l.Text), l.Event, place(l.Stream, l.Sequence)})
	}
	all := title + "\n" + t.Render() + "\n"
	for _, l := range h.Lines {
		if len(l.Body) > 0 {
			all += fmt.Sprintf("\n%s %s %s\n%s\n", when(l.At), l.What, l.Event, l.Body)
		}
	}
	return all
}

// orderReplayCmd is `dispatcher order replay`.
type orderReplayCmd struct {
	Order  string `arg:"" name:"order_no" help:"The order number in Weiban, or the opportunity's id."`
	Event  string `required:"" placeholder:"ID" help:"The event: the id of the enriched event, or of its callback, from order show."`
	Reason string `required:"" help:"Why; kept in the audit."`
	Force  bool   `help:"Also if it was applied: another handling record is made. Look at the bill in Kingdee first."`
	decider
	Tenant string `help:"The tenant; needed where several know the order."`
	Noun   string `help:"work_order or opportunity; needed where both have that number." enum:",work_order,opportunity" default:""`
}

func (c orderReplayCmd) Run(ctx context.Context, s *session) error {
	sent, err := s.ReplayOrder(ctx, operate.OrderReplayRequest{
		Decision: c.decides(c.Reason), Event: c.Event, Force: c.Force,
		OrderRequest: operate.OrderRequest{Tenant: c.Tenant, Noun: events.Noun(c.Noun), Key: c.Order},
	})
	as := ""
	if sent.Generation > 0 {
		as = ", as generation " + strconv.Itoa(sent.Generation)
	}
	return s.print(err, "%s: %s %s: event %s is sent to handle again, replay %d%s\n", sent.Tenant, sent.Noun, c.Order, sent.Event, sent.Replay, as)
}
