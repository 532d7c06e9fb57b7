package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/tables"
)

// change runs an act that changes a table, and says what was changed and which letters
// that repairs.
func (c tableArgs) change(ctx context.Context, p Program, g *globals, do func(*operate.Acts, *bar) (operate.TableChange, error)) error {
	return withActs(ctx, p, g, func(a *operate.Acts) error {
		bar := newBar(p.Stderr)
		done, err := do(a, bar)
		bar.end()
		if err != nil {
			return err
		}
		repairs := make([]repairLine, len(done.Repairs))
		for i, r := range done.Repairs {
			repairs[i] = repairLine{r, replayCommand(r, g)}
		}
		if c.JSON {
			return jsonLines(p.Stdout, []changeLine{{done.Tenant, done.Table, done.Changes, done.Own, repairs, done.Remaining}})
		}
		if _, err := io.WriteString(p.Stdout, changeText(done)); err != nil {
			return err
		}
		return listRepairs(p.Stdout, repairs, done.Remaining)
	})
}

// changeLine is the line of --json.
type changeLine struct {
	Tenant    string              `json:"tenant"`
	Table     string              `json:"table"`
	Changes   []tables.Change     `json:"changes"`
	Own       *tables.Cells       `json:"own,omitempty"`
	Repairs   []repairLine        `json:"repairs"`
	Remaining []operate.Remaining `json:"remaining,omitempty"`
}

type repairLine struct {
	operate.Repair
	Command string `json:"command"` // that runs the letter's event again
}

func changeText(done operate.TableChange) string {
	at := done.Tenant + ": table " + done.Table
	switch n := len(done.Changes); {
	case n == 0:
		return at + " says so already; nothing was changed\n"
	case n > 1:
		return fmt.Sprintf("%s: %d rows changed\n", at, n)
	}
	c := done.Changes[0]
	text := fmt.Sprintf("%s, row %s: %s\n", at, c.Word, beforeAfter(c))
	switch {
	case done.Seen != nil:
		text += "with the mapping's own row look-ups find: " + done.Seen.String() + "\n"
	case done.Own != nil:
		text += "the mapping's own table answers now: " + done.Own.String() + "\n"
	case done.Removed():
		text += "nothing else answers to this word: an event that asks for it becomes a dead letter\n"
	}
	return text
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

// replayCommand is the command that runs a letter's event again.
func replayCommand(r operate.Repair, g *globals) string {
	c := "dispatcher dead replay " + strconv.FormatUint(r.Letter, 10)
	if r.Waits {
		c = "dispatcher dead settle " + strconv.FormatUint(r.Letter, 10) + ` try-again --reason "the table was completed"`
	}
	if g.Config != defaultConfig {
		c += " -c " + quoted(g.Config)
	}
	return c
}

// quoted is a word for a shell.
func quoted(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./-", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func listRepairs(w io.Writer, list []repairLine, still []operate.Remaining) error {
	const most = 10
	for i, r := range still {
		if i == most {
			_, _ = fmt.Fprintf(w, "and %d more that cannot be done yet\n", len(still)-most)
			break
		}
		if _, err := fmt.Fprintf(w, "dead letter %d, order %s, cannot be done yet: %s\n", r.Letter, r.Order, r.Reason); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no open dead letter is repaired by this")
		return err
	}
	if _, err := fmt.Fprintf(w, "%d open dead letter(s) can be done now:\n", len(list)); err != nil {
		return err
	}
	for _, r := range list {
		how := "rule " + r.Rule
		if r.Rule == "" {
			how = "no rule wants it"
		}
		if _, err := fmt.Fprintf(w, "  %-40s # %s %s, %s\n", r.Command, r.Noun, r.Order, how); err != nil {
			return err
		}
	}
	return nil
}
