package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gongdan-bridge/internal/bus"
	"gongdan-bridge/internal/config"
	"gongdan-bridge/internal/dispatch"
	"gongdan-bridge/internal/mapping"
	"gongdan-bridge/internal/tables"
	"gongdan-bridge/internal/telemetry"
)

// mappingBeat is how often a mapping's files are looked at for a change.
const mappingBeat = time.Second

// mapping keeps a tenant's mapping and its tables as they change, until the end.
func (b *base) mapping(ctx context.Context, conn *bus.Bus, t config.Tenant, language *mapping.Language) (*mapping.Live, *tables.Live, error) {
	log := b.log.With(slog.String("tenant", t.Name))
	rows, err := tables.NewLive(ctx, conn, t.Name, b.log)
	if err != nil {
		return nil, nil, err
	}
	live, err := mapping.NewLive(t.Mapping, mapping.Options{Tables: rows, Language: language})
	if err != nil {
		return nil, nil, err
	}
	b.watch(ctx, "tables of "+t.Name, rows.Run)
	b.watch(ctx, "mapping of "+t.Name, func(ctx context.Context) {
		live.Watch(ctx, mappingBeat, func(m *mapping.Mapping, err error) {
			if err == nil {
				log.InfoContext(ctx, "mapping changed", slog.String("mapping", m.Hash()))
				return
			}
			faults := []string{err.Error()}
			if list := mapping.FaultsOf(err); list != nil {
				faults = faults[:0]
				for _, f := range list {
					faults = append(faults, f.String())
				}
			}
			log.ErrorContext(ctx, "changed mapping refused, the old one stays in force",
				slog.String("mapping", m.Hash()), slog.Any("faults", faults))
		})
	})
	return live, rows, nil
}

// refusedBy tells of a mapping's file that is not in force, in one line.
func refusedBy(m *mapping.Live) func() error {
	return func() error {
		err := m.Refused()
		if err == nil {
			return nil
		}
		text := err.Error()
		if list := mapping.FaultsOf(err); len(list) > 0 {
			text = list[0].String()
			if len(list) > 1 {
				text += fmt.Sprintf(" (and %d more)", len(list)-1)
			}
		}
		return fmt.Errorf("the changed mapping is refused, the old one %s stays in force: %s", m.Mapping().Hash(), text)
	}
}

// mappingChecks tell of mappings that were refused. Work is done by the old ones, so
// they make no program unready.
func mappingChecks(tenants []dispatch.Tenant) []telemetry.Check {
	var all []telemetry.Check
	for _, t := range tenants {
		all = append(all, telemetry.Check{Name: "mapping of " + t.Name, Note: func() string {
			if err := t.Refused(); err != nil {
				return err.Error()
			}
			return ""
		}})
	}
	return all
}

// checkMappings compiles every tenant's mapping and reports all faults.
func checkMappings(cfg *config.Config) error {
	language, err := mapping.NewLanguage()
	if err != nil {
		return err
	}
	var all error
	for _, t := range cfg.Tenants {
		if _, err := mapping.Load(t.Mapping, mapping.Options{Language: language}); err != nil {
			all = errors.Join(all, err)
		}
	}
	return all
}

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
		if err := checkMappings(cfg); err != nil {
			return err
		}
		n = len(cfg.Tenants)
	}
	_, err := fmt.Fprintf(p.Stdout, "%d mapping(s), no faults\n", n)
	return err
}
