package app

import (
	"context"
	"errors"
	"log/slog"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/telemetry"
)

const (
	around = 64 << 10 // what a message needs beside the vendors' data: attributes, headers
	// most is the max_payload that docs/operations.md asks for, and that the embedded
	// server has. A larger answer becomes a letter that says so.
	most = 8 << 20
)

// callbackPayload is the largest message of ingest, in bytes: a callback's plaintext
// is shorter than its body, also where it travels in base64.
func callbackPayload(cfg *config.Config) int64 { return int64(cfg.Ingest.MaxBody) + around }

// eventPayload is the largest message of dispatcher, in bytes: an enriched event holds
// Weiban's answer and the callback.
func eventPayload(cfg *config.Config) int64 {
	return min(int64(cfg.Dispatcher.Calls.MaxAnswer)+callbackPayload(cfg), most)
}

var errUnsynced = errors.New("the NATS server confirms messages before they are on disk, and a power cut loses them: " +
	"set sync_interval: always in the jetstream block of its configuration, or nats.accept_unsynced: true here if that may be")

// probeSync finds out whether the configured server syncs each message. The program
// logs that it does not and stays unready, unless the configuration accepts it. The
// embedded server always syncs.
func (b *base) probeSync(ctx context.Context, conn *bus.Bus) telemetry.Check {
	c := telemetry.Check{Name: "sync"}
	if b.cfg.NATS.IsEmbedded() {
		return c
	}
	s, how := conn.ProbeSync(ctx)
	switch s {
	case bus.Synced:
		b.log.DebugContext(ctx, "the NATS server syncs each message", slog.String("found", how))
	case bus.SyncUnknown:
		b.log.InfoContext(ctx, "whether the NATS server syncs each message cannot be told; it needs sync_interval: always", slog.String("found", how))
		c.Note = func() string { return "whether the NATS server syncs each message cannot be told: " + how }
	case bus.Unsynced:
		b.log.WarnContext(ctx, errUnsynced.Error(), slog.String("found", how))
		if b.cfg.NATS.AcceptUnsynced {
			c.Note = func() string { return "accepted by nats.accept_unsynced: " + how }
		} else {
			c.Ready = func(context.Context) error { return errUnsynced }
		}
	}
	return c
}
