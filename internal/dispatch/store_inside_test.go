package dispatch

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gongdan-bridge/internal/history"
)

// A dispatcher is not ready before it has looked at the store, while it cannot, and
// while a tenant of its own is looked at again; it says which, what and since when.
func TestStoreReady(t *testing.T) {
	d := &Dispatcher{owners: map[string]*owner{}}
	d.unseen.Store(&errUnseen)
	if err := d.StoreReady(t.Context()); !errors.Is(err, errUnseen) {
		t.Errorf("before the first look: %v", err)
	}
	cannot := errors.New("look at the store: no answer")
	d.unseen.Store(&cannot)
	if err := d.StoreReady(t.Context()); !errors.Is(err, cannot) {
		t.Errorf("after a look that failed: %v", err)
	}
	d.unseen.Store(nil)
	began := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	for _, name := range []string{"acme", "brite"} {
		d.owners[name] = &owner{
			intakes: []*intake{{}, {}},
			store:   history.Record{Began: began, Notes: []history.Note{{Store: "EVENTS", What: "was removed and made again"}, {What: "was not worked on", Mild: true}}},
		}
	}
	if err := d.StoreReady(t.Context()); err != nil {
		t.Errorf("at work: %v", err)
	}
	d.owners["brite"].intakes[1].rechecking.Store(true)
	want := "tenant brite: what is stored is looked at again since 2026-11-27T10:00:00Z: EVENTS was removed and made again; see dispatcher recover"
	if err := d.StoreReady(t.Context()); err == nil || strings.Contains(err.Error(), "acme") || err.Error() != want {
		t.Errorf("while one is looked at again: %v", err)
	}
}
