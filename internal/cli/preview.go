package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/operate"
)

type mappingTestCmd struct {
	File     string `arg:"" help:"The mapping file."`
	Examples string `arg:"" optional:"" help:"An example's file, or a directory of them (default: examples beside the mapping)."`
	JSON     bool   `name:"json" help:"One JSON object an example."`
}

// errDiffers says that an example did not give what it expects.
var errDiffers = errors.New("examples differ")

// Run needs neither a configuration nor a bus: it is for CI.
func (c mappingTestCmd) Run(p Program) error {
	m, err := mapping.Load(c.File, mapping.Options{})
	if err != nil {
		return err
	}
	list, err := mapping.ReadExamples(cmp.Or(c.Examples, filepath.Join(filepath.Dir(c.File), "examples")))
	if err != nil {
		return err
	}
	var results []mapping.Result
	failed := 0
	for _, e := range list {
		r := e.Run(m)
		if !r.Pass {
			failed++
		}
		results = append(results, r)
	}
	if c.JSON {
		err = jsonLines(p.Stdout, results)
	} else {
		err = showResults(p.Stdout, results, failed)
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d %w", failed, len(results), errDiffers)
	}
	return err
}

func showResults(w io.Writer, results []mapping.Result, failed int) error {
	for _, r := range results {
		if _, err := fmt.Fprintln(w, r); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d example(s), %d failed\n", len(results), failed)
	return err
}

type mappingPreviewCmd struct {
	File string `help:"A changed mapping; shown against the one that the configuration names."`
	Dead bool   `help:"Over the open dead letters instead of the recorded events; --since and --until are then when they died."`
	JSON bool   `name:"json" help:"One JSON object an event, and the summary as the last: {\"summary\": …}."`
	span `embed:"" set:"since=24h"`
}

func (c mappingPreviewCmd) Run(ctx context.Context, p Program, g *globals) error {
	in, err := c.period("24h")
	if err != nil {
		return err
	}
	r := operate.PreviewRequest{Recorded: operate.Recorded{Tenant: c.Tenant, Key: c.Order, Period: in}, File: c.File, Dead: c.Dead}
	if c.Dead && !c.bounded() {
		r.Period = dispatch.Period{}
	}
	return withActs(ctx, p, g, func(a *operate.Acts) error {
		bar := newBar(p.Stderr)
		out := bar.over(p.Stdout)
		done, err := a.Preview(ctx, r, bar.at, func(e mapping.Entry) error {
			if c.JSON {
				return jsonLines(out, []mapping.Entry{e})
			}
			_, err := fmt.Fprintln(out, e)
			return err
		})
		bar.end()
		if done.Faulty != "" {
			_, _ = fmt.Fprintf(p.Stderr, "%s has faults, there is nothing to show differences from; see dispatcher mapping check\n", done.Faulty)
		}
		if err != nil {
			return err
		}
		switch {
		case done.Summary.Events > 0:
		case c.Dead:
			_, err = fmt.Fprintln(p.Stderr, "no such dead letter is open")
		default:
			_, err = fmt.Fprintln(p.Stderr, c.nothing(in))
		}
		return errors.Join(err, c.end(p.Stdout, done))
	})
}

func (c mappingPreviewCmd) end(w io.Writer, done operate.PreviewResult) error {
	if c.JSON {
		return jsonLines(w, []operate.PreviewResult{done})
	}
	if done.Skipped > 0 {
		if _, err := fmt.Fprintf(w, "%d that cannot be read were passed over\n", done.Skipped); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\nnothing was sent\n", done.Summary)
	return err
}

type suggestCmd struct {
	Staff   suggestStaffCmd   `cmd:"" help:"Weiban staff that events or the staff list name and the tables lack."`
	Options suggestOptionsCmd `cmd:"" help:"Answers of forms that the tables lack."`
}

type suggestStaffCmd struct {
	StaffList bool `help:"Read Weiban's staff list, too, through the tenant's owner (one call for 100 members, out of its quota)."`
	JSON      bool `name:"json" help:"One JSON object a word."`
	span      `embed:"" set:"since=30d"`
}

func (c suggestStaffCmd) Run(ctx context.Context, p Program, g *globals) error {
	return suggest(ctx, p, g, c.span, operate.SuggestRequest{StaffList: c.StaffList}, c.JSON)
}

type suggestOptionsCmd struct {
	JSON bool `name:"json" help:"One JSON object a word."`
	span `embed:"" set:"since=30d"`
}

func (c suggestOptionsCmd) Run(ctx context.Context, p Program, g *globals) error {
	return suggest(ctx, p, g, c.span, operate.SuggestRequest{Options: true}, c.JSON)
}

// suggest prints the words that tables lack as lines ready to be filled in.
func suggest(ctx context.Context, p Program, g *globals, s span, r operate.SuggestRequest, asJSON bool) error {
	in, err := s.period("30d")
	if err != nil {
		return err
	}
	r.Recorded = operate.Recorded{Tenant: s.Tenant, Key: s.Order, Period: in}
	return withActs(ctx, p, g, func(a *operate.Acts) error {
		bar := newBar(p.Stderr)
		found, err := a.Suggest(ctx, r, bar.at)
		bar.end()
		switch {
		case err != nil:
			return err
		case asJSON:
			return jsonLines(p.Stdout, found.Words)
		case len(found.Words) == 0:
			_, err := fmt.Fprintln(p.Stderr, "the tables lack nothing")
			return err
		}
		return found.Mapping.WriteLines(p.Stdout, found.Words)
	})
}
