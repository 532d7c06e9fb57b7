package dispatch

import (
	"strings"
	"testing"

	"gongdan-bridge/internal/testwing/bustest"
)

// A dispatcher is not ready before it has looked at the store, and while a tenant of its own
// is looked at again; it says which, and since when.
func TestStoreReady(t *testing.T) {
	o := ownerOf(t, bustest.New(t))
	d := o.d
	d.o.Bus = nil // whose room nobody looks at
	if err := d.StoreReady(t.Context()); err == nil {
		t.Error("ready before the first look")
	}
	if !d.watch.Begin(t.Context()) {
		t.Fatal("the store cannot be looked at")
	}
	if err := o.store.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.owners["acme"] = o
	if err := d.StoreReady(t.Context()); err != nil {
		t.Errorf("at work: %v", err)
	}
	o.intakes[1].rechecking.Store(true)
	want := "tenant acme: what is stored is looked at again since " + o.store.Began().Format("2006-01-02T15:04:05Z07:00")
	if err := d.StoreReady(t.Context()); err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "; see dispatcher recover") {
		t.Errorf("while it is looked at again: %v", err)
	}
}
