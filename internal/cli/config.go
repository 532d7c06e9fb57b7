package cli

import (
	"fmt"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/config"
)

// configCmd is `config` of both programs.
type configCmd struct {
	Check     configCheckCmd     `cmd:"" help:"Check the configuration and everything that it names; every fault at once."`
	Print     configPrintCmd     `cmd:"" help:"Print the configuration with every default, secrets masked."`
	Reference configReferenceCmd `cmd:"" help:"Print every setting: type, default, meaning."`
}

type configCheckCmd struct{}

func (configCheckCmd) Run(p Program, g *globals) error {
	cfg, err := load(p, g)
	if err != nil {
		return err
	}
	if err := app.CheckMappings(cfg); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "%s: %d tenant(s), no faults\n", g.Config, len(cfg.Tenants))
	return err
}

type configPrintCmd struct{}

func (configPrintCmd) Run(p Program, g *globals) error {
	cfg, err := load(p, g)
	if err != nil {
		return err
	}
	return cfg.Print(p.Stdout)
}

type configReferenceCmd struct{}

func (configReferenceCmd) Run(p Program) error { return config.Table(p.Stdout) }
