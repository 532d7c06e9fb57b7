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
	warnings, err := app.Check(cfg)
	if err != nil {
		return err
	}
	return checked(p, fmt.Sprintf("%s: %d tenant(s)", g.Config, len(cfg.Tenants)), warnings, false)
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
