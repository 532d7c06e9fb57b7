package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/operate"
)

type recoverCmd struct {
	Tenant      string `help:"Show, and wait for, only this tenant; what is done concerns the whole store."`
	DryRun      bool   `name:"dry-run" xor:"act" help:"Look and show, and write nothing (the default)."`
	Start       bool   `name:"run" xor:"act" help:"Have everything that is stored looked at again, and wait for it; needs --reason."`
	Acknowledge bool   `xor:"act" help:"Mark what does not fit as seen: readiness, owners and the exit status tell of it no more."`
	Reason      string `help:"Why; kept in the audit."`
	Who         string `help:"Who decides; kept in the audit (default: the user that runs this)."`
	JSON        bool   `name:"json" help:"One JSON object at the end."`
}

// Help is what recover --help says beside the flags.
func (recoverCmd) Help() string {
	return `Streams, buckets and records are held against each other all the time, and where they do not fit everything that is stored is ` +
		`looked at again by itself. This command shows what did not fit, what is left for a person, and what cannot be known; it also looks ` +
		`itself, so that it works while no dispatcher runs. Exit status 1 while something is not acknowledged or not done yet. ` +
		`--run is for callbacks that balance cannot explain.`
}

var errMisfit = errors.New("the store does not fit together, or is still being recovered")

func (c recoverCmd) Run(ctx context.Context, p Program, g *globals) error {
	act := deadletter.Act{Who: c.Who, Reason: c.Reason}
	if act.Who == "" {
		act.Who = whoami()
	}
	if c.Start && c.Reason == "" {
		return fmt.Errorf("%w: recover --run needs --reason (see dispatcher recover --help)", errUsage)
	}
	return withBus(ctx, p, g, func(cfg *config.Config, b *bus.Bus) error {
		tenants, err := tenantsOf(cfg, c.Tenant)
		if err != nil {
			return err
		}
		all, err := tenantsOf(cfg, "")
		if err != nil {
			return err
		}
		box := deadletter.NewBox(b, time.Now)
		switch {
		case c.Start:
			if err := lookAgain(ctx, p, cfg, b, tenants, func() error { return operate.LookAgain(ctx, b, box, all, act) }); err != nil {
				return err
			}
		case c.Acknowledge:
			n, err := operate.AcknowledgeStore(ctx, b, box, all, act)
			if err != nil {
				return err
			}
			if !c.JSON {
				_, _ = fmt.Fprintf(p.Stdout, "acknowledged %d\n", n)
			}
		}
		return c.show(ctx, p, cfg, b, tenants)
	})
}

func (c recoverCmd) show(ctx context.Context, p Program, cfg *config.Config, b *bus.Bus, tenants []string) error {
	s, err := inspect.StoreOf(ctx, b, cfg.Dispatcher.Ownership.Expire, tenants)
	if err != nil {
		return err
	}
	s.Unknown = append(s.Unknown, unknown(cfg, s)...)
	if c.JSON {
		err = jsonLines(p.Stdout, []inspect.StoreState{s})
	} else {
		err = showStore(p.Stdout, s)
	}
	if err == nil && !s.Fits() {
		err = errMisfit
	}
	return err
}

