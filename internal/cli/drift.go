package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gongdan-bridge/internal/drift"
	"gongdan-bridge/internal/operate"
)

type driftCmd struct {
	tenantsSince
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

func (c driftCmd) Run(ctx context.Context, s *session) error {
	drifts := 0
	err := c.each(s, func(tenant string, since time.Time) error {
		d, err := s.Drift(ctx, operate.DriftRequest{Tenant: tenant, Since: since, All: c.All, Ignore: c.Ignore}, s.bar.at)
		if err != nil {
			return err
		}
		drifts += d.Members
		if c.JSON {
			return driftJSON(s.out, d)
		}
		return s.print(nil, "%s", driftText(d))
	})
	if err == nil && c.Check && drifts > 0 {
		err = fmt.Errorf("%d %w", drifts, errDrift)
	}
	return err
}

func driftJSON(w io.Writer, s operate.Drift) error {
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
		Summary operate.Drift `json:"summary"`
	}{{s}})
}

func driftText(s operate.Drift) string {
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
	if len(as) > 0 {
		tables += fmt.Sprintf("\nwithout drift: %s\n", strings.Join(as, ", "))
	}
	return fmt.Sprintf("%s since %s: %s\n%s", s.Tenant, when(s.Since), told, tables)
}

func driftTable(lines []drift.Line) string {
	t := newTable("what", "member, and its shape", "objects", "first, last", "example: order, event")
	t.Style().Options.SeparateRows = true
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 2, WidthMax: 56, WidthMaxEnforcer: text.WrapText},
		counts(3),
		{Number: 5, WidthMax: 46, WidthMaxEnforcer: text.WrapText},
	})
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
	return strings.TrimSpace(word + " " + map[string]string{
		string(drift.Unknown): "未知", string(drift.Gone): "消失", string(drift.OtherType): "类型不同", string(drift.NotUnderstood): "读不懂",
		string(drift.AtTimes): "时有时无", "callback": "回调", "work_order": "工单详情", "opportunity": "商机详情", "raw": "读不懂的回调",
	}[word])
}
