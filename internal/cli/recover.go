package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/inspect"
)

type recoverCmd struct {
	Tenant      string `help:"Show, and wait for, only this tenant; what is done concerns the whole store."`
	DryRun      bool   `name:"dry-run" xor:"act" help:"Look and show, and write nothing (the default)."`
	Start       bool   `name:"run" xor:"act" help:"Have everything that is stored looked at again, and wait for it; needs --reason."`
	Acknowledge bool   `xor:"act" help:"Mark what does not fit as seen: readiness, owners and the exit status tell of it no more."`
	Reason      string `help:"Why; kept in the audit."`
	decider
	JSON bool `name:"json" help:"One JSON object at the end."`
}

// Help is what recover --help says beside the flags.
func (recoverCmd) Help() string {
	return `Streams, buckets and records are held against each other all the time, and where they do not fit everything that is stored is ` +
		`looked at again by itself. This command shows what did not fit, what is left for a person, and what cannot be known; it also looks ` +
		`itself, so that it works while no dispatcher runs. Exit status 1 while something is not acknowledged or not done yet. ` +
		`--run is for callbacks that balance cannot explain.`
}

var errMisfit = errors.New("the store does not fit together, or is still being recovered")

// Validate asks for the reason that the audit needs.
func (c recoverCmd) Validate() error {
	if c.Start && c.Reason == "" {
		return errors.New("--run needs --reason")
	}
	return nil
}

func (c recoverCmd) Run(ctx context.Context, s *session) error {
	tenants, err := s.Tenants(c.Tenant)
	if err == nil {
		err = c.act(ctx, s, tenants)
	}
	if err != nil {
		return err
	}
	state, err := s.Store(ctx, tenants)
	if err != nil {
		return err
	}
	err = show(s.out, c.JSON, []inspect.StoreState{state}, each(storeText))
	if err == nil && !state.Fits() {
		err = errMisfit
	}
	return err
}

// act does what is asked for beside showing the store.
func (c recoverCmd) act(ctx context.Context, s *session, tenants []string) error {
	switch {
	case c.Start:
		if err := s.LookAgain(ctx, c.decides(c.Reason), tenants); err != nil {
			return err
		}
		_, _ = fmt.Fprintln(s.stderr, "everything is looked at again; waiting for the owners (Ctrl-C ends only the waiting)")
		return s.AwaitRecovery(ctx, tenants, s.bar.at)
	case c.Acknowledge:
		n, err := s.Acknowledge(ctx, c.decides(c.Reason))
		if err != nil || c.JSON {
			return err
		}
		return s.print(nil, "acknowledged %d\n", n)
	}
	return nil
}

func storeText(s inspect.StoreState) string {
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
	t := newTable("tenant", "state", "letters unsure")
	t.SetColumnConfigs([]table.ColumnConfig{counts(3)})
	for _, r := range s.Tenants {
		t.AppendRow(table.Row{r.Tenant, recoveryText(r.State), s.Letters[r.Tenant]})
	}
	parts = append(parts, t.Render())
	for _, u := range s.Unknown {
		parts = append(parts, text.WrapSoft("not known: "+u, 80))
	}
	return strings.Join(parts, "\n") + "\n"
}

func recoveryText(state string) string {
	return map[string]string{
		inspect.RecoverDone: "done", inspect.RecoverLooking: "being looked at again", inspect.RecoverWaiting: "waits for its owner to begin",
	}[state]
}

// noteWidth leaves room for time and store in 80 columns.
const noteWidth = 42

func notesTable(s inspect.StoreState) string {
	t := newTable("when", "store", "what does not fit, and what is done")
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
	return table.Row{at, cmp.Or(n.Store, "all"), strings.Join(lines, "\n")}
}
