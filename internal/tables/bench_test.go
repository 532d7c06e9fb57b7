package tables_test

import (
	"fmt"
	"testing"
	"time"

	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/testwing/bustest"
)

// manyRows is 50,000 rows such as a table of staff has.
func manyRows(text string) []tables.Write {
	var list []tables.Write
	for i := range 50_000 {
		list = append(list, tables.Write{Word: fmt.Sprint("Staff", i), Cells: tables.Cells{
			Columns: []string{"emp", "dept", "name"}, Values: []string{fmt.Sprint(1697009251300000000 + i), "1", text},
		}})
	}
	return list
}

// BenchmarkLoad reads 50,000 rows; the goal is half a second.
func BenchmarkLoad(b *testing.B) {
	conn, list := bustest.New(b), manyRows("黄涛")
	if _, err := tables.NewStore(conn, time.Now).SetAll(b.Context(), "acme", "staff", list, tables.Act{Who: "wang"}, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		l, err := tables.NewLive(b.Context(), conn, "acme", quiet())
		if err != nil || l.Len() != len(list) {
			b.Fatal(l.Len(), err)
		}
	}
}

// BenchmarkImport writes 50,000 rows over what was there, audit included.
func BenchmarkImport(b *testing.B) {
	conn := bustest.New(b)
	store := tables.NewStore(conn, time.Now)
	for round := 0; b.Loop(); round++ {
		list := manyRows(fmt.Sprint("黄涛", round))
		done, err := store.SetAll(b.Context(), "acme", "staff", list, tables.Act{Who: "wang"}, nil)
		if err != nil || len(done) != len(list) {
			b.Fatal(len(done), err)
		}
	}
}
