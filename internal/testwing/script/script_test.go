package script

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFaultsAreUsedUpInOrder(t *testing.T) {
	s := New(1)
	s.Add(
		Fault{Kind: Cut, API: "write", Key: "B"},
		Fault{Kind: Status, API: "write", Times: 2, After: 1},
		Fault{Kind: Slow, API: "read", Times: -1},
		Fault{Kind: HTML},
	)
	steps := []struct {
		api, key string
		want     Kind
	}{
		{"write", "A", HTML},   // the Status lets one pass, so the next that fits is the HTML
		{"write", "A", Status}, // from now on it hits
		{"write", "B", Cut},
		{"write", "B", Status},
		{"write", "B", None},
		{"read", "A", Slow},
		{"read", "B", Slow},
	}
	for i, step := range steps {
		if got := s.Next(step.api, step.key).Kind; got != step.want {
			t.Errorf("step %d: %s about %s suffers %q, want %q", i, step.api, step.key, got, step.want)
		}
	}
	if diff := cmp.Diff([]Fault{{Kind: Slow, API: "read", Times: -1}}, s.Left()); diff != "" {
		t.Errorf("left over (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[Kind]int{Cut: 1, Status: 2, HTML: 1, Slow: 2}, s.Played()); diff != "" {
		t.Errorf("played (-want +got):\n%s", diff)
	}
	s.Clear()
	if f := s.Next("read", "A"); f.Kind != None {
		t.Errorf("a cleared script still plays %q", f.Kind)
	}
	var none *Script
	if f := none.Next("read", "A"); f.Kind != None {
		t.Errorf("no script plays %q", f.Kind)
	}
}

// Chances must not depend on how the calls of different orders are interleaved,
// and must come about as often as they are meant to.
func TestChancesRepeatThemselves(t *testing.T) {
	run := func(seed uint64, keys []string) map[string][]Kind {
		s := New(seed)
		s.Chance(0.2, Fault{Kind: Cut, API: "write"})
		s.Chance(0.1, Fault{Kind: Slow})
		got := map[string][]Kind{}
		for _, k := range keys {
			got[k] = append(got[k], s.Next("write", k).Kind)
		}
		return got
	}
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOf(rapid.SampledFrom([]string{"A", "B", "C"})).Draw(t, "keys")
		shuffled := rapid.Permutation(keys).Draw(t, "shuffled")
		if diff := cmp.Diff(run(7, keys), run(7, shuffled)); diff != "" {
			t.Fatalf("another order of calls, another fate (-one +other):\n%s", diff)
		}
	})

	calls := slices.Repeat([]string{"A", "B"}, 100)
	if got := run(7, calls); slices.Equal(got["A"], got["B"]) {
		t.Error("two orders always suffer the same")
	}
	if slices.Equal(run(7, calls)["A"], run(8, calls)["A"]) {
		t.Error("two seeds give the same faults")
	}

	s := New(42)
	s.Chance(0.2, Fault{Kind: Cut, API: "write"})
	hits := 0
	for range 10_000 {
		if s.Next("write", "A").Kind == Cut {
			hits++
		}
	}
	if hits < 1850 || hits > 2150 {
		t.Errorf("a chance of 20 %% came about %d times in 10,000", hits)
	}
	if f := s.Next("read", "A"); f.Kind != None {
		t.Errorf("a chance for write hit read: %q", f.Kind)
	}
}

func TestWindowNeverHoldsMoreThanItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const span, limit = time.Minute, 5
		w := Window{Span: span, Limit: limit}
		now := time.Unix(1_700_000_000, 0)
		var in []time.Time // the plain way: look at all that were ever let in
		for _, wait := range rapid.SliceOfN(rapid.Int64Range(0, int64(20*time.Second)), 1, 300).Draw(t, "waits") {
			now = now.Add(time.Duration(wait))
			held := 0
			for _, at := range in {
				if at.After(now.Add(-span)) {
					held++
				}
			}
			got := w.Add(now)
			if got != (held < limit) {
				t.Fatalf("with %d in the span, Add says %v", held, got)
			}
			if got {
				in = append(in, now)
				held++
			}
			if w.Len() != held {
				t.Fatalf("Len is %d, want %d", w.Len(), held)
			}
		}
	})
}
