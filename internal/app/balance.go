package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/inspect"
)

type balanceCmd struct {
	Since  string `default:"24h" placeholder:"SPAN|TIME" help:"Count callbacks since then: a span such as 24h, or a time such as 2026-11-22T08:00:00+08:00 (${default})."`
	Tenant string `help:"Only this tenant."`
	JSON   bool   `name:"json" help:"One JSON object a tenant."`
}

var errUnexplained = errors.New("callbacks are unexplained")

func (c balanceCmd) Run(ctx context.Context, p Program, g *globals) error {
	lost := 0
	err := eachTenant(ctx, p, g, c.Since, c.Tenant, func(b *bus.Bus, tenant string, since time.Time) error {
		bar := newBar(p.Stderr)
		x, err := inspect.BalanceOf(ctx, b, tenant, since, bar.at)
		bar.end()
		if err != nil {
			return err
		}
		lost += x.Unexplained
		if c.JSON {
			return jsonLines(p.Stdout, []inspect.Balance{x})
		}
		return showBalance(p.Stdout, x)
	})
	if err == nil && lost > 0 {
		err = fmt.Errorf("%d %w", lost, errUnexplained)
	}
	return err
}

func showBalance(w io.Writer, b inspect.Balance) error {
	title := fmt.Sprintf("%s since %s", b.Tenant, when(b.Since))
	if b.Cut {
		title += " (the streams reach back no further)"
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, Align: text.AlignRight}})
	row := func(name string, n int) { t.AppendRow(table.Row{name, n}) }
	some := func(prefix string, by map[string]int) {
		for _, k := range slices.Sorted(maps.Keys(by)) {
			row(prefix+k, by[k])
		}
	}
	row("accepted", b.Accepted)
	t.AppendSeparator()
	row("applied", b.Applied)
	row("superseded", b.Superseded)
	row("ignored", b.Ignored)
	if b.Again > 0 {
		row("the same message again", b.Again)
	}
	row("dead, letter open", b.DeadOpen)
	some("dead, closed by ", b.DeadClosed)
	some("waiting, ", b.Waiting)
	some("in hand or not delivered yet, ", b.InHand)
	row("unexplained", b.Unexplained)
	if b.Published+b.Foreign+b.ReusedIDs > 0 {
		t.AppendSeparator()
	}
	if b.Published > 0 {
		row("published only (no stage reads it)", b.Published)
	}
	if b.Foreign > 0 {
		row("no events (another program's messages, each a letter)", b.Foreign)
	}
	if b.ReusedIDs > 0 {
		row("message ids of Weiban's that came with more than one content", b.ReusedIDs)
	}
	if _, err := fmt.Fprintf(w, "%s\n%s\n", title, t.Render()); err != nil || len(b.Strays) == 0 {
		return err
	}
	return showStrays(w, b)
}

func showStrays(w io.Writer, b inspect.Balance) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"unexplained", "order", "event", "when", "why"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 5, WidthMax: 60, WidthMaxEnforcer: text.WrapSoft}})
	for _, s := range b.Strays {
		t.AppendRow(table.Row{place(s.Stream, s.Sequence), s.Key(), s.Event, when(s.At), s.Why})
	}
	more := ""
	if n := b.Unexplained - len(b.Strays); n > 0 {
		more = fmt.Sprintf("and %d more\n", n)
	}
	_, err := fmt.Fprintf(w, "%s\n%s", t.Render()+"\n", more)
	return err
}
