package mapping

import (
	"os"
	"strings"
	"testing"

	"gongdan-bridge/internal/mapping/table"
)

// TestWordOfAnotherForm: the letter of a word that differs from a table's in form alone
// says so, and an ordinary missing word does not.
func TestWordOfAnotherForm(t *testing.T) {
	for word, like := range map[string]string{
		"配件⽼化": "配件老化", "ＤＮ５０": "DN50", "配件 老化": "配件老化", "dn50": "DN50", "配件\u200b老化": "配件老化", "漏水": "",
	} {
		m, err := Parse("m.yaml", []byte(`version: 1
bill: {orderNo: '${component("金蝶工单号")}'}
tables: {cause: {rows: {配件老化: "1", DN50: "2"}}}
rules:
  - {name: close, when: true, body: {handlesdate: 2025-07-17 08:11:41, handleedate: 2025-07-17 18:11:41, handlemanid: "1", handledeptid: "1",
      wxztid: H, processid: "100", wtyyid: '${lookup("cause", "`+word+`")}', clfaid: "1", cljgid: "1"}}
`), os.ReadFile, Options{})
		if err != nil {
			t.Fatal(err)
		}
		x, err := m.Match(input(t, "close"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = x.Body("1", "no")
		if err == nil || strings.Contains(err.Error(), "in form alone") != (like != "") || like != "" && !strings.Contains(err.Error(), `but "`+like+`"`) {
			t.Errorf("%q: %v", word, err)
		}
	}
	if got := (table.Set{}).Like("cause", "x"); got != "" {
		t.Error(got)
	}
}

// TestControlCharactersStayHere: what Weiban's forms may hold does not reach Kingdee.
func TestControlCharactersStayHere(t *testing.T) {
	if got := printable("a\x00b\x1b[0m\r\nc\td\u0085e"); got != "ab[0m\nc\tde" {
		t.Errorf("%q", got)
	}
	body := kingdeeBody(map[string]any{"clsmid": "a\x07b", "attmentInforspre": []any{map[string]any{"url": "https://a.example/b", "name": "c\x7f.jpg"}}})
	if body.Note != "ab" || body.PhotosPre[0].Name != "c.jpg" {
		t.Errorf("%+v", body)
	}
}
