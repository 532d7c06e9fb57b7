package ledger_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
)

// Whatever comes in whatever order, asked for or not, with texts of any size:
// Step is pure and deterministic, a record stays within its bound and reads back
// as it was written, cursors never go back, no call is without its intent, no
// acknowledgement without the record that allows it.
func TestAnyInputs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := ledger.Defaults("acme")
		s.MaxHeld = 2
		s.HoldAfterLetter, s.CheckStatus, s.Marker = rapid.Bool().Draw(t, "hold"), rapid.Bool().Draw(t, "check"), rapid.Bool().Draw(t, "marker")
		o := ledger.Load(ledger.Record{})
		var disk ledger.Record
		at := begin
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Hour)).Draw(t, "later")))
			m := ledger.Moment{At: at, Jitter: rapid.Float64Range(0, 0.99).Draw(t, "jitter")}
			m.Writes.Paused, m.Reads.Paused = rapid.Float64().Draw(t, "w") < 0.1, rapid.Float64().Draw(t, "r") < 0.1
			in := anyInput(t, o)
			before := encode(t, o.Record)
			next, acts := ledger.Step(o, m, in, s)
			again, same := ledger.Step(o, m, in, s)
			if !bytes.Equal(before, encode(t, o.Record)) || !bytes.Equal(encode(t, next.Record), encode(t, again.Record)) ||
				fmt.Sprintf("%T%+v", acts, acts) == "" || tell(acts) != tell(same) {
				t.Fatalf("step is not a function of its arguments: %T", in)
			}
			disk = obeys(t, disk, acts)
			o = next
			if rapid.Float64().Draw(t, "crash") < 0.03 {
				o = ledger.Load(disk)
			}
		}
	})
}

// obeys holds a list of actions to the contract and gives the record on disk.
func obeys(t *rapid.T, disk ledger.Record, acts []ledger.Action) ledger.Record {
	ended := map[uint64]bool{} // astray: its end is published, and the cursor will pass it
	for _, a := range acts {
		switch a := a.(type) {
		case ledger.Publish:
			ended[a.Seq] = a.Verdict.Outcome == events.Dead && a.Check
		case ledger.Write:
			data := encode(t, a.Record)
			if len(data) > ledger.MaxRecord {
				t.Fatalf("record of %d bytes", len(data))
			}
			back, err := ledger.Decode(data)
			if err != nil || !bytes.Equal(encode(t, back), data) {
				t.Fatalf("record does not read back: %v", err)
			}
			if back.Enrich.Cursor < disk.Enrich.Cursor || back.Handle.Cursor < disk.Handle.Cursor {
				t.Fatal("cursor goes back")
			}
			disk = back
		case ledger.Call:
			ok := false
			for _, e := range disk.Effects {
				ok = ok || e.State == ledger.Intent && e.Seq == a.Seq && e.Marker == a.Marker &&
					bytes.Equal(e.Body, a.Body) && e.Deadline.Equal(a.Deadline)
			}
			if !ok {
				t.Fatalf("call of %d without its intent", a.Seq)
			}
		case ledger.Ack:
			l := disk.Enrich
			if a.Stage == events.Handle {
				l = disk.Handle
			}
			if a.Seq > l.Cursor && (l.Head == nil || a.Seq < l.Head.Seq) && !ended[a.Seq] {
				t.Fatalf("ack of %d", a.Seq)
			}
		}
	}
	return disk
}

