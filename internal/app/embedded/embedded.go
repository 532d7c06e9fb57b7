// Package embedded links the embedded NATS server into a program. Package app
// knows that server by an interface alone, so that only the programs that import
// this package carry it: ingest and the sandbox, not the dispatcher.
package embedded

import (
	"context"
	"log/slog"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/natsd"
)

// NATS starts the server that nats.embedded describes. It is an [app.StartNATS].
func NATS(ctx context.Context, e config.Embedded, log *slog.Logger) (app.NATSServer, error) {
	return natsd.Start(ctx, natsd.Options{
		Dir: e.Dir, Port: e.Port, TokenFile: e.TokenFile, MaxStore: int64(e.MaxStore), Logger: log,
	})
}
