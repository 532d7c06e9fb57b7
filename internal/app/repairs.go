package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/tables"
)

// repair is an open dead letter that the mapping can do now.
type repair struct {
	Letter  uint64      `json:"letter"`
	Noun    events.Noun `json:"noun"`
	Order   string      `json:"order"`
	Word    string      `json:"word,omitempty"` // that was missing when it died
	Rule    string      `json:"rule,omitempty"` // that takes it now; "" where none wants it any more
	Command string      `json:"command"`        // that runs it again
}

// remaining is an open dead letter about a word that was changed, and that the
// mapping cannot do yet.
type remaining struct {
	Letter uint64 `json:"letter"`
	Order  string `json:"order"`
	Reason string `json:"reason"`
}

// repairs tries every open letter that the mapping could not do when it died.
func (w *workbench) repairs(ctx context.Context, done []tables.Change) (out []repair, still []remaining, err error) {
	out = []repair{}
	about := aboutChanged(done)
	bar := newBar(w.program.Stderr)
	defer bar.end()
	f := deadletter.Filter{Tenant: w.tenant.Name, Stage: events.Handle, Kind: events.Unmapped}
	err = w.letters(ctx, f, bar.at, func(l deadletter.Open) error {
		r, err := inspect.RecordedOf(l)
		if err != nil {
			return nil //nolint:nilerr // what cannot be read cannot be repaired by a row
		}
		t := w.mapping.Try(r.Meta, r.Data, r.Bill)
		if t.Verdict == mapping.Failed {
			if len(t.Failures) > 0 && about(l) {
				still = append(still, remaining{l.Number, l.Key, t.Failures[0].Reason})
			}
			return nil
		}
		waits, err := inspect.Waits(ctx, w.bus, l)
		if err != nil {
			return err
		}
		out = append(out, repair{
			Letter: l.Number, Noun: l.Noun, Order: l.Key, Word: l.Word, Rule: t.Rule, Command: w.again(l.Number, waits),
		})
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("which letters are repaired: %w", err)
	}
	return out, still, nil
}

// aboutChanged tells letters that a change was to repair: they died for want of the
// word, or, where one row was changed, their event says it.
func aboutChanged(done []tables.Change) func(deadletter.Open) bool {
	words, said := map[string]bool{}, []byte(nil)
	for _, c := range done {
		words[c.Word] = true
	}
	if len(done) == 1 {
		said = []byte(strconv.Quote(done[0].Word))
	}
	return func(l deadletter.Open) bool {
		return l.Word != "" && words[l.Word] || said != nil && bytes.Contains(l.Event, said)
	}
}

// letters visits open letters and tells how far it has come, all tenants' letters
// being the whole.
func (w *workbench) letters(ctx context.Context, f deadletter.Filter, tell inspect.Progress, visit func(deadletter.Open) error) error {
	u, err := w.bus.Usage(ctx, deadletter.Stream)
	if err != nil {
		return err
	}
	seen := uint64(0)
	err = deadletter.NewBox(w.bus, time.Now).All(ctx, f, func(l deadletter.Open) error {
		tell("dead letters", seen, max(u.Messages, seen+1))
		seen++
		return visit(l)
	})
	tell("dead letters", u.Messages, u.Messages)
	return err
}

// again is the command that runs a letter's event again.
func (w *workbench) again(number uint64, waits bool) string {
	c := "dispatcher dead replay " + strconv.FormatUint(number, 10)
	if waits {
		c = "dispatcher dead settle " + strconv.FormatUint(number, 10) + ` try-again --reason "the table was completed"`
	}
	if w.globals.Config != defaultConfig {
		c += " -c " + quoted(w.globals.Config)
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

func listRepairs(w io.Writer, list []repair, still []remaining) error {
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

// quiet is a logger for a command: warnings alone, as text.
func quiet(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
