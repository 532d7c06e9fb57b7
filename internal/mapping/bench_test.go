package mapping

import (
	"testing"

	"gongdan-bridge/internal/events"
)

// BenchmarkBody is one event through the example mapping: 19 fields, 8 look-ups,
// 2 loops, checked against the schema. The goal is less than 60 µs.
func BenchmarkBody(b *testing.B) {
	m := load(b, example, Options{})
	in := input(b, "close")
	b.ReportAllocs()
	for b.Loop() {
		x, err := m.Match(in)
		if err != nil || x == nil {
			b.Fatal(err)
		}
		if _, err := x.Bill(); err != nil {
			b.Fatal(err)
		}
		if _, err := x.Body(bill, billNo); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecode is the enriched event's own cost, paid once an event.
func BenchmarkDecode(b *testing.B) {
	e := enriched(b, "close")
	for b.Loop() {
		if _, err := NewInput(Meta{Noun: events.WorkOrder}, e); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad is checking the example with its tables, as a reload does.
func BenchmarkLoad(b *testing.B) {
	language, err := NewLanguage()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		load(b, example, Options{Language: language})
	}
}
