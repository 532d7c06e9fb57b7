package dispatch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/deadletter"
	"gongdan-bridge/internal/events"
	"gongdan-bridge/internal/inspect"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/tables"
)

// live lets the bridge's mapping change while it runs.
func (b *bridge) live(o mapping.Options) *mapping.Live {
	b.t.Helper()
	l, err := mapping.NewLive(b.file, o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.mapping = l.Mapping
	return l
}

func (b *bridge) write(text []byte) {
	b.t.Helper()
	if err := os.WriteFile(b.file, text, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bridge) rules() []byte {
	b.t.Helper()
	text, err := os.ReadFile(b.file)
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

// TestReloadDropsNothing changes the mapping again and again, every third time to
// a faulty one, while events go through: each ends once, under one mapping that
// was in force, and its body is that mapping's.
func TestReloadDropsNothing(t *testing.T) {
	b := newBridge(t)
	l := b.live(mapping.Options{})
	one := b.rules()
	two := bytes.Replace(one, []byte(`processid: "100"`), []byte(`processid: "90"`), 1)
	faulty := bytes.Replace(one, []byte("clsmid"), []byte("clsmd"), 1)
	percent := map[string]string{l.Mapping().Hash(): "100"}
	b.run("one", nil)
	ids := map[string]bool{}
	for i := range 60 {
		switch i % 3 {
		case 0:
			b.write(faulty)
			was := l.Mapping()
			if _, err := l.Reload(); mapping.FaultsOf(err) == nil || l.Mapping() != was {
				t.Fatalf("a faulty mapping came into force: %v", err)
			}
		case 1:
			b.write(two)
		case 2:
			b.write(one)
		}
		if changed, err := l.Reload(); i%3 != 0 && (err != nil || !changed && i > 2) {
			t.Fatalf("reload %d: %v, %v", i, changed, err)
		}
		if i%3 == 1 {
			percent[l.Mapping().Hash()] = "90"
		}
		number, _ := b.order()
		ids[b.end(number, fmt.Sprint(i))] = true
	}
	for id := range ids {
		b.ended(id, "applied")
	}
	if n := len(b.outcomes()); n != len(ids) {
		t.Errorf("%d outcomes of %d events", n, len(ids))
	}
	list, err := b.bus.Page(t.Context(), "EVENTS", "gongdan.acme.event.kingdee.>", 1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, m := range list {
		ev, err := events.Decode(m.Header.Get("Content-Type"), m.Data)
		if err != nil {
			t.Fatal(err)
		}
		var o struct {
			Mapping string `json:"mapping"`
			Body    struct {
				Percent string `json:"processid"`
			} `json:"body"`
		}
		if err := json.Unmarshal(ev.Data(), &o); err != nil {
			t.Fatal(err)
		}
		seen[o.Mapping]++
		if o.Body.Percent == "" || percent[o.Mapping] != o.Body.Percent {
			t.Errorf("%s: processid %q under mapping %s, want %q", ev.ID(), o.Body.Percent, o.Mapping, percent[o.Mapping])
		}
	}
	if len(seen) != 2 {
		t.Errorf("events went under %v, want both mappings: the test proves nothing", seen)
	}
}

// TestRowAndReplay: whatever was set before a letter is replayed is there when it
// is planned, however close the two are.
func TestRowAndReplay(t *testing.T) {
	b := newBridge(t)
	rows, err := tables.NewLive(t.Context(), b.bus, "acme", slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b.rules())
	at := strings.Index(text, `handlemanid: "`)
	text = text[:at] + "handlemanid: ${lookup(\"staff\", callback.content.text)}" + text[at+strings.Index(text[at:], "\n"):]
	b.write([]byte(strings.Replace(text, "rules:", "tables: {staff: {columns: [emp]}}\nrules:", 1)))
	b.live(mapping.Options{Tables: rows})
	ctx, stop := context.WithCancel(t.Context())
	var followed sync.WaitGroup
	t.Cleanup(func() { stop(); followed.Wait() })
	follow := sync.OnceFunc(func() { followed.Go(func() { rows.Run(ctx) }) })
	b.fresh = func(ctx context.Context) error {
		follow() // not before, so that a replay that does not ask finds nothing
		return rows.Fresh(ctx)
	}
	b.run("one", nil)
	store := tables.NewStore(b.bus, time.Now)
	for i := range 12 {
		word := fmt.Sprint("员工 ", i)
		number, bill := b.order()
		id := b.end(number, word)
		b.until("a letter", func() bool { return len(b.letters()) == 1 })
		letter := b.letters()[0]
		if letter.Word != word || letter.Kind != events.Unmapped {
			t.Fatalf("letter %+v", letter)
		}
		r, err := inspect.RecordedOf(letter)
		if err != nil || r.Key != number || !strings.HasPrefix(r.Meta.ID, id) || r.Meta.Noun != events.WorkOrder || r.Meta.Tenant != "acme" || r.Meta.Position == "" {
			t.Fatalf("recorded %+v, %v", r.Meta, err)
		}
		if _, err := store.Set(t.Context(), "acme", "staff", tables.Write{Word: word, Cells: tables.Cells{Columns: []string{"emp"}, Values: []string{"1697009251337127936"}}}, tables.Act{Who: "wang"}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.box.Replay(t.Context(), letter.Number, actOf("wang")); err != nil {
			t.Fatal(err)
		}
		b.ended(id, "applied")
		if n := len(b.kingdee.Records(bill)); n != 1 {
			t.Errorf("%d records after the replay", n)
		}
	}
	if _, err := inspect.RecordedOf(deadletter.Open{Letter: deadletter.Letter{Stage: events.Enrich}}); err == nil {
		t.Error("a letter without a detail was taken for a recorded event")
	}
	b.recorded(t)
}

// recorded reads the enriched events back: all of them, of one order, and since.
func (b *bridge) recorded(t *testing.T) {
	t.Helper()
	read := func(key string, in inspect.Period) (keys []string) {
		t.Helper()
		last := uint64(0)
		skipped, err := inspect.EachRecorded(t.Context(), b.bus, "acme", key, in, func(_ string, done, of uint64) {
			if done < last || done > of {
				t.Errorf("progress %d of %d after %d", done, of, last)
			}
			last = done
		}, func(r mapping.Recorded) error {
			keys = append(keys, r.Key)
			return nil
		})
		if err != nil || skipped != 0 {
			t.Fatal(skipped, err)
		}
		return keys
	}
	all := read("", inspect.Period{})
	if len(all) != 12 || len(slices.Compact(slices.Sorted(slices.Values(all)))) != 12 {
		t.Errorf("%d recorded events, want one of each of 12 orders: %v", len(all), all)
	}
	if one := read(all[3], inspect.Period{}); len(one) != 1 || one[0] != all[3] {
		t.Errorf("of one order: %v", one)
	}
	if late := read("", inspect.Period{Since: time.Now().Add(time.Hour)}); len(late) != 0 {
		t.Errorf("since an hour from now: %v", late)
	}
	u, err := b.bus.Usage(t.Context(), bus.Events)
	if err != nil {
		t.Fatal(err)
	}
	middle, err := b.bus.Next(t.Context(), bus.Events, ">", u.Last/2)
	if err != nil {
		t.Fatal(err)
	}
	before, after := read("", inspect.Period{Until: middle.Time}), read("", inspect.Period{Since: middle.Time, Until: time.Now().Add(time.Hour)})
	if len(before) == 0 || len(after) == 0 || !slices.Equal(slices.Concat(before, after), all) {
		t.Errorf("until and since %s: %v and %v", middle.Time, before, after)
	}
}
