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
	File   string `arg:"" optional:"" help:"One mapping file, without a configuration (default: every tenant's)."`
	Strict bool   `help:"Exit status 1 also where there are warnings alone."`
}

func (c mappingCheckCmd) Run(p Program, g *globals) error {
	if c.File != "" {
		m, err := mapping.Load(c.File, mapping.Options{})
		if err != nil {
			return err
		}
		return checked(p, "1 mapping(s)", m.Warnings(), c.Strict)
	}
	cfg, err := load(p, g)
	if err != nil {
		return err
	}
	warnings, err := app.CheckMappings(cfg)
	if err != nil {
		return err
	}
	return checked(p, fmt.Sprintf("%d mapping(s)", len(cfg.Tenants)), warnings, c.Strict)
}

// checked says that what was checked has no faults, and its warnings; they are an error
// if the check is strict.
func checked(p Program, what string, warnings mapping.Faults, strict bool) error {
	if strict && len(warnings) > 0 {
		return warnings
	}
	for _, w := range warnings {
		if _, err := fmt.Fprintf(p.Stderr, "warning: %s\n", w); err != nil {
			return err
		}
	}
	more := ""
	if len(warnings) > 0 {
		more = fmt.Sprintf(", %d warning(s)", len(warnings))
	}
	_, err := fmt.Fprintf(p.Stdout, "%s, no faults%s\n", what, more)
	return err
}
