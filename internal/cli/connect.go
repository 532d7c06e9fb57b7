package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/deadletter"
)

// load reads the configuration for a command.
func load(p Program, g *globals) (*config.Config, error) { return config.Load(g.Config, p.Env) }

// withBus gives a subcommand a connection of its own.
func withBus(ctx context.Context, p Program, g *globals, use func(*config.Config, *bus.Bus) error) error {
	cfg, err := load(p, g)
	if err != nil {
		return err
	}
	conn, err := app.Connect(ctx, cfg, "gongdan-bridge command")
	if err != nil {
		return fmt.Errorf("%w; is the bridge running?", err)
	}
	err = use(cfg, conn)
	shut, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer stop()
	return errors.Join(err, conn.Close(shut))
}

func withBox(ctx context.Context, p Program, g *globals, use func(*deadletter.Box) error) error {
	return withBus(ctx, p, g, func(_ *config.Config, b *bus.Bus) error {
		return use(deadletter.NewBox(b, time.Now))
	})
}
