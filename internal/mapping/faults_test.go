package mapping

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite what the golden files want")

// TestFaults loads every archive of testdata/faults: a mapping with its tables,
// and the exact faults that it must give.
func TestFaults(t *testing.T) {
	language, err := NewLanguage()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("testdata/faults/*.txtar")
	if err != nil || len(paths) < 40 {
		t.Fatalf("%d archives, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			read := func(name string) ([]byte, error) {
				for _, f := range a.Files {
					if f.Name == name {
						return f.Data, nil
					}
				}
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			src, err := read("m.yaml")
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse("m.yaml", src, read, Options{Language: language})
			if FaultsOf(err) == nil {
				t.Fatalf("no faults but %v", err)
			}
			want := &a.Files[len(a.Files)-1]
			got := err.Error() + "\n"
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