// lookAgain has everything looked at again, and waits for the owners to have done it.
func lookAgain(ctx context.Context, p Program, cfg *config.Config, b *bus.Bus, tenants []string, begin func() error) error {
	list, err := owners(ctx, cfg, b, time.Now())
	if err != nil {
		return err
	}
	if err := begin(); err != nil {
		return err
	}
	for _, o := range list {
		if slices.Contains(tenants, o.Tenant) && o.State != "owned" {
			return fmt.Errorf("%w %s: it is looked at again as soon as a dispatcher does", errUnowned, o.Tenant)
		}
	}
	_, _ = fmt.Fprintln(p.Stderr, "everything is looked at again; waiting for the owners (Ctrl-C ends only the waiting)")
	bar := newBar(p.Stderr)
	defer bar.end()
	beat := time.NewTicker(200 * time.Millisecond)
	defer beat.Stop()
	for {
		r, err := inspect.StoreRecord(ctx, b)
		var how []inspect.Recovery
		if err == nil {
			how, err = inspect.Recoveries(ctx, b, r, tenants)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		done := 0
		for _, x := range how {
			if x.State == inspect.RecoverDone {
				done++
			}
		}
		if ctx.Err() == nil && done == len(tenants) {
			return nil
		}
		bar.at("tenants looked at again", uint64(done), uint64(len(tenants)))
		select {
		case <-ctx.Done():
			return fmt.Errorf("not waited for any longer; the dispatchers go on, and dispatcher recover shows how far they are: %w", context.Cause(ctx))
		case <-beat.C:
		}
	}
}

// unknown is what nothing that is stored can tell of a store that did not fit.
func unknown(cfg *config.Config, s inspect.StoreState) (out []string) {
	about := func(name string) bool {
		return slices.ContainsFunc(append(s.Notes, s.Found...), func(n history.Note) bool { return n.Store == name })
	}
	if s.Lost {
		out = append(out, "records were lost: a call whose outcome is not in EVENTS any more is known only by the handling record that Kingdee shows for it")
	}
	if about(bus.Audit) {
		out = append(out, "AUDIT was lost: which letters people had closed before is not known")
	}
	if !s.Lost && s.Stale.IsZero() {
		return out
	}
	for _, t := range cfg.Tenants {
		if !t.Kingdee.Marker {
			out = append(out, "tenant "+t.Name+" has marker: false: whether a call of before was made cannot be asked, so it is a letter")
		}
	}
	return out
}

func showStore(w io.Writer, s inspect.StoreState) error {
	first := "the first history of the store"
	if s.History != "" {
		first = fmt.Sprintf("history %s of the store, since %s", s.History, when(s.Began))
	}
	if s.Fits() {
		first += "; it fits together"
	}
	parts := []string{first}
	if len(s.Notes)+len(s.Found) > 0 {
		parts = append(parts, notesTable(s))
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"tenant", "state", "letters unsure"})
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 3, Align: text.AlignRight}})
	for _, r := range s.Tenants {
		t.AppendRow(table.Row{r.Tenant, recoveryText(r.State), s.Letters[r.Tenant]})
	}
	parts = append(parts, t.Render())
	for _, u := range s.Unknown {
		parts = append(parts, text.WrapSoft("not known: "+u, 80))
	}
	_, err := fmt.Fprintln(w, strings.Join(parts, "\n"))
	return err
}

func recoveryText(state string) string {
	return map[string]string{
		inspect.RecoverDone: "done", inspect.RecoverLooking: "being looked at again", inspect.RecoverWaiting: "waits for its owner to begin",
	}[state]
}

// noteWidth leaves room for time and store in 80 columns.
const noteWidth = 42

func notesTable(s inspect.StoreState) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"when", "store", "what does not fit, and what is done"})
	for _, n := range s.Notes {
		t.AppendRow(noteRow(n, when(n.At)))
	}
	for _, n := range s.Found {
		t.AppendRow(noteRow(n, "now"))
	}
	return t.Render()
}

func noteRow(n history.Note, at string) table.Row {
	lines := []string{n.What + ": " + n.Act}
	switch {
	case !n.From.IsZero():
		lines = append(lines, "may be missing: what was stored from "+when(n.From)+" to "+when(n.Until))
	case !n.Until.IsZero():
		lines = append(lines, "may be missing: what was stored before "+when(n.Until))
	}
	if n.SeenBy != "" {
		lines = append(lines, "seen by "+n.SeenBy)
	}
	for i, l := range lines {
		lines[i] = text.WrapSoft(l, noteWidth)
	}
	name := n.Store
	if name == "" {
		name = "all"
	}
	return table.Row{at, name, strings.Join(lines, "\n")}
}
