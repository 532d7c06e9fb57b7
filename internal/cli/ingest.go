package cli

import (
	"context"
	"errors"

	"github.com/alecthomas/kong"

	"gongdan-bridge/internal/app"
)

// ingestCLI is the command line of ingest.
type ingestCLI struct {
	globals
	Run     ingestRunCmd `cmd:"" default:"1" help:"Take callbacks until stopped (the default)."`
	Conf    configCmd    `cmd:"" name:"config" help:"Check or print the configuration."`
	Version versionCmd   `cmd:"" help:"Print the version."`
}

type ingestRunCmd struct{}

func (ingestRunCmd) Run(ctx context.Context, p Program, g *globals) error {
	cfg, err := load(p, g)
	if err != nil {
		return err
	}
	err = app.Run{Config: cfg, Env: p.Env, Log: p.Stderr, NATS: p.NATS, Alone: true}.Ingest(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

const ingestHelp = `Takes Weiban's callbacks, verifies and decrypts them, and stores each as a CloudEvent in NATS JetStream before it ` +
	`answers. With no nats.url in the configuration it also runs an embedded NATS server.`

// IngestMain is the program ingest.
func IngestMain(ctx context.Context, p Program) error {
	var cli ingestCLI
	return p.Run(ctx, "ingest", ingestHelp, &cli, kong.Bind(&cli.globals))
}
