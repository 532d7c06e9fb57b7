package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/operate"
)

// deadCmd is `dispatcher dead`.
type deadCmd struct {
	List    deadListCmd    `cmd:"" help:"List open dead letters, oldest first."`
	Show    deadShowCmd    `cmd:"" help:"Show one letter: what failed, why, and what to do."`
	Replay  deadReplayCmd  `cmd:"" help:"Send a letter's event again to the stage that failed, and close the letter."`
	Discard deadDiscardCmd `cmd:"" help:"Close a letter without doing anything else."`
	Settle  deadSettleCmd  `cmd:"" help:"Say what is to become of an order that waits with its letter, and close the letter."`
}

// letterFlags choose letters.
type letterFlags struct {
	Tenant string `help:"Only this tenant."`
	Stage  string `help:"Only this stage: enrich or handle." enum:",enrich,handle" default:""`
	Kind   string `help:"Only this kind of failure, e.g. unmapped."`
	Shelf  string `help:"Only this shelf: business (yours to repair) or system." enum:",business,system" default:""`
}

func (f letterFlags) filter() deadletter.Filter {
	return deadletter.Filter{Tenant: f.Tenant, Stage: events.Stage(f.Stage), Kind: events.Kind(f.Kind), Shelf: f.Shelf}
}

type deadListCmd struct {
	letterFlags
	Order string `help:"Only this order number or opportunity id."`
	Limit int    `help:"At most so many (${default})." default:"100"`
	JSON  bool   `name:"json" help:"One JSON object a line."`
}

func (c deadListCmd) Run(ctx context.Context, s *session) error {
	f := c.filter()
	f.Key = c.Order
	letters, next, err := s.Letters(ctx, f, 0, max(c.Limit, 1))
	if err != nil {
		return err
	}
	err = show(s.out, c.JSON, letters, func(list []deadletter.Open) string { return lettersText(list, next != 0) })
	if err != nil || c.JSON {
		return err
	}
	paused, err := s.Pauses(ctx, c.Tenant)
	for _, tenant := range slices.Sorted(maps.Keys(paused)) {
		err = errors.Join(err, s.print(nil, "%s", pausesText(tenant, paused[tenant])))
	}
	return err
}

func lettersText(letters []deadletter.Open, more bool) string {
	if len(letters) == 0 {
		return "no dead letters\n"
	}
	t := newTable("no.", "died", "tenant", "stage", "kind", "order", "why")
	for _, l := range letters {
		t.AppendRow(table.Row{l.Number, when(l.DiedAt), l.Tenant, l.Stage, l.Kind, l.Key, l.Reason})
	}
	t.SetColumnConfigs([]table.ColumnConfig{counts(1), wrapped(7, 60)})
	if !more {
		return t.Render() + "\n"
	}
	return t.Render() + "\nthere are more; raise --limit or narrow the filter\n"
}

type deadShowCmd struct {
	Number uint64 `arg:"" help:"The letter's number, from the list."`
	JSON   bool   `name:"json" help:"The whole letter as JSON, with the event."`
}

func (c deadShowCmd) Run(ctx context.Context, s *session) error {
	l, err := s.Letter(ctx, c.Number)
	if err != nil {
		return err
	}
	return show(s.out, c.JSON, []deadletter.Open{l.Open}, func([]deadletter.Open) string { return letterText(l) })
}

func letterText(l operate.Letter) string {
	t := newTable()
	t.SetColumnConfigs([]table.ColumnConfig{wrapped(2, 90)})
	row := func(name, value string) {
		if value != "" && value != "0" {
			t.AppendRow(table.Row{name, value})
		}
	}
	row("number", strconv.FormatUint(l.Number, 10))
	row("tenant", l.Tenant)
	row("order", string(l.Noun)+" "+l.Key)
	row("stage", string(l.Stage))
	row("kind", string(l.Kind)+" ("+l.Shelf+")")
	row("why", l.Reason)
	row("rule", l.Rule)
	row("field", l.Field)
	row("expression", l.Expr)
	row("word", l.Word)
	row("call", l.API)
	row("vendor code", l.Code)
	row("HTTP status", strconv.Itoa(l.Status))
	if l.Bill != nil {
		row("bill", l.Bill.OrderNo+" "+l.Bill.ID)
	}
	row("marker", l.Marker)
	row("tries", strconv.Itoa(l.Tries))
	row("replayed", strconv.Itoa(l.Replay))
	row("died", when(l.DiedAt))
	row("event", l.EventID)
	row("message", l.Stream+" "+strconv.FormatUint(l.Sequence, 10))
	row("trace", l.Trace)
	switch {
	case l.Waits:
		row("waits", fmt.Sprintf("the order waits with this letter, and its later events behind it; settle it: dispatcher dead settle %d …", l.Number))
	case l.Waiting:
		row("waits", "the order waited with this letter and has gone on; replay or discard it")
	}
	row("what to do", strings.ReplaceAll(l.Advice, "NUMBER", strconv.FormatUint(l.Number, 10)))
	return t.Render() + "\n"
}
