package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
)

// deadCmd is `dispatcher dead`.
type deadCmd struct {
	List    deadListCmd    `cmd:"" help:"List open dead letters, oldest first."`
	Show    deadShowCmd    `cmd:"" help:"Show one letter: what failed, why, and what to do."`
	Replay  deadReplayCmd  `cmd:"" help:"Send a letter's event again to the stage that failed, and close the letter."`
	Discard deadDiscardCmd `cmd:"" help:"Close a letter without doing anything else."`
	Settle  deadSettleCmd  `cmd:"" help:"Say what is to become of an order that waits with its letter, and close the letter."`
}

type deadListCmd struct {
	Tenant string `help:"Only this tenant."`
	Stage  string `help:"Only this stage: enrich or handle." enum:",enrich,handle" default:""`
	Kind   string `help:"Only this kind of failure, e.g. unmapped."`
	Order  string `help:"Only this order number or opportunity id."`
	Shelf  string `help:"Only this shelf: business (yours to repair) or system." enum:",business,system" default:""`
	Limit  int    `help:"At most so many (${default})." default:"100"`
	JSON   bool   `name:"json" help:"One JSON object a line."`
}

func (c deadListCmd) Run(ctx context.Context, p Program, g *globals) error {
	return withBox(ctx, p, g, func(b *deadletter.Box) error {
		f := deadletter.Filter{
			Tenant: c.Tenant, Stage: events.Stage(c.Stage), Kind: events.Kind(c.Kind), Key: c.Order, Shelf: c.Shelf,
		}
		letters, next, err := b.Page(ctx, f, 0, max(c.Limit, 1))
		if err != nil {
			return err
		}
		if c.JSON {
			return jsonLines(p.Stdout, letters)
		}
		return listLetters(p.Stdout, letters, next != 0)
	})
}

func jsonLines[T any](w io.Writer, list []T) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, x := range list {
		if err := enc.Encode(x); err != nil {
			return err
		}
	}
	return nil
}

func listLetters(w io.Writer, letters []deadletter.Open, more bool) error {
	if len(letters) == 0 {
		_, err := fmt.Fprintln(w, "no dead letters")
		return err
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"no.", "died", "tenant", "stage", "kind", "order", "why"})
	for _, l := range letters {
		t.AppendRow(table.Row{
			l.Number, l.DiedAt.Local().Format(time.DateTime), l.Tenant, l.Stage, l.Kind, l.Key, l.Reason,
		})
	}
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 1, Align: text.AlignRight}, {Number: 7, WidthMax: 60, WidthMaxEnforcer: text.WrapSoft}})
	if _, err := fmt.Fprintln(w, t.Render()); err != nil {
		return err
	}
	if !more {
		return nil
	}
	_, err := fmt.Fprintln(w, "there are more; raise --limit or narrow the filter")
	return err
}

type deadShowCmd struct {
	Number uint64 `arg:"" help:"The letter's number, from the list."`
	JSON   bool   `name:"json" help:"The whole letter as JSON, with the event."`
}

func (c deadShowCmd) Run(ctx context.Context, p Program, g *globals) error {
	return withBus(ctx, p, g, func(_ *config.Config, b *bus.Bus) error {
		l, err := deadletter.NewBox(b, time.Now).Get(ctx, c.Number)
		if err != nil {
			return err
		}
		if c.JSON {
			return jsonLines(p.Stdout, []deadletter.Open{l})
		}
		waits, err := inspect.Waits(ctx, b, l)
		if err != nil {
			return err
		}
		return showLetter(p.Stdout, l, waits)
	})
}

func showLetter(w io.Writer, l deadletter.Open, waits bool) error {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 2, WidthMax: 90, WidthMaxEnforcer: text.WrapSoft}})
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
	row("died", l.DiedAt.Local().Format(time.DateTime))
	row("event", l.EventID)
	row("message", l.Stream+" "+strconv.FormatUint(l.Sequence, 10))
	row("trace", l.Trace)
	switch {
	case waits:
		row("waits", fmt.Sprintf("the order waits with this letter, and its later events behind it; settle it: dispatcher dead settle %d …", l.Number))
	case l.Waiting:
		row("waits", "the order waited with this letter and has gone on; replay or discard it")
	}
	row("what to do", strings.ReplaceAll(l.Advice, "NUMBER", strconv.FormatUint(l.Number, 10)))
	_, err := fmt.Fprintln(w, t.Render())
	return err
}
