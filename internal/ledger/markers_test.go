package ledger

import (
	"slices"
	"testing"
)

// A call that may have been made under any of its names is looked for under the
// markers that those give, but never under that of a generation before, whose record
// is known: a forced replay would be taken for done.
func TestMarkersOfACallThatNobodyKnows(t *testing.T) {
	ids := []string{"work_order/1/flow/2", "work_order/1/c-3"}
	for _, tt := range []struct {
		e    Effect
		want bool // the marker of generation 0
	}{
		{Effect{IDs: ids}, true},
		{Effect{IDs: ids, Generation: 1}, false},
		{Effect{IDs: ids, Sends: 1}, false},
	} {
		tt.e.Marker = Marker("acme", ids[0], tt.e.Generation, 0)
		got := tt.e.markers("acme")
		if got[0] != tt.e.Marker || slices.Contains(got, Marker("acme", ids[1], 0, 0)) != tt.want {
			t.Errorf("generation %d, sent %d times: %v", tt.e.Generation, tt.e.Sends, got)
		}
	}
}

// A note is cut before a picture of several characters, and not within it.
func TestNoteIsCutBetweenCharacters(t *testing.T) {
	const family = "👨‍👩‍👧"
	for max, want := range map[int]string{4: "ab", 7: "ab" + family, 0: "ab" + family + "c"} {
		if got := WithMarker("ab"+family+"c", "", max); got != want {
			t.Errorf("%d: %q, want %q", max, got, want)
		}
	}
}
