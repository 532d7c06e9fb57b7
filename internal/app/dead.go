package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
)

// deadCmd is `dispatcher dead`.
type deadCmd struct {
	List    deadListCmd    `cmd:"" help:"List open dead letters, oldest first."`
	Show    deadShowCmd    `cmd:"" help:"Show one letter: what failed, why, and what to do."`
	Replay  deadReplayCmd  `cmd:"" help:"Send a letter's event again to the stage that failed, and close the letter."`
	Discard deadDiscardCmd `cmd:"" help:"Close a letter without doing anything else."`
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
	return withBox(ctx, p, g, func(b *deadletter.Box) error {
		l, err := b.Get(ctx, c.Number)
		if err != nil {
			return err
		}
		if c.JSON {
			return jsonLines(p.Stdout, []deadletter.Open{l})
		}
		return showLetter(p.Stdout, l)
	})
}

func showLetter(w io.Writer, l deadletter.Open) error {
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
	row("what to do", l.Advice)
	_, err := fmt.Fprintln(w, t.Render())
	return err
}

type deadReplayCmd struct {
	Numbers []uint64 `arg:"" help:"The letters' numbers, from the list."`
	Force   bool     `help:"Send it although the call may have run. Look at the bill in Kingdee first."`
	Reason  string   `help:"Why; kept in the audit. Needed with --force."`
	Who     string   `help:"Who decides; kept in the audit (default: the user that runs this)."`
}

func (c deadReplayCmd) Run(ctx context.Context, p Program, g *globals) error {
	act := deadletter.Act{Who: c.Who, Reason: c.Reason, Force: c.Force}
	return closeLetters(ctx, p, g, c.Numbers, "replayed", act, (*deadletter.Box).Replay)
}

type deadDiscardCmd struct {
	Numbers []uint64 `arg:"" help:"The letters' numbers, from the list."`
	Reason  string   `required:"" help:"Why; kept in the audit."`
	Who     string   `help:"Who decides; kept in the audit (default: the user that runs this)."`
}

func (c deadDiscardCmd) Run(ctx context.Context, p Program, g *globals) error {
	act := deadletter.Act{Who: c.Who, Reason: c.Reason}
	return closeLetters(ctx, p, g, c.Numbers, "discarded", act, (*deadletter.Box).Discard)
}

// closeLetters does the same to each letter and goes on where one fails.
func closeLetters(ctx context.Context, p Program, g *globals, numbers []uint64, did string, act deadletter.Act,
	do func(*deadletter.Box, context.Context, uint64, deadletter.Act) (deadletter.Open, error),
) error {
	if act.Who == "" {
		act.Who = whoami()
	}
	return withBox(ctx, p, g, func(b *deadletter.Box) error {
		var all error
		for _, n := range numbers {
			l, err := do(b, ctx, n, act)
			if err != nil {
				all = errors.Join(all, err)
				continue
			}
			if _, err := fmt.Fprintf(p.Stdout, "%s %d: %s %s at %s\n", did, n, l.Noun, l.Key, l.Stage); err != nil {
				return err
			}
		}
		return all
	})
}
