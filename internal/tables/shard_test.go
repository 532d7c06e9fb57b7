package tables

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFormat: the document as it lies in the bucket. It may not change under the
// same version.
func TestFormat(t *testing.T) {
	at := time.Date(2026, 11, 22, 8, 30, 15, 250_000_000, time.UTC)
	of := func(who, emp, dept string) Row {
		return Row{Cells: Cells{Columns: []string{"emp", "dept"}, Values: []string{emp, dept}}, Who: who, At: at}
	}
	rows := map[string]Row{}
	for i := 0; len(rows) < 3; i++ {
		if w := fmt.Sprint("员工", i); shardOf(w) == 7 {
			rows[w] = of([]string{"wang", "li", "wang"}[len(rows)], fmt.Sprintf("0%d", len(rows)), "")
		}
	}
	data, err := encode(rows)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"groups":[` +
		`{"columns":["emp","dept"],"who":"wang","at":"2026-11-22T08:30:15.25Z","rows":[["员工1","00",""],["员工144","02",""]]},` +
		`{"columns":["emp","dept"],"who":"li","at":"2026-11-22T08:30:15.25Z","rows":[["员工63","01",""]]}]}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
	p, d, err := decode("acme.staff.07", data)
	if diff := cmp.Diff(rows, d.rows()); err != nil || diff != "" || p != (place{"acme", "staff", 7}) {
		t.Errorf("%v, %v\n%s", p, err, diff)
	}
	if data, err := encode(nil); err != nil || string(data) != `{"version":1,"groups":[]}` {
		t.Errorf("a shard without rows is %s, %v", data, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	group := func(rows string) string {
		return `{"version":1,"groups":[{"columns":["emp"],"who":"w","at":"2026-11-22T08:30:15Z","rows":[` + rows + `]}]}`
	}
	key := fmt.Sprintf("acme.staff.%02d", shardOf("a"))
	if _, _, err := decode(key, []byte(group(`["a","1"]`))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ key, data, want string }{
		"key of three parts": {"acme.staff", group(""), "no table has an entry of that key"},
		"key of a word":      {"acme.staff.a", group(""), "no table has an entry of that key"},
		"key out of range":   {"acme.staff.64", group(""), "no table has an entry of that key"},
		"key of another way": {"acme.st=61ff.07", group(""), "no table has an entry of that key"},
		"newer":              {key, `{"version":2,"lists":[]}`, "it is of version 2 and this program knows version 1: a newer program wrote it"},
		"no version":         {key, `{"groups":[]}`, "it is no document of version 1"},
		"unknown member":     {key, `{"version":1,"groups":[],"more":1}`, "it is no document of version 1"},
		"two members":        {key, `{"version":1,"groups":[],"groups":[]}`, "it is no document of version 1"},
		"more behind":        {key, group("") + "{}", "it is no document of version 1"},
		"no JSON":            {key, "a", "it is no document of version 1"},
		"nothing":            {key, "", "it is no document of version 1"},
		"no columns":         {key, `{"version":1,"groups":[{"who":"w","rows":[]}]}`, "a group has no columns"},
		"no word":            {key, group(`[]`), "a row could not be looked up"},
		"uneven":             {key, group(`["a"]`), "a row could not be looked up"},
		"no value":           {key, group(`["a",""]`), "a row could not be looked up"},
		"word with spaces":   {key, group(`["a ","1"]`), "a row could not be looked up"},
		"twice":              {key, group(`["a","1"],["a","2"]`), "a word stands twice"},
		"misplaced":          {key, group(`["b","1"]`), "a row belongs into another entry"},
	} {
		_, _, err := decode(c.key, []byte(c.data))
		if !errors.Is(err, ErrBroken) || !strings.HasSuffix(err.Error(), ": "+c.want) || !strings.Contains(err.Error(), c.key) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzDecode: whatever is taken is written again as it was understood.
func FuzzDecode(f *testing.F) {
	key := fmt.Sprintf("acme.staff.%02d", shardOf("a"))
	f.Add([]byte(`{"version":1,"groups":[{"columns":["emp"],"who":"w","at":"2026-11-22T08:30:15Z","rows":[["a","1"]]}]}`))
	f.Add([]byte(`{"version":1,"groups":null}`))
	f.Add([]byte(`{"version":7}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, d, err := decode(key, data)
		if err != nil {
			if !errors.Is(err, ErrBroken) {
				t.Fatal(err)
			}
			return
		}
		again, err := encode(d.rows())
		if err != nil {
			t.Fatal(err)
		}
		_, e, err := decode(key, again)
		if diff := cmp.Diff(d.rows(), e.rows()); err != nil || diff != "" {
			t.Fatalf("%s: %v\n%s", again, err, diff)
		}
	})
}
