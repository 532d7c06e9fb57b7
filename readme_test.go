package bridge_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/telemetry"
	"gongdan-bridge/schemas"
)

var update = flag.Bool("update", false, "write the generated tables of the pages")

const (
	readme        = "README.md"
	readmeChinese = "README.zh.md"
	architecture  = "docs/architecture.md"
	promises      = "docs/promises.md"
)

// TestTables holds every table between <!-- begin NAME --> and <!-- end NAME -->
// against the code that it is made from.
func TestTables(t *testing.T) {
	for page, tables := range map[string]map[string]string{
		"docs/configuration.md": {"configuration": configuration(t)},
		"docs/events.md":        {"events": eventTypes(t), "attributes": attributes(t)},
		"docs/operations.md":    {"streams": streams(), "buckets": buckets(), "metrics": metrics()},
		"docs/failures.md":      {"treatments": treatments(t)},
	} {
		holdTables(t, page, tables)
	}
}

// holdTables compares the tables of one page, or writes them with -update.
func holdTables(t *testing.T, page string, tables map[string]string) {
	t.Helper()
	text := read(t, page)
	for name, table := range tables {
		before, rest, begun := strings.Cut(text, "<!-- begin "+name+" -->\n")
		have, after, ended := strings.Cut(rest, "<!-- end "+name+" -->")
		if !begun || !ended {
			t.Errorf("%s has no place for the table %q", page, name)
			continue
		}
		want := "\n" + table + "\n"
		if diff := cmp.Diff(have, want); diff != "" && !*update {
			t.Errorf("%s: table %q (-page +code); `go test . -update` writes it:\n%s", page, name, diff)
		}
		text = before + "<!-- begin " + name + " -->\n" + want + "<!-- end " + name + " -->" + after
	}
	if !*update {
		return
	}
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// table writes rows, the first of them the head, as Markdown.
func table(rows ...[]string) string {
	var b strings.Builder
	for i, r := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r, " | "))
		if i == 0 {
			b.WriteString("|" + strings.Repeat("---|", len(r)) + "\n")
		}
	}
	return b.String()
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func configuration(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	if err := config.Table(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The placeholders that stand for a tenant, an order and a message; they pass
// through the code as they are, and the reader sees them in angle brackets.
func readable(s string) string {
	return strings.NewReplacer("TENANT", "<tenant>", "CORP", "<corp_id>", "ACCOUNT", "<accountId>", "EVENT", "<event>",
		"STATUS", "<status>", "KEY", "<key>", "MESSAGE", "<id>", "SHA", "<sha256>").Replace(s)
}

// contract is one type of event: where it goes and what its data must satisfy.
type contract struct{ typ, stream, subject, schema string }

// contracts are all types, and fails where a schema of an event type is not
// among them.
func contracts(t *testing.T) []contract {
	t.Helper()
	names, err := schemas.Names()
	if err != nil {
		t.Fatal(err)
	}
	var all []contract
	add := func(typ, stream, subject, schema string) {
		if !slices.Contains(names, schema) {
			t.Errorf("type %s: no schema %s", typ, schema)
		}
		all = append(all, contract{typ, stream, subject, schema})
	}
	const change = "work_order_change"
	for _, n := range names {
		if status, ok := strings.CutPrefix(n, "com.weibanzhushou."+change+"."); ok {
			status = strings.TrimSuffix(status, ".v1")
			add(events.CallbackType(change, status), bus.Callbacks, events.CallbackSubject("TENANT", change, status, "KEY"), n)
		}
	}
	add(events.CallbackType("EVENT", "STATUS"), bus.Callbacks, events.CallbackSubject("TENANT", "EVENT", "STATUS", "KEY"), "weiban-callback")
	add("com.weibanzhushou.unrecognised.raw.v1", bus.Callbacks, events.CallbackSubject("TENANT", "", "", "KEY"), "com.weibanzhushou.unrecognised.raw.v1")
	for _, n := range []events.Noun{events.WorkOrder, events.Opportunity} {
		add(events.EnrichedType(n), bus.Events, events.EnrichedSubject("TENANT", n, "STATUS", "KEY"), events.EnrichedType(n))
	}
	for _, o := range []events.Outcome{events.Applied, events.Superseded, events.Ignored, events.Dead} {
		add(events.OutcomeType(o), bus.Events, events.OutcomeSubject("TENANT", o, "KEY"), events.OutcomeType(o))
	}
	for _, n := range names {
		if strings.HasPrefix(n, "com.") && !slices.ContainsFunc(all, func(c contract) bool { return c.schema == n }) {
			t.Errorf("the schema %s belongs to no listed type", n)
		}
	}
	return all
}

// eventTypes lists every type with the subject, stream and schema that go with
// it.
func eventTypes(t *testing.T) string {
	t.Helper()
	rows := [][]string{{"type", "stream", "subject", "schema of the data, in `schemas/`"}}
	for _, c := range contracts(t) {
		rows = append(rows, []string{code(readable(c.typ)), code(c.stream), code(readable(c.subject)), code(c.schema + ".schema.json")})
	}
	return table(rows...)
}

// attributes builds a callback's event and those that follow from it, and lists
// what they carry.
func attributes(t *testing.T) string {
	t.Helper()
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0: 0x5d, 15: 1}, SpanID: trace.SpanID{7: 2}, TraceFlags: trace.FlagsSampled,
	}))
	at := time.Date(2026, 11, 22, 8, 30, 15, 250e6, time.UTC)
	callback, err := events.NewCallback(ctx, events.Callback{
		Tenant: "TENANT", CorpID: "CORP", ID: "MESSAGE", Event: "work_order_change", Status: "close", Key: "KEY",
		Time: at, Origin: events.FromCallback, Data: []byte(`{}`),
		ContentKey: "c-0a250707f9fefc91e449ceb77fec6b2b", IntakeKey: "7c9e667940d02d1ea1c70a2b3d1f9b44",
	})
	if err != nil {
		t.Fatal(err)
	}
	enriched, err := events.NewEnriched(callback, events.WorkOrder, "KEY", 0, events.Position(at, 1042),
		events.Enriched{Callback: json.RawMessage(`{}`), FetchedAt: at, WorkOrder: json.RawMessage(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := events.NewOutcome(enriched, "ACCOUNT", 0, at.Add(700*time.Millisecond), events.HandleOutcome{
		Outcome: events.Applied, Stage: events.Handle, Noun: events.WorkOrder, Key: "KEY",
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]string{{"attribute", "callback", "enriched", "outcome"}}
	row := func(name string, value func(events.Event) string) {
		cells := []string{code(name)}
		for _, e := range []events.Event{callback, enriched, outcome} {
			cells = append(cells, code(readable(value(e))))
		}
		rows = append(rows, cells)
	}
	row("specversion", events.Event.SpecVersion)
	row("id", events.Event.ID)
	row("source", events.Event.Source)
	row("type", events.Event.Type)
	row("subject", events.Event.Subject)
	row("time", func(e events.Event) string { return e.Time().Format(time.RFC3339Nano) })
	row("datacontenttype", events.Event.DataContentType)
	for _, x := range []string{
		events.ExtTenant, events.ExtOrigin, events.ExtCausation, events.ExtPosition, events.ExtParent, events.ExtState,
		events.ExtContent, events.ExtIntake, events.ExtRepaired, events.ExtUnnumbered,
	} {
		row(x, func(e events.Event) string { return events.Extension(e, x) })
	}
	row("header `Nats-Msg-Id`", func(e events.Event) string { return events.MessageID("TENANT", e.ID(), 0) })
	rows[len(rows)-1][0] = "header `Nats-Msg-Id`"
	return table(rows...)
}

func streams() string {
	rows := [][]string{{"stream", "holds", "subjects", "size", "age"}}
	for _, s := range bus.Streams() {
		shapes := make([]string, len(s.Shapes))
		for i, x := range s.Shapes {
			shapes[i] = code(x)
		}
		rows = append(rows, []string{code(s.Name), s.Holds, strings.Join(shapes, "<br>"), config.Size(s.MaxBytes).String(), age(s.MaxAge)})
	}
	return table(rows...)
}

func age(d time.Duration) string {
	if d == 0 {
		return "for ever"
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

func buckets() string {
	rows := [][]string{{"bucket", "holds", "size"}}
	for _, b := range bus.Buckets() {
		rows = append(rows, []string{code(b.Name), b.Holds, config.Size(b.MaxBytes).String()})
	}
	return table(rows...)
}

func metrics() string {
	rows := [][]string{{"on `/metrics`", "kind", "labels", "meaning"}}
	for _, m := range telemetry.Metrics() {
		labels := make([]string, len(m.Labels))
		for i, l := range m.Labels {
			labels[i] = code(l)
		}
		rows = append(rows, []string{code(m.Exposed()), m.Kind, strings.Join(labels, " "), m.Meaning})
	}
	return table(rows...)
}

// treatments asks the ledger what each kind of failure leads to: at the first
// failure and, where that is something else, once patience is spent.
func treatments(t *testing.T) string {
	t.Helper()
	acts := []ledger.Act{ledger.ActFetch, ledger.ActPlan, ledger.ActBill, ledger.ActStatus, ledger.ActPhotos, ledger.ActCall, ledger.ActLook}
	head := []string{"kind"}
	for _, a := range acts {
		head = append(head, code(string(a)))
	}
	rows := [][]string{head}
	s := ledger.Defaults("acme")
	s.BillWait = time.Hour
	row := func(name string, at ledger.Attempt) {
		row := []string{name}
		for _, a := range acts {
			at := at
			at.Act = a
			first := ledger.Treat(at, s).Do
			at.Tries, at.Up, at.Age = 1000, 1000*time.Hour, 1000*time.Hour
			if last := ledger.Treat(at, s).Do; last != first {
				first += ", then " + last
			}
			row = append(row, string(first))
		}
		rows = append(rows, row)
	}
	for _, k := range kinds(t) {
		row(code(string(k)), ledger.Attempt{Kind: k})
		if k == events.Invalid {
			row(code(string(k))+", an answer", ledger.Attempt{Kind: k, Answer: true})
		}
	}
	return table(rows...)
}
