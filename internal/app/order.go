package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
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

var errUnknownOrder = errors.New("unknown order")

func (c orderShowCmd) Run(ctx context.Context, p Program, g *globals) error {
	return withBus(ctx, p, g, func(cfg *config.Config, b *bus.Bus) error {
		tenants, err := tenantsOf(cfg, c.Tenant)
		if err != nil {
			return err
		}
		var found []inspect.History
		for _, t := range tenants {
			list, err := inspect.HistoryOf(ctx, b, t, c.Order, c.Bodies)
			if err != nil {
				return err
			}
			found = append(found, slices.DeleteFunc(list, func(h inspect.History) bool {
				return c.Noun != "" && h.Noun != events.Noun(c.Noun)
			})...)
		}
		if len(found) == 0 {
			return fmt.Errorf("%w: nothing is known of %s at %s", errUnknownOrder, strconv.Quote(c.Order), strings.Join(tenants, ", "))
		}
		if c.JSON {
			return jsonLines(p.Stdout, found)
		}
		for _, h := range found {
			if err := showHistory(p.Stdout, h); err != nil {
				return err
			}
		}
		return nil
	})
}

// tenantsOf are the configured tenants, or the one that was asked for.
func tenantsOf(cfg *config.Config, only string) ([]string, error) {
	if only != "" {
		t, err := oneTenant(cfg, only)
		return []string{t.Name}, err
	}
	var out []string
	for _, t := range cfg.Tenants {
		out = append(out, t.Name)
	}
	return out, nil
}

// eachTenant calls do for the tenants that were asked for, with the moment since
// when, which the command line gives as a span or a time.
func eachTenant(ctx context.Context, p Program, g *globals, span, only string, do func(b *bus.Bus, tenant string, since time.Time) error) error {
	since, err := moment("--since", span, time.Now())
	if err != nil {
		return err
	}
	return withBus(ctx, p, g, func(cfg *config.Config, b *bus.Bus) error {
		tenants, err := tenantsOf(cfg, only)
		if err != nil {
			return err
		}
		for _, t := range tenants {
			if err := do(b, t, since); err != nil {
				return err
			}
		}
		return nil
	})
}

func showHistory(w io.Writer, h inspect.History) error {
	noun := string(h.Noun)
	if noun == "" {
		noun = "events that no stage reads"
	}
	title := fmt.Sprintf("%s · %s · %s", h.Tenant, noun, h.Key)
	if h.Bill != nil {
		title += " · bill " + strings.TrimSpace(h.Bill.OrderNo+" "+h.Bill.ID)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"when", "what", "stage", "about", "event", "message"})
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 4, WidthMax: 70, WidthMaxEnforcer: text.WrapSoft},
		{Number: 5, WidthMax: 28, WidthMaxEnforcer: text.WrapHard},
	})
	for _, l := range h.Lines {
		t.AppendRow(table.Row{when(l.At), l.What, l.Stage, oneLine(l.Text), l.Event, place(l.Stream, l.Sequence)})
	}
	if _, err := fmt.Fprintf(w, "%s\n%s\n", title, t.Render()); err != nil {
		return err
	}
	for _, l := range h.Lines {
		if len(l.Body) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "\n%s %s %s\n%s\n", when(l.At), l.What, l.Event, l.Body); err != nil {
			return err
		}
	}
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func place(stream string, seq uint64) string {
	if stream == "" {
		return ""
	}
	return stream + " " + strconv.FormatUint(seq, 10)
}

// when is a time for a person, "" for none.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}
