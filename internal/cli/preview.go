package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"gongdan-bridge/internal/inspect"
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
	err = show(p.Stdout, c.JSON, results, func(list []mapping.Result) string { return resultsText(list, failed) })
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d %w", failed, len(results), errDiffers)
	}
	return err
}

func resultsText(results []mapping.Result, failed int) string {
	return each(func(r mapping.Result) string { return r.String() + "\n" })(results) + fmt.Sprintf("%d example(s), %d failed\n", len(results), failed)
}

type mappingPreviewCmd struct {
	File string `help:"A changed mapping; shown against the one that the configuration names."`
	Dead bool   `help:"Over the open dead letters instead of the recorded events; --since and --until are then when they died."`
	JSON bool   `name:"json" help:"One JSON object an event, and the summary as the last: {\"summary\": …}."`
	span `embed:"" set:"since=24h"`
}

func (c mappingPreviewCmd) Run(ctx context.Context, s *session) error {
	in, err := c.period("24h")
	if err != nil {
		return err
	}
	r := operate.PreviewRequest{Recorded: operate.Recorded{Tenant: c.Tenant, Key: c.Order, Period: in}, File: c.File, Dead: c.Dead}
	if c.Dead && !c.bounded() {
		r.Period = inspect.Period{}
	}
	done, err := s.Preview(ctx, r, s.bar.at, func(e mapping.Entry) error {
		return show(s.out, c.JSON, []mapping.Entry{e}, each(func(e mapping.Entry) string { return e.String() + "\n" }))
	})
	note := ""
	if done.Faulty != "" {
		note = done.Faulty + " has faults, there is nothing to show differences from; see dispatcher mapping check\n"
	}
	switch {
	case err != nil || done.Summary.Events > 0:
	case c.Dead:
		note += "no such dead letter is open\n"
	default:
		note += c.nothing(in) + "\n"
	}
	if _, failed := io.WriteString(s.stderr, note); err != nil || failed != nil {
		return errors.Join(err, failed)
	}
	return show(s.out, c.JSON, []operate.PreviewResult{done}, each(previewText))
}

func previewText(done operate.PreviewResult) string {
	skipped := ""
	if done.Skipped > 0 {
		skipped = fmt.Sprintf("%d that cannot be read were passed over\n", done.Skipped)
	}
	return fmt.Sprintf("%s\n%s\nnothing was sent\n", skipped, done.Summary)
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

func (c suggestStaffCmd) Run(ctx context.Context, s *session) error {
	return suggest(ctx, s, c.span, operate.SuggestRequest{StaffList: c.StaffList}, c.JSON)
}

type suggestOptionsCmd struct {
	JSON bool `name:"json" help:"One JSON object a word."`
	span `embed:"" set:"since=30d"`
}

func (c suggestOptionsCmd) Run(ctx context.Context, s *session) error {
	return suggest(ctx, s, c.span, operate.SuggestRequest{Options: true}, c.JSON)
}

// suggest prints the words that tables lack as lines ready to be filled in.
func suggest(ctx context.Context, s *session, which span, r operate.SuggestRequest, asJSON bool) error {
	in, err := which.period("30d")
	if err != nil {
		return err
	}
	r.Recorded = operate.Recorded{Tenant: which.Tenant, Key: which.Order, Period: in}
	found, err := s.Suggest(ctx, r, s.bar.at)
	switch {
	case err != nil:
		return err
	case asJSON:
		return jsonLines(s.out, found.Words)
	case len(found.Words) == 0:
		_, err := fmt.Fprintln(s.stderr, "the tables lack nothing")
		return err
	}
	return found.Mapping.WriteLines(s.out, found.Words)
}
