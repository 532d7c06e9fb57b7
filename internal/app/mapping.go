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

// mappingBeat is how often a mapping's files are read for a change.
const mappingBeat = time.Second

// mapping loads a tenant's mapping and its tables, and follows their changes until the
// program stops.
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

// refusedBy says in one line why a changed mapping file is not in force.
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

// mappingChecks name the mappings whose change was refused. The old ones are in use,
// so the program stays ready.
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

// CheckMappings compiles every tenant's mapping and reports all faults.
func CheckMappings(cfg *config.Config) error {
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