func encode(t *rapid.T, r ledger.Record) []byte {
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func tell(acts []ledger.Action) string {
	var out strings.Builder
	for _, a := range acts {
		out.WriteString(brief(a))
	}
	return out.String()
}

// anyInput draws an input; answers are as likely to be asked for as not.
func anyInput(t *rapid.T, o ledger.Order) ledger.Input {
	stage := rapid.SampledFrom(both).Draw(t, "stage")
	cursor, head := o.Record.Enrich.Cursor, o.Record.Enrich.Head
	if stage == events.Handle {
		cursor, head = o.Record.Handle.Cursor, o.Record.Handle.Head
	}
	m := ledger.Message{
		Seq: cursor + uint64(rapid.IntRange(0, 3).Draw(t, "seq")), EventID: rapid.StringMatching(`e[0-9]{1,2}~enrich~0`).Draw(t, "id"),
		Position: events.Position(begin.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "pos"))*time.Minute), 1),
		Replay:   rapid.IntRange(0, 3).Draw(t, "replay"), Asked: rapid.Bool().Draw(t, "asked"),
		Forced: rapid.SampledFrom([]string{"", "", "because"}).Draw(t, "forced"), Generation: rapid.IntRange(0, 3).Draw(t, "generation"),
	}
	var f *events.Failure
	if rapid.Float64().Draw(t, "fails") < 0.4 {
		f = &events.Failure{Kind: rapid.SampledFrom(kinds(t)).Draw(t, "kind"), Reason: anyText(t), Expr: anyText(t), Word: anyText(t), Code: "5004"}
	}
	seq := m.Seq
	if head != nil {
		seq = head.Seq
	}
	inputs := []ledger.Input{
		ledger.Delivered{Stage: stage, Message: m, InOrder: true},
		ledger.Delivered{Stage: stage, Message: m, Again: true},
		ledger.Found{Stage: stage, Message: m},
		ledger.Found{Stage: stage, Message: m},
		ledger.Empty{Stage: stage},
		ledger.Fetched{Failure: f},
		anyPlan(t, f), anyPlan(t, nil),
		ledger.BillRead{Bill: ledger.Bill{ID: "77", OrderNo: anyText(t)}, Failure: f},
		ledger.Entered{Busy: rapid.Float64().Draw(t, "busy") < 0.2},
		ledger.Entered{},
		ledger.StatusRead{Status: "F", Failure: f},
		ledger.Called{Failure: f, Without: anyText(t)},
		ledger.Called{Failure: f, Before: f != nil},
		ledger.Called{},
		ledger.Timer{},
		ledger.Timer{},
		ledger.Freed{},
		ledger.Looked{Found: rapid.IntRange(0, 2).Draw(t, "found"), Understood: true, Control: rapid.Bool().Draw(t, "control"), Failure: f},
		ledger.Looked{Sweep: true, Found: 1},
		ledger.Resumed{On: ledger.Writes},
		ledger.Takeover{Quiet: begin, Listed: true},
		ledger.Operator{Stage: stage, Seq: seq, Who: anyText(t), Why: anyText(t), Word: rapid.SampledFrom([]ledger.Word{
			ledger.SettleApplied, ledger.SendAgain, ledger.TryAgain, ledger.Discard, "?",
		}).Draw(t, "word")},
		ledger.Expiring{Stage: stage, Seq: seq},
		ledger.Broke{Stage: stage, Seq: seq, Failure: &events.Failure{Kind: events.Internal, Reason: anyText(t)}},
	}
	return rapid.SampledFrom(inputs).Draw(t, "input")
}

func anyPlan(t *rapid.T, f *events.Failure) ledger.Planned {
	ids := rapid.SliceOfN(rapid.SampledFrom([]string{
		"row-1", "row-2", "row-3", "content-1", "content-2", "", "#row", strings.Repeat("长", 300), anyText(t), anyText(t), anyText(t),
	}), 0, 12).Draw(t, "ids")
	body := fmt.Appendf(nil, `{"orderNo": "fwgs-1", "clsmid": %q}`, strings.Repeat("x<&>", rapid.SampledFrom([]int{1, 1000, 5000, 7000}).Draw(t, "size")))
	return ledger.Planned{
		Failure: f, NoRule: rapid.Float64().Draw(t, "norule") < 0.1, Rule: anyText(t), Mapping: anyText(t), IDs: ids, Body: body,
		Late: rapid.SampledFrom([]ledger.Late{"", ledger.LateSkip, ledger.LateApply}).Draw(t, "late"),
		Bill: ledger.Bill{OrderNo: "fwgs-1"}, Like: anyText(t), Status: "F",
	}
}

func anyText(t *rapid.T) string {
	return rapid.SampledFrom([]string{
		"", "short", strings.Repeat("\"\\", 400), strings.Repeat("\x00\x1f", 400), strings.Repeat("\xff", 900),
		strings.Repeat("工单", 400), strings.Repeat("\u2028<&>", 300),
	}).Draw(t, "text")
}

