package tables_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/testwing/bustest"
)

func connection(n int) bus.Options { return bus.Options{Name: fmt.Sprint("writer ", n)} }

// TestBrokenEntries: what cannot be read is named, hides nothing else, is not
// written over, and comes back once it can be read.
func TestBrokenEntries(t *testing.T) {
	b := bustest.New(t)
	s := tables.NewStore(b, time.Now)
	words := neighbours(2)
	var list []tables.Write
	for i := range 200 {
		list = append(list, tables.Write{Word: fmt.Sprint("员工", i), Cells: only("1")})
	}
	act := tables.Act{Who: "wang"}
	if _, err := s.SetAll(t.Context(), "acme", "staff", list, act, nil); err != nil {
		t.Fatal(err)
	}
	bucket := b.Bucket(tables.Bucket)
	good, err := bucket.Get(t.Context(), "acme.staff.07")
	if err != nil {
		t.Fatal(err)
	}
	strange := map[string]string{
		"acme.staff.07":    `{"version":2,"secret":"geheim"}`,
		"acme.staff.LiMei": `{"columns":["emp"],"values":["geheim"]}`,
		"acme.deep.er.key": `geheim`,
	}
	for key, data := range strange {
		if _, err := bucket.Put(t.Context(), key, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	named := func(what string, err error, keys ...string) {
		t.Helper()
		if !errors.Is(err, tables.ErrBroken) || strings.Contains(fmt.Sprint(err), "geheim") {
			t.Fatalf("%s: %v", what, err)
		}
		for key := range strange {
			if want := fmt.Sprint(keys); strings.Contains(err.Error(), key) != strings.Contains(want, key) {
				t.Errorf("%s names %s or does not:\n%v", what, key, err)
			}
		}
	}
	hidden := 0
	for _, w := range list {
		if inShard(w.Word, 7) {
			hidden++
		}
	}
	rows, err := s.List(t.Context(), "acme", "staff")
	named("list", err, "acme.staff.07", "acme.staff.LiMei")
	if len(rows) != 200-hidden || hidden == 0 {
		t.Errorf("%d rows are listed, want %d", len(rows), 200-hidden)
	}
	_, err = s.Set(t.Context(), "acme", "staff", tables.Write{Word: words[0], Cells: only("2")}, act)
	if named("set", err, "acme.staff.07"); !strings.Contains(err.Error(), "a newer program wrote it") {
		t.Error(err)
	}
	_, err = s.Unset(t.Context(), "acme", "staff", words[0], act)
	named("unset", err, "acme.staff.07")
	for i := range list {
		list[i].Cells = only("3")
	}
	done, err := s.SetAll(t.Context(), "acme", "staff", list, act, nil)
	if named("import", err, "acme.staff.07"); len(done) != 200-hidden {
		t.Errorf("%d rows are imported, want %d", len(done), 200-hidden)
	}
	if e, err := bucket.Get(t.Context(), "acme.staff.07"); err != nil || string(e.Value) != strange["acme.staff.07"] {
		t.Errorf("the broken entry was written over: %s, %v", e.Value, err)
	}

	var log bytes.Buffer
	l, err := tables.NewLive(t.Context(), b, "acme", slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil || l.Len() != 200-hidden {
		t.Fatal(l.Len(), err)
	}
	for key := range strange {
		if strings.Count(log.String(), key) != 1 || strings.Contains(log.String(), "geheim") {
			t.Errorf("the log on %s:\n%s", key, log.String())
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var followed sync.WaitGroup
	followed.Go(func() { l.Run(ctx) })
	if _, err := bucket.Put(t.Context(), "acme.staff.07", good.Value); err != nil {
		t.Fatal(err)
	}
	if err := l.Fresh(t.Context()); err != nil || l.Len() != 200 {
		t.Errorf("%d rows once the entry can be read: %v", l.Len(), err)
	}
	stop()
	followed.Wait()
}

// TestTooManyRows: what the server would not take is refused before the audit says
// that it was done, and the other rows are written.
func TestTooManyRows(t *testing.T) {
	b := bustest.New(t)
	s := tables.NewStore(b, time.Now)
	long := strings.Repeat("x", tables.MaxRow-100)
	n := int(b.MaxPayload())/len(long) + 1
	list := []tables.Write{{Word: "elsewhere", Cells: only("1")}}
	for _, w := range neighbours(n) {
		list = append(list, tables.Write{Word: w, Cells: only(long)})
	}
	done, err := s.SetAll(t.Context(), "acme", "staff", list, tables.Act{Who: "wang"}, nil)
	if !errors.Is(err, tables.ErrLarge) || !strings.Contains(err.Error(), "entry acme.staff.07") || !strings.Contains(err.Error(), "raise its max_payload") || len(err.Error()) > 500 {
		t.Fatalf("%v", err)
	}
	if len(done) != 1 || done[0].Word != "elsewhere" {
		t.Errorf("%d rows were written", len(done))
	}
	if audit := lines(t, b, "acme"); len(audit) != 1 || len(audit[0].Rows) != 1 {
		t.Errorf("%d lines of audit", len(audit))
	}
	if _, err := s.SetAll(t.Context(), "acme", "staff", append(list[:2], list[1]), tables.Act{Who: "wang"}, nil); !errors.Is(err, tables.ErrRow) {
		t.Errorf("a word that stands twice: %v", err)
	}
}
