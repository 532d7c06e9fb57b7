package drift

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func minute(n int) time.Time { return time.Unix(int64(n)*60, 0).UTC() }

func documents(r *Report, from, to int, doc string) {
	for i := from; i <= to; i++ {
		r.Add(orders(), Recorded{Kind: "order", JSON: []byte(doc), At: minute(i), Event: fmt.Sprint("event ", i), Order: "1"})
	}
}

func lines(r *Report, all bool) (out []string) {
	for _, k := range r.Kinds(all) {
		out = append(out, fmt.Sprintf("%s %s %d", k.Vendor, k.Document, k.Documents))
		for _, l := range k.Lines {
			out = append(out, fmt.Sprintf("%s %s %s %d/%d %d-%d %s", l.What, l.Path, l.Shape, l.Count, l.Of, l.First.Unix()/60, l.Last.Unix()/60, l.Event))
		}
	}
	return out
}

// A member is gone where all documents lack it, or all of the last twenty; what
// comes and goes is not worth a line unless it is asked for.
func TestReport(t *testing.T) {
	without := strings.Replace(whole, `"to_id": "",`, ``, 1) // of one row of two
	bare := strings.NewReplacer(`"to_id": "",`, ``, `"to_id": "x",`, ``, `"status"`, `"level": 3, "status"`).Replace(whole)
	r := NewReport()
	if got := lines(r, true); got != nil {
		t.Errorf("an empty report: %q", got)
	}
	documents(r, 1, 3, whole)
	documents(r, 4, 4, without)
	documents(r, 5, 23, bare)
	want := []string{"weiban order 23", "unknown level number 19/23 5-23 event 23"}
	if diff := cmp.Diff(want, lines(r, false)); diff != "" {
		t.Errorf("nineteen without it (-want +got):\n%s", diff)
	}
	want = append(want, "absent at times rows[].to_id  39/46 4-23 event 23")
	if diff := cmp.Diff(want, lines(r, true)); diff != "" {
		t.Errorf("nineteen without it, all (-want +got):\n%s", diff)
	}
	documents(r, 24, 24, bare)
	want = []string{"weiban order 24", "gone rows[].to_id  41/48 5-24 event 24", "unknown level number 20/24 5-24 event 24"}
	if diff := cmp.Diff(want, lines(r, false)); diff != "" {
		t.Errorf("twenty without it (-want +got):\n%s", diff)
	}
	documents(r, 25, 25, without)
	if got := lines(r, false); len(got) != 2 {
		t.Errorf("it is back: %q", got)
	}
	r = NewReport()
	documents(r, 1, 2, bare)
	documents(r, 3, 3, `{"rows": `)
	want = []string{
		"weiban order 3", "not understood  not JSON 1/3 3-3 event 3", "gone rows[].to_id  4/4 1-2 event 2", "unknown level number 2/2 1-2 event 2",
	}
	if diff := cmp.Diff(want, lines(r, false)); diff != "" {
		t.Errorf("from the first (-want +got):\n%s", diff)
	}
}

// A line names every type that its member was found with.
func TestReportNamesAllTypes(t *testing.T) {
	r := NewReport()
	for _, v := range []string{`null`, `[]`, `{"id": 1}`, `null`} {
		documents(r, 1, 1, strings.Replace(whole, `"status"`, `"owner": `+v+`, "status"`, 1))
	}
	if got := lines(r, false); len(got) != 2 || !strings.Contains(got[1], "owner array|object|null 4/4") {
		t.Errorf("%q", got)
	}
}

// A vendor can make neither the report nor the metric grow without bound.
func TestBounds(t *testing.T) {
	r, c, reader := NewReport(), (*Counter)(nil), sdk.NewManualReader()
	c.See(t.Context(), orders(), []byte(whole)) // counts nothing
	c, err := NewCounter(sdk.NewMeterProvider(sdk.WithReader(reader)))
	if err != nil {
		t.Fatal(err)
	}
	name := func(n int) string { return strings.Repeat("x", n/26+1) + string(rune('a'+n%26)) }
	const documents = 400
	for i := range documents {
		doc := []byte(strings.NewReplacer(`"status"`, `"`+name(i)+`": 1, "`+name(2*i)+`_": 2, "status"`, `"to_id": "",`, ``).Replace(whole))
		r.Add(orders(), Recorded{Kind: fmt.Sprint("kind ", i%150), JSON: doc})
		r.Add(orders(), Recorded{Kind: "kind 0", JSON: doc})
		c.See(t.Context(), orders(), doc)
	}
	kinds := r.Kinds(true)
	if len(kinds) != maxKinds || len(kinds[0].Lines) != maxLines {
		t.Errorf("%d kinds, %d lines", len(kinds), len(kinds[0].Lines))
	}
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	points := got.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints
	sum := map[string]int64{}
	for _, p := range points {
		path, _ := p.Attributes.Value("path")
		sum["all"] += p.Value
		if path.AsString() == other {
			sum[other] += p.Value
		}
	}
	want := map[string]int64{"all": 2 * documents, other: 2*documents - maxPaths}
	if diff := cmp.Diff(want, sum, cmpopts.EquateEmpty()); diff != "" || len(points) != maxPaths+1 {
		t.Errorf("%d series (-want +got):\n%s", len(points), diff)
	}
}

// A document with a hundred unknown members in each of a hundred rows is counted
// at once.
func BenchmarkLookAtNonsense(b *testing.B) {
	row := `{"id": 1`
	for i := range 100 {
		row += fmt.Sprintf(`, "%s%c": "x"`, strings.Repeat("y", i/26+1), 'a'+i%26)
	}
	doc := []byte(`{"rows": [` + strings.Repeat(row+"},", 99) + row + `}]}`)
	tree := orders()
	b.ReportAllocs()
	for b.Loop() {
		tree.Look(doc)
	}
}
