package cli

import (
	"fmt"

	"gongdan-bridge/internal/app"
	"gongdan-bridge/internal/mapping"
)

type mappingCmd struct {
	Check   mappingCheckCmd   `cmd:"" help:"Check every tenant's mapping, or one file; every fault at once, with file, line and column."`
	Test    mappingTestCmd    `cmd:"" help:"Run a mapping on examples kept as files; exit status 1 if one gives something else."`
	Preview mappingPreviewCmd `cmd:"" help:"Run a mapping, also a changed one, over recorded events; nothing is sent."`
	Suggest suggestCmd        `cmd:"" help:"List words that Weiban uses and the tables lack, as lines ready to be filled in."`
	Table   tableCmd          `cmd:"" help:"The tables' rows that operators add while the bridge runs."`
}

type mappingCheckCmd struct {
	File string `arg:"" optional:"" help:"One mapping file, without a configuration (default: every tenant's)."`
}

func (c mappingCheckCmd) Run(p Program, g *globals) error {
	n := 1
	if c.File != "" {
		if _, err := mapping.Load(c.File, mapping.Options{}); err != nil {
			return err
		}
	} else {
		cfg, err := load(p, g)
		if err != nil {
			return err
		}
		if err := app.CheckMappings(cfg); err != nil {
			return err
		}
		n = len(cfg.Tenants)
	}
	_, err := fmt.Fprintf(p.Stdout, "%d mapping(s), no faults\n", n)
	return err
}