// A record takes effects without end and still knows the old ones.
func TestRecordIsBounded(t *testing.T) {
	s := ledger.Defaults("acme")
	o := ledger.Load(ledger.Record{})
	var last ledger.Record
	step := func(in ledger.Input) []ledger.Action {
		var acts []ledger.Action
		o, acts = ledger.Step(o, ledger.Moment{At: begin}, in, s)
		for _, a := range acts {
			if w, ok := a.(ledger.Write); ok {
				last = w.Record
			}
		}
		return acts
	}
	plan := func(i int) ledger.Planned {
		return ledger.Planned{
			Rule: "close", Bill: ledger.Bill{OrderNo: "fwgs-1"}, Like: "l", Status: "F",
			IDs:  []string{fmt.Sprint("row-", i), fmt.Sprint("content-", strings.Repeat("c", 64), i), fmt.Sprint("id-", i)},
			Body: json.RawMessage(`{"clsmid":"` + strings.Repeat("x", 20_000) + `"}`),
		}
	}
	deliver := func(seq, i int) []ledger.Action {
		id := fmt.Sprintf("5f3a0c1e-0000-4000-8000-%012d~enrich~0", i)
		step(ledger.Delivered{Stage: events.Handle, InOrder: true, Message: ledger.Message{Seq: uint64(seq), EventID: id, Replay: seq - i}})
		return step(plan(i))
	}
	for i := 1; i <= 300; i++ {
		deliver(i, i)
		step(ledger.BillRead{Bill: ledger.Bill{ID: "77", OrderNo: "fwgs-1"}})
		step(ledger.Entered{})
		step(ledger.Called{})
	}
	data, err := last.Encode()
	if err != nil || len(data) > ledger.MaxRecord {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	t.Logf("%d effects in %d bytes", len(last.Effects), len(data))
	if n := len(last.Effects); n < 80 {
		t.Fatalf("only %d effects are known", n)
	}
	// One of the oldest that are kept comes again, by a name that has shrunk.
	acts := deliver(301, 301-len(last.Effects)+5)
	if p, ok := acts[1].(ledger.Publish); !ok || p.Verdict.Outcome != events.Ignored || p.Verdict.DuplicateOf == "" {
		t.Fatalf("an old effect is not known again: %s", tell(acts))
	}
}

// What a stage needs of its stream is not to be trimmed.
func TestNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		progress ledger.Progress
		want     uint64
		ok       bool
	}{
		"nothing":       {ledger.Progress{Cursor: 7}, 8, false},
		"head":          {ledger.Progress{Cursor: 7, Behind: true, Head: &ledger.Head{Message: ledger.Message{Seq: 9}}}, 9, true},
		"followers":     {ledger.Progress{Cursor: 7, Behind: true}, 8, true},
		"not published": {ledger.Progress{Cursor: 7, Behind: true, Last: &ledger.Verdict{Seq: 7}}, 7, true},
	} {
		if seq, ok := c.progress.Needs(); seq != c.want || ok != c.ok {
			t.Errorf("%s: %d, %t", name, seq, ok)
		}
	}
}

func TestMarker(t *testing.T) {
	seen := map[string]bool{}
	for _, tenant := range []string{"acme", "acm"} {
		for _, id := range []string{"row-1", "erow-1", "row-11"} {
			for g := range 3 {
				for a := range 3 {
					m := ledger.Marker(tenant, id, g, a)
					if seen[m] || len(m) != 13 || m != ledger.Marker(tenant, id, g, a) {
						t.Fatalf("marker %s", m)
					}
					seen[m] = true
				}
			}
		}
	}
}

func TestWithMarker(t *testing.T) {
	const m = "[wb:12345678]"
	type c struct {
		text, marker string
		max          int
		want         string
	}
	for _, c := range []c{
		{"更换滤芯", m, 0, "更换滤芯 " + m},
		{"", m, 0, m},
		{"更换滤芯", "", 0, "更换滤芯"},
		{"更换滤芯", "", 2, "更换"},
		{"更换滤芯", m, 18, "更换滤芯 " + m},
		{"更换滤芯", m, 16, "更换 " + m},
		{"换 滤芯", m, 16, "换 " + m},
		{"更换滤芯", m, 14, m},
		{"更换滤芯", m, 5, m},
		{"更换滤芯 " + m, m, 0, "更换滤芯 " + m},
	} {
		if diff := cmp.Diff(c.want, ledger.WithMarker(c.text, c.marker, c.max)); diff != "" {
			t.Errorf("%q %d: %s", c.text, c.max, diff)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text, n := rapid.String().Draw(t, "text"), rapid.IntRange(13, 60).Draw(t, "max")
		got := ledger.WithMarker(text, m, n)
		if !strings.HasSuffix(got, m) || utf8.RuneCountInString(got) > n || ledger.WithMarker(got, m, n) != got {
			t.Fatalf("%q", got)
		}
	})
}

// The price of one step in the middle of an order's life.
func BenchmarkStep(b *testing.B) {
	s := ledger.Defaults("acme")
	o := ledger.Load(ledger.Record{Bill: &ledger.Bill{ID: "77", OrderNo: "fwgs-1"}})
	for i := range 20 {
		o.Record.Effects = append(o.Record.Effects, ledger.Effect{IDs: []string{fmt.Sprint("row-", i), fmt.Sprint("id-", i)}, State: ledger.Applied})
	}
	in := ledger.Delivered{Stage: events.Handle, InOrder: true, Message: ledger.Message{Seq: 1, EventID: "e1~enrich~0"}}
	for b.Loop() {
		o2, _ := ledger.Step(o, ledger.Moment{At: begin}, in, s)
		ledger.Step(o2, ledger.Moment{At: begin}, ledger.Planned{IDs: []string{"row-x"}, NoRule: true}, s)
	}
}
