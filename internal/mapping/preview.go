package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"gongdan-bridge/internal/events"
)

// Recorded is an enriched event as it was recorded.
type Recorded struct {
	Meta Meta
	Key  string // order number or opportunity id
	Data events.Enriched
	Bill BillRef // what the order's record knows of it
}

// Entry is what a preview found out about one event.
type Entry struct {
	ID     string      `json:"id"`
	Key    string      `json:"key"`
	Noun   events.Noun `json:"noun"`
	Status string      `json:"status"`
	Time   time.Time   `json:"time"`
	Trial
	Diff []FieldDiff `json:"diff,omitempty"` // against the mapping in use; empty where they agree

	compared bool
	shape    *shape
}

// String is the entry for a terminal: one line, then what could not be filled,
// and the body; beside a mapping in use three lines a difference in its place.
func (e Entry) String() string {
	var b strings.Builder
	if !e.Time.IsZero() {
		b.WriteString(e.Time.Local().Format(time.DateTime) + "  ")
	}
	fmt.Fprintf(&b, "%s %s  %s", e.Key, cmp.Or(e.Status, "-"), e.Verdict)
	switch {
	case e.Rule != "":
		b.WriteString(" by rule " + e.Rule)
	case e.Verdict == Ignored:
		b.WriteString(": no rule wants it")
	}
	b.WriteString("  " + e.ID + e.reasons())
	if !e.compared {
		b.WriteString(bodyText(e.Body, e.shape))
	}
	for _, d := range e.Diff {
		b.WriteString("\n  " + strings.ReplaceAll(d.String(), "\n", "\n  "))
	}
	return b.String()
}

// Preview runs a mapping over recorded events and sends nothing. It serves one
// goroutine and keeps counts, not events.
type Preview struct {
	m, inUse *Mapping
	sum      Summary
	missing  map[missingKey]*MissingWord
}

type missingKey struct{ rule, field, expr, word string }

// maxMissing is how many different failures a summary tells apart.
const maxMissing = 1000

// NewPreview previews m, against the mapping in use where inUse is not nil.
func NewPreview(m, inUse *Mapping) *Preview {
	return &Preview{
		m: m, inUse: inUse, missing: map[missingKey]*MissingWord{},
		sum: Summary{Mapping: m.Hash(), Rules: map[string]int{}},
	}
}

// Add tries one event.
func (p *Preview) Add(r Recorded) Entry {
	e := Entry{
		ID: r.Meta.ID, Key: r.Key, Noun: r.Meta.Noun, Status: r.Meta.Status, Time: r.Meta.Time,
		Trial: p.m.Try(r.Meta, r.Data, r.Bill), compared: p.inUse != nil, shape: p.m.language.checker.shape,
	}
	e.Status = cmp.Or(e.Status, e.status)
	p.sum.Events++
	switch e.Verdict {
	case Mapped:
		p.sum.Mapped++
	case Ignored:
		p.sum.Ignored++
	case Failed:
		p.sum.Failed++
	}
	if e.Rule != "" {
		p.sum.Rules[e.Rule]++
	}
	for _, f := range e.Failures {
		p.count(e, f)
	}
	if p.inUse != nil {
		was := p.inUse.Try(r.Meta, r.Data, r.Bill)
		e.Diff = e.against(was, e.shape)
		p.compare(was, e)
	}
	return e
}

func (p *Preview) compare(was Trial, e Entry) {
	if len(e.Diff) == 0 {
		p.sum.Same++
		return
	}
	p.sum.Changed++
	switch {
	case was.Verdict == Failed && e.Verdict != Failed:
		p.sum.Repaired++
	case was.Verdict != Failed && e.Verdict == Failed:
		p.sum.Broken++
	case was.Verdict == Mapped && e.Verdict == Ignored:
		p.sum.Dropped++
	case was.Verdict == Ignored && e.Verdict == Mapped:
		p.sum.Added++
	}
}

func (p *Preview) count(e Entry, f TrialFailure) {
	k := missingKey{e.Rule, f.Field, f.Expr, f.Word}
	w := p.missing[k]
	if w == nil {
		if len(p.missing) >= maxMissing {
			return
		}
		w = &MissingWord{Rule: e.Rule, Field: f.Field, Expr: f.Expr, Word: f.Word, Reason: f.Reason, First: e.ID}
		p.missing[k] = w
	}
	w.Events++
}

// Summary is a preview's result.
type Summary struct {
	Mapping  string         `json:"mapping"` // version of the mapping that was previewed
	Events   int            `json:"events"`
	Mapped   int            `json:"mapped"`
	Ignored  int            `json:"ignored"`
	Failed   int            `json:"failed"`
	Rules    map[string]int `json:"rules,omitempty"`
	Missing  []MissingWord  `json:"missing,omitempty"` // the commonest first
	Same     int            `json:"same"`              // as under the mapping in use
	Changed  int            `json:"changed"`
	Repaired int            `json:"repaired"` // failed under the mapping in use
	Broken   int            `json:"broken"`   // did not fail under the mapping in use
	Dropped  int            `json:"dropped"`  // were mapped under the mapping in use, and are ignored
	Added    int            `json:"added"`    // the other way round
}

// MissingWord is one cause of failures.
type MissingWord struct {
	Rule   string `json:"rule,omitempty"`
	Field  string `json:"field,omitempty"`
	Expr   string `json:"expr,omitempty"`
	Word   string `json:"word,omitempty"`
	Reason string `json:"reason"`
	Events int    `json:"events"`
	First  string `json:"first"` // id of the first event
}

// Summary is what all events so far amount to.
func (p *Preview) Summary() Summary {
	s := p.sum
	s.Missing = nil
	for _, w := range p.missing {
		s.Missing = append(s.Missing, *w)
	}
	slices.SortFunc(s.Missing, func(a, b MissingWord) int {
		return cmp.Or(-cmp.Compare(a.Events, b.Events), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Field, b.Field),
			cmp.Compare(a.Word, b.Word), cmp.Compare(a.Expr, b.Expr))
	})
	return s
}

// String is the summary for a terminal.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d events: %d mapped, %d ignored, %d failed", s.Events, s.Mapped, s.Ignored, s.Failed)
	for _, name := range sortedKeys(s.Rules) {
		fmt.Fprintf(&b, "\n  rule %s: %d", name, s.Rules[name])
	}
	if s.Same+s.Changed > 0 {
		fmt.Fprintf(&b, "\nagainst the mapping in use: %d the same, %d changed (%d repaired, %d broken, %d no longer sent, %d newly sent)",
			s.Same, s.Changed, s.Repaired, s.Broken, s.Dropped, s.Added)
	}
	for _, w := range s.Missing {
		fmt.Fprintf(&b, "\n%d× %s (first: %s)", w.Events, w.Reason, w.First)
	}
	return b.String()
}
