package history_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/history"
	"gongdan-bridge/internal/testwing/memory"
)

// A store is held against its record. A stream that was removed and made again
// is told to people with what is done about it, and a new history begins.
func ExampleKeeper_Examine() {
	ctx, store := context.Background(), memory.New()
	keeper := history.NewKeeper(history.Options{
		Log: store, State: store.Bucket(bus.State), Tables: store.Bucket(bus.Tables), Silence: 12 * time.Second,
		Alert: func(n history.Note) { fmt.Println(n) }, Logger: slog.New(slog.DiscardHandler),
	})
	first, err := keeper.Begin(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	sound, err := keeper.Examine(ctx)
	fmt.Println("same history:", sound.History == first.History, err)

	store.Remove(bus.Events)
	after, err := keeper.Examine(ctx)
	fmt.Println("same history:", after.History == first.History, err)
	// Output:
	// same history: true <nil>
	// EVENTS was removed and made again; every stored callback without an end is read again from Weiban
	// same history: false <nil>
}
