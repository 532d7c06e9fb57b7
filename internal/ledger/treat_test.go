package ledger_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/ledger"
	"gongdan-bridge/schemas"
)

var acts = []ledger.Act{
	ledger.ActFetch, ledger.ActPlan, ledger.ActBill, ledger.ActStatus, ledger.ActPhotos, ledger.ActCall, ledger.ActLook,
}

// kinds are the kinds of failure that the schema of outcomes lists.
func kinds(t interface{ Fatal(...any) }) []events.Kind {
	var schema struct {
		Properties struct {
			Letter struct {
				Properties struct{ Kind struct{ Enum []events.Kind } }
			}
		}
	}
	b, err := schemas.FS.ReadFile("handle-order-outcome.schema.json")
	if err == nil {
		err = json.Unmarshal(b, &schema)
	}
	if err != nil || len(schema.Properties.Letter.Properties.Kind.Enum) == 0 {
		t.Fatal("the schema of outcomes lists no kinds", err)
	}
	return schema.Properties.Letter.Properties.Kind.Enum
}

// Kinds by attempts by stage: each line of testdata/treat.txt is a kind at an
// act, with what is done at the first try, the second, … and then when the API
// has been up for 24 h, when it is known to be down, and when the event is old.
func TestTreat(t *testing.T) {
	s := ledger.Defaults("acme")
	s.BillWait = time.Hour
	var out strings.Builder
	const answer = "answer" // Invalid, about what the vendor said
	kinds := append(kinds(t), "unheard of", answer)
	for _, act := range acts {
		fmt.Fprintf(&out, "%s: %s\n", act.Stage(), act)
		for _, kind := range kinds {
			at := ledger.Attempt{Act: act, Kind: kind}
			if kind == answer {
				at.Kind, at.Answer = events.Invalid, true
			}
			fmt.Fprintf(&out, "  %-12s", kind)
			for try := range 8 {
				at.Tries = try
				out.WriteString(" " + treatment(ledger.Treat(at, s)))
			}
			at.Tries = 2
			late, down, old := at, at, at
			late.Up = 24 * time.Hour
			down.Paused, down.Up, down.Tries = true, 100*time.Hour, 100
			old.Age = time.Hour
			fmt.Fprintf(&out, " | up 24h: %s | down: %s | old: %s\n",
				treatment(ledger.Treat(late, s)), treatment(ledger.Treat(down, s)), treatment(ledger.Treat(old, s)))
		}
	}
	const file = "testdata/treat.txt"
	want, err := os.ReadFile(file)
	if *update {
		err = os.WriteFile(file, []byte(out.String()), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" && !*update {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// treatment is one cell: the wait of a retry, or the word for what else is done.
func treatment(tr ledger.Treatment) string {
	out := string(tr.Do)
	if tr.Do == ledger.Retry {
		out = strings.NewReplacer("m0s", "m", "h0m0s", "h").Replace(tr.Wait.String())
	}
	if tr.Alert {
		out += "!"
	}
	return strings.ReplaceAll(out, " ", "-")
}

// The vendor's own wait is honoured, and never shortened.
func TestTreatHonoursTheVendorsWait(t *testing.T) {
	s := ledger.Defaults("acme")
	for _, act := range acts {
		for _, kind := range []events.Kind{events.Throttled, events.Denied, events.Unavailable} {
			tr := ledger.Treat(ledger.Attempt{Act: act, Kind: kind, Wait: time.Hour}, s)
			if tr.Do != ledger.ToLetter && tr.Wait < time.Hour && act != ledger.ActPlan || tr.Do == "" {
				t.Errorf("%s %s: %+v", act, kind, tr)
			}
		}
	}
}

// What no tenant may set is named.
func TestSettingsCheck(t *testing.T) {
	if err := ledger.Defaults("acme").Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*ledger.Settings){
		"tenant": func(s *ledger.Settings) { s.Tenant = "" }, "waits": func(s *ledger.Settings) { s.Waits = nil },
		"wait": func(s *ledger.Settings) { s.Waits = []time.Duration{time.Second, 0} }, "looks": func(s *ledger.Settings) { s.Looks = nil },
		"give up": func(s *ledger.Settings) { s.GiveUp = 0 }, "held": func(s *ledger.Settings) { s.MaxHeld = 0 },
	} {
		s := ledger.Defaults("acme")
		spoil(&s)
		if s.Check() == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}
