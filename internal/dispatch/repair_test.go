package dispatch_test

import (
	"bytes"
	"strings"
	"testing"

	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/orders"
)

// A row that is added while the mapping's file has faults works against the mapping in force,
// which the owner tells, and names the letters that it repairs.
func TestARepairNeedsNoSoundFile(t *testing.T) {
	b := newBridge(t)
	text := string(b.rules())
	at := strings.Index(text, `handlemanid: "`)
	text = text[:at] + "handlemanid: ${lookup(\"staff\", callback.content.text)}" + text[at+strings.Index(text[at:], "\n"):]
	b.write([]byte(strings.Replace(text, "rules:", "tables: {staff: {columns: [emp]}}\nrules:", 1)))
	live := b.live(mapping.Options{})
	b.change = func(o *dispatch.Options) {
		o.Tenants[0].Sources = func() ([]byte, error) { return live.Sources().Encode() }
	}
	b.acts = operate.New(operate.Options{Bus: b.bus, Tenants: []operate.Tenant{{Name: "acme", Mapping: b.file}}})
	b.run("one", nil)
	number, _ := b.order()
	b.ended(b.visit(number, "李阳"), "dead")
	b.write(bytes.Replace(b.rules(), []byte("clsmid"), []byte("clsmd"), 1))
	if _, err := live.Reload(); mapping.FaultsOf(err) == nil {
		t.Fatalf("the file has no faults: %v", err)
	}
	b.until("the owner answers", func() bool {
		_, err := orders.MappingOf(t.Context(), b.bus, "acme")
		return err == nil
	})
	done, err := b.acts.SetRow(t.Context(), operate.RowRequest{
		Decision: wang("he is new"), TableRequest: operate.TableRequest{Tenant: "acme", Table: "staff"},
		Word: "李阳", Cells: map[string]string{"emp": "1697009251337120768"},
	}, func(string, uint64, uint64) {})
	if err != nil || len(done.Changes) != 1 || len(done.Repairs) != 1 || done.Repairs[0].Letter != b.letters()[0].Number {
		t.Errorf("%+v, %v", done, err)
	}
}
