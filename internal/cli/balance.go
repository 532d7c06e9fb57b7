package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"gongdan-bridge/internal/inspect"

	"github.com/jedib0t/go-pretty/v6/table"
)

type balanceCmd struct {
	tenantsSince
	JSON bool `name:"json" help:"One JSON object a tenant."`
}

var errUnexplained = errors.New("callbacks are unexplained")

func (c balanceCmd) Run(ctx context.Context, s *session) error {
	lost := 0
	err := c.each(s, func(tenant string, since time.Time) error {
		x, err := s.Balance(ctx, tenant, since, s.bar.at)
		if err != nil {
			return err
		}
		lost += x.Unexplained
		return show(s.out, c.JSON, []inspect.Balance{x}, each(balanceText))
	})
	if err == nil && lost > 0 {
		err = fmt.Errorf("%d %w", lost, errUnexplained)
	}
	return err
}

func balanceText(b inspect.Balance) string {
	title := fmt.Sprintf("%s since %s", b.Tenant, when(b.Since))
	if b.Cut {
		title += " (the streams reach back no further)"
	}
	t := newTable()
	t.SetColumnConfigs([]table.ColumnConfig{counts(2)})
	row := func(name string, n int) { t.AppendRow(table.Row{name, n}) }
	odd := func(name string, n int) {
		if n > 0 {
			row(name, n)
		}
	}
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
	odd("the same message again", b.Again)
	row("dead, letter open", b.DeadOpen)
	some("dead, closed by ", b.DeadClosed)
	some("waiting, ", b.Waiting)
	some("in progress or not delivered yet, ", b.InHand)
	row("unexplained", b.Unexplained)
	if b.Published+b.Foreign+b.ReusedIDs > 0 {
		t.AppendSeparator()
	}
	odd("published only (no stage reads it)", b.Published)
	odd("no events (another program's messages, each a letter)", b.Foreign)
	odd("message ids of Weiban's that came with more than one content", b.ReusedIDs)
	return title + "\n" + t.Render() + "\n" + pausesText(b.Tenant, b.Paused) + straysText(b)
}

func straysText(b inspect.Balance) string {
	if len(b.Strays) == 0 {
		return ""
	}
	t := newTable("unexplained", "order", "event", "when", "why")
	t.SetColumnConfigs([]table.ColumnConfig{wrapped(5, 60)})
	for _, s := range b.Strays {
		t.AppendRow(table.Row{place(s.Stream, s.Sequence), s.Key(), s.Event, when(s.At), s.Why})
	}
	more := ""
	if n := b.Unexplained - len(b.Strays); n > 0 {
		more = fmt.Sprintf("and %d more\n", n)
	}
	return t.Render() + "\n" + more
}
