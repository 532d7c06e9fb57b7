package textfile

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestNearest(t *testing.T) {
	members := []string{"handler_id", "handler_name", "creator_id", "title", "id", "content", "emp", "dept"}
	for word, want := range map[string]string{
		"handelr_id": "handler_id", "handlerId": "handler_id", "titel": "title", "Title": "title", "ids": "id", "contents": "content",
		"创建": "", "zzzzzz": "", "": "", "x": "", "depth": "dept",
	} {
		if got := Nearest(word, members); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if got := Nearest("电話", []string{"电话", "城市"}); got != "电话" {
		t.Errorf("电話: %q", got)
	}
	if got := Choice("zzz", []string{"a", "b", "c"}); got != `"a", "b" or "c"` {
		t.Errorf("choice: %s", got)
	}
	if got := Choice("zzz", make([]string, 13)); got != "" {
		t.Errorf("too many to choose from: %s", got)
	}
}

func TestNearestFindsOneSlip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-z]{4,12}`).Draw(t, "word")
		at := rapid.IntRange(0, len(word)-1).Draw(t, "at")
		slip := word[:at] + "0" + word[at+1:]
		if got := Nearest(slip, []string{word, "00000000000000000000"}); got != word {
			t.Fatalf("%q: %q, want %q", slip, got, word)
		}
	})
}

func TestList(t *testing.T) {
	var l List
	if l.Err() != nil || !l.Empty() {
		t.Fatal("an empty list is an error")
	}
	l.Add(Fault{File: "b", Line: 2, Message: "two"})
	l.Add(Fault{File: "b", Line: 2, Message: "two"})
	l.Add(Fault{File: "a", Line: 9, Column: 3, Where: "rules", Message: "is  wrong", Expected: "right", Expr: "a\n  + b"})
	l.Merge(Faults{{File: "b", Message: "whole"}})
	err := fmt.Errorf("load: %w", l.Err())
	want := "a:9:3: rules: is  wrong; expected right; in ${a + b}\nb: whole\nb:2: two"
	if got := Of(err).Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if Of(errors.New("other")) != nil {
		t.Error("faults in another error")
	}
}

func TestYAMLOfAnotherError(t *testing.T) {
	if got := syntax("x", errors.New("boom")).String(); got != "x: not YAML: boom" {
		t.Error(got)
	}
}
