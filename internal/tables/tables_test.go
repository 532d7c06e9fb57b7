package tables_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/mapping/table"
	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/testwing/bustest"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func row(emp, dept string) tables.Cells {
	return tables.Cells{Columns: []string{"emp", "dept"}, Values: []string{emp, dept}}
}

// lines are the audit of a tenant's tables, oldest first.
func lines(t *testing.T, b *bus.Bus, tenant string) []tables.Line {
	t.Helper()
	list, err := b.Page(t.Context(), "AUDIT", "gongdan."+tenant+".audit.*", 1, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var out []tables.Line
	for _, m := range list {
		var l tables.Line
		if err := json.Unmarshal(m.Data, &l); err != nil || m.Subject != "gongdan."+tenant+".audit."+l.Action {
			t.Fatalf("%s: %v", m.Subject, err)
		}
		out = append(out, l)
	}
	return out
}

func TestEveryChangeIsAudited(t *testing.T) {
	b := bustest.New(t)
	at := time.Unix(1763800000, 0).UTC()
	s := tables.NewStore(b, func() time.Time { return at })
	wang, li := tables.Act{Who: "wang", Reason: "new colleague"}, tables.Act{Who: "li"}
	one, two := row("0123", "1"), row("0123", "2")
	steps := []func() (tables.Change, error){
		func() (tables.Change, error) {
			return s.Set(t.Context(), "acme", "staff", tables.Write{Word: " 黄涛.1 ", Cells: one}, wang)
		},
		func() (tables.Change, error) {
			return s.Set(t.Context(), "acme", "staff", tables.Write{Word: "黄涛.1", Cells: two}, li)
		},
		func() (tables.Change, error) { // says nothing new
			return s.Set(t.Context(), "acme", "staff", tables.Write{Word: "黄涛.1", Cells: two}, wang)
		},
		func() (tables.Change, error) { return s.Unset(t.Context(), "acme", "staff", "黄涛.1", wang) },
		func() (tables.Change, error) { // after the deletion it is there again
			return s.Set(t.Context(), "acme", "staff", tables.Write{Word: "黄涛.1", Cells: one}, li)
		},
	}
	var got []tables.Change
	for i, step := range steps {
		c, err := step()
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		got = append(got, c)
	}
	was := func(c tables.Cells, who string) *tables.Row { return &tables.Row{Cells: c, Who: who, At: at} }
	want := []tables.Change{
		{Word: "黄涛.1", After: &one},
		{Word: "黄涛.1", Before: was(one, "wang"), After: &two},
		{Word: "黄涛.1", Before: was(two, "li")},
		{Word: "黄涛.1", Before: was(two, "li")},
		{Word: "黄涛.1", After: &one},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("changes (-want +got):\n%s", diff)
	}
	wants := []tables.Line{
		{Action: "table_set", Who: "wang", Reason: "new colleague", Rows: want[0:1]},
		{Action: "table_set", Who: "li", Rows: want[1:2]},
		{Action: "table_unset", Who: "wang", Reason: "new colleague", Rows: want[3:4]},
		{Action: "table_set", Who: "li", Rows: want[4:5]},
	}
	audit := lines(t, b, "acme")
	for i := range wants {
		wants[i].Tenant, wants[i].Table, wants[i].At = "acme", "staff", at
	}
	if diff := cmp.Diff(wants, audit); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

func TestWhatIsNoRowIsRefused(t *testing.T) {
	b := bustest.New(t)
	s := tables.NewStore(b, time.Now)
	for name, w := range map[string]tables.Write{
		"no word":    {Word: " \t", Cells: only("1")},
		"long word":  {Word: strings.Repeat("长", 101), Cells: only("1")},
		"no columns": {Word: "a"},
		"empty":      {Word: "a", Cells: row("", "")},
		"uneven":     {Word: "a", Cells: tables.Cells{Columns: []string{"emp"}, Values: []string{"1", "2"}}},
		"twice":      {Word: "a", Cells: tables.Cells{Columns: []string{"emp", "emp"}, Values: []string{"1", "2"}}},
		"two lines":  {Word: "a", Cells: only("1\n2")},
		"bytes":      {Word: "a", Cells: only("\xff")},
		"large":      {Word: "a", Cells: only(strings.Repeat("x", tables.MaxRow))},
	} {
		if _, err := s.Set(t.Context(), "acme", "staff", w, tables.Act{Who: "wang"}); !errors.Is(err, tables.ErrRow) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Unset(t.Context(), "acme", "staff", "nobody", tables.Act{Who: "wang"}); !errors.Is(err, tables.ErrNoRow) {
		t.Errorf("unset of nothing: %v", err)
	}
	if n := len(lines(t, b, "acme")); n != 0 {
		t.Errorf("%d lines of audit about nothing", n)
	}
}

// TestRaces: of those who set one row at once, whoever is not refused stands in
// the audit with the very row that was there before.
func TestRaces(t *testing.T) {
	b := bustest.New(t)
	s := tables.NewStore(b, time.Now)
	var all sync.WaitGroup
	var mu sync.Mutex
	won, lost := 0, 0
	for i := range 24 {
		all.Go(func() {
			_, err := s.Set(t.Context(), "acme", "staff", tables.Write{Word: "a", Cells: only(fmt.Sprint(i))}, tables.Act{Who: fmt.Sprint(i)})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errors.Is(err, tables.ErrRace):
				lost++
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	taken := map[string]bool{} // by who
	audit := lines(t, b, "acme")
	for _, l := range audit {
		if l.Action == tables.ActionRefused {
			taken[l.Who] = true
		}
	}
	byBefore := map[string]string{} // who wrote the row before → who wrote over it
	for _, l := range audit {
		if l.Action == tables.ActionSet && !taken[l.Who] {
			before := ""
			if x := l.Rows[0].Before; x != nil {
				before = x.Who
			}
			if other, twice := byBefore[before]; twice {
				t.Errorf("both %s and %s wrote over %q", other, l.Who, before)
			}
			byBefore[before] = l.Who
		}
	}
	last, steps := "", 0
	for byBefore[last] != "" {
		last, steps = byBefore[last], steps+1
	}
	e, err := s.Get(t.Context(), "acme", "staff", "a")
	if err != nil || e.Who != last || steps != won || len(taken) != lost || won == 0 {
		t.Errorf("%d of %d steps lead to %s, the row is %s's; %d refused, %d lost: %v", steps, won, last, e.Who, len(taken), lost, err)
	}
}

func TestManyAtOnce(t *testing.T) {
	b := bustest.New(t)
	s := tables.NewStore(b, time.Now)
	var list []tables.Write
	for i := range 500 {
		list = append(list, tables.Write{Word: fmt.Sprintf("员工 %d", i), Cells: row(fmt.Sprint(i), "1")})
	}
	told := 0
	set := func() int {
		t.Helper()
		done, err := s.SetAll(t.Context(), "acme", "staff", list, tables.Act{Who: "wang"}, func(n, of int) { told = n*1000 + of })
		if err != nil || told != 500_500 {
			t.Fatal(told, err)
		}
		return len(done)
	}
	if n := set(); n != 500 {
		t.Fatalf("%d rows changed", n)
	}
	list[7].Cells = row("seven", "1")
	if n := set(); n != 1 {
		t.Fatalf("%d rows changed the second time", n)
	}
	audit := lines(t, b, "acme")
	n := 0
	for _, l := range audit {
		n += len(l.Rows)
	}
	if len(audit) != tables.Shards+1 || n != 501 {
		t.Errorf("%d lines with %d rows, want one a shard of 500 and one of 1", len(audit), n)
	}
	count := map[string]int{}
	for _, name := range []string{"", "staff", "cause"} {
		list, err := s.List(t.Context(), "acme", name)
		if err != nil {
			t.Fatal(err)
		}
		count[name] = len(list)
	}
	if diff := cmp.Diff(map[string]int{"": 500, "staff": 500, "cause": 0}, count); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestLiveFollows(t *testing.T) {
	b := bustest.New(t)
	s := tables.NewStore(b, time.Now)
	set := func(tenant, word, text string) {
		t.Helper()
		if _, err := s.Set(t.Context(), tenant, "staff", tables.Write{Word: word, Cells: only(text)}, tables.Act{Who: "wang"}); err != nil {
			t.Fatal(err)
		}
	}
	set("acme", "a", "1")
	set("acme", "gone", "1")
	set("other", "b", "1")
	for _, key := range []string{"acme.staff.broken", "acme.deep.er.key"} { // a stranger's
		if _, err := b.Bucket("TABLES").Put(t.Context(), key, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	l, err := tables.NewLive(t.Context(), b, "acme", quiet())
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := l.Lookup("staff", "a"); !ok || r.Text() != "1" || l.Len() != 2 {
		t.Fatalf("as loaded: %v, %v, %d rows", r, ok, l.Len())
	}
	// Between load and watch: neither change may be missed.
	if _, err := s.Unset(t.Context(), "acme", "staff", "gone", tables.Act{Who: "wang"}); err != nil {
		t.Fatal(err)
	}
	set("acme", "a", "2")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx) }()
	until := func(what string, ok func() bool) {
		t.Helper()
		deadline, tick := time.After(10*time.Second), time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for !ok() {
			select {
			case <-deadline:
				t.Fatal("not within 10 s: " + what)
			case <-tick.C:
			}
		}
	}
	is := func(word, text string) func() bool {
		return func() bool { r, ok := l.Lookup("staff", word); return ok == (text != "") && r.Text() == text }
	}
	until("what changed before the watch", func() bool { return is("a", "2")() && is("gone", "")() })
	fresh := func() {
		t.Helper()
		ctx, end := context.WithTimeout(t.Context(), 10*time.Second)
		defer end()
		if err := l.Fresh(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 { // each is there as soon as Fresh says so
		set("acme", "new.word", fmt.Sprint(i))
		set("other", "c", fmt.Sprint(i))
		if fresh(); !is("new.word", fmt.Sprint(i))() {
			t.Fatalf("change %d is not there", i)
		}
	}
	if _, err := s.Unset(t.Context(), "acme", "staff", "a", tables.Act{Who: "wang"}); err != nil {
		t.Fatal(err)
	}
	if fresh(); !is("a", "")() {
		t.Error("a row taken away is still there")
	}
	if l.Len() != 1 {
		t.Errorf("%d rows, want one", l.Len())
	}
	stop()
	<-done
	set("acme", "late", "1")
	short, end := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer end()
	if err := l.Fresh(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("fresh, though nobody follows: %v", err)
	}
}

// only is the cells of a row that is just a text.
func only(text string) tables.Cells {
	return tables.Cells{Columns: []string{table.TextColumn}, Values: []string{text}}
}
