package expr_test

import (
	"fmt"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/mapping/expr"
)

// An expression is checked before any event comes: a misspelt member is an issue
// that says where it stands and which word was probably meant.
func ExampleLanguage_Compile() {
	language, err := expr.New(expr.Cost)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, issues := language.Compile(`callback.statos == "close"`, expr.Spec{Noun: events.WorkOrder, Kind: expr.Bool})
	for _, i := range issues {
		fmt.Printf("%d:%d %s; expected %s\n", i.Line, i.Column, i.Message, i.Expected)
	}
	// Output:
	// 1:9 no member "statos" in callback; expected "status"
}
