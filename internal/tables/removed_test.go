package tables_test

import (
	"context"
	"testing"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/testwing/bustest"
)

// Rows of a bucket that is removed and made again are gone, also from memory, and
// new ones are followed although their revisions begin at 1 again.
func TestLiveAfterItsBucketWasRemoved(t *testing.T) {
	srv := bustest.Server(t)
	b := bustest.Connect(t, srv, bus.Options{})
	s := tables.NewStore(b, time.Now)
	set := func(word string) {
		t.Helper()
		if _, err := s.Set(t.Context(), "acme", "staff", tables.Write{Word: word, Cells: row("0123", "1")}, tables.Act{Who: "wang"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range []string{"黄涛", "李梅", "王伟"} {
		set(w)
	}
	l, err := tables.NewLive(t.Context(), b, "acme", quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); l.Run(ctx) }()
	defer func() { cancel(); <-done }()
	bustest.Remove(t, srv, "KV_"+tables.Bucket)
	if _, err := b.Mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	set("黄涛")
	deadline, tick := time.After(20*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for l.Len() != 1 {
		select {
		case <-deadline:
			t.Fatalf("%d rows are known, want the one", l.Len())
		case <-tick.C:
		}
	}
	if _, ok := l.Lookup("staff", "黄涛"); !ok {
		t.Error("the row that is there is not known")
	}
}
