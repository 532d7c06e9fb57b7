package table_test

import (
	"fmt"

	"gongdan-bridge/internal/mapping/table"
)

// A table is read from CSV: a header, then a row a line, the key in the first
// column. Every cell stays the text that it is.
func ExampleReadCSV() {
	t, err := table.ReadCSV("staff.csv", []byte("staff_id,emp,dept\nworker-1,0123,12\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	row, ok := table.Set{"staff": t}.Lookup("staff", "worker-1")
	dept, _ := row.Column("dept")
	fmt.Println(row.Text(), dept, ok)
	_, ok = table.Set{"staff": t}.Lookup("staff", "worker-2")
	fmt.Println(ok)
	// Output:
	// 0123 12 true
	// false
}

// What a spreadsheet has spoilt is refused, with its place.
func ExampleReadCSV_rounded() {
	_, err := table.ReadCSV("staff.csv", []byte("staff_id,emp\nworker-1,1.69701E+18\n"))
	fmt.Println(err)
	// Output:
	// staff.csv:2:10: 1.69701E+18 is a number that a spreadsheet has rounded; expected all digits: format the column as text
}
