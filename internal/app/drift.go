package app

import (
	"cmp"
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
	"gongdan-bridge/internal/connectors/weiban"
	"gongdan-bridge/internal/drift"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/mapping"
)

type driftCmd struct {
	Since  string   `default:"24h" placeholder:"SPAN|TIME" help:"What was recorded since then: a span such as 24h, or a time such as 2026-11-22T08:00:00+08:00 (${default})."`
	Tenant string   `help:"Only this tenant."`
	All    bool     `help:"Also members that some documents lack and others have."`
	Ignore []string `placeholder:"MEMBER" help:"Leave out this member, or all of this kind of document, written as in the report; may be given again."`
	Check  bool     `help:"Exit status 1 if anything drifts, for cron."`
	JSON   bool     `name:"json" help:"One JSON object a member, and a summary of each tenant as its last: {\"summary\": …}."`
}

// Help is what --help says beside the flags.
func (driftCmd) Help() string {
	return `Looks through the callbacks and details that CALLBACKS and EVENTS hold, and says where they are not as the bridge knows them:

  unknown         a member that no type of the bridge has: Weiban has added it
  gone            a member that every such document should have and none has, or none of the last 20
  other type      a member in a form that its type does not expect, such as an object for a text
  not understood  a callback that verified but is no notice; nothing was done with it

Members are counted by objects: "3 of 40" of processing_flows[].point means 3 of 40 rows. Shapes stand for values, which are never shown;
names that look like data, such as ids, are shown as <key>. To see the values of an example: dispatcher order show ORDER --bodies.
What Kingdee answers is not recorded; its drift is in the metric gongdan_drift_total alone.`
}

var errDrift = errors.New("member(s) drift")

// driftLine is one line of --json.
type driftLine struct {
	Tenant   string `json:"tenant"`
	Vendor   string `json:"vendor"`
	Document string `json:"document"`
	drift.Line
}

// driftSummary is the last line of a tenant.
type driftSummary struct {
	Tenant    string       `json:"tenant"`
	Since     time.Time    `json:"since"`
	Documents []drift.Kind `json:"documents"`
	Members   int          `json:"members"` // that drift
	Skipped   int          `json:"skipped"` // messages that are no events
}

func (c driftCmd) Run(ctx context.Context, p Program, g *globals) error {
	drifts := 0
	err := eachTenant(ctx, p, g, c.Since, c.Tenant, func(b *bus.Bus, tenant string, since time.Time) error {
		bar := newBar(p.Stderr)
		r, skipped, err := driftOf(ctx, b, tenant, since, bar.at)
		bar.end()
		if err != nil {
			return err
		}
		s := driftSummary{Tenant: tenant, Since: since, Documents: c.kinds(r), Skipped: skipped}
		for _, k := range s.Documents {
			for _, l := range k.Lines {
				if l.What != drift.AtTimes {
					s.Members++
				}
			}
		}
		drifts += s.Members
		if c.JSON {
			return driftJSON(p.Stdout, s)
		}
		return showDrift(p.Stdout, s)
	})
	if err == nil && c.Check && drifts > 0 {
		err = fmt.Errorf("%d %w", drifts, errDrift)
	}
	return err
}

// kinds are the report's, without what is to be left out.
func (c driftCmd) kinds(r *drift.Report) []drift.Kind {
	kinds := r.Kinds(c.All)
	for i, k := range kinds {
		kinds[i].Lines = slices.DeleteFunc(k.Lines, func(l drift.Line) bool {
			return slices.Contains(c.Ignore, l.Path) || slices.Contains(c.Ignore, k.Document)
		})
	}
	return kinds
}

