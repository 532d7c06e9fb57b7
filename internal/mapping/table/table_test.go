package table

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/textfile"
)

func TestReadCSV(t *testing.T) {
	src := "\ufeff# a comment\nstaff_id , emp,dept\r\n LiYang,0123, 1697009251337127936 \n\n , , \n李华,\"a, \"\"b\"\"\n c\",\n089,5E01,\u30002\u3000\n"
	got, err := ReadCSV("staff.csv", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if got.KeyColumn() != "staff_id" || !cmp.Equal(got.Columns(), []string{"emp", "dept"}) || !cmp.Equal(got.Keys(), []string{"LiYang", "李华", "089"}) {
		t.Errorf("key %q, columns %q, keys %q", got.KeyColumn(), got.Columns(), got.Keys())
	}
	for _, tt := range []struct{ key, text, dept string }{
		{"LiYang", "0123", "1697009251337127936"},
		{"李华", "a, \"b\"\n c", ""},
		{"089", "5E01", "2"},
	} {
		row, ok := got.Lookup(tt.key)
		dept, known := row.Column("dept")
		if !ok || row.Text() != tt.text || !known || dept != tt.dept {
			t.Errorf("%s: %q %q %v %v", tt.key, row.Text(), dept, ok, known)
		}
		if _, known := row.Column("nobody"); known {
			t.Error("a column that is not there")
		}
	}
	if _, ok := got.Lookup("LiMei"); ok {
		t.Error("a row that is not there")
	}
}

func TestReadYAML(t *testing.T) {
	got, err := ReadYAML("cause.yaml", []byte("漏水: 0123\n\"停机 \": 089\n\"yes\": 2026-01-01\nno: ~\n"))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"漏水": "0123", "停机": "089", "yes": "2026-01-01", "no": ""} {
		if row, ok := got.Lookup(key); !ok || row.Text() != want {
			t.Errorf("%s: %q, %v", key, row.Text(), ok)
		}
	}
	got, err = ReadYAML("staff.yaml", []byte("a: &a {emp: 007, dept: 1_000}\nb: {dept: 2}\nc: *a\n"))
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(got.Columns(), []string{"emp", "dept"}) || got.KeyColumn() != "" || got.Len() != 3 {
		t.Errorf("columns %q", got.Columns())
	}
	a, _ := got.Lookup("a")
	b, _ := got.Lookup("b")
	dept, _ := b.Column("dept")
	if a.Text() != "007" || b.Text() != "" || dept != "2" {
		t.Errorf("%v, %v", a, b)
	}
}

// TestFaultsOfFiles: what the mapping's own fault archives cannot hold.
func TestFaultsOfFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		read func() error
		want string
	}{
		"GBK": {
			func() error { _, err := ReadCSV("x.csv", []byte("id,emp\nLiYang,\xc0\xee\n")); return err },
			`x.csv:2: the file is not UTF-8; expected UTF-8 ("CSV UTF-8" when a spreadsheet saves it)`,
		},
		"rounded by another spreadsheet": {
			func() error { _, err := ReadCSV("x.csv", []byte("id,emp\nLiYang,1.69700925133713E+018\n")); return err },
			"x.csv:2:8: 1.69700925133713E+018 is a number that a spreadsheet has rounded; expected all digits: format the column as text",
		},
		"rounded in YAML": {
			func() error { _, err := ReadYAML("x.yaml", []byte("a: {emp: 1.69701E+18}\n")); return err },
			"x.yaml:1:10: 1.69701E+18 is a number that a spreadsheet has rounded; expected all digits",
		},
		"large": {
			func() error { _, err := ReadCSV("x.csv", make([]byte, bounds().Bytes+1)); return err },
			"x.csv: the file is too large; expected at most 64 MiB",
		},
		"many": {
			func() error {
				_, err := ReadCSV("x.csv", []byte("id,emp\n"+strings.Repeat("a\n", textfile.Limit+7)))
				return textfile.Of(err)[textfile.Limit:]
			},
			"x.csv: and 7 more faults",
		},
		"YAML bytes": {
			func() error { _, err := ReadYAML("x.yaml", []byte{0xff}); return err },
			`x.yaml:1: the file is not UTF-8; expected UTF-8 ("CSV UTF-8" when a spreadsheet saves it)`,
		},
		"YAML syntax": {
			func() error { _, err := ReadYAML("x.yaml", []byte("a: [")); return err },
			"x.yaml:2:1: not YAML: did not find expected node content",
		},
		"YAML empty": {
			func() error { _, err := ReadYAML("x.yaml", []byte("# nothing\n")); return err },
			"x.yaml: the file is empty; expected key: text, a row a line",
		},
		"YAML list": {
			func() error { _, err := ReadYAML("x.yaml", []byte("[a, b]")); return err },
			"x.yaml:1:1: is a list; expected a mapping: key: text, or key: {column: text}",
		},
		"YAML cell": {
			func() error { _, err := ReadYAML("x.yaml", []byte("a: {b: [1]}\n? [x]\n: y\n")); return err },
			"x.yaml:1:8: a cell of row \"a\" is not a text; expected one text\nx.yaml:2:3: a row's key is a text",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.read(); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestRows(t *testing.T) {
	if r := (Row{}); r.Text() != "" || len(r.Columns()) != 0 {
		t.Error("the zero row holds something")
	}
	r := NewRow([]string{"emp", "dept"}, []string{"1"})
	if dept, ok := r.Column("dept"); !ok || dept != "" || r.Text() != "1" {
		t.Errorf("row %v", r)
	}
	if v, ok := NewRow([]string{TextColumn}, []string{"x"}).Column(TextColumn); !ok || v != "x" {
		t.Errorf("text row %q", v)
	}
	s := Set{"staff": New([]string{"emp"}), "broken": nil}
	for _, name := range []string{"staff", "broken", "nobody"} {
		if _, ok := s.Lookup(name, "x"); ok {
			t.Errorf("%s has a row", name)
		}
	}
}

func rows(n int) []byte {
	var b bytes.Buffer
	b.WriteString("staff_id,emp,dept\n")
	for i := range n {
		fmt.Fprintf(&b, "Staff%d,16970092513%08d,16972216069605%05d\n", i, i, i%100)
	}
	return b.Bytes()
}

// BenchmarkReadCSV reads 50,000 rows; the goal is half a second.
func BenchmarkReadCSV(b *testing.B) {
	src := rows(50_000)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, err := ReadCSV("staff.csv", src); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	for _, s := range []string{"id,emp\nLiYang,0123\n", "\ufeffid;emp", "id,emp\n\"a", "id,emp\na,1\na,2\n", "#\n\n,\n", "id,emp\na,1E+18"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadCSV("x.csv", b)
		if err != nil {
			if textfile.Of(err) == nil {
				t.Fatalf("not faults: %v", err)
			}
			return
		}
		for _, k := range got.Keys() {
			row, ok := got.Lookup(k)
			if !ok || k == "" || strings.TrimSpace(k) != k || len(row.Columns()) != len(got.Columns()) {
				t.Fatalf("key %q: %v", k, row)
			}
		}
	})
}

func FuzzReadYAML(f *testing.F) {
	for _, s := range []string{"a: 0123\n", "a: {b: 1}\nc: {b: 2}\n", "a: &a {b: *a}", "a: *b", "- 1", "{a: b, a: c}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadYAML("x.yaml", b)
		if err != nil && textfile.Of(err) == nil {
			t.Fatalf("not faults: %v", err)
		}
		if err == nil && got.Len() == 0 {
			t.Fatal("a table without rows")
		}
	})
}
