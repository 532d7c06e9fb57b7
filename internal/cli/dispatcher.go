package cli

import (
	"context"
	"errors"

	"github.com/alecthomas/kong"

	"gongdan-bridge/internal/app"
)

// dispatcherCLI is the command line of dispatcher.
type dispatcherCLI struct {
	globals
	Run     dispatcherRunCmd `cmd:"" default:"1" help:"Enrich and handle events until stopped (the default)."`
	Dead    deadCmd          `cmd:"" help:"Dead letters: what could not be done and waits for a person."`
	Order   orderCmd         `cmd:"" help:"What is known of one order."`
	Balance balanceCmd       `cmd:"" help:"Count the callbacks and how each ended; exit status 1 if one is unexplained."`
	Owners  ownersCmd        `cmd:"" help:"Show which replica owns which tenant; exit status 1 if nobody owns one."`
	Recover recoverCmd       `cmd:"" help:"Show what of the store does not fit, and have it looked at again; exit status 1 if something does not fit."`
	Pause   pauseCmd         `cmd:"" help:"Pause a stage of a tenant, until it is resumed."`
	Resume  resumeCmd        `cmd:"" help:"Let a paused stage go on."`
	Mapping mappingCmd       `cmd:"" help:"Check, test, try and complete the tenants' mappings."`
	Drift   driftCmd         `cmd:"" help:"Show where Weiban's callbacks and details are not as the bridge knows them."`
	Conf    configCmd        `cmd:"" name:"config" help:"Check or print the configuration."`
	Version versionCmd       `cmd:"" help:"Print the version."`
}

type dispatcherRunCmd struct{}

func (dispatcherRunCmd) Run(ctx context.Context, p Program, g *globals) error {
	cfg, err := load(p, g)
	if err != nil {
		return err
	}
	if _, err := app.CheckMappings(cfg); err != nil { // all faults, also while there is no bus
		return err
	}
	return app.Run{Config: cfg, Env: p.Env, Log: p.Stderr, Alone: true}.Dispatcher(ctx)
}

const dispatcherHelp = `Enriches Weiban's events through its detail APIs and drives Kingdee's handle-order. What cannot be done waits as a ` +
	`dead letter; see dispatcher dead --help.`

// DispatcherMain is the program dispatcher.
func DispatcherMain(ctx context.Context, p Program) error {
	var cli dispatcherCLI
	var s session
	err := p.Run(ctx, "dispatcher", dispatcherHelp, &cli, kong.Bind(&cli.globals),
		kong.BindSingletonProvider(func() (*session, error) { return s.open(ctx, p, &cli.globals) }))
	return errors.Join(err, s.close(ctx))
}
