// Command ingest is a program of Gongdan Bridge; see package app.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/app/embedded"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := app.IngestMain(ctx, app.Program{
		Args: os.Args[1:], Env: os.LookupEnv, Stdout: os.Stdout, Stderr: os.Stderr, NATS: embedded.NATS,
	})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, app.Complaint("ingest", err))
	}
	os.Exit(app.ExitStatus(err))
}
