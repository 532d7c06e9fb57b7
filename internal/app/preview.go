package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/connectors"
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping"
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
	return withWorkbench(ctx, p, g, c.Tenant, func(w *workbench) error {
		m, inUse, err := c.mappings(ctx, w)
		if err != nil {
			return err
		}
		preview, bar := mapping.NewPreview(m, inUse), newBar(p.Stderr)
		out := bar.over(p.Stdout)
		show := func(r mapping.Recorded) error { return c.show(out, preview.Add(r)) }
		skipped := 0
		if c.Dead {
			skipped, err = eachLetter(ctx, w, c.span, in, bar.at, show)
		} else {
			skipped, err = dispatch.EachRecorded(ctx, w.bus, w.tenant.Name, c.Order, in, bar.at, show)
		}
		bar.end()
		if err != nil {
			return err
		}
		sum := preview.Summary()
		switch {
		case sum.Events > 0:
		case c.Dead:
			_, err = fmt.Fprintln(p.Stderr, "no such dead letter is open")
		default:
			_, err = fmt.Fprintln(p.Stderr, c.nothing(in))
		}
		return errors.Join(err, c.end(p.Stdout, sum, skipped))
	})
}

// mappings are what is previewed, and what it is shown against: nothing, where the
// file in use is the one that is at fault.
func (c mappingPreviewCmd) mappings(ctx context.Context, w *workbench) (m, inUse *mapping.Mapping, err error) {
	err = w.load(ctx)
	if c.File == "" || err != nil && mapping.FaultsOf(err) == nil {
		return w.mapping, nil, err
	}
	inUse = w.mapping
	if err != nil {
		_, _ = fmt.Fprintf(w.program.Stderr, "%s has faults, there is nothing to show differences from; see dispatcher mapping check\n", w.tenant.Mapping)
		inUse = nil
	}
	m, err = mapping.Load(c.File, mapping.Options{Tables: w.rows})
	return m, inUse, err
}

// eachLetter is [dispatch.EachRecorded] over the open letters that a mapping can
// be tried on.
func eachLetter(ctx context.Context, w *workbench, s span, in dispatch.Period, tell dispatch.Progress, visit func(mapping.Recorded) error) (skipped int, err error) {
	f := deadletter.Filter{Tenant: w.tenant.Name, Stage: events.Handle, Key: s.Order}
	err = w.letters(ctx, f, tell, func(l deadletter.Open) error {
		if s.bounded() && !in.Holds(l.DiedAt) {
			return nil
		}
		r, err := dispatch.RecordedOf(l)
		if err != nil {
			skipped++
			return nil //nolint:nilerr // counted, and said at the end
		}
		return visit(r)
	})
	return skipped, err
}

func (c mappingPreviewCmd) show(w io.Writer, e mapping.Entry) error {
	if c.JSON {
		return jsonLines(w, []mapping.Entry{e})
	}
	_, err := fmt.Fprintln(w, e)
	return err
}

func (c mappingPreviewCmd) end(w io.Writer, s mapping.Summary, skipped int) error {
	if c.JSON {
		return jsonLines(w, []struct {
			Summary mapping.Summary `json:"summary"`
			Skipped int             `json:"skipped"`
		}{{s, skipped}})
	}
	if skipped > 0 {
		if _, err := fmt.Fprintf(w, "%d that cannot be read were passed over\n", skipped); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\n%s\nnothing was sent\n", s)
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
	return suggest(ctx, p, g, c.span, c.StaffList, c.JSON, func(s mapping.Suggestion) bool { return s.Component == "" })
}

type suggestOptionsCmd struct {
	JSON bool `name:"json" help:"One JSON object a word."`
	span `embed:"" set:"since=30d"`
}

func (c suggestOptionsCmd) Run(ctx context.Context, p Program, g *globals) error {
	return suggest(ctx, p, g, c.span, false, c.JSON, func(s mapping.Suggestion) bool { return s.Component != "" })
}

// suggest collects the words of the recorded events and prints those that are
// wanted as lines ready to be filled in.
func suggest(ctx context.Context, p Program, g *globals, c span, staffList, asJSON bool, wanted func(mapping.Suggestion) bool) error {
	in, err := c.period("30d")
	if err != nil {
		return err
	}
	return withMapping(ctx, p, g, c.Tenant, func(w *workbench) error {
		s := mapping.NewSuggestions(w.mapping)
		bar := newBar(p.Stderr)
		_, err := dispatch.EachRecorded(ctx, w.bus, w.tenant.Name, c.Order, in, bar.at, func(r mapping.Recorded) error {
			if in, err := mapping.NewInput(r.Meta, r.Data); err == nil {
				s.Add(in)
			}
			return nil
		})
		bar.end()
		if err != nil {
			return err
		}
		if staffList {
			if err := w.staff(ctx, s); err != nil {
				return err
			}
		}
		list := []mapping.Suggestion{}
		for _, x := range s.Missing() {
			if wanted(x) {
				list = append(list, x)
			}
		}
		switch {
		case asJSON:
			return jsonLines(p.Stdout, list)
		case len(list) == 0:
			_, err := fmt.Fprintln(p.Stderr, "the tables lack nothing")
			return err
		}
		return w.mapping.WriteLines(p.Stdout, list)
	})
}

// staff reads Weiban's staff list, by the tenant's owner, which alone can keep the
// quota. Where there is none, nobody else calls Weiban.
func (w *workbench) staff(ctx context.Context, s *mapping.Suggestions) error {
	list, err := dispatch.StaffOf(ctx, w.bus, w.tenant.Name)
	if errors.Is(err, bus.ErrNoResponders) {
		list, err = w.readStaff(ctx)
	}
	for _, x := range list {
		s.AddStaff(mapping.Staff{ID: x.ID, Name: x.Name, Department: strings.Join(x.Department, " ")})
	}
	return err
}

// readStaff reads it here, with the token that dispatchers keep.
func (w *workbench) readStaff(ctx context.Context) ([]dispatch.Staff, error) {
	vault, err := vaultOf(w.cfg, w.bus)
	if err != nil {
		return nil, err
	}
	c, t := w.cfg.Dispatcher, w.tenant.Weiban
	line, err := connectors.NewLine(connectors.LineOptions{
		Vendor: "weiban", Tenant: w.tenant.Name, InFlight: 1, Timeout: c.Calls.Timeout, ReadTimeout: c.Calls.ReadTimeout, MaxWait: c.Calls.MaxWait,
		Breaker: connectors.BreakerSettings{Failures: c.Breaker.Failures, OpenFor: c.Breaker.OpenFor},
		MaxBody: int64(c.Calls.MaxAnswer), Rate: func(string) connectors.Rate { return connectors.Rate{PerMinute: t.PerMinute, Burst: 1} },
	})
	if err != nil {
		return nil, err
	}
	defer line.Close()
	list, err := weiban.New(weiban.Options{BaseURL: t.BaseURL, CorpID: t.CorpID, Secret: t.Secret.Reveal(), Vault: vault, Line: line}).Staff(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]dispatch.Staff, len(list))
	for i, x := range list {
		out[i] = dispatch.Staff{ID: string(x.ID), Name: string(x.Name), Department: x.Department}
	}
	return out, nil
}
