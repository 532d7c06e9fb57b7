package mapping

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gongdan-bridge/internal/mapping/table"
)

// folder is a mapping with a table in a directory of its own.
func folder(t *testing.T) (path string, write func(name, text string)) {
	t.Helper()
	dir := t.TempDir()
	n := 0
	write = func(name, text string) {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n++ // a later time for each, whatever the file system's clock can tell
		at := time.Unix(1752710400+int64(n), 0)
		if err := os.Chtimes(p, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("m.yaml", strings.Replace(ruleFile(`handlemanid: ${lookup("people", "LiHua")}`, ""), "tables:", "tables:\n  people: {file: people.csv}", 1))
	write("people.csv", "id,emp\nLiHua,1\n")
	return filepath.Join(dir, "m.yaml"), write
}

func handler(t *testing.T, m *Mapping) string {
	t.Helper()
	got, err := try(t, m)
	if err != nil {
		t.Fatal(err)
	}
	return got.Body.HandlerID
}

func TestLive(t *testing.T) {
	path, write := folder(t)
	l, err := NewLive(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	first := l.Mapping()
	if changed, err := l.Check(); changed || err != nil {
		t.Errorf("nothing changed: %v, %v", changed, err)
	}
	write("people.csv", "id,emp\nLiHua,2\n")
	if changed, err := l.Check(); !changed || err != nil {
		t.Errorf("a changed table: %v, %v", changed, err)
	}
	if h := handler(t, l.Mapping()); h != "2" || l.Mapping().Hash() == first.Hash() {
		t.Errorf("handler %s, hash %s", h, l.Mapping().Hash())
	}
	if h := handler(t, first); h != "1" {
		t.Errorf("the mapping that an event took has changed: %s", h)
	}

	write("people.csv", "id,emp\nLiHua,2\nLiHua,3\n")
	changed, err := l.Check()
	if changed || FaultsOf(err) == nil || !strings.Contains(l.Refused().Error(), "stands twice") {
		t.Errorf("a faulty table: %v, %v", changed, err)
	}
	if h := handler(t, l.Mapping()); h != "2" {
		t.Errorf("the old mapping is not in force: %s", h)
	}
	if changed, err := l.Check(); changed || err != nil {
		t.Errorf("the same faults are reported twice: %v, %v", changed, err)
	}
	// The faulty file is repaired: it is looked at although it was never in force.
	write("people.csv", "id,emp\nLiHua,3\n")
	if changed, err := l.Check(); !changed || err != nil || l.Refused() != nil {
		t.Errorf("repaired: %v, %v", changed, err)
	}
	write("m.yaml", ruleFile("", "")+"# touched\n")
	if changed, err := l.Reload(); !changed || err != nil {
		t.Errorf("reload: %v, %v", changed, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Check(); FaultsOf(err) == nil || l.Mapping() == nil {
		t.Errorf("a file that is gone: %v", err)
	}
	if _, err := NewLive(path, Options{}); FaultsOf(err) == nil {
		t.Errorf("no file to begin with: %v", err)
	}
}

func TestWatch(t *testing.T) {
	path, write := folder(t)
	synctest.Test(t, func(t *testing.T) {
		l, err := NewLive(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			l.Watch(ctx, time.Second, func(m *Mapping, err error) {
				if err != nil {
					got = append(got, "refused")
					return
				}
				got = append(got, handler(t, m))
			})
		}()
		for _, text := range []string{"id,emp\nLiHua,5\n", "id;emp\n", "id,emp\nLiHua,6\n"} {
			write("people.csv", text)
			<-time.After(3 * time.Second) // by the bubble's clock
			synctest.Wait()
		}
		cancel()
		<-done
		if s := strings.Join(got, " "); s != "5 refused 6" {
			t.Errorf("reports: %s", s)
		}
	})
}

// TestReloadDropsNoEvent: events are mapped while the file changes under them.
func TestReloadDropsNoEvent(t *testing.T) {
	path, write := folder(t)
	language, err := NewLanguage()
	if err != nil {
		t.Fatal(err)
	}
	l, err := NewLive(path, Options{Language: language})
	if err != nil {
		t.Fatal(err)
	}
	in := input(t, "close")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			x, err := l.Mapping().Match(in)
			if err != nil || x == nil {
				t.Errorf("dropped: %v", err)
				return
			}
			if _, err := x.Body(bill, billNo); err != nil {
				t.Errorf("dropped: %v", err)
				return
			}
		}
	})
	for i := range 10 {
		text := "id,emp\nLiHua," + strings.Repeat("9", i%5+1) + "\n"
		if i%3 == 0 {
			text = "id;emp\n"
		}
		write("people.csv", text)
		_, _ = l.Check()
	}
	close(stop)
	wg.Wait()
}

// TestEditThatIsHidden: an edit of a row that operators' row hides is a warning, and no
// other is.
func TestEditThatIsHidden(t *testing.T) {
	path, write := folder(t)
	added := table.Set{"people": table.Single("LiHua", []string{"emp"}, []string{"9"})}
	l, err := NewLive(path, Options{Tables: added})
	if err != nil || len(l.Mapping().Warnings()) > 0 {
		t.Fatal(l, err)
	}
	write("people.csv", "id,emp\nLiHua,1\nLiMei,2\n")
	if _, err := l.Reload(); err != nil || len(l.Mapping().Warnings()) > 0 {
		t.Errorf("another row: %v, %v", l.Mapping().Warnings(), err)
	}
	write("people.csv", "id,emp\nLiHua,3\nLiMei,2\n")
	if _, err := l.Reload(); err != nil || !strings.Contains(l.Mapping().Warnings().Error(), `people.csv:2: row "LiHua" of table people was edited, but the row that operators have added hides it`) {
		t.Errorf("a hidden edit: %v, %v", l.Mapping().Warnings(), err)
	}
	write("people.csv", "id,emp\nLiHua,9\nLiMei,2\n")
	if _, err := l.Reload(); err != nil || len(l.Mapping().Warnings()) > 0 {
		t.Errorf("the file says the same now: %v, %v", l.Mapping().Warnings(), err)
	}
}