// driftOf looks through what is recorded of a tenant.
func driftOf(ctx context.Context, b *bus.Bus, tenant string, since time.Time, tell inspect.Progress) (*drift.Report, int, error) {
	known, report := weiban.NewDocuments(), drift.NewReport()
	calls, err := inspect.EachCallback(ctx, b, tenant, since, tell, func(x inspect.RecordedCallback) error {
		kind := "raw"
		if x.Event != "" {
			kind = "callback " + x.Event + "." + x.Status
		}
		report.Add(known.Callback(x.Event), drift.Recorded{Kind: kind, JSON: weiban.AsSent(x.Data), At: x.At, Event: x.ID, Order: x.Key})
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	details, err := inspect.EachRecorded(ctx, b, tenant, "", inspect.Period{Since: since}, tell, func(x mapping.Recorded) error {
		x.Data = x.Data.AsSent()
		for _, d := range []struct {
			tree *drift.Tree
			json []byte
		}{{known.WorkOrder, x.Data.WorkOrder}, {known.Opportunity, x.Data.Opportunity}} {
			if len(d.json) > 0 {
				report.Add(d.tree, drift.Recorded{Kind: d.tree.Document(), JSON: d.json, At: x.Data.FetchedAt, Event: x.Meta.ID, Order: x.Key})
			}
		}
		return nil
	})
	return report, calls + details, err
}

func driftJSON(w io.Writer, s driftSummary) error {
	list := []driftLine{}
	for _, k := range s.Documents {
		for _, l := range k.Lines {
			list = append(list, driftLine{s.Tenant, k.Vendor, k.Document, l})
		}
	}
	if err := jsonLines(w, list); err != nil {
		return err
	}
	return jsonLines(w, []struct {
		Summary driftSummary `json:"summary"`
	}{{s}})
}

func showDrift(w io.Writer, s driftSummary) error {
	var as []string // the kinds that are as they should be
	documents, tables := 0, ""
	for _, k := range s.Documents {
		documents += k.Documents
		if len(k.Lines) == 0 {
			as = append(as, fmt.Sprintf("%s (%d)", titled(k.Document), k.Documents))
			continue
		}
		tables += fmt.Sprintf("\n%s, %d document(s)\n%s\n", titled(k.Document), k.Documents, driftTable(k.Lines))
	}
	told := fmt.Sprintf("%d document(s), %d member(s) drift", documents, s.Members)
	switch {
	case documents == 0:
		told = "nothing is recorded"
	case s.Members == 0:
		told = fmt.Sprintf("%d document(s), no drift", documents)
	}
	if s.Skipped > 0 {
		told += fmt.Sprintf("; %d message(s) that are no events were passed over", s.Skipped)
	}
	if _, err := fmt.Fprintf(w, "%s since %s: %s\n%s", s.Tenant, when(s.Since), told, tables); err != nil || len(as) == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "\nwithout drift: %s\n", strings.Join(as, ", "))
	return err
}

func driftTable(lines []drift.Line) string {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options.SeparateRows = true
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 2, WidthMax: 56, WidthMaxEnforcer: text.WrapText},
		{Number: 3, Align: text.AlignRight},
		{Number: 5, WidthMax: 46, WidthMaxEnforcer: text.WrapText},
	})
	t.AppendHeader(table.Row{"what", "member, and its shape", "objects", "first, last", "example: order, event"})
	for _, l := range lines {
		t.AppendRow(table.Row{
			chinese(string(l.What)), strings.TrimSpace(cmp.Or(l.Path, "the whole document") + "\n" + l.Shape),
			fmt.Sprintf("%d of %d", l.Count, l.Of), when(l.First) + "\n" + when(l.Last), strings.TrimPrefix(l.Order+"\n", l.Event+"\n") + l.Event,
		})
	}
	return t.Render()
}

// titled is a kind of document with its Chinese name.
func titled(document string) string {
	first, rest, _ := strings.Cut(document, " ")
	return strings.TrimSpace(chinese(first) + " " + rest)
}

// chinese puts the Chinese word behind one of the report's own.
func chinese(word string) string {
	switch word {
	case string(drift.Unknown):
		return word + " 未知"
	case string(drift.Gone):
		return word + " 消失"
	case string(drift.OtherType):
		return word + " 类型不同"
	case string(drift.NotUnderstood):
		return word + " 读不懂"
	case string(drift.AtTimes):
		return word + " 时有时无"
	case "callback":
		return word + " 回调"
	case "work_order":
		return word + " 工单详情"
	case "opportunity":
		return word + " 商机详情"
	case "raw":
		return word + " 读不懂的回调"
	}
	return word
}
