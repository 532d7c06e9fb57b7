// Command ingest is a program of Gongdan Bridge; see package cli.
package main

import (
	"context"
	"os"

	"gongdan-bridge/internal/app/embedded"
	"gongdan-bridge/internal/cli"
)

func main() {
	os.Exit(cli.Main("ingest", func(ctx context.Context, p cli.Program) error {
		p.NATS = embedded.NATS
		return cli.IngestMain(ctx, p)
	}))
}
