package mapping

import (
	"encoding/json"
	"os"
	"testing"

	"gongdan-bridge/internal/events"
)

const example = "../../deploy/mapping/example.mapping.yaml"

// input is an enriched event of testdata.
func input(tb testing.TB, name string) *Input {
	tb.Helper()
	b, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		tb.Fatal(err)
	}
	var data events.Enriched
	if err := json.Unmarshal(b, &data); err != nil {
		tb.Fatal(err)
	}
	in, err := NewInput(Meta{ID: name, Tenant: "acme", Noun: events.WorkOrder, Origin: "callback"}, data)
	if err != nil {
		tb.Fatal(err)
	}
	return in
}

func load(tb testing.TB, path string, o Options) *Mapping {
	tb.Helper()
	m, err := Load(path, o)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	return m
}

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
		if _, err := x.Body("2230413444614467584", "fwgs-20250717-00000001"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestZZ(t *testing.T) {
	m := load(t, example, Options{})
	for _, n := range []string{"create", "switch", "close"} {
		x, err := m.Match(input(t, n))
		if err != nil {
			t.Fatal(err)
		}
		if x == nil {
			t.Log(n, "none")
			continue
		}
		ref, err := x.Bill()
		t.Log(n, x.Rule(), x.Late(), ref, err)
		h, err := x.Body("2230413444614467584", ref.OrderNo)
		j, _ := json.MarshalIndent(h, "", " ")
		t.Log(string(j), err)
	}
}
