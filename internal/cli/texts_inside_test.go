package cli

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/operate"
	"gongdan-bridge/internal/ownership"
	"gongdan-bridge/internal/tables"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.Local)

func letter(number uint64, waits bool) operate.Letter {
	return operate.Letter{Waits: waits, Open: deadletter.Open{Number: number, Letter: deadletter.Letter{
		Tenant: "acme", Stage: events.Handle, Noun: events.WorkOrder, Key: "1446377590381088768", Kind: events.Unmapped, Shelf: "business",
		Reason: "table staff has no 李阳, and the rule asks it for the handler of every order that is closed", Advice: "dispatcher dead replay NUMBER",
		Rule: "close", Field: "handlemanid", Word: "李阳", Tries: 1, Waiting: true, DiedAt: noon, Stream: "EVENTS", Sequence: 7, EventID: "m1~enrich~0",
		Bill: &events.BillRef{ID: "168", OrderNo: "fwgs-1"},
	}}}
}

func cells(emp string) *tables.Cells {
	return &tables.Cells{Columns: []string{"emp", "note"}, Values: []string{emp, "x"}}
}

// texts are what the subcommands print of what the acts hand back.
func texts() map[string]string {
	one, two := letter(1, true), letter(2, false)
	changes := []tables.Change{{Word: "李阳", Before: &tables.Row{Cells: *cells("1")}, After: cells("2")}}
	return map[string]string{
		"letters-none": lettersText(nil, false),
		"letters":      lettersText([]deadletter.Open{one.Open, two.Open}, true),
		"letter-waits": letterText(one),
		"letter":       letterText(two),
		"balance": balanceText(inspect.Balance{
			Tenant: "acme", Since: noon, Cut: true, Accepted: 9, Again: 1, Applied: 2, Superseded: 1, Ignored: 1, DeadOpen: 1, Foreign: 1,
			DeadClosed: map[string]int{"li": 1}, Waiting: map[string]int{"handle: paused": 1}, InHand: map[string]int{"enrich": 1}, Unexplained: 2,
			Paused: []inspect.Pause{{Stage: events.Handle, Who: "wang", Why: "盘点", At: noon}},
			Strays: []inspect.Stray{{Stream: "CALLBACKS", Sequence: 3, Event: "m3", At: noon, Why: "no outcome was published"}},
		}),
		"owners": ownersText([]inspect.Owner{
			{
				Ownership: ownership.Ownership{Tenant: "acme", Instance: "one", Epoch: 3, Since: noon, Renewed: noon}, State: "owned", Configured: true,
				Paused: []inspect.Pause{{Stage: events.Handle, Who: "wang", Why: "盘点", At: noon}}, Trouble: []string{"the mapping is refused"},
				Recovery: inspect.RecoverLooking, Store: []history.Note{{At: noon, Store: "EVENTS", What: "EVENTS was removed and made again", Act: "it is read again"}},
			},
			{Ownership: ownership.Ownership{Tenant: "old"}, State: "released"},
		}),
		"store": storeText(inspect.StoreState{
			History: "h2", Began: noon, Letters: map[string]int{"acme": 2}, Tenants: []inspect.Recovery{{Tenant: "acme", State: inspect.RecoverWaiting}},
			Notes:   []history.Note{{At: noon, What: "a person asked", Act: "everything is looked at again", SeenBy: "li"}},
			Found:   []history.Note{{Store: "EVENTS", What: "EVENTS is not there", Act: "a dispatcher makes it", From: noon, Until: noon.Add(time.Hour)}},
			Unknown: []string{"which letters people had closed"},
		}),
		"history": historyText(inspect.History{
			Tenant: "acme", Noun: events.WorkOrder, Key: "7", Bill: &ledger.Bill{OrderNo: "fwgs-1", ID: "168"}, Lines: []inspect.Line{
				{At: noon, What: inspect.LineCallback, Event: "m1", Stream: "CALLBACKS", Sequence: 1, Text: "work_order_change\nclose", Body: json.RawMessage(`{"a":1}`)},
				{At: noon, What: inspect.LineWaits, Stage: events.Handle, Text: "waits until its API may be called"},
			},
		}),
		"change": changeText(operate.TableChange{
			Tenant: "acme", Table: "staff", Changes: changes, Seen: cells("3"),
			Repairs: []operate.Repair{
				{Letter: 1, Noun: events.WorkOrder, Order: "7", Rule: "close", Command: "dispatcher dead replay 1"},
				{Letter: 2, Noun: events.WorkOrder, Order: "8", Command: "dispatcher dead replay 2"},
			},
			Remaining: []operate.Remaining{{Letter: 3, Order: "9", Reason: "the form has no answer"}},
		}),
		"change-removed": changeText(operate.TableChange{Tenant: "acme", Table: "staff", Changes: []tables.Change{{Word: "李阳"}}}),
		"change-own":     changeText(operate.TableChange{Tenant: "acme", Table: "staff", Changes: []tables.Change{{Word: "李阳"}}, Own: cells("1")}),
		"change-none":    changeText(operate.TableChange{Tenant: "acme", Table: "staff"}),
		"change-many":    changeText(operate.TableChange{Tenant: "acme", Table: "staff", Changes: append(changes, changes...)}),
		"preview":        previewText(operate.PreviewResult{Summary: mapping.Summary{Events: 2, Mapped: 1, Failed: 1}, Skipped: 3}),
		"rows":           rowsText([]operate.Row{{Tenant: "acme", Entry: tables.Entry{Table: "staff", Word: "李阳", Row: tables.Row{Cells: *cells("1"), Who: "li", At: noon}}}}),
		"rows-none":      rowsText(nil),
	}
}

// TestTexts holds everything that is printed for a person to testdata/texts.
func TestTexts(t *testing.T) {
	for name, got := range texts() {
		file := filepath.Join("testdata", "texts", name+".golden")
		if f := flag.Lookup("update"); f.Value.String() == "true" {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got), -update writes it:\n%s", name, diff)
		}
	}
}

// A command that a person is to copy names the configuration and is one word for a
// shell, whatever the file's name.
func TestReplayCommand(t *testing.T) {
	for config, want := range map[string]string{
		defaultConfig:         "dispatcher dead replay 7",
		"/etc/gongdan/b.yaml": "dispatcher dead replay 7 -c /etc/gongdan/b.yaml",
		"it's mine.yaml":      `dispatcher dead replay 7 -c 'it'\''s mine.yaml'`,
	} {
		if got := replayCommand(operate.Repair{Letter: 7}, config); got != want {
			t.Errorf("%s: %s; want %s", config, got, want)
		}
	}
	waits := operate.Repair{Letter: 7, Waits: true}
	if got := replayCommand(waits, defaultConfig); got != `dispatcher dead settle 7 try-again --reason "the table was completed"` {
		t.Error(got)
	}
}
