package cli

import (
	"context"
	"fmt"
	"io"

	"gongdan-bridge/internal/tables"
)

// tableResult is what a change of a table did.
type tableResult struct {
	Tenant  string          `json:"tenant"`
	Table   string          `json:"table"`
	Changes []tables.Change `json:"changes"`
	Own     *tables.Cells   `json:"own,omitempty"` // what the mapping's own table says of a row that was taken away
	Repairs []repair        `json:"repairs"`
	Still   []remaining     `json:"remaining,omitempty"`
}

// changed says what was changed and which letters that repairs.
func (w *workbench) changed(ctx context.Context, name string, done []tables.Change, asJSON bool) error {
	if err := w.load(ctx); err != nil {
		return fmt.Errorf("%d rows were changed; which letters that repairs is not known: %w", len(done), err)
	}
	fixed, still, err := w.repairs(ctx, done)
	if err != nil {
		return err
	}
	own, gone := w.own(name, done)
	if asJSON {
		return jsonLines(w.program.Stdout, []tableResult{{w.tenant.Name, name, done, own, fixed, still}})
	}
	out := w.program.Stdout
	switch len(done) {
	case 0:
		_, err = fmt.Fprintf(out, "%s: table %s says so already; nothing was changed\n", w.tenant.Name, name)
	case 1:
		_, err = fmt.Fprintf(out, "%s: table %s, row %s: %s\n", w.tenant.Name, name, done[0].Word, beforeAfter(done[0]))
	default:
		_, err = fmt.Fprintf(out, "%s: table %s: %d rows changed\n", w.tenant.Name, name, len(done))
	}
	switch {
	case err != nil:
		return err
	case gone:
		err = listOwn(out, own)
	case len(done) == 1:
		err = w.listSeen(out, name, done[0])
	}
	if err != nil {
		return err
	}
	return listRepairs(out, fixed, still)
}

// own is what the mapping's own table says of a row that was taken away.
func (w *workbench) own(name string, done []tables.Change) (own *tables.Cells, gone bool) {
	if len(done) != 1 || done[0].After != nil {
		return nil, false
	}
	if t := w.mapping.Table(name); t != nil {
		if r, ok := t.Lookup(done[0].Word); ok {
			c := tables.Of(r)
			own = &c
		}
	}
	return own, true
}

// listSeen says what look-ups find now, where the mapping's own row fills cells
// that the added one leaves empty.
func (w *workbench) listSeen(out io.Writer, name string, c tables.Change) error {
	t := w.mapping.Table(name)
	if t == nil || c.After == nil {
		return nil
	}
	if seen := merged(t, c.Word, *c.After, false); seen.String() != c.After.String() {
		_, err := fmt.Fprintln(out, "with the mapping's own row look-ups find: "+seen.String())
		return err
	}
	return nil
}

func listOwn(w io.Writer, own *tables.Cells) error {
	text := "nothing else answers to this word: an event that asks for it becomes a dead letter"
	if own != nil {
		text = "the mapping's own table answers now: " + own.String()
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

func beforeAfter(c tables.Change) string {
	before, after := "nothing", "nothing"
	if c.Before != nil {
		before = c.Before.String()
	}
	if c.After != nil {
		after = c.After.String()
	}
	return before + " → " + after
}
