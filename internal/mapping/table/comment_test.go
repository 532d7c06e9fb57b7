package table

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSkippedRows: a row whose word begins with # is read in quotes, and is named where
// it stands without them.
func TestSkippedRows(t *testing.T) {
	src := "# staff,emp,dept\nid,emp,dept\n\n#3线停机,0123,9\n# note, with a comma\n\"a\nb\",1,2\n\n# a \"b\", c,d\n\"#4线停机\",0124,9\n# id,emp,dept\n#5线停机,1,2"
	got, err := ReadCSV("x.csv", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a\nb", "#4线停机"}, got.Keys()); diff != "" {
		t.Error(diff)
	}
	var lines []int
	for _, w := range got.Warnings() {
		lines = append(lines, w.Line)
	}
	if diff := cmp.Diff([]int{4, 9, 12}, lines); diff != "" {
		t.Error(diff)
	}
	want := `x.csv:4:1: the line begins with # and is skipped, but has as many cells as the header; expected the word in "quotes" if it is a row`
	if got := got.Warnings()[0].String(); got != want {
		t.Error(got)
	}
}
